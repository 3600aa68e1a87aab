package virt

// The "current" family of the drafts (§3.6): the new checkpoint's parent is the
// current one.

// HasCurrentCheckpoint is virDomainHasCurrentCheckpoint.
func (d *Domain) HasCurrentCheckpoint(flags uint32) (bool, error) {
	const function = "virDomainHasCurrentCheckpoint"
	e := d.enter(function)
	var has bool
	if e == nil {
		e = dispatch(d.conn, function, func(v CurrentCheckpointHaver) (err error) {
			has, err = v.DomainHasCurrentCheckpoint(d.id, flags)
			return err
		})
	}
	return has && e == nil, d.leave(e)
}

// CheckpointCurrent is virDomainCheckpointCurrent; 103 if there is none (E057).
func (d *Domain) CheckpointCurrent(flags uint32) (*Checkpoint, error) {
	const function = "virDomainCheckpointCurrent"
	e := d.enter(function)
	var id CheckpointID
	if e == nil {
		e = dispatch(d.conn, function, func(v CurrentCheckpointGetter) (err error) {
			id, err = v.DomainCheckpointCurrent(d.id, flags)
			return err
		})
	}
	return d.checkpointResult(id, e)
}

// IsCurrent is virDomainCheckpointIsCurrent; 103 if the checkpoint is gone.
func (k *Checkpoint) IsCurrent(flags uint32) (bool, error) {
	const function = "virDomainCheckpointIsCurrent"
	e := k.enter(function)
	var is bool
	if e == nil {
		e = dispatch(k.dom.conn, function, func(v CheckpointCurrentTester) (err error) {
			is, err = v.DomainCheckpointIsCurrent(k.id(), flags)
			return err
		})
	}
	return is && e == nil, k.leave(e)
}

// HasMetadata is virDomainCheckpointHasMetadata; 103 if the checkpoint is gone.
func (k *Checkpoint) HasMetadata(flags uint32) (bool, error) {
	const function = "virDomainCheckpointHasMetadata"
	e := k.enter(function)
	var has bool
	if e == nil {
		e = dispatch(k.dom.conn, function, func(v CheckpointMetadataTester) (err error) {
			has, err = v.DomainCheckpointHasMetadata(k.id(), flags)
			return err
		})
	}
	return has && e == nil, k.leave(e)
}
