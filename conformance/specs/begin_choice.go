package specs

import (
	"strconv"
	"strings"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func beginChoiceSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "begin.default-document",
			Title:        "without a document Begin pushes every writable disk in full, to generated names that can be read back: the seconds since the Epoch, or the checkpoint's name, behind the disk's own",
			Requirements: []string{"BEG-07", "BEG-01", "BEG-08", "DSC-01", "I1", "I3", "E142"},
			Body:         defaultDocument,
		},
		{
			ID:           "begin.takes-the-chosen-disks",
			Title:        "of several disks those are copied that the document names, and those tracked that the checkpoint names",
			Requirements: []string{"BEG-18", "BEG-04", "CHK-01", "I1", "I5"},
			Body:         takesTheChosenDisks,
		},
		{
			ID:           "begin.target-name-is-generated",
			Title:        "a disk that is listed without a target gets a generated name, though libvirt fails there",
			Requirements: []string{"BEG-18", "DSC-01", "E138"},
			Body:         targetNameIsGenerated,
		},
		{
			ID:           "begin.no-metadata",
			Title:        "NO_METADATA makes the bitmaps and forgets the checkpoint: it is not listed, not current, nothing starts from it, until it is redefined",
			Requirements: []string{"BEG-10", "BEG-04", "CHK-05", "I4", "I5", "E139"},
			Body:         noMetadata,
		},
		{
			ID:           "begin.reuse-external",
			Title:        "with REUSE_EXTERNAL the images of the caller are written, whatever was in them",
			Requirements: []string{"BEG-18", "PSH-01", "PSH-04", "I1"},
			Body:         reuseExternal,
		},
		{
			ID:           "push.reused-images-are-never-deleted",
			Title:        "an image of the caller stays when the push is aborted, when it fails, and when Begin fails",
			Requirements: []string{"I12", "PSH-03", "BEG-19"},
			Body:         reusedImagesStay,
		},
	}
}

func defaultDocument(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), {Target: "vdb", Size: 1 << 20, ReadOnly: true}, conformance.SmallDisk("vdc"),
		{Target: "hda", NoMedium: true},
	}})
	d.Scribble("vda", 3)
	t.Go("guest", func() {
		d.Scribble("vda", 3)
		d.Scribble("vdc", 3)
	})
	before := t.Now().Unix()
	b := d.Begin(conformance.BackupSpec{NoDocument: true})
	after := t.Now().Unix()
	t.Expect(b.Targets()).To(Equal([]string{"vda", "vdc"}), "neither the read-only disk nor the empty drive takes part")
	for i, path := range b.Paths() {
		suffix, ok := strings.CutPrefix(path, d.DiskPath(b.Targets()[i])+".")
		t.Expect(ok).To(BeTrue(), "%s is named after the disk's image", path)
		seconds, err := strconv.ParseInt(suffix, 10, 64)
		t.Expect(err).NotTo(HaveOccurred(), "the suffix of %s", path)
		t.Expect(seconds).To(And(BeNumerically(">=", before), BeNumerically("<=", after)), "the suffix is the time of Begin")
	}
	b.AwaitSuccess()
	b.EndsWith(1)
	b.ExpectImages()
	list, err := d.ListAllCheckpoints(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(list).To(BeEmpty(), "no checkpoint was asked for")

	named := d.Begin(conformance.BackupSpec{NoDocument: true, Checkpoint: "c1"})
	t.Expect(named.Paths()).To(Equal([]string{d.DiskPath("vda") + ".c1", d.DiskPath("vdc") + ".c1"}))
	named.AwaitSuccess()
	named.EndsWith(1)
	named.ExpectImages()
	t.Join()
	// A generated name that is taken is refused as any other.
	chk, err := d.CheckpointLookupByName(virt.XML("c1"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(chk.Delete(0)).To(Succeed())
	d.ForgetCheckpoint("c1")
	d.ExpectRefused(conformance.Refusal{Row: "E142", Checkpoint: virt.XML("<domaincheckpoint><name>c1</name></domaincheckpoint>"),
		Code: virt.ERR_INVALID_ARG, Text: "store '" + d.DiskPath("vda") + ".c1' for backup of 'vda' exists"})
}

func takesTheChosenDisks(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"), conformance.SmallDisk("vdc"),
	}})
	for _, target := range []string{"vda", "vdb", "vdc"} {
		d.Scribble(target, 2)
	}
	t.Go("guest", func() {
		for _, target := range []string{"vda", "vdb", "vdc"} {
			d.Scribble(target, 2)
		}
	})
	chosen := append(images(t, "chosen", "vdc"), conformance.BackupDisk{Target: "vda", Out: true})
	b := d.Begin(conformance.BackupSpec{Disks: chosen, Checkpoint: "c0", Tracked: []string{"vda", "vdc"}})
	xml, err := d.BackupGetXMLDesc(b.ID, 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(xml).To(MatchRegexp("(?s)name='vdc' backup='yes'.*<disk name='vda' backup='no'/>.*<disk name='vdb' backup='no'/>"))
	b.AwaitSuccess()
	t.Join()
	b.EndsWith(1)
	d.Write("vdb", 0, 512)
	t.Expect(d.OnMonitor("block-dirty-bitmap-disable", bitmap(d.FormatNode("vdb"), "c0", false)[:2]...)).
		To(ContainSubstring("Dirty bitmap 'c0' not found"), "the disk that the checkpoint leaves out has no bitmap")
	d.PowerOff()
	b.ExpectImages()
}

func targetNameIsGenerated(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"),
	}})
	d.Scribble("vda", 2)
	t.Go("guest", func() { d.Scribble("vdb", 3) })
	b := d.Begin(conformance.BackupSpec{Checkpoint: "c0", Disks: []conformance.BackupDisk{
		{Target: "vda", Unnamed: true, Format: "raw"}, {Target: "vdb", Path: t.Path("named")},
	}})
	t.Expect(b.Paths()).To(Equal([]string{d.DiskPath("vda") + ".c0", t.Path("named")}))
	b.AwaitSuccess()
	t.Join()
	b.EndsWith(1)
	b.ExpectImages()
}

func noMetadata(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	d.Scribble("vda", 3)
	d.Checkpoint("c0")
	t.Go("guest", func() { d.Scribble("vda", 4) })
	b := d.Begin(conformance.BackupSpec{Checkpoint: "c1", Flags: virt.DOMAIN_BACKUP_BEGIN_NO_METADATA, Disks: images(t, "first", "vda")})
	b.AwaitSuccess()
	b.EndsWith(1)
	t.Join()
	list, err := d.ListAllCheckpoints(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(names(t, list)).To(Equal([]string{"c0"}))
	_, err = d.CheckpointLookupByName(virt.XML("c1"), 0)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "c1")
	current, err := d.CheckpointCurrent(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(current.GetName()).To(Equal("c0"))
	_, err = d.TryBegin(conformance.BackupSpec{Over: b, Disks: images(t, "second", "vda")})
	t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "Checkpoint 'c1' for incremental backup of disk 'vda' not found")
	_, err = d.CreateCheckpointXML(virt.XML("<domaincheckpoint><name>c1</name><creationTime>1</creationTime><parent><name>c0</name></parent>"+
		"<disks><disk name='vda' checkpoint='bitmap'/></disks></domaincheckpoint>"),
		virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE|virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE)
	t.Expect(err).NotTo(HaveOccurred(), "what was forgotten can be redefined")
	d.Scribble("vda", 2)
	next := d.Begin(conformance.BackupSpec{Over: b, Disks: images(t, "second", "vda")})
	next.AwaitSuccess()
	next.EndsWith(1)
	next.ExpectImages()
	d.PowerOff()
	b.ExpectImages()
}

func reuseExternal(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), {Target: "vdb", Size: 1<<20 + 512},
	}})
	d.Scribble("vda", 4)
	d.Scribble("vdb", 2)
	qcow, raw := t.Path("reused.qcow2"), t.Path("reused.raw")
	t.QcowFile(qcow, 4<<20, 4096)
	t.WriteFile(raw, []byte(strings.Repeat("old news ", (1<<20+512)/9+1)[:1<<20+512]))
	t.Go("guest", func() {
		d.Scribble("vda", 3)
		d.Scribble("vdb", 3)
	})
	b := d.Begin(conformance.BackupSpec{Checkpoint: "c0", Flags: virt.DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL, Disks: []conformance.BackupDisk{
		{Target: "vda", Path: qcow}, {Target: "vdb", Path: raw, Format: "raw"},
	}})
	b.AwaitSuccess()
	b.ExpectConsistent()
	t.Join()
	b.EndsWith(1)
	b.ExpectImages()
	t.Expect(t.ClusterSize(qcow)).To(Equal(int64(4096)), "an image of the caller is not formatted anew")
}

func reusedImagesStay(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda"), conformance.SmallDisk("vdb")}})
	for off := int64(0); off < 4<<20; off += 256 << 10 {
		d.Write("vda", off, 128<<10)
	}
	spec := conformance.BackupSpec{Flags: virt.DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL, Disks: images(t, "reused", "vda", "vdb")}
	for _, k := range spec.Disks {
		t.QcowFile(k.Path, 4<<20, 64<<10)
		t.Keeps(k.Path)
	}
	t.HoldPushes()
	aborted := d.Begin(spec)
	t.Go("guest", func() { d.Scribble("vda", 4) })
	ret, err := d.BackupEnd(aborted.ID, virt.DOMAIN_BACKUP_END_ABORT)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(ret).To(Equal(0))
	t.ExpectFiles(true, aborted.Paths()...)
	t.LetPushesGo()
	for _, command := range []string{"blockdev-add", "transaction"} {
		fault := t.FailCommand(command, 1, "no")
		_, err = d.TryBegin(spec)
		t.Expect(fault.Lift()).To(BeTrue())
		t.ExpectError(err, virt.ERR_INTERNAL_ERROR, command)
		t.ExpectFiles(true, aborted.Paths()...)
		t.ExpectNothingLeft(d)
	}
	t.Join()
	// The images are not spoilt for the next one either.
	again := d.Begin(spec)
	again.AwaitSuccess()
	again.EndsWith(1)
	again.ExpectImages()
}
