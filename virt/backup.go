package virt

// BackupBegin is virDomainBackupBegin of the seed: it starts a backup job and, with
// checkpointXML, makes a checkpoint at the same instant. It returns the job's id,
// >= 0, or -1 with the error. diskXML nil means a push of all disks to generated
// names.
//
// Checks in the seed's order (§3.2): handle 7, read-only 29 (E018), NO_METADATA
// without checkpointXML 8 (E043), then the driver, or 3. Failure is ret < 0: the
// seed's `!ret` would turn id 0 into a failure (§3.4 row 1).
func (d *Domain) BackupBegin(diskXML, checkpointXML *string, flags DomainBackupBeginFlags) (int, error) {
	const function = "virDomainBackupBegin"
	e := d.enter(function)
	if e == nil {
		e = d.conn.writable(function)
	}
	if e == nil && flags&DOMAIN_BACKUP_BEGIN_NO_METADATA != 0 && checkpointXML == nil {
		e = NonNullArg("checkpointXml", function)
	}
	id := -1
	if e == nil {
		e = dispatch(d.conn, function, func(v BackupBeginner) (err error) {
			id, err = v.DomainBackupBegin(d.id, diskXML, checkpointXML, flags)
			return err
		})
	}
	return d.number(id, e)
}

// BackupEnd is virDomainBackupEnd: 1 if the job completed, 0 if it was aborted, -1
// with the error. Checks: handle 7, read-only 29 (E046), negative id 8 (E045).
func (d *Domain) BackupEnd(id int, flags DomainBackupEndFlags) (int, error) {
	const function = "virDomainBackupEnd"
	e := d.enter(function)
	if e == nil {
		e = d.conn.writable(function)
	}
	if e == nil && id < 0 {
		e = NonNegativeArg("id", function)
	}
	ret := -1
	if e == nil {
		e = dispatch(d.conn, function, func(v BackupEnder) (err error) {
			ret, err = v.DomainBackupEnd(d.id, id, flags)
			return err
		})
	}
	return d.number(ret, e)
}

// number ends a call that returns a number >= 0: one below zero without an error
// is a failure of unknown cause (E006).
func (d *Domain) number(n int, e *Error) (int, error) {
	if e == nil && n < 0 {
		e = unknownCause()
	}
	if e != nil {
		return -1, d.leave(e)
	}
	return n, nil
}

// BackupGetXMLDesc is virDomainBackupGetXMLDesc of the seed; id 0 is the domain's
// current backup. Allowed on a read-only connection (DSC-02). Checks: handle 7,
// negative id 8 (E044).
func (d *Domain) BackupGetXMLDesc(id int, flags uint32) (string, error) {
	const function = "virDomainBackupGetXMLDesc"
	e := d.enter(function)
	if e == nil && id < 0 {
		e = NonNegativeArg("id", function)
	}
	var xml string
	if e == nil {
		e = dispatch(d.conn, function, func(v BackupXMLDescriber) (err error) {
			xml, err = v.DomainBackupGetXMLDesc(d.id, id, flags)
			return err
		})
	}
	if e == nil && xml == "" {
		e = unknownCause()
	}
	if e != nil {
		return "", d.leave(e)
	}
	return xml, nil
}

// ListJobIds is virDomainListJobIds: type and id of every job with an id, nil on
// an error (JOB-02). The count alone, which C gets with a NULL array, is len.
// Flags are the driver's to refuse (E052). Allowed on a read-only connection.
func (d *Domain) ListJobIds(flags uint32) ([]DomainJobID, error) {
	const function = "virDomainListJobIds"
	e := d.enter(function)
	var ids []DomainJobID
	if e == nil {
		e = dispatch(d.conn, function, func(v JobIDLister) (err error) {
			ids, err = v.DomainListJobIds(d.id, flags)
			return err
		})
	}
	if e != nil {
		return nil, d.leave(e)
	}
	return ids, nil
}

// The pointers that C checks for NULL in GetJobInfo and GetJobStats (E020 to E023)
// are results here, so those rows cannot be reached in Go.

// GetJobInfo is virDomainGetJobInfo, about the default job (JOB-05).
func (d *Domain) GetJobInfo() (DomainJobInfo, error) {
	const function = "virDomainGetJobInfo"
	e := d.enter(function)
	var info DomainJobInfo
	if e == nil {
		e = dispatch(d.conn, function, func(v JobInfoGetter) (err error) {
			info, err = v.DomainGetJobInfo(d.id)
			return err
		})
	}
	if e != nil {
		return DomainJobInfo{}, d.leave(e)
	}
	return info, nil
}

// GetJobStats is virDomainGetJobStats. Checks: handle 7, KEEP_COMPLETED without
// COMPLETED 8 (E024).
func (d *Domain) GetJobStats(flags DomainGetJobStatsFlags) (DomainJobType, []TypedParam, error) {
	const function = "virDomainGetJobStats"
	e := d.enter(function)
	if e == nil && flags&DOMAIN_JOB_STATS_KEEP_COMPLETED != 0 && flags&DOMAIN_JOB_STATS_COMPLETED == 0 {
		e = RequiredFlag("VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED", "VIR_DOMAIN_JOB_STATS_COMPLETED")
	}
	var kind DomainJobType
	var params []TypedParam
	if e == nil {
		e = dispatch(d.conn, function, func(v JobStatsGetter) (err error) {
			kind, params, err = v.DomainGetJobStats(d.id, flags)
			return err
		})
	}
	if e != nil {
		return DOMAIN_JOB_NONE, nil, d.leave(e)
	}
	return kind, params, nil
}

// AbortJob is virDomainAbortJob, about the default job (JOB-05). Checks: handle 7,
// read-only 29 (E019).
func (d *Domain) AbortJob() error {
	const function = "virDomainAbortJob"
	return d.write(function, func() *Error {
		return dispatch(d.conn, function, func(v JobAborter) error { return v.DomainAbortJob(d.id) })
	})
}
