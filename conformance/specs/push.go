package specs

import (
	"syscall"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func pushSpecs() []conformance.Spec {
	return []conformance.Spec{
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
	}
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
