package conformance

import (
	"fleece/conformance/oracle"
	"fleece/virt"
)

// Checkpoint creates a checkpoint that must be created.
func (d *Domain) Checkpoint(name string) *virt.Checkpoint {
	at := d.guest.begin()
	d.noteCheckpoint(name, at)
	chk, err := d.CreateCheckpointXML(BackupSpec{Checkpoint: name}.CheckpointXML(), 0)
	d.t.Expect(err).NotTo(haveOccurred(), "create checkpoint %s", name)
	d.guest.returned(at)
	return chk
}

// TryCheckpoint tries to create a checkpoint.
func (d *Domain) TryCheckpoint(name string) error {
	at := d.guest.begin()
	_, err := d.CreateCheckpointXML(BackupSpec{Checkpoint: name}.CheckpointXML(), 0)
	if err == nil {
		d.noteCheckpoint(name, at)
		d.guest.returned(at)
	}
	return err
}

// noteCheckpoint remembers that a bitmap of that name may be there.
func (d *Domain) noteCheckpoint(name string, at *oracle.Instant) {
	d.lastBegin = at
	if !contains(d.checkpoints, name) {
		d.checkpoints = append(d.checkpoints, name)
		d.instants = append(d.instants, at)
		return
	}
	for i := range d.checkpoints {
		if d.checkpoints[i] == name {
			d.instants[i] = at
		}
	}
}

// noteUntracked remembers which disks the checkpoint of a backup leaves out.
func (d *Domain) noteUntracked(s BackupSpec) {
	if s.Tracked == nil {
		return
	}
	for _, k := range d.disks {
		if !contains(s.Tracked, k.Target) {
			d.untracked = append(d.untracked, s.Checkpoint+"/"+k.Target)
		}
	}
}

// MayHaveBitmap says that bitmaps of that name may be on the domain's disks though
// the harness's own calls made none.
func (d *Domain) MayHaveBitmap(name string) {
	d.noteCheckpoint(name, d.guest.begin())
}

// BrokenBitmap says that the spec spoils bitmaps of that name: nothing is asked of
// them any more.
func (d *Domain) BrokenBitmap(name string) { d.broken = append(d.broken, name) }

// ForgetCheckpoint says that no bitmap of that name may be left.
func (d *Domain) ForgetCheckpoint(name string) {
	for i := range d.checkpoints {
		if d.checkpoints[i] == name {
			d.checkpoints = append(d.checkpoints[:i], d.checkpoints[i+1:]...)
			d.instants = append(d.instants[:i], d.instants[i+1:]...)
			return
		}
	}
}

// ExpectBitmaps asks the oracle about the bitmaps of every checkpoint of a domain
// that was powered off, and about the disks themselves: no backup or checkpoint
// may have changed what the guest wrote (I16).
func (d *Domain) ExpectBitmaps() {
	for i, name := range d.checkpoints {
		d.guest.judge("the bitmap of checkpoint "+name, d.instants[i], oracle.Evidence{Bitmaps: d.bitmaps(name)})
	}
}

// instant is when a checkpoint was made; nil if the harness knows of none.
func (d *Domain) instant(name string) *oracle.Instant {
	for i := range d.checkpoints {
		if d.checkpoints[i] == name {
			return d.instants[i]
		}
	}
	return nil
}
