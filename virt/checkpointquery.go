package virt

// ListAllCheckpoints is virDomainListAllCheckpoints: the domain's checkpoints that
// pass the filters; nil on an error, as C sets *list to NULL before any check.
// Flags 0 is all; ROOTS restricts. Checks: handle 7; flags are the driver's to
// refuse (E035); more than 16384 results 39 (E030).
func (d *Domain) ListAllCheckpoints(flags DomainCheckpointListFlags) ([]*Checkpoint, error) {
	id, k := d.beginFrom("virDomainListAllCheckpoints", FROM_DOMAIN_CHECKPOINT)
	return d.checkpointList(&k, ask(&k, func(v CheckpointLister) ([]CheckpointID, error) {
		return v.DomainListAllCheckpoints(id, flags)
	}))
}

// ListAllChildren is virDomainCheckpointListAllChildren; nil on an error. Flags 0
// is direct children; DESCENDANTS, the same bit as ROOTS, extends. Checks: handle
// 102; flags are the driver's to refuse (E036); more than 16384 results 39 (E030).
func (c *Checkpoint) ListAllChildren(flags DomainCheckpointListFlags) ([]*Checkpoint, error) {
	id, k := c.begin("virDomainCheckpointListAllChildren")
	ids := ask(&k, func(v CheckpointChildLister) ([]CheckpointID, error) {
		return v.DomainCheckpointListAllChildren(id, flags)
	})
	return c.domainOf().checkpointList(&k, ids)
}

// domainOf is the domain handle that results belong to; nil for a bad handle.
func (c *Checkpoint) domainOf() *Domain {
	if c == nil {
		return nil
	}
	return c.moment.dom
}

// checkpointList ends a call that returns checkpoints.
func (d *Domain) checkpointList(k *call, ids []CheckpointID) ([]*Checkpoint, error) {
	k.atMost(checkpointsMax, len(ids), "checkpoints")
	if err := k.end(); err != nil {
		return nil, err
	}
	list := make([]*Checkpoint, len(ids))
	for i, id := range ids {
		list[i] = newCheckpoint(d, id)
	}
	return list, nil
}

// CheckpointLookupByName is virDomainCheckpointLookupByName. Checks: handle 7, name
// nil 8 (E014); flags are the driver's to refuse (E037).
func (d *Domain) CheckpointLookupByName(name *string, flags uint32) (*Checkpoint, error) {
	id, k := d.beginFrom("virDomainCheckpointLookupByName", FROM_DOMAIN_CHECKPOINT)
	k.nonNull("name", name)
	return d.checkpointResult(&k, ask(&k, func(v CheckpointLooker) (CheckpointID, error) {
		return v.DomainCheckpointLookupByName(id, *name, flags)
	}))
}

// GetParent is virDomainCheckpointGetParent; a root has none: 103 (E226). Checks:
// handle 102; flags are the driver's to refuse (E038).
func (c *Checkpoint) GetParent(flags uint32) (*Checkpoint, error) {
	id, k := c.begin("virDomainCheckpointGetParent")
	return c.domainOf().checkpointResult(&k, ask(&k, func(v CheckpointParentGetter) (CheckpointID, error) {
		return v.DomainCheckpointGetParent(id, flags)
	}))
}

// The "current" family of the drafts (§3.6): the newest checkpoint, which the next
// one has for its parent.

// HasCurrentCheckpoint is virDomainHasCurrentCheckpoint. Checks: handle 7.
func (d *Domain) HasCurrentCheckpoint(flags uint32) (bool, error) {
	id, k := d.beginFrom("virDomainHasCurrentCheckpoint", FROM_DOMAIN_CHECKPOINT)
	has := ask(&k, func(v CurrentCheckpointHaver) (bool, error) { return v.DomainHasCurrentCheckpoint(id, flags) })
	return has, k.end()
}

// CheckpointCurrent is virDomainCheckpointCurrent; 103 if there is none (E057).
// Checks: handle 7.
func (d *Domain) CheckpointCurrent(flags uint32) (*Checkpoint, error) {
	id, k := d.beginFrom("virDomainCheckpointCurrent", FROM_DOMAIN_CHECKPOINT)
	return d.checkpointResult(&k, ask(&k, func(v CurrentCheckpointGetter) (CheckpointID, error) {
		return v.DomainCheckpointCurrent(id, flags)
	}))
}

// IsCurrent is virDomainCheckpointIsCurrent; 103 if the checkpoint is gone. Checks:
// handle 102.
func (c *Checkpoint) IsCurrent(flags uint32) (bool, error) {
	id, k := c.begin("virDomainCheckpointIsCurrent")
	is := ask(&k, func(v CheckpointCurrentTester) (bool, error) { return v.DomainCheckpointIsCurrent(id, flags) })
	return is, k.end()
}

// HasMetadata is virDomainCheckpointHasMetadata; 103 if the checkpoint is gone.
// Checks: handle 102.
func (c *Checkpoint) HasMetadata(flags uint32) (bool, error) {
	id, k := c.begin("virDomainCheckpointHasMetadata")
	has := ask(&k, func(v CheckpointMetadataTester) (bool, error) { return v.DomainCheckpointHasMetadata(id, flags) })
	return has, k.end()
}
