package virt

// BackupBegin is virDomainBackupBegin of the seed: it starts a backup job and, with
// checkpointXML, makes a checkpoint at the same instant. It returns the job's id,
// >= 0, or -1 with the error. diskXML nil means a push of all disks to generated
// names.
//
// Checks in the seed's order (§3.2): handle 7, read-only 29 (E018), NO_METADATA
// without checkpointXML 8 (E043). The release's order (E017) does not apply: there
// diskXML is mandatory. Failure is ret < 0: the seed's `!ret` would turn id 0 into
// a failure (§3.4 row 1).
func (d *Domain) BackupBegin(diskXML, checkpointXML *string, flags DomainBackupBeginFlags) (int, error) {
	id, k := d.begin("virDomainBackupBegin")
	k.writable()
	if flags&DOMAIN_BACKUP_BEGIN_NO_METADATA != 0 {
		k.nonNull("checkpointXml", checkpointXML)
	}
	return k.number(ask(&k, func(v BackupBeginner) (int, error) {
		return v.DomainBackupBegin(id, diskXML, checkpointXML, flags)
	}))
}

// BackupEnd is virDomainBackupEnd of the seed: 1 if the job completed, 0 if it was
// aborted, -1 with the error. Checks: handle 7, read-only 29 (E046), negative job
// id 8 (E045). Zero is a success (§3.4 row 2).
func (d *Domain) BackupEnd(job int, flags DomainBackupEndFlags) (int, error) {
	id, k := d.begin("virDomainBackupEnd")
	k.writable()
	k.nonNegative("id", job)
	return k.number(ask(&k, func(v BackupEnder) (int, error) { return v.DomainBackupEnd(id, job, flags) }))
}

// BackupGetXMLDesc is virDomainBackupGetXMLDesc of the seed; job 0 is the domain's
// current backup. Allowed on a read-only connection (DSC-02). Checks: handle 7,
// negative job id 8 (E044); flags are the driver's to refuse (E032).
func (d *Domain) BackupGetXMLDesc(job int, flags uint32) (string, error) {
	id, k := d.begin("virDomainBackupGetXMLDesc")
	k.nonNegative("id", job)
	return k.text(ask(&k, func(v BackupXMLDescriber) (string, error) {
		return v.DomainBackupGetXMLDesc(id, job, flags)
	}))
}
