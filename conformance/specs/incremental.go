package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func incrementalSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "incremental.chain-is-the-disk",
			Title:        "a full backup with three increments over it is the disk as it was at the last Begin, and each increment holds what changed and nothing else",
			Requirements: []string{"BEG-05", "BEG-04", "PSH-01", "I3", "I4", "I6", "I7", "I9"},
			Body:         chainIsTheDisk,
		},
		{
			ID:           "incremental.from-any-ancestor",
			Title:        "an increment may start from any earlier checkpoint, whatever was made or backed up since",
			Requirements: []string{"BEG-05", "I5", "I7", "I9"},
			Body:         fromAnyAncestor,
		},
		{
			ID:           "incremental.modes-per-disk",
			Title:        "each disk of a backup chooses for itself: full, from the checkpoint of the document, or from one of its own",
			Requirements: []string{"BEG-05", "BEG-18", "DSC-01", "I3", "I7"},
			Body:         modesPerDisk,
		},
		{
			ID:           "incremental.raw-target",
			Title:        "a raw increment holds what changed and reads as zero elsewhere",
			Requirements: []string{"BEG-18", "I6", "I8"},
			Body:         rawIncrement,
		},
		{
			ID:           "incremental.reused-target",
			Title:        "an increment may be written to images of the caller, qcow2 or raw",
			Requirements: []string{"BEG-05", "BEG-18", "I7", "I8"},
			Body:         reusedIncrement,
		},
		{
			ID:           "incremental.abort-and-failure-lose-nothing",
			Title:        "an increment that was aborted can be made again: the checkpoint's bitmap still knows every change, and keeps recording",
			Requirements: []string{"I9", "I12", "PSH-03", "BEG-05"},
			Body:         abortLosesNothing,
		},
		{
			ID:           "incremental.nothing-changed-is-empty",
			Title:        "an increment of a disk that nobody wrote to holds nothing and succeeds",
			Requirements: []string{"BEG-05", "I6", "PSH-02"},
			Body:         nothingChangedIsEmpty,
		},
		{
			ID:           "incremental.base-goes-while-begin-prepares",
			Title:        "an increment whose checkpoint is deleted while Begin prepares is refused (103), and leaves nothing",
			Requirements: []string{"E139", "BEG-05", "BEG-19"},
			Body:         baseGoesWhileBeginPrepares,
		},
		{
			ID:           "incremental.beside-a-new-checkpoint",
			Title:        "a checkpoint made by the Begin that copies an increment starts clean; one made or deleted while it copies does not disturb it",
			Requirements: []string{"BEG-04", "I4", "I5", "I6", "I10"},
			Body:         besideANewCheckpoint,
		},
	}
}

// images names the images of a backup so that those of several do not collide.
func images(t *conformance.T, name string, targets ...string) []conformance.BackupDisk {
	var disks []conformance.BackupDisk
	for _, target := range targets {
		disks = append(disks, conformance.BackupDisk{Target: target, Path: t.Path(name + "-" + target)})
	}
	return disks
}

func chainIsTheDisk(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		{Target: "vda", Size: 3<<20 + 66048}, {Target: "vdb", Size: 2 << 20, ClusterSize: 4096},
	}})
	d.Scribble("vda", 4)
	d.Scribble("vdb", 2)
	var below *conformance.Backup
	for _, name := range []string{"c0", "c1", "c2", "c3"} {
		t.Go("guest-"+name, func() {
			for range 2 {
				d.Scribble("vda", 2)
				d.Scribble("vdb", 1)
			}
		})
		b := d.Begin(conformance.BackupSpec{Over: below, Checkpoint: name, Disks: images(t, name, "vda", "vdb")})
		d.Write("vda", 1<<20, 8192)
		b.AwaitSuccess()
		b.EndsWith(1)
		t.Join()
		b.ExpectImages()
		b.ExpectConsistent()
		below = b
	}
	d.PowerOff()
	below.ExpectImages()
	d.ExpectBitmaps()
}

func fromAnyAncestor(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{{Target: "vda", Size: 4 << 20, ClusterSize: 512}}})
	d.Scribble("vda", 4)
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c0", Disks: images(t, "full", "vda")})
	full.AwaitSuccess()
	full.EndsWith(1)
	d.Scribble("vda", 2)
	t.Go("guest", func() { d.Scribble("vda", 6) })
	d.Checkpoint("c1")
	d.Scribble("vda", 2)
	near := d.Begin(conformance.BackupSpec{Since: "c1", Checkpoint: "c2", Disks: images(t, "near", "vda")})
	near.AwaitSuccess()
	near.EndsWith(1)
	near.ExpectImages()
	d.Scribble("vda", 1)
	far := d.Begin(conformance.BackupSpec{Over: full, Disks: images(t, "far", "vda")})
	far.AwaitSuccess()
	far.EndsWith(1)
	far.ExpectImages()
	t.Join()
	d.PowerOff()
	d.ExpectBitmaps()
}

func modesPerDisk(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"), conformance.SmallDisk("vdc"),
	}})
	targets := []string{"vda", "vdb", "vdc"}
	for _, target := range targets {
		d.Scribble(target, 3)
	}
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c0", Disks: images(t, "full", targets...)})
	full.AwaitSuccess()
	full.EndsWith(1)
	for _, target := range targets {
		d.Write(target, 1<<20, 4096)
	}
	next := d.Begin(conformance.BackupSpec{Over: full, Checkpoint: "c1", Disks: images(t, "next", targets...)})
	next.AwaitSuccess()
	next.EndsWith(1)
	t.Go("guest", func() {
		for _, target := range targets {
			d.Scribble(target, 2)
		}
	})
	disks := images(t, "mixed", targets...)
	disks[0].Mode = "full"
	disks[2].Since = "c0"
	mixed := d.Begin(conformance.BackupSpec{Since: "c1", Disks: disks})
	mixed.AwaitSuccess()
	xml, err := d.BackupGetXMLDesc(mixed.ID, 0)
	t.Expect(err).NotTo(HaveOccurred())
	for _, part := range []string{
		"<incremental>c1</incremental>", "name='vda' backup='yes' type='file' backupmode='full' ",
		"name='vdb' backup='yes' type='file' backupmode='incremental' incremental='c1'",
		"name='vdc' backup='yes' type='file' backupmode='incremental' incremental='c0'",
	} {
		t.Expect(xml).To(ContainSubstring(part))
	}
	t.Join()
	mixed.EndsWith(1)
	mixed.ExpectImages()
}

func rawIncrement(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{{Target: "vda", Size: 2<<20 + 512}}})
	for off := int64(0); off < 2<<20; off += 256 << 10 {
		d.Write("vda", off, 64<<10)
	}
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c0"})
	full.AwaitSuccess()
	full.EndsWith(1)
	d.Write("vda", 2<<20, 512) // the tail
	t.Go("guest", func() { d.Scribble("vda", 4) })
	b := d.Begin(conformance.BackupSpec{Over: full, Disks: []conformance.BackupDisk{{Target: "vda", Format: "raw"}}})
	b.AwaitSuccess()
	t.Join()
	b.EndsWith(1)
	b.ExpectImages()
}

func reusedIncrement(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda"), conformance.SmallDisk("vdb")}})
	d.Scribble("vda", 3)
	d.Scribble("vdb", 3)
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c0"})
	full.AwaitSuccess()
	full.EndsWith(1)
	disks := images(t, "reused", "vda", "vdb")
	disks[1].Format = "raw"
	t.QcowFile(disks[0].Path, 4<<20, 64<<10)
	t.RawFile(disks[1].Path, 4<<20)
	d.Write("vda", 1<<20, 8192)
	t.Go("guest", func() {
		d.Scribble("vda", 3)
		d.Scribble("vdb", 3)
	})
	b := d.Begin(conformance.BackupSpec{Over: full, Disks: disks, Flags: virt.DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL})
	b.AwaitSuccess()
	t.Join()
	b.EndsWith(1)
	b.ExpectImages()
}

func abortLosesNothing(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	d.Scribble("vda", 3)
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c0"})
	full.AwaitSuccess()
	full.EndsWith(1)
	for off := int64(0); off < 4<<20; off += 256 << 10 {
		d.Write("vda", off, 128<<10) // more than a held push copies at once
	}
	t.HoldPushes()
	aborted := d.Begin(conformance.BackupSpec{Over: full, Disks: images(t, "aborted", "vda")})
	t.Go("guest", func() { d.Scribble("vda", 5) })
	ret, err := d.BackupEnd(aborted.ID, virt.DOMAIN_BACKUP_END_ABORT)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(ret).To(Equal(0))
	aborted.Forget()
	t.ExpectNothingLeft(d)
	t.LetPushesGo()
	again := d.Begin(conformance.BackupSpec{Over: full, Disks: images(t, "again", "vda")})
	again.AwaitSuccess()
	again.EndsWith(1)
	t.Join()
	again.ExpectImages()
	d.PowerOff()
	d.ExpectBitmaps()
}

func nothingChangedIsEmpty(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"),
	}})
	d.Scribble("vda", 3)
	d.Scribble("vdb", 3)
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c0"})
	full.AwaitSuccess()
	full.EndsWith(1)
	t.Go("guest", func() { d.Scribble("vdb", 3) })
	b := d.Begin(conformance.BackupSpec{Over: full})
	b.AwaitSuccess()
	t.Join()
	b.EndsWith(1)
	b.ExpectImages()
	t.Expect(b.Holds("vda")).To(BeZero(), "bytes of data in the increment of a disk that nobody wrote to")
}

func besideANewCheckpoint(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	d.Scribble("vda", 3)
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c0"})
	full.AwaitSuccess()
	full.EndsWith(1)
	for off := int64(0); off < 4<<20; off += 256 << 10 {
		d.Write("vda", off, 128<<10)
	}
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{Over: full, Checkpoint: "c1"})
	t.Go("guest", func() { d.Scribble("vda", 4) })
	d.Checkpoint("c2")
	chk, err := d.CheckpointLookupByName(virt.XML("c0"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(chk.Delete(0)).To(Succeed(), "the checkpoint from which the running backup is copied")
	d.ForgetCheckpoint("c0")
	t.ReleasePushes(d)
	b.AwaitSuccess()
	b.EndsWith(1)
	t.Join()
	d.PowerOff()
	b.ExpectImages()
	d.ExpectBitmaps()
}

func baseGoesWhileBeginPrepares(t *conformance.T) {
	d := oneDisk(t)
	c := d.Checkpoint("c0")
	// Begin waits to hear that the image is formatted.
	gate := t.GateNthEvent("JOB_STATUS_CHANGE", 5)
	var b *conformance.Backup
	var err error
	t.Go("caller", func() {
		b, err = d.TryBegin(conformance.BackupSpec{Since: "c0", Checkpoint: "c1", Disks: images(t, "image", "vda")})
	})
	gate.AwaitArrived()
	// Without its bitmap: QEMU says nothing while the event is held up.
	deleted := c.Delete(virt.DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY)
	gate.Open()
	t.Join()
	if deleted != nil { // a real QEMU may have kept its reply behind the event
		t.ExpectError(deleted, virt.ERR_OPERATION_TIMEOUT, "cannot acquire state change lock")
		b.AwaitSuccess()
		b.EndsWith(1)
		return
	}
	t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "Checkpoint 'c0' for incremental backup of disk 'vda' not found")
	d.ForgetCheckpoint("c1")
	t.ExpectFiles(false, t.Path("image-vda"))
	t.Expect(d.JobIDs()).To(BeEmpty())
	t.Expect(d.ListAllCheckpoints(0)).To(BeEmpty())
	t.ExpectNothingLeft(d)
}
