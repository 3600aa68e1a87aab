package driver

import (
	"fleece/driver/backupdef"
	"fleece/driver/state"
	"fleece/qmp"
	"fleece/virt"
)

// record is the statistics of a job (§6.1).
type record struct {
	kind      virt.DomainJobType
	id        int
	pull      bool
	elapsedMS uint64
	// operation is another one than a backup, 0 for that: nothing but the time is told.
	operation virt.DomainJobOperation
	current   int64 // bytes
	total     int64 // bytes
	message   string
}

// record sums up a job; totals are left out of one whose machine died (§5.7).
func (b *backup) record(totals bool) *record {
	s := &record{
		kind: virt.DomainJobType(b.st.Result), id: b.st.ID, pull: b.def.Mode == backupdef.Pull,
		elapsedMS: uint64(max(b.st.ElapsedMS, 0)), message: b.st.Error,
	}
	for _, k := range b.disks {
		if totals {
			s.current += k.Current
			s.total += k.Total
		}
	}
	if !totals {
		s.message = ""
	}
	return s
}

// params are the typed parameters, in libvirt's order.
func (s *record) params() []virt.TypedParam {
	if s.operation != 0 {
		return []virt.TypedParam{
			virt.IntParam(virt.DOMAIN_JOB_OPERATION, int32(s.operation)), virt.ULLongParam(virt.DOMAIN_JOB_TIME_ELAPSED, s.elapsedMS),
		}
	}
	p := make([]virt.TypedParam, 0, 8)
	p = append(p, virt.IntParam(virt.DOMAIN_JOB_OPERATION, int32(virt.DOMAIN_JOB_OPERATION_BACKUP)),
		virt.IntParam(virt.DOMAIN_JOB_ID, int32(s.id)), virt.ULLongParam(virt.DOMAIN_JOB_TIME_ELAPSED, s.elapsedMS))
	current, total := uint64(s.current), uint64(s.total)
	if current > 0 || total > 0 {
		if s.pull {
			p = append(p, virt.ULLongParam(virt.DOMAIN_JOB_DISK_TEMP_USED, current),
				virt.ULLongParam(virt.DOMAIN_JOB_DISK_TEMP_TOTAL, total))
		} else {
			p = append(p, virt.ULLongParam(virt.DOMAIN_JOB_DISK_TOTAL, total),
				virt.ULLongParam(virt.DOMAIN_JOB_DISK_PROCESSED, current),
				virt.ULLongParam(virt.DOMAIN_JOB_DISK_REMAINING, total-current))
		}
	}
	if s.kind == virt.DOMAIN_JOB_UNBOUNDED {
		return p
	}
	p = append(p, virt.BoolParam(virt.DOMAIN_JOB_SUCCESS, s.kind == virt.DOMAIN_JOB_COMPLETED))
	if s.message != "" {
		p = append(p, virt.StringParam(virt.DOMAIN_JOB_ERRMSG, s.message))
	}
	return p
}

// running asks QEMU how far the backup is; nil if no job is active. The lock is
// held, and dropped while QEMU answers.
func (d *domain) running(api string) (*record, error) {
	if err := d.begin(jobQuery, api); err != nil {
		return nil, err
	}
	defer d.end()
	r := d.run
	switch {
	case r == nil:
		return nil, errInactive()
	case d.migrating != nil:
		return &record{
			kind: virt.DOMAIN_JOB_UNBOUNDED, operation: d.migrating.operation, pull: true,
			elapsedMS: uint64(max(d.drv.p.Now().UnixMilli()-d.migrating.startedMS, 0)),
		}, nil
	case !d.jobs.async, d.snapshotIsMade():
		return nil, nil
	case !d.backup.visible():
		return nil, virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_QEMU, "backup job data missing")
	}
	b := d.backup
	v, err := d.exec(r, qmp.QueryJobs{})
	if err != nil {
		return nil, err
	}
	list, err := qmp.Jobs(v)
	if err != nil {
		return nil, virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_QEMU, "%v", err).Because(err)
	}
	if d.backup != b || b.st.Phase == state.Done {
		return nil, nil
	}
	for _, k := range b.disks {
		for _, j := range list {
			if j.ID == k.Job && k.State == state.DiskRunning {
				k.progress(j)
			}
		}
	}
	s := b.record(true)
	s.kind, s.message = virt.DOMAIN_JOB_UNBOUNDED, ""
	s.elapsedMS = uint64(max(d.drv.p.Now().UnixMilli()-b.st.StartedMS, 0))
	return s, nil
}

// DomainGetJobInfo tells about the active job; type NONE if there is none.
func (drv *Driver) DomainGetJobInfo(id virt.DomainID) (virt.DomainJobInfo, error) {
	d, err := drv.find(id)
	if err != nil {
		return virt.DomainJobInfo{}, err
	}
	defer d.mu.Unlock()
	s, err := d.running("virDomainGetJobInfo")
	if err != nil || s == nil {
		return virt.DomainJobInfo{}, err
	}
	info := virt.DomainJobInfo{Type: s.kind, TimeElapsed: s.elapsedMS}
	if !s.pull {
		info.FileTotal, info.FileProcessed = uint64(s.total), uint64(s.current)
		info.FileRemaining = info.FileTotal - info.FileProcessed
		info.DataTotal, info.DataProcessed, info.DataRemaining = info.FileTotal, info.FileProcessed, info.FileRemaining
	}
	return info, nil
}

// DomainGetJobStats tells about the active job, or with COMPLETED about the last
// one that ended; that is told once unless it is kept (§6.2).
func (drv *Driver) DomainGetJobStats(id virt.DomainID, flags virt.DomainGetJobStatsFlags) (virt.DomainJobType, []virt.TypedParam, error) {
	const known = virt.DOMAIN_JOB_STATS_COMPLETED | virt.DOMAIN_JOB_STATS_KEEP_COMPLETED
	if bits := flags &^ known; bits != 0 {
		return 0, nil, virt.UnsupportedFlags(uint32(bits), "qemuDomainGetJobStats")
	}
	d, err := drv.find(id)
	if err != nil {
		return 0, nil, err
	}
	defer d.mu.Unlock()
	if flags&virt.DOMAIN_JOB_STATS_COMPLETED != 0 {
		kind, params := d.lastJob(flags&virt.DOMAIN_JOB_STATS_KEEP_COMPLETED != 0)
		return kind, params, nil
	}
	s, err := d.running("virDomainGetJobStats")
	if err != nil || s == nil {
		return virt.DOMAIN_JOB_NONE, nil, err
	}
	return s.kind, s.params(), nil
}

// lastJob is hidden while a job is active.
func (d *domain) lastJob(keep bool) (virt.DomainJobType, []virt.TypedParam) {
	s := d.completed
	if d.jobs.async || s == nil {
		return virt.DOMAIN_JOB_NONE, nil
	}
	if !keep {
		d.completed = nil
	}
	return s.kind, s.params()
}
