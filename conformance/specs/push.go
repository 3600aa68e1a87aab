package specs

import (
	"syscall"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func pushSpecs() []conformance.Spec {
	return append(pushDeviceSpecs(), []conformance.Spec{
		{
			ID:           "push.one-completion-event",
			Title:        "the completion event of a push comes exactly once, after all is copied and released",
			Requirements: []string{"PSH-02", "EVT-01", "EVT-02", "JOB-07"},
			Body:         oneCompletionEvent,
		},
		{
			ID:           "push.no-space-is-no-backup",
			Title:        "a target that runs out of space fails the job; the image is not taken for a good one and is deleted",
			Requirements: []string{"PSH-03", "E183", "I12", "END-08"},
			Needs:        []conformance.Feature{conformance.FeatureLimitedDir},
			Body:         noSpaceIsNoBackup,
		},
		{
			ID:           "push.target-is-closed",
			Title:        "when the event has come the target is consistent and closed: a third program opens it at once",
			Requirements: []string{"PSH-04", "I13"},
			Body:         targetIsClosed,
		},
		{
			ID:           "push.raw-target",
			Title:        "a raw target holds the whole disk byte by byte",
			Requirements: []string{"BEG-18", "PSH-01", "I1"},
			Body:         rawTarget,
		},
		{
			ID:           "push.all-or-nothing",
			Title:        "when one disk of several fails the whole push fails with that disk's reason, and the images of the others are deleted too",
			Requirements: []string{"PSH-03", "I12", "E183", "END-08"},
			Needs:        []conformance.Feature{conformance.FeatureLimitedDir},
			Body:         allOrNothing,
		},
		{
			ID:           "push.unreadable-source",
			Title:        "a disk that cannot be read fails the push with the reason; the image is not taken for a good one and is deleted",
			Requirements: []string{"PSH-03", "E184", "I12", "END-08"},
			Needs:        []conformance.Feature{conformance.FeatureReadErrors},
			Body:         unreadableSource,
		},
		{
			ID:           "push.the-domain-dies",
			Title:        "a push, to a file and a block device, whose domain dies is cancelled: one event without a reason, no file, no job; the checkpoint stays",
			Requirements: []string{"PSH-02", "PSH-03", "I12", "E186", "END-08"},
			Needs:        []conformance.Feature{conformance.FeatureBlockDevice},
			Body:         theDomainDies,
		},
	}...)
}

func oneCompletionEvent(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"),
	}})
	d.Scribble("vda", 3)
	b := d.Begin(conformance.BackupSpec{})
	t.Go("guest", func() {
		d.Scribble("vda", 3)
		d.Scribble("vdb", 3)
	})
	e := t.AwaitJobCompleted(1)
	// A handler may call anything at once and is served.
	info, err := d.ListJobIds(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(info).To(HaveLen(1))
	t.ExpectNothingLeft(d)
	t.Expect(e.Success()).To(BeTrue())
	t.Expect(e.ErrorMessage()).To(BeEmpty(), "a success has no errmsg")
	t.Expect(e.Operation()).To(Equal(virt.DOMAIN_JOB_OPERATION_BACKUP))
	t.Expect(e.ID()).To(Equal(b.ID))
	t.Join()
	b.EndsWith(1)
	b.ExpectImages()
	t.Expect(t.JobsCompleted()).To(HaveLen(1))
}

func noSpaceIsNoBackup(t *conformance.T) {
	dir := t.LimitedDir("small", 1<<20)
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	for off := int64(0); off < 4<<20; off += 256 << 10 {
		d.Write("vda", off, 256<<10)
	}
	b := d.Begin(conformance.BackupSpec{
		Checkpoint: "c1",
		Disks:      []conformance.BackupDisk{{Target: "vda", Path: dir + "/vda.backup"}},
	})
	t.Go("guest", func() { d.ScribbleDespite(syscall.ENOSPC, "vda", 3) })
	e := t.AwaitJobCompleted(1)
	t.Expect(e.Success()).To(BeFalse())
	t.Expect(e.ErrorMessage()).To(ContainSubstring("No space left on device"))
	t.ExpectFiles(false, b.Paths()...)
	ret, err := d.BackupEnd(b.ID, 0)
	t.ExpectError(err, virt.ERR_OPERATION_FAILED, "No space left on device")
	t.Expect(ret).To(Equal(-1))
	_, err = d.BackupEnd(b.ID, 0)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id")
	t.Join()
	b.Forget()
	// The checkpoint stays: it was made, and says so (contract, §8.14).
	_, err = d.CheckpointLookupByName(virt.XML("c1"), 0)
	t.Expect(err).NotTo(HaveOccurred())
}

func targetIsClosed(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		{Target: "vda", Size: 3<<20 + 512, ClusterSize: 4096},
	}})
	d.Scribble("vda", 5)
	b := d.Begin(conformance.BackupSpec{})
	t.Go("guest", func() { d.Scribble("vda", 5) })
	b.AwaitSuccess()
	b.ExpectConsistent() // at once, before End
	b.ExpectImages()
	t.Join()
	b.EndsWith(1)
	b.ExpectConsistent()
}

func rawTarget(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		{Target: "vda", Size: 1<<20 + 1536, ClusterSize: 512},
	}})
	d.Scribble("vda", 4)
	d.Write("vda", 1<<20+512, 1024)
	b := d.Begin(conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda", Format: "raw"}}})
	t.Go("guest", func() { d.Scribble("vda", 4) })
	b.AwaitSuccess()
	t.Join()
	b.EndsWith(1)
	b.ExpectImages()
}

func allOrNothing(t *conformance.T) {
	dir := t.LimitedDir("small", 1<<20)
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda"), conformance.SmallDisk("vdb")}})
	d.Scribble("vda", 3)
	for off := int64(0); off < 4<<20; off += 256 << 10 {
		d.Write("vdb", off, 256<<10)
	}
	b := d.Begin(conformance.BackupSpec{Disks: []conformance.BackupDisk{
		{Target: "vda", Path: t.Path("a")}, {Target: "vdb", Path: dir + "/b"},
	}})
	t.Go("guest", func() { d.ScribbleDespite(syscall.ENOSPC, "vda", 3) })
	e := t.AwaitJobCompleted(1)
	t.Expect(e.Success()).To(BeFalse())
	t.Expect(e.ErrorMessage()).To(ContainSubstring("No space left on device"))
	t.ExpectFiles(false, b.Paths()...)
	b.Forget()
	ret, err := d.BackupEnd(b.ID, virt.DOMAIN_BACKUP_END_ABORT)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(ret).To(Equal(0), "with ABORT a failed push is given up")
	t.Join()
	t.Expect(t.JobsCompleted()).To(HaveLen(1))
}

func theDomainDies(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda"), conformance.SmallDisk("vdb")}})
	for off := int64(0); off < 4<<20; off += 256 << 10 {
		d.Write("vda", off, 128<<10) // more than a held push copies at once
	}
	t.HoldPushes()
	device := t.BlockDevice("device", 16<<20)
	b := d.Begin(conformance.BackupSpec{Checkpoint: "c0", Disks: []conformance.BackupDisk{
		{Target: "vda", Format: "qcow2", Path: device, Block: true}, {Target: "vdb", Path: t.Path("file")},
	}})
	t.Go("caller", func() {
		if _, err := d.BackupEnd(b.ID, 0); err != nil {
			t.Expect(err).To(Or(MatchError(virt.ERR_OPERATION_INVALID), MatchError(virt.ERR_NO_DOMAIN_BACKUP)))
		} else {
			t.Fail("End without ABORT succeeded for a push that copies")
		}
	})
	d.Crash()
	e := t.AwaitJobCompleted(1)
	t.Expect(e.Success()).To(BeFalse())
	t.Expect(e.ErrorMessage()).To(BeEmpty(), "nobody can say why")
	d.AwaitStopped()
	t.Join()
	t.ExpectFiles(false, t.Path("file"))
	b.Forget()
	t.Keeps(device)
	t.Expect(d.JobIDs()).To(BeEmpty())
	kind, _, err := d.GetJobStats(virt.DOMAIN_JOB_STATS_COMPLETED)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(kind).To(Equal(virt.DOMAIN_JOB_CANCELLED))
	_, err = d.BackupEnd(b.ID, virt.DOMAIN_BACKUP_END_ABORT)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id")
	_, err = d.CheckpointLookupByName(virt.XML("c0"), 0)
	t.Expect(err).NotTo(HaveOccurred(), "the checkpoint of a push that failed after Begin stays (contract row 11)")
	t.Expect(t.JobsCompleted()).To(HaveLen(1))
}

func unreadableSource(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda"), conformance.SmallDisk("vdb")}})
	for off := int64(0); off < 4<<20; off += 256 << 10 {
		d.Write("vda", off, 128<<10) // more than a held push copies at once
	}
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{Checkpoint: "c0"})
	t.Go("guest", func() { d.Scribble("vdb", 3) })
	t.Join()
	heal := d.FailReads("vda")
	t.ReleasePushes(d)
	e := t.AwaitJobCompleted(1)
	heal()
	t.Expect(e.Success()).To(BeFalse())
	t.Expect(e.ErrorMessage()).To(ContainSubstring("Input/output error"))
	t.ExpectFiles(false, b.Paths()...)
	b.Forget()
	ret, err := d.BackupEnd(b.ID, 0)
	t.ExpectError(err, virt.ERR_OPERATION_FAILED, "Input/output error")
	t.Expect(ret).To(Equal(-1))
	t.ExpectNothingLeft(d)
	again := d.Begin(conformance.BackupSpec{})
	again.AwaitSuccess()
	again.EndsWith(1)
	again.ExpectImages()
}
