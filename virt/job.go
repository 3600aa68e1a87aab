package virt

// The job calls are about the default job, id 0 (JOB-05): the backup, if it is the
// domain's only job (§3.4 row 10). ListJobIds knows the others.

// ListJobIds is virDomainListJobIds of the seed: type and id of every job with an
// id, nil on an error (JOB-02). The count alone, which C gets with a NULL array, is
// len. Allowed on a read-only connection (JOB-04). Checks: handle 7; flags are the
// driver's to refuse (E052).
func (d *Domain) ListJobIds(flags uint32) ([]DomainJobID, error) { //nolint:revive // libvirt's spelling
	id, k := d.begin("virDomainListJobIds")
	ids := ask(&k, func(v JobIDLister) ([]DomainJobID, error) { return v.DomainListJobIds(id, flags) })
	return ids, k.end()
}

// GetJobInfo is virDomainGetJobInfo. Checks: handle 7.
func (d *Domain) GetJobInfo() (DomainJobInfo, error) {
	id, k := d.begin("virDomainGetJobInfo")
	info := ask(&k, func(v JobInfoGetter) (DomainJobInfo, error) { return v.DomainGetJobInfo(id) })
	return info, k.end()
}

// GetJobStats is virDomainGetJobStats. Checks: handle 7, KEEP_COMPLETED without
// COMPLETED 8 (E024); other flags are the driver's to refuse (E040).
func (d *Domain) GetJobStats(flags DomainGetJobStatsFlags) (DomainJobType, []TypedParam, error) {
	type stats struct {
		kind   DomainJobType
		params []TypedParam
	}
	id, k := d.begin("virDomainGetJobStats")
	k.requires(
		flag{flags&DOMAIN_JOB_STATS_KEEP_COMPLETED != 0, "VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED"},
		flag{flags&DOMAIN_JOB_STATS_COMPLETED != 0, "VIR_DOMAIN_JOB_STATS_COMPLETED"})
	s := ask(&k, func(v JobStatsGetter) (s stats, err error) {
		s.kind, s.params, err = v.DomainGetJobStats(id, flags)
		return s, err
	})
	return s.kind, s.params, k.end()
}

// AbortJob is virDomainAbortJob. Checks: handle 7, read-only 29 (E019).
func (d *Domain) AbortJob() error {
	id, k := d.begin("virDomainAbortJob")
	k.writable()
	tell(&k, func(v JobAborter) error { return v.DomainAbortJob(id) })
	return k.end()
}

// AbortJobFlags is virDomainAbortJobFlags. Checks: handle 7, read-only 29 (E019);
// flags are the driver's to refuse (E041).
func (d *Domain) AbortJobFlags(flags DomainAbortJobFlags) error {
	id, k := d.begin("virDomainAbortJobFlags")
	k.writable()
	tell(&k, func(v JobFlagsAborter) error { return v.DomainAbortJobFlags(id, flags) })
	return k.end()
}
