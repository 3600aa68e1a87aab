package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/qmp"
	"fleece/virt"
)

func beginExclusiveSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "begin.excludes-other-block-jobs",
			Title:        "a disk under another block job is not backed up, other disks are; and while a backup runs QEMU keeps others off its disk and its target",
			Requirements: []string{"BEG-15", "BEG-19", "E141"},
			Body:         excludesOtherBlockJobs,
		},
		{
			ID:           "begin.cost-is-independent-of-the-size",
			Title:        "Begin asks the same of QEMU and returns as early for a disk of a tebibyte as for one of four mebibytes, before either is copied",
			Requirements: []string{"BEG-16"},
			Body:         costIsIndependentOfTheSize,
		},
	}
}

func excludesOtherBlockJobs(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda"), conformance.SmallDisk("vdb")}})
	for off := int64(0); off < 4<<20; off += 256 << 10 {
		d.Write("vda", off, 128<<10)
		d.Write("vdb", off, 128<<10)
	}
	other := d.StartForeignBackup("vda")
	t.Go("guest", func() { d.Scribble("vda", 3) })
	for _, disks := range [][]conformance.BackupDisk{images(t, "both", "vdb", "vda"), images(t, "one", "vda")} {
		b, err := d.TryBegin(conformance.BackupSpec{Disks: disks})
		t.Expect(b).To(BeNil())
		t.ExpectError(err, virt.ERR_INTERNAL_ERROR, "disk 'vda' has a blockjob assigned")
	}
	t.Expect(d.JobIDs()).To(BeEmpty())
	free := d.Begin(conformance.BackupSpec{Disks: images(t, "free", "vdb")})
	free.AwaitSuccess()
	free.EndsWith(1)
	free.ExpectImages()
	other.End()
	t.ExpectNothingLeft(d)

	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{Disks: images(t, "held", "vda")})
	node := d.FormatNode("vda")
	t.Expect(d.OnMonitor("block_resize", qmp.M("node-name", qmp.Str(node)), qmp.M("size", qmp.Int(8<<20)))).
		To(ContainSubstring("Permission conflict on node"), "the disk is resized under the backup")
	t.Expect(d.OnMonitor("blockdev-backup", qmp.M("job-id", qmp.Str("thief")), qmp.M("device", qmp.Str(d.FormatNode("vdb"))),
		qmp.M("target", qmp.Str(d.NodeOf(b.Paths()[0], "qcow2"))), qmp.M("sync", qmp.Str("full")))).
		To(ContainSubstring("is busy: block device is in use by block job: backup"), "another job writes to the target")
	t.Join()
	t.ReleasePushes(d)
	b.AwaitSuccess()
	b.EndsWith(1)
	b.ExpectImages()
}

func costIsIndependentOfTheSize(t *conformance.T) {
	type cost struct{ commands, points int }
	measure := func(name string, size int64) cost {
		d := t.StartDomain(conformance.DomainSpec{Name: name, Disks: []conformance.DiskSpec{{Target: "vda", Size: size}}})
		for off := int64(0); off < 4<<20; off += 256 << 10 {
			d.Write("vda", off, 128<<10)
		}
		t.HoldPushes()
		count, points := t.CountCommands(), t.Points()
		b := d.Begin(conformance.BackupSpec{Checkpoint: "c0"})
		points = t.Points() - points
		commands := count.Stop()
		t.Expect(t.JobsCompleted()).To(BeEmpty(), "Begin does not wait for the copying")
		t.Go("guest-of-"+name, func() { d.Scribble("vda", 2) })
		ret, err := d.BackupEnd(b.ID, virt.DOMAIN_BACKUP_END_ABORT)
		t.Expect(err).NotTo(HaveOccurred())
		t.Expect(ret).To(Equal(0))
		b.Forget()
		t.Join()
		t.AwaitJobCompleted(1) // of the abort
		t.ForgetEvents()
		return cost{commands, points}
	}
	small, large := measure("small", 4<<20), measure("large", 1<<40)
	t.Expect(large.commands).To(Equal(small.commands), "commands of Begin")
	t.Expect(small.commands).To(BeNumerically("<=", beginCommandsMax))
	t.Expect(large.points).To(BeNumerically("<=", 2*small.points+pointsSlack), "steps of all tasks while Begin ran")
}

const (
	// beginCommandsMax bounds the commands of a Begin with one qcow2 target (§5.4).
	beginCommandsMax = 10
	// pointsSlack allows for what other tasks do on some schedules.
	pointsSlack = 40
)
