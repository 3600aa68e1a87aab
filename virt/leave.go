package virt

// The ways in which a guest leaves its machine other than by force.

// Shutdown is virDomainShutdown: it asks the guest, by ACPI, to power off. What the
// guest makes of it, an event tells. Checks: handle 7, read-only 29.
func (d *Domain) Shutdown() error {
	id, k := d.begin("virDomainShutdown")
	k.writable()
	tell(&k, func(v DomainShutdowner) error { return v.DomainShutdown(id) })
	return k.end()
}

// Save is virDomainSave: the guest's memory goes to a file, and the domain stops.
// Checks: handle 7, read-only 29, to NULL 8.
func (d *Domain) Save(to *string) error {
	id, k := d.begin("virDomainSave")
	k.writable()
	k.nonNull("to", to)
	tell(&k, func(v DomainSaver) error { return v.DomainSave(id, *to) })
	return k.end()
}

// MigrateToURI is virDomainMigrateToURI without PEER2PEER: the hypervisor sends the
// guest to duri ("unix:PATH", "tcp:HOST:PORT"), where a machine waits that somebody
// else has started; then the domain stops here. dname must be NULL. bandwidth is in
// MiB/s, 0 is no limit. Checks: handle 7, read-only 29, duri NULL 8.
func (d *Domain) MigrateToURI(duri *string, flags DomainMigrateFlags, dname *string, bandwidth uint64) error {
	id, k := d.begin("virDomainMigrateToURI")
	k.writable()
	k.nonNull("duri", duri)
	tell(&k, func(v DomainMigrator) error { return v.DomainMigrateToURI(id, *duri, flags, dname, bandwidth) })
	return k.end()
}
