package virt

// Handles makes handles without asking a driver, so that one that can do nothing
// can be tested.
func (c *Conn) Handles() (*Domain, *Checkpoint, *Snapshot) {
	d := newDomain(c, DomainID{Name: "vm", UUID: "u", ID: 1})
	return d, newCheckpoint(d, CheckpointID{Name: "chk"}), &Snapshot{moment{dom: d, name: "snap", refs: 1}}
}
