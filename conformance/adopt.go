package conformance

// BeginPullUnseen asks for a pull backup whose Begin may not return; it tells
// whether it did, with an id. AdoptPull is for what there is then.
func (d *Domain) BeginPullUnseen(s PullSpec) (id int, returned bool) {
	s = d.completePull(s)
	d.lastBegin = d.guest.begin()
	if s.Checkpoint != "" {
		d.noteCheckpoint(s.Checkpoint, d.lastBegin)
	}
	id, err := d.BackupBegin(s.XML(), BackupSpec{Checkpoint: s.Checkpoint}.CheckpointXML(), s.Flags)
	if err == nil {
		d.guest.returned(d.lastBegin)
	}
	return id, err == nil
}

// AdoptPull is the pull backup of an earlier Begin whose caller did not learn the
// result. The driver must still know it.
func (d *Domain) AdoptPull(s PullSpec, id int) *Pull {
	s = d.completePull(s)
	p := &Pull{ID: id, Spec: s, d: d, at: d.lastBegin}
	for _, k := range s.Disks {
		p.starts = append(p.starts, d.instant(s.since(k)))
	}
	p.readServer()
	d.t.Keeps(p.Scratches()...)
	return p
}

// ScratchPaths are the paths of a pull backup's scratch images as Begin would get
// them.
func (d *Domain) ScratchPaths(s PullSpec) []string {
	return (&Pull{Spec: d.completePull(s)}).Scratches()
}

// TryCheckpointUnseen is TryCheckpoint whose result may be lost: the checkpoint may
// be there though an error is returned.
func (d *Domain) TryCheckpointUnseen(name string) error {
	at := d.guest.begin()
	d.noteCheckpoint(name, at)
	_, err := d.CreateCheckpointXML(BackupSpec{Checkpoint: name}.CheckpointXML(), 0)
	if err == nil {
		d.guest.returned(at)
	}
	return err
}
