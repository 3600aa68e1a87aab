package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func abortSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "job.abort-with-flags",
			Title:        "AbortJobFlags ends a backup as AbortJob does, and POSTCOPY is for migrations",
			Requirements: []string{"JOB-05", "E041", "E178", "PSH-03", "I12"},
			Body:         abortWithFlags,
		},
		{
			ID:           "job.abort-of-one-disk",
			Title:        "BlockJobAbort on one disk cancels the whole backup, which then waits for End; there is nothing to pivot to",
			Requirements: []string{"E187", "E188", "PSH-03", "JOB-09", "END-05", "I12"},
			Body:         abortOfOneDisk,
		},
		{
			ID:           "job.abort-of-a-disk-that-ends",
			Title:        "BlockJobAbort while a push comes to its end cancels it, or says that there is no job and leaves a backup that is right",
			Requirements: []string{"PSH-03", "PSH-01", "JOB-09", "I12"},
			Body:         abortOfADiskThatEnds,
		},
		{
			ID:           "job.abort-of-a-pull",
			Title:        "BlockJobAbort on the disk of a pull takes its exports away; End then gives 1 and leaves nothing",
			Requirements: []string{"E187", "END-09"},
			Body:         abortOfAPull,
		},
		{
			ID:           "begin.disk-is-taken-at-the-last-moment",
			Title:        "a disk that a mirror takes after the checks fails Begin with QEMU's words, and nothing is left",
			Requirements: []string{"E160", "BEG-04", "I12"},
			Body:         diskIsTakenAtTheLastMoment,
		},
	}
}

func abortWithFlags(t *conformance.T) {
	d := oneDisk(t)
	t.ExpectError(d.AbortJobFlags(0), virt.ERR_OPERATION_INVALID, "no job is active on the domain")
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{})
	const postcopy = virt.DOMAIN_ABORT_JOB_POSTCOPY
	reader := t.ReadOnlyDomain(d)
	t.ExpectError(reader.AbortJobFlags(2), virt.ERR_OPERATION_DENIED, "read only access prevents virDomainAbortJobFlags")
	t.ExpectError(d.AbortJobFlags(2|postcopy), virt.ERR_INVALID_ARG, "unsupported flags (0x2) in function qemuDomainAbortJobFlags")
	t.ExpectError(d.AbortJobFlags(postcopy), virt.ERR_OPERATION_INVALID, "current job is not outgoing migration in post-copy mode")
	t.Expect(d.JobIDs()).To(HaveLen(1), "the job goes on")
	t.Expect(d.AbortJobFlags(0)).To(Succeed())
	t.Expect(t.AwaitJobCompleted(1).ErrorMessage()).To(Equal("Operation canceled"))
	t.Expect(d.JobIDs()).To(BeEmpty(), "the job was released")
	b.Forget()
	t.ExpectFiles(false, b.Paths()...)
	t.ExpectNothingLeft(d)
	t.Join()
	d.PowerOff()
	t.ExpectError(d.AbortJobFlags(postcopy), virt.ERR_OPERATION_INVALID, "domain is not running")
}

func abortOfOneDisk(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"),
	}})
	vda := virt.XML("vda")
	t.ExpectError(d.BlockJobAbort(vda, 0), virt.ERR_INVALID_ARG, "disk vda does not have an active block job")
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{})
	t.Go("guest", func() {
		d.Scribble("vda", 3)
		d.Scribble("vdb", 3)
	})
	expectDiskAborts(t, d)
	t.Expect(d.BlockJobAbort(vda, virt.DOMAIN_BLOCK_JOB_ABORT_ASYNC)).To(Succeed())
	t.ExpectMessage(d.BlockJobAbort(vda, 0), virt.ERR_OPERATION_INVALID, "block job on disk 'vda' is still being ended",
		virt.ERR_INVALID_ARG, "disk vda does not have an active block job") // once it has ended
	e := t.AwaitJobCompleted(1)
	t.Expect(e.Success()).To(BeFalse())
	t.Expect(e.ErrorMessage()).To(Equal("Operation canceled"))
	t.Expect(cancelledDisks(t)).To(ConsistOf("vda", "vdb"), "one disk's abort is the backup's")
	t.ExpectError(d.BlockJobAbort(vda, 0), virt.ERR_INVALID_ARG, "disk vda does not have an active block job")
	t.Expect(d.JobIDs()).To(Equal([]virt.DomainJobID{{Type: virt.DOMAIN_JOB_CANCELLED, ID: b.ID}}), "until End")
	b.Forget()
	t.ExpectFiles(false, b.Paths()...)
	ret, err := d.BackupEnd(b.ID, virt.DOMAIN_BACKUP_END_ABORT)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(ret).To(Equal(0))
	t.Join()
	abortWaits(t, d)
	t.ExpectNothingLeft(d)
}

// expectDiskAborts makes the refused calls, of which none ends the backup.
func expectDiskAborts(t *conformance.T, d *conformance.Domain) {
	vda := virt.XML("vda")
	t.ExpectError(t.ReadOnlyDomain(d).BlockJobAbort(nil, 0), virt.ERR_OPERATION_DENIED, "read only access prevents virDomainBlockJobAbort")
	t.ExpectError(d.BlockJobAbort(nil, 0), virt.ERR_INVALID_ARG, "disk in virDomainBlockJobAbort must not be NULL")
	t.ExpectError(d.BlockJobAbort(vda, 4), virt.ERR_INVALID_ARG, "unsupported flags (0x4) in function qemuDomainBlockJobAbort")
	t.ExpectError(d.BlockJobAbort(virt.XML("vdz"), 0), virt.ERR_INVALID_ARG, "disk 'vdz' not found in domain")
	err := d.BlockJobAbort(vda, virt.DOMAIN_BLOCK_JOB_ABORT_PIVOT)
	t.ExpectError(err, virt.ERR_BLOCK_COPY_ACTIVE, "not ready for pivot yet")
	t.Expect(t.JobsCompleted()).To(BeEmpty(), "the backup goes on")
}

// abortWaits ends a second backup by the path of a disk: when the call returns,
// that disk's image is closed.
func abortWaits(t *conformance.T, d *conformance.Domain) {
	b := d.Begin(conformance.BackupSpec{Disks: images(t, "second", "vda")})
	t.Expect(d.BlockJobAbort(virt.XML(d.DiskPath("vda")), 0)).To(Succeed())
	t.ExpectNothingLeft(d)
	b.Forget()
	t.AwaitJobCompleted(2)
	_, err := d.BackupEnd(b.ID, 0)
	t.ExpectError(err, virt.ERR_OPERATION_FAILED, "Operation canceled")
}

func abortOfADiskThatEnds(t *conformance.T) {
	d := oneDisk(t)
	b := d.Begin(conformance.BackupSpec{})
	t.Pause(200)
	err := d.BlockJobAbort(virt.XML("vda"), 0)
	e := t.AwaitJobCompleted(1)
	t.Join()
	if err != nil {
		t.ExpectError(err, virt.ERR_INVALID_ARG, "disk vda does not have an active block job")
		t.Expect(e.Success()).To(BeTrue(), "nothing was cancelled")
		t.Expect(cancelledDisks(t)).To(BeEmpty())
		b.EndsWith(1)
		b.ExpectImages()
		return
	}
	t.Expect(e.Success()).To(BeFalse())
	t.Expect(cancelledDisks(t)).To(ConsistOf("vda"))
	b.Forget()
	t.ExpectFiles(false, b.Paths()...)
	_, err = d.BackupEnd(b.ID, 0)
	t.ExpectError(err, virt.ERR_OPERATION_FAILED, "Operation canceled")
	t.ExpectNothingLeft(d)
}

// cancelledDisks are the disks of which an event said that they were cancelled.
func cancelledDisks(t *conformance.T) []string {
	var disks []string
	for _, e := range t.Events() {
		if j, ok := e.(virt.BlockJobEvent); ok && j.Status == virt.DOMAIN_BLOCK_JOB_CANCELED {
			disks = append(disks, j.Disk)
		}
	}
	return disks
}

func abortOfAPull(t *conformance.T) {
	d := oneDisk(t)
	p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere()})
	err := d.BlockJobAbort(virt.XML("vda"), virt.DOMAIN_BLOCK_JOB_ABORT_PIVOT)
	t.ExpectError(err, virt.ERR_BLOCK_COPY_ACTIVE, "not ready for pivot yet")
	t.Expect(d.BlockJobAbort(virt.XML("vda"), 0)).To(Succeed())
	t.ExpectNoServer(d)
	t.ExpectError(d.BlockJobAbort(virt.XML("vda"), 0), virt.ERR_INVALID_ARG, "disk vda does not have an active block job")
	t.Join()
	ret, err := d.BackupEnd(p.ID, 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(ret).To(Equal(1), "the end of a pull is a success")
	t.Expect(t.JobsCompleted()).To(BeEmpty())
	t.ExpectNothingLeft(d)
}

func diskIsTakenAtTheLastMoment(t *conformance.T) {
	d := oneDisk(t)
	gate := t.GateCommand("transaction")
	s := conformance.BackupSpec{Disks: images(t, "image", "vda"), Checkpoint: "c1"}
	var err error
	t.Go("caller", func() { _, err = d.TryBegin(s) })
	gate.AwaitArrived()
	mirror := d.StartForeignMirror("vda")
	gate.Open()
	t.Join()
	t.ExpectRow("E160", err)
	mirror.End()
	d.ForgetCheckpoint("c1")
	t.ExpectFiles(false, t.Path("image-vda"))
	t.Expect(d.ListAllCheckpoints(0)).To(BeEmpty())
	t.ExpectNothingLeft(d)
	b := d.Begin(s)
	b.AwaitSuccess()
	b.EndsWith(1)
	b.ExpectImages()
}
