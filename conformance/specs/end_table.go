package specs

import (
	"syscall"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func endTableSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "end.order-of-checks",
			Title:        "End looks at the handle, the connection, the sign of the id, the flags and the id, in this order, whatever the job does",
			Requirements: []string{"END-05", "END-06", "E001", "E045", "E046", "E047", "E050", "SUR-02"},
			Body:         endOrderOfChecks,
		},
		{
			ID:           "end.of-a-failed-push",
			Title:        "End of a push that failed gives the recorded text without ABORT and 0 with it; either way the job is gone and a second End says so",
			Requirements: []string{"END-08", "E049", "END-05", "PSH-03", "I12"},
			Needs:        []conformance.Feature{conformance.FeatureLimitedDir},
			Body:         endOfAFailedPush,
		},
		{
			ID:           "end.after-the-domain-died",
			Title:        "the job dies with its domain: one event without success, before the domain has stopped, and End knows no job",
			Requirements: []string{"END-08", "E186", "EVT-01", "PSH-02", "I12"},
			Body:         endAfterTheDomainDied,
		},
		{
			ID:           "end.twice-over-at-once",
			Title:        "a Begin right after End, with the same files, is never disturbed by what the last job leaves",
			Requirements: []string{"END-09", "I12", "BEG-06"},
			Body:         endThenBeginAtOnce,
		},
		{
			ID:           "end.source-cannot-be-read",
			Title:        "a job that ended with an error of the source has failed, with QEMU's text in event, statistics and End",
			Requirements: []string{"E184", "E049", "END-08", "EVT-01", "PSH-03"},
			Body:         endSourceCannotBeRead,
		},
	}
}

func endOrderOfChecks(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{})
	t.Go("guest", func() { d.Scribble("vda", 4) })
	reader := t.ReadOnlyDomain(d)
	for _, c := range []struct {
		d     *virt.Domain
		id    int
		flags virt.DomainBackupEndFlags
		code  virt.ErrorNumber
		text  string
	}{
		{nil, -1, 8, virt.ERR_INVALID_DOMAIN, "virDomainBackupEnd"},
		{reader, -1, 8, virt.ERR_OPERATION_DENIED, "read only access prevents virDomainBackupEnd"},
		{d.Domain, -1, 8, virt.ERR_INVALID_ARG, "id in virDomainBackupEnd must be zero or greater"},
		{d.Domain, b.ID + 7, 2, virt.ERR_INVALID_ARG, "unsupported flags (0x2) in function qemuBackupEnd"},
		{d.Domain, b.ID + 7, virt.DOMAIN_BACKUP_END_ABORT, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id"},
		{d.Domain, b.ID, 0, virt.ERR_OPERATION_INVALID, "abort"},
	} {
		ret, err := c.d.BackupEnd(c.id, c.flags)
		t.ExpectError(err, c.code, c.text)
		t.Expect(ret).To(Equal(-1))
	}
	t.Expect(d.JobIDs()).To(Equal([]virt.DomainJobID{{Type: virt.DOMAIN_JOB_UNBOUNDED, ID: b.ID}}), "the job goes on")
	t.ReleasePushes(d)
	b.AwaitSuccess()
	t.Join()
	b.EndsWith(1)
	b.ExpectImages()
}

func endOfAFailedPush(t *conformance.T) {
	dir := t.LimitedDir("small", 1<<20)
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	d.Write("vda", 0, 2<<20)
	for round, flags := range []virt.DomainBackupEndFlags{0, virt.DOMAIN_BACKUP_END_ABORT} {
		b := d.Begin(conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda", Path: dir + "/vda.backup"}}})
		t.Go("guest", func() { d.ScribbleDespite(syscall.ENOSPC, "vda", 2) })
		e := t.AwaitJobCompleted(round + 1)
		t.Expect(e.Success()).To(BeFalse())
		t.Expect(d.JobIDs()).To(Equal([]virt.DomainJobID{{Type: virt.DOMAIN_JOB_FAILED, ID: b.ID}}))
		ret, err := d.BackupEnd(b.ID, flags)
		if flags == 0 {
			t.ExpectError(err, virt.ERR_OPERATION_FAILED, e.ErrorMessage())
			t.Expect(ret).To(Equal(-1))
		} else {
			t.Expect(err).NotTo(HaveOccurred())
			t.Expect(ret).To(Equal(0))
		}
		_, err = d.BackupEnd(b.ID, flags)
		t.ExpectError(err, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id")
		b.Forget()
		t.ExpectFiles(false, b.Paths()...)
		t.Join()
	}
}

func endAfterTheDomainDied(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"),
	}})
	d.Scribble("vda", 4)
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{Checkpoint: "c1"})
	t.Go("reader", func() {
		// Whoever asks meanwhile learns of the job or of the death, nothing else.
		if _, err := d.ListJobIds(0); err != nil {
			t.ExpectError(err, virt.ERR_OPERATION_INVALID, "domain is not running")
		}
	})
	d.DestroyNow()
	t.Join()
	b.Forget()
	t.Expect(t.JobsCompleted()).To(HaveLen(1))
	completed, stopped := -1, -1
	for i, e := range t.Events() {
		switch e := e.(type) {
		case virt.JobCompletedEvent:
			completed = i
			t.Expect(e.Success()).To(BeFalse())
			t.Expect(e.ErrorMessage()).To(BeEmpty())
			_, total := virt.FindParam(e.Params, virt.DOMAIN_JOB_DISK_TOTAL)
			t.Expect(total).To(BeFalse(), "nobody knows how much was copied")
		case virt.LifecycleEvent:
			if e.Event == virt.DOMAIN_EVENT_STOPPED {
				stopped = i
			}
		}
	}
	t.Expect(completed < stopped).To(BeTrue(), "JOB_COMPLETED comes before STOPPED: %v", t.Events())
	for _, flags := range []virt.DomainBackupEndFlags{0, virt.DOMAIN_BACKUP_END_ABORT} {
		_, err := d.BackupEnd(b.ID, flags)
		t.ExpectError(err, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id")
	}
	t.ExpectFiles(false, b.Paths()...)
}

func endThenBeginAtOnce(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"),
	}})
	d.Scribble("vda", 3)
	t.Go("guest", func() {
		for range 4 {
			d.Scribble("vda", 1)
			d.Scribble("vdb", 1)
		}
	})
	last := 0
	for round := range 4 {
		abort := round%2 == 0
		if abort {
			t.HoldPushes()
		} else {
			t.LetPushesGo()
		}
		b := d.Begin(conformance.BackupSpec{})
		t.Expect(b.ID > last).To(BeTrue(), "an id is not used again")
		last = b.ID
		if abort {
			ret, err := d.BackupEnd(b.ID, virt.DOMAIN_BACKUP_END_ABORT)
			t.Expect(err).NotTo(HaveOccurred())
			t.Expect(ret).To(Equal(0))
			b.Forget()
			continue
		}
		b.AwaitEnded()
		b.EndsWith(1)
		b.ExpectImages()
		for _, path := range b.Paths() {
			t.RemoveFile(path)
		}
	}
	t.Join()
}

// endSourceCannotBeRead makes QEMU's list of jobs tell of an error of the source,
// as a broken disk does ({20}); the copying itself goes well.
func endSourceCannotBeRead(t *conformance.T) {
	const text = "Input/output error"
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	d.Scribble("vda", 4)
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{})
	lift := t.FailJobs(text)
	t.Go("guest", func() { d.Scribble("vda", 4) })
	t.ReleasePushes(d)
	e := t.AwaitJobCompleted(1)
	lift()
	t.Expect(e.Success()).To(BeFalse())
	t.Expect(e.ErrorMessage()).To(Equal(text))
	kind, params, err := d.GetJobStats(virt.DOMAIN_JOB_STATS_COMPLETED)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(kind).To(Equal(virt.DOMAIN_JOB_FAILED))
	t.Expect(params).To(Equal(e.Params), "the statistics are those of the event")
	_, err = d.BackupEnd(b.ID, 0)
	t.ExpectError(err, virt.ERR_OPERATION_FAILED, text)
	t.Join()
	b.Forget()
	t.ExpectFiles(false, b.Paths()...)
}
