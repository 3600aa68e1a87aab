package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func endSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "end.while-copying-is-refused",
			Title:        "End without ABORT while a push still copies fails, and the job goes on undisturbed",
			Requirements: []string{"END-01", "E048"},
			Body:         endWhileCopyingIsRefused,
		},
		{
			ID:           "end.abort-cancels",
			Title:        "End with ABORT while a push still copies cancels it: result 0, the target is gone, nothing is left",
			Requirements: []string{"END-02", "PSH-03", "I12", "E185", "END-09"},
			Body:         endAbortCancels,
		},
		{
			ID:           "end.after-the-event",
			Title:        "End after the completion event gives 1, with or without ABORT, to exactly one of two callers",
			Requirements: []string{"END-03", "END-05", "END-07"},
			Body:         endAfterTheEvent,
		},
	}
}

func endWhileCopyingIsRefused(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	d.Scribble("vda", 4)
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{})
	t.Go("guest", func() { d.Scribble("vda", 4) })
	ret, err := d.BackupEnd(b.ID, 0)
	t.ExpectError(err, virt.ERR_OPERATION_INVALID, "abort")
	t.Expect(ret).To(Equal(-1))
	t.Expect(t.JobsCompleted()).To(BeEmpty(), "the job goes on")
	ids, err := d.ListJobIds(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(ids).To(HaveLen(1))
	t.ReleasePushes(d)
	b.AwaitSuccess()
	t.Join()
	b.EndsWith(1)
	b.ExpectImages()
}

func endAbortCancels(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"),
	}})
	d.Scribble("vda", 4)
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{Checkpoint: "c1"})
	t.Go("guest", func() {
		d.Scribble("vda", 3)
		d.Scribble("vdb", 3)
	})
	ret, err := d.BackupEnd(b.ID, virt.DOMAIN_BACKUP_END_ABORT)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(ret).To(Equal(0))
	// End has returned: everything is gone already, and a new Begin is not
	// disturbed, even with the same files.
	t.ExpectFiles(false, b.Paths()...)
	e := t.AwaitJobCompleted(1)
	t.Expect(e.Success()).To(BeFalse())
	t.Expect(e.ErrorMessage()).To(Equal("Operation canceled"))
	b.Forget()
	t.LetPushesGo()
	again := d.Begin(conformance.BackupSpec{})
	again.AwaitSuccess()
	t.Join()
	again.EndsWith(1)
	again.ExpectImages()
	t.Expect(t.JobsCompleted()).To(HaveLen(2))
}

func endAfterTheEvent(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	d.Scribble("vda", 4)
	b := d.Begin(conformance.BackupSpec{})
	b.AwaitSuccess()
	ids, err := d.ListJobIds(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(ids).To(HaveLen(1), "the job exists until End")
	t.Expect(ids[0].ID).To(Equal(b.ID))
	var ret2 int
	var err2 error
	t.Go("caller", func() { ret2, err2 = d.BackupEnd(b.ID, virt.DOMAIN_BACKUP_END_ABORT) })
	ret1, err1 := d.BackupEnd(b.ID, 0)
	t.Join()
	if err1 == nil {
		t.Expect(ret1).To(Equal(1))
		t.ExpectError(err2, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id")
	} else {
		t.ExpectError(err1, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id")
		t.Expect(err2).NotTo(HaveOccurred())
		t.Expect(ret2).To(Equal(1), "ABORT after the event has no effect")
	}
	b.ExpectImages()
	t.Expect(t.JobsCompleted()).To(HaveLen(1))
}
