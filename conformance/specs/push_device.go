package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func pushDeviceSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "push.block-device-target",
			Title:        "block devices of the host can be targets, raw or formatted, in full and as increments, whatever was on them; they are never deleted",
			Requirements: []string{"BEG-17", "BEG-18", "PSH-01", "PSH-04", "I1", "I7", "I12"},
			Needs:        []conformance.Feature{conformance.FeatureBlockDevice},
			Body:         blockDeviceTarget,
		},
		{
			ID:           "push.block-device-that-cannot-be",
			Title:        "a block device that is missing, is none or has another size than the disk fails Begin",
			Requirements: []string{"BEG-17", "BEG-19", "E151", "E157"},
			Needs:        []conformance.Feature{conformance.FeatureBlockDevice},
			Body:         blockDeviceThatCannotBe,
		},
	}
}

func blockDeviceTarget(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda"), conformance.SmallDisk("vdb")}})
	raw, formatted := t.BlockDevice("raw-device", 4<<20), t.BlockDevice("device", 6<<20)
	for off := int64(0); off < 4<<20; off += 1 << 20 {
		d.Write("vda", off, 192<<10)
		d.Write("vdb", off, 192<<10)
	}
	t.Go("guest", func() {
		d.Scribble("vda", 3)
		d.Scribble("vdb", 3)
	})
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c0", Disks: []conformance.BackupDisk{
		{Target: "vda", Path: raw, Format: "raw", Block: true}, {Target: "vdb", Path: formatted, Block: true},
	}})
	xml, err := d.BackupGetXMLDesc(full.ID, 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(xml).To(And(ContainSubstring("type='block'"), ContainSubstring("<target dev='"+raw+"'/>")))
	full.AwaitSuccess()
	t.Join()
	full.EndsWith(1)
	full.ExpectImages()

	t.Go("guest-again", func() { d.Scribble("vdb", 3) })
	device := t.BlockDevice("increment", 6<<20)
	next := d.Begin(conformance.BackupSpec{Over: full, Disks: []conformance.BackupDisk{{Target: "vdb", Path: device, Block: true}}})
	next.AwaitSuccess()
	t.Join()
	next.EndsWith(1)
	next.ExpectImages()

	t.HoldPushes()
	for off := int64(0); off < 4<<20; off += 256 << 10 {
		d.Write("vdb", off, 128<<10)
	}
	aborted := d.Begin(conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vdb", Path: device, Block: true}}})
	ret, err := d.BackupEnd(aborted.ID, virt.DOMAIN_BACKUP_END_ABORT)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(ret).To(Equal(0))
	t.ExpectFiles(true, raw, formatted, device)
}

func blockDeviceThatCannotBe(t *conformance.T) {
	d := oneDisk(t)
	small, regular := t.BlockDevice("small-device", 1<<20), t.Path("regular")
	t.RawFile(regular, 4<<20)
	t.Keeps(regular)
	row := func(id, path, format, text string) conformance.Refusal {
		return conformance.Refusal{Row: id, Code: virt.ERR_INTERNAL_ERROR, Text: "unable to execute QEMU command '" + text,
			Checkpoint: virt.XML("<domaincheckpoint><name>c1</name></domaincheckpoint>"),
			Backup:     inDisks("<disk name='vda' type='block'><target dev='" + path + "'/><driver type='" + format + "'/></disk>")}
	}
	missing := t.Path("missing")
	d.ExpectRefused(
		row("E151", missing, "raw", "blockdev-add': Could not open '"+missing+"': No such file or directory"),
		row("E151, formatted", missing, "qcow2", "blockdev-add': Could not open '"+missing+"': No such file or directory"),
		row("a regular file", regular, "raw", "blockdev-add': 'host_device' driver requires '"+regular+"' to be either a character or block device"),
		row("E157", small, "raw", "transaction': Source and target image have different sizes"),
	)
	t.Join()
	t.ExpectFiles(true, small, regular)
}
