package virt

// The guest's file systems are quieted by its agent, for a backup between the two
// calls (BEG-16); no mount points means all of them.

// FSFreeze is virDomainFSFreeze: the number of file systems that it froze. Checks:
// handle 7, read-only 29; agent and flags are the driver's to refuse.
func (d *Domain) FSFreeze(mountpoints []string, flags uint32) (int, error) {
	id, k := d.begin("virDomainFSFreeze")
	k.writable()
	frozen := ask(&k, func(v FSFreezer) (int, error) { return v.DomainFSFreeze(id, mountpoints, flags) })
	return k.number(frozen)
}

// FSThaw is virDomainFSThaw: the number of file systems that it thawed. Checks: as
// those of FSFreeze.
func (d *Domain) FSThaw(mountpoints []string, flags uint32) (int, error) {
	id, k := d.begin("virDomainFSThaw")
	k.writable()
	thawed := ask(&k, func(v FSThawer) (int, error) { return v.DomainFSThaw(id, mountpoints, flags) })
	return k.number(thawed)
}
