package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func statsSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "stats.progress-never-falls",
			Title:        "statistics of a running backup carry its id and operation, and what is copied never gets less",
			Requirements: []string{"JOB-05", "JOB-06", "JOB-07", "E024", "E040"},
			Body:         progressNeverFalls,
		},
		{
			ID:           "stats.completed-are-told-once",
			Title:        "statistics of the job that completed are those of its event, told once unless they are to be kept, and hidden while the next job runs",
			Requirements: []string{"JOB-08", "EVT-01", "JOB-05", "E173"},
			Body:         completedAreToldOnce,
		},
		{
			ID:           "stats.before-the-job-is-there",
			Title:        "who asks for statistics while Begin still prepares is told that they are missing",
			Requirements: []string{"E174", "JOB-05"},
			Body:         statsBeforeTheJobIsThere,
		},
		{
			ID:           "job.abort",
			Title:        "AbortJob cancels the backup and releases it; it needs a job, a running domain and a connection that writes",
			Requirements: []string{"JOB-05", "E019", "E176", "E177", "PSH-03", "I12"},
			Body:         jobAbort,
		},
		{
			ID:           "job.description-parses-back",
			Title:        "what BackupGetXMLDesc returns is, less what is output only, a document that makes the same backup",
			Requirements: []string{"DSC-04", "DSC-01", "BEG-18", "E032"},
			Body:         descriptionParsesBack,
		},
	}
}

// number is a typed parameter of unsigned type; 0 if it is not there.
func number(params []virt.TypedParam, field string) uint64 {
	p, ok := virt.FindParam(params, field)
	if !ok {
		return 0
	}
	n, _ := p.Value.(uint64)
	return n
}

func progressNeverFalls(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"),
	}})
	d.Write("vda", 0, 2<<20)
	kind, params, err := d.GetJobStats(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(kind).To(Equal(virt.DOMAIN_JOB_NONE))
	t.Expect(params).To(BeEmpty())
	_, _, err = d.GetJobStats(virt.DOMAIN_JOB_STATS_KEEP_COMPLETED)
	t.ExpectError(err, virt.ERR_INVALID_ARG, "Flag 'VIR_DOMAIN_JOB_STATS_COMPLETED' is required by flag 'VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED'")
	_, _, err = d.GetJobStats(4)
	t.ExpectError(err, virt.ERR_INVALID_ARG, "unsupported flags (0x4) in function qemuDomainGetJobStats")
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{})
	t.Go("guest", func() {
		d.Scribble("vda", 2)
		d.Scribble("vdb", 2)
	})
	t.Go("release", func() { t.ReleasePushes(d) })
	last, total := uint64(0), uint64(0)
	t.Poll("the job to be over", endPoll, func() bool {
		kind, params, err := d.GetJobStats(0)
		t.Expect(err).NotTo(HaveOccurred())
		info, err := d.GetJobInfo()
		t.Expect(err).NotTo(HaveOccurred())
		if kind == virt.DOMAIN_JOB_NONE || info.Type == virt.DOMAIN_JOB_NONE {
			return true
		}
		t.Expect(kind).To(Equal(virt.DOMAIN_JOB_UNBOUNDED))
		id, _ := virt.FindParam(params, virt.DOMAIN_JOB_ID)
		t.Expect(id).To(Equal(virt.IntParam(virt.DOMAIN_JOB_ID, int32(b.ID))))
		operation, _ := virt.FindParam(params, virt.DOMAIN_JOB_OPERATION)
		t.Expect(operation).To(Equal(virt.IntParam(virt.DOMAIN_JOB_OPERATION, 9)))
		done, all := number(params, virt.DOMAIN_JOB_DISK_PROCESSED), number(params, virt.DOMAIN_JOB_DISK_TOTAL)
		t.Expect(done >= last && all >= total).To(BeTrue(), "%d of %d after %d of %d", done, all, last, total)
		t.Expect(number(params, virt.DOMAIN_JOB_DISK_REMAINING)).To(Equal(all - done))
		t.Expect(info.FileProcessed >= done && info.FileTotal == info.FileProcessed+info.FileRemaining).To(BeTrue(), "%+v", info)
		t.Expect(info.DataTotal).To(Equal(info.FileTotal))
		last, total = info.FileProcessed, info.FileTotal
		return false
	})
	e := b.AwaitSuccess()
	t.Join()
	t.Expect(number(e.Params, virt.DOMAIN_JOB_DISK_PROCESSED)).To(Equal(uint64(8 << 20)))
	t.Expect(number(e.Params, virt.DOMAIN_JOB_DISK_TOTAL)).To(Equal(uint64(8 << 20)))
	b.EndsWith(1)
	b.ExpectImages()
}

func completedAreToldOnce(t *conformance.T) {
	const once, keep = virt.DOMAIN_JOB_STATS_COMPLETED, virt.DOMAIN_JOB_STATS_COMPLETED | virt.DOMAIN_JOB_STATS_KEEP_COMPLETED
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	d.Scribble("vda", 4)
	ask := func(flags virt.DomainGetJobStatsFlags) (virt.DomainJobType, []virt.TypedParam) {
		kind, params, err := d.GetJobStats(flags)
		t.Expect(err).NotTo(HaveOccurred())
		return kind, params
	}
	kind, _ := ask(once)
	t.Expect(kind).To(Equal(virt.DOMAIN_JOB_NONE), "no job has completed")
	b := d.Begin(conformance.BackupSpec{})
	t.Go("guest", func() { d.Scribble("vda", 3) })
	e := b.AwaitSuccess()
	kind, params := ask(keep)
	t.Expect(kind).To(Equal(virt.DOMAIN_JOB_COMPLETED))
	t.Expect(params).To(Equal(e.Params), "the statistics are those of the event")
	b.EndsWith(1)
	t.HoldPushes()
	next := d.Begin(conformance.BackupSpec{Disks: images(t, "next", "vda")})
	kind, _ = ask(keep)
	t.Expect(kind).To(Equal(virt.DOMAIN_JOB_NONE), "hidden while a job runs")
	t.ReleasePushes(d)
	e = next.AwaitSuccess()
	next.EndsWith(1)
	t.Join()
	d.PowerOff()
	_, _, err := d.GetJobStats(0)
	t.ExpectError(err, virt.ERR_OPERATION_INVALID, "domain is not running")
	_, err = d.GetJobInfo()
	t.ExpectError(err, virt.ERR_OPERATION_INVALID, "domain is not running")
	kind, params = ask(once)
	t.Expect(kind).To(Equal(virt.DOMAIN_JOB_COMPLETED))
	t.Expect(params).To(Equal(e.Params), "of the newer job")
	kind, _ = ask(once)
	t.Expect(kind).To(Equal(virt.DOMAIN_JOB_NONE), "they were told")
	next.ExpectImages()
}

func statsBeforeTheJobIsThere(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	d.Scribble("vda", 2)
	// QEMU formats the image, and Begin waits to hear that it is done: that the job has
	// concluded, after it was created, ran, waited and was pending.
	gate := t.GateNthEvent("JOB_STATUS_CHANGE", 5)
	var b *conformance.Backup
	t.Go("caller", func() { b = d.Begin(conformance.BackupSpec{}) })
	gate.AwaitArrived()
	t.Go("reader", func() {
		if _, err := d.GetJobInfo(); err != nil {
			t.ExpectMessage(err, virt.ERR_INTERNAL_ERROR, "backup job data missing", virt.ERR_OPERATION_TIMEOUT, "cannot acquire state change lock")
		}
	})
	_, _, err := d.GetJobStats(0)
	t.ExpectMessage(err, virt.ERR_INTERNAL_ERROR, "backup job data missing", virt.ERR_OPERATION_TIMEOUT, "cannot acquire state change lock")
	gate.Open()
	t.Join()
	b.AwaitSuccess()
	b.EndsWith(1)
	b.ExpectImages()
}

func jobAbort(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"),
	}})
	d.Scribble("vda", 4)
	t.ExpectError(d.AbortJob(), virt.ERR_OPERATION_INVALID, "no job is active on the domain")
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{})
	t.Go("guest", func() {
		d.Scribble("vda", 3)
		d.Scribble("vdb", 3)
	})
	t.ExpectError(t.ReadOnlyDomain(d).AbortJob(), virt.ERR_OPERATION_DENIED, "read only access prevents virDomainAbortJob")
	t.Expect(d.AbortJob()).To(Succeed())
	e := t.AwaitJobCompleted(1)
	t.Expect(e.Success()).To(BeFalse())
	t.Expect(e.ErrorMessage()).To(Equal("Operation canceled"))
	t.Expect(d.JobIDs()).To(BeEmpty(), "the job was released")
	_, err := d.BackupEnd(b.ID, virt.DOMAIN_BACKUP_END_ABORT)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id")
	b.Forget()
	t.ExpectFiles(false, b.Paths()...)
	t.ExpectNothingLeft(d)
	t.Join()
	d.PowerOff()
	t.ExpectError(d.AbortJob(), virt.ERR_OPERATION_INVALID, "domain is not running")
}

func descriptionParsesBack(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"), conformance.SmallDisk("vdc"),
	}})
	d.Scribble("vda", 3)
	d.Checkpoint("c1")
	t.Go("guest", func() { d.Scribble("vda", 3) })
	b := d.Begin(conformance.BackupSpec{Since: "c1", Disks: []conformance.BackupDisk{
		{Target: "vdb", Mode: "full"}, {Target: "vda", Unnamed: true}, {Target: "vdc", Out: true},
	}})
	_, err := d.BackupGetXMLDesc(b.ID, 1)
	t.ExpectError(err, virt.ERR_INVALID_ARG, "unsupported flags (0x1) in function qemuBackupGetXMLDesc")
	first, err := d.BackupGetXMLDesc(b.ID, 0)
	t.Expect(err).NotTo(HaveOccurred())
	b.AwaitSuccess()
	b.EndsWith(1)
	t.Join()
	for _, path := range b.Paths() {
		t.RemoveFile(path)
	}
	id, err := d.BackupBegin(virt.XML(withoutIndex(first)), nil, 0)
	t.Expect(err).NotTo(HaveOccurred(), "the description is a document: %s", first)
	second, err := d.BackupGetXMLDesc(id, 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(withoutIndex(second)).To(Equal(withoutIndex(first)))
	t.AwaitJobCompleted(2)
	ret, err := d.BackupEnd(id, 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(ret).To(Equal(1))
}
