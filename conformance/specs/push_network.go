package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func pushNetworkSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "push.network-target",
			Title:        "an export of an NBD server outside holds the whole disk when the event has come",
			Requirements: []string{"BEG-17", "PSH-01", "PSH-04", "I1"},
			Body:         networkTarget,
		},
		{
			ID:           "push.network-target-dies",
			Title:        "a server that dies in the middle fails the push, says so, and leaves nothing in QEMU",
			Requirements: []string{"BEG-17", "PSH-03", "END-08", "I12"},
			Body:         networkTargetDies,
		},
		{
			ID: "push.network-target-of-others",
			Title: "qemu-nbd and nbdkit hold the whole disk when the event has come, and fail the push when they are killed in the middle; " +
				"only lane qemu has such programs, push.network-target is the same with a server of the harness's own",
			Requirements: []string{"BEG-17", "PSH-01", "PSH-03", "I1", "I12"},
			Needs:        []conformance.Feature{conformance.FeatureForeignNBD},
			Body:         networkTargetOfOthers,
		},
	}
}

func networkTarget(t *conformance.T) {
	const size = 1<<20 + 65536
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{{Target: "vda", Size: size}, {Target: "vdb", Size: 256 << 10}}})
	d.Scribble("vda", 4)
	d.Write("vda", size-512, 512)
	n := t.ServeNBD("there", size)
	disks := []conformance.BackupDisk{{Target: "vda", Remote: n}, {Target: "vdb"}}
	b := d.Begin(conformance.BackupSpec{Disks: disks, Checkpoint: "c1"})
	t.Go("guest", func() { d.Scribble("vda", 4) })
	xml, err := d.BackupGetXMLDesc(b.ID, 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(xml).To(ContainSubstring("<target protocol='nbd' name='target'>"))
	b.AwaitSuccess()
	b.ExpectImages()
	t.Join()
	b.EndsWith(1)
	b.ExpectImages()
	// A server of another size, and none at all, are refused and leave nothing.
	small := t.ServeNBD("small", size/2)
	elsewhere := conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda", Remote: small}}}
	_, err = d.TryBegin(elsewhere)
	t.ExpectError(err, virt.ERR_INTERNAL_ERROR, "Source and target image have different sizes")
	t.Expect(small.Written()).To(BeFalse())
	small.Die()
	_, err = d.TryBegin(elsewhere)
	t.ExpectError(err, virt.ERR_INTERNAL_ERROR, "Failed to connect to '"+t.Path("small")+"': Connection refused")
	t.ExpectNothingLeft(d)
}

func networkTargetDies(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda"), conformance.SmallDisk("vdb")}})
	d.Write("vda", 0, 4<<20)
	n := t.ServeNBD("there", 4<<20)
	n.DiesAfter(2 << 20)
	b := d.Begin(conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda", Remote: n}, {Target: "vdb"}}})
	t.Go("reader", func() { _ = d.JobIDs() })
	e := t.AwaitJobCompleted(1)
	t.Expect(e.Success()).To(BeFalse())
	t.Expect(e.ErrorMessage()).NotTo(BeEmpty())
	t.ExpectFiles(false, b.Paths()...)
	b.Forget()
	ret, err := d.BackupEnd(b.ID, 0)
	t.ExpectError(err, virt.ERR_OPERATION_FAILED, e.ErrorMessage())
	t.Expect(ret).To(Equal(-1))
	t.Join()
	t.ExpectNothingLeft(d)
	d.Write("vda", 0, 64<<10)
}

func networkTargetOfOthers(t *conformance.T) {
	const size = 4<<20 + 65536
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{{Target: "vda", Size: size}, {Target: "vdb", Size: 256 << 10}}})
	d.Write("vda", 0, 2<<20)
	for _, program := range []string{"qemu-nbd", "nbdkit"} {
		n := t.ServeNBDBy(program, program, size)
		to := conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda", Remote: n}, {Target: "vdb", Path: t.Path(program + "-vdb")}}}
		b := d.Begin(to)
		t.Go("guest", func() { d.Scribble("vda", 4) })
		b.AwaitSuccess()
		t.Join()
		b.EndsWith(1)
		b.ExpectImages()
		t.HoldPushes()
		to.Disks = to.Disks[:1]
		b = d.Begin(to)
		completed := len(t.JobsCompleted())
		n.Die()
		t.ReleasePushes(d)
		e := t.AwaitJobCompleted(completed + 1)
		t.LetPushesGo()
		t.Expect(e.Success()).To(BeFalse())
		_, err := d.BackupEnd(b.ID, 0)
		t.ExpectError(err, virt.ERR_OPERATION_FAILED, e.ErrorMessage())
		t.ExpectFiles(false, b.Paths()...)
		b.Forget()
		t.ExpectNothingLeft(d)
	}
}
