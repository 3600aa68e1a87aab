package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/qmp"
	"fleece/virt"
)

func beginTargetSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:    "begin.targets-that-cannot-be",
			Title: "a target that exists, cannot be made, has a format that QEMU cannot write or does not fit the disk fails Begin; files of others stay as they were",
			Requirements: []string{"BEG-18", "BEG-19", "I12", "E134", "E135", "E136", "E137", "E142", "E143", "E146", "E150", "E157",
				"E168"},
			Body: targetsThatCannotBe,
		},
		{
			ID:           "begin.no-room-to-format",
			Title:        "a file system too full for the metadata of the new image fails Begin, with QEMU's reason, and keeps nothing of it",
			Requirements: []string{"BEG-19", "I12", "E148"},
			Needs:        []conformance.Feature{conformance.FeatureLimitedDir},
			Body:         noRoomToFormat,
		},
		{
			ID:           "begin.bitmaps-in-the-way",
			Title:        "a bitmap of somebody else that has the name Begin needs fails it, and stays as it was",
			Requirements: []string{"BEG-04", "BEG-19", "I16", "E158", "E159"},
			Body:         bitmapsInTheWay,
		},
		{
			ID:           "incremental.checkpoint-must-be-sound",
			Title:        "an increment is refused if its checkpoint is unknown (103), or its bitmap is missing, transient, disabled or only just made (109): never guessed",
			Requirements: []string{"BEG-05", "BEG-19", "I18", "E139", "E140"},
			Body:         checkpointMustBeSound,
		},
		{
			ID:           "begin.any-command-may-fail",
			Title:        "whichever command of Begin QEMU refuses, Begin fails with QEMU's text and leaves nothing, and can be tried again under the same names",
			Requirements: []string{"BEG-04", "BEG-19", "I12", "E168"},
			Body:         anyCommandMayFail,
		},
	}
}

func targetsThatCannotBe(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda"), conformance.SmallDisk("vdb")}})
	t.Go("guest", func() { d.Scribble("vda", 4) })
	there, small, garbage, shared := t.Path("there"), t.Path("small"), t.Path("garbage"), t.Path("shared")
	t.WriteFile(there, []byte("somebody's"))
	t.WriteFile(garbage, []byte("no image at all"))
	t.RawFile(small, 1<<20)
	t.RawFile(shared, 4<<20)
	t.Keeps(there, small, garbage, shared)
	disk := func(name, path, format string) string {
		return "<disk name='" + name + "' type='file'><target file='" + path + "'/><driver type='" + format + "'/></disk>"
	}
	const reuse = virt.DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL
	chk := virt.XML("<domaincheckpoint><name>c1</name></domaincheckpoint>")
	row := func(id, disks string, flags virt.DomainBackupBeginFlags, code virt.ErrorNumber, text string) conformance.Refusal {
		return conformance.Refusal{Row: id, Backup: inDisks(disks), Checkpoint: chk, Flags: flags, Code: code, Text: text}
	}
	format := func(id, name string, code virt.ErrorNumber, text string) conformance.Refusal {
		return row(id, disk("vda", t.Path("a"), "qcow2")+disk("vdb", t.Path("b"), name), 0, code, text)
	}
	const add = "unable to execute QEMU command 'blockdev-add': "
	d.ExpectRefused(
		row("E142", disk("vda", t.Path("a"), "raw")+disk("vdb", there, "raw"), 0, virt.ERR_INVALID_ARG,
			"store '"+there+"' for backup of 'vdb' exists"),
		row("E142, one file for two disks", disk("vda", t.Path("a"), "qcow2")+disk("vdb", t.Path("a"), "qcow2"), 0,
			virt.ERR_INVALID_ARG, "store '"+t.Path("a")+"' for backup of 'vdb' exists"),
		row("E143", disk("vda", t.Path("a"), "qcow2")+disk("vdb", t.Path("nowhere/b"), "qcow2"), 0, virt.ERR_SYSTEM_ERROR,
			"failed to create image file '"+t.Path("nowhere/b")+"': No such file or directory"),
		format("E134", "iso", virt.ERR_CONFIG_UNSUPPORTED, "storage format 'iso' is not directly supported by QEMU, use 'raw' instead"),
		format("E135", "cow", virt.ERR_CONFIG_UNSUPPORTED, "'cow' storage format is not supported"),
		format("E136", "dir", virt.ERR_CONFIG_UNSUPPORTED, "'directory' storage format is not directly supported by QEMU"),
		format("E137", "fat", virt.ERR_CONFIG_UNSUPPORTED, "storage format 'fat' is supported only with 'dir' storage type"),
		format("E146, bochs", "bochs", virt.ERR_OPERATION_UNSUPPORTED, "can't create storage format 'bochs'"),
		format("E146, cloop", "cloop", virt.ERR_OPERATION_UNSUPPORTED, "can't create storage format 'cloop'"),
		format("E146, dmg", "dmg", virt.ERR_OPERATION_UNSUPPORTED, "can't create storage format 'dmg'"),
		row("E150, missing", disk("vda", t.Path("a"), "raw"), reuse, virt.ERR_INTERNAL_ERROR,
			add+"Could not open '"+t.Path("a")+"': No such file or directory"),
		row("E150, not an image", disk("vda", garbage, "qcow2"), reuse, virt.ERR_INTERNAL_ERROR, add+"Image is not in qcow2 format"),
		row("E157", disk("vda", small, "raw"), reuse, virt.ERR_INTERNAL_ERROR,
			"unable to execute QEMU command 'transaction': Source and target image have different sizes"),
		row("two disks on one reused file", disk("vda", shared, "raw")+disk("vdb", shared, "raw"), reuse, virt.ERR_INVALID_ARG,
			"store '"+shared+"' for backup of 'vdb' exists"),
		row("a disk onto itself", disk("vda", d.DiskPath("vda"), "qcow2"), reuse, virt.ERR_INTERNAL_ERROR, add+"Failed to get \"write\" lock"),
	)
	t.Expect(string(t.ReadFile(there))).To(Equal("somebody's"))
	t.Expect(string(t.ReadFile(garbage))).To(Equal("no image at all"))
	t.Join()
}

func noRoomToFormat(t *conformance.T) {
	dir := t.LimitedDir("small", 8<<10)
	d := oneDisk(t)
	d.ExpectRefused(conformance.Refusal{
		Row:    "E148",
		Backup: inDisks("<disk name='vda' type='file'><target file='" + dir + "/image'/></disk>"),
		Code:   virt.ERR_OPERATION_FAILED, Text: "failed to format image: '",
		Checkpoint: virt.XML("<domaincheckpoint><name>c1</name></domaincheckpoint>"),
	})
	t.Join()
}

// bitmap is a bitmap on a node, as block-dirty-bitmap-add takes it.
func bitmap(node, name string, persistent bool) []qmp.Member {
	return []qmp.Member{qmp.M("node", qmp.Str(node)), qmp.M("name", qmp.Str(name)),
		qmp.M("persistent", qmp.Bool(persistent)), qmp.M("disabled", qmp.Bool(false))}
}

func bitmapsInTheWay(t *conformance.T) {
	d := oneDisk(t)
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c0"})
	full.AwaitSuccess()
	full.EndsWith(1)
	node := d.FormatNode("vda")
	for _, name := range []string{"c1", "backup-vda"} {
		d.MayHaveBitmap(name)
		t.Expect(d.OnMonitor("block-dirty-bitmap-add", bitmap(node, name, true)...)).To(BeEmpty())
	}
	disk := "<disk name='vda' type='file'><target file='" + t.Path("image") + "'/></disk>"
	d.ExpectRefused(
		conformance.Refusal{Row: "E158", Backup: inDisks(disk), Checkpoint: virt.XML("<domaincheckpoint><name>c1</name></domaincheckpoint>"),
			Code: virt.ERR_INTERNAL_ERROR, Text: "unable to execute QEMU command 'transaction': Bitmap already exists: c1"},
		conformance.Refusal{Row: "E159", Backup: virt.XML("<domainbackup><incremental>c0</incremental><disks>" + disk + "</disks></domainbackup>"),
			Checkpoint: virt.XML("<domaincheckpoint><name>c2</name></domaincheckpoint>"),
			Code:       virt.ERR_INTERNAL_ERROR, Text: "unable to execute QEMU command 'transaction': Bitmap already exists: backup-vda"},
	)
	t.Join()
	d.PowerOff()
	d.ExpectBitmaps()
}

func checkpointMustBeSound(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda"), conformance.SmallDisk("vdb")}})
	t.Go("guest", func() {
		d.Scribble("vda", 3)
		d.Scribble("vdb", 3)
	})
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c0", Disks: images(t, "full", "vda", "vdb")})
	full.AwaitSuccess()
	full.EndsWith(1)
	node := d.FormatNode("vdb")
	disks := "<disks><disk name='vda' type='file'><target file='" + t.Path("a") + "'/></disk>" +
		"<disk name='vdb' type='file'><target file='" + t.Path("b") + "'/></disk></disks>"
	refused := func(row, name string, code virt.ErrorNumber, text string) {
		d.ExpectRefused(conformance.Refusal{
			Row: row, Backup: virt.XML("<domainbackup><incremental>" + name + "</incremental>" + disks + "</domainbackup>"),
			Checkpoint: virt.XML("<domaincheckpoint><name>new</name></domaincheckpoint>"), Code: code, Text: text,
		})
	}
	const broken = "missing or broken bitmap 'c0' for disk 'vdb'"
	refused("E139", "never", virt.ERR_NO_DOMAIN_CHECKPOINT, "Checkpoint 'never' for incremental backup of disk 'vda' not found")
	refused("I18", "new", virt.ERR_CHECKPOINT_INCONSISTENT, "missing or broken bitmap 'new' for disk 'vda'")
	d.BrokenBitmap("c0")
	t.Expect(d.OnMonitor("block-dirty-bitmap-disable", bitmap(node, "c0", false)[:2]...)).To(BeEmpty())
	refused("E140, disabled", "c0", virt.ERR_CHECKPOINT_INCONSISTENT, broken)
	t.Expect(d.OnMonitor("block-dirty-bitmap-remove", bitmap(node, "c0", false)[:2]...)).To(BeEmpty())
	refused("E140, missing", "c0", virt.ERR_CHECKPOINT_INCONSISTENT, broken)
	t.Expect(d.OnMonitor("block-dirty-bitmap-add", bitmap(node, "c0", false)...)).To(BeEmpty())
	refused("E140, transient", "c0", virt.ERR_CHECKPOINT_INCONSISTENT, broken)
	// The other disk is not concerned, and this one can be copied in full.
	mixed := images(t, "mixed", "vda", "vdb")
	mixed[1].Mode = "full"
	next := d.Begin(conformance.BackupSpec{Over: full, Disks: mixed})
	next.AwaitSuccess()
	next.EndsWith(1)
	t.Join()
	next.ExpectImages()
}

func anyCommandMayFail(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda"), conformance.SmallDisk("vdb")}})
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c0", Disks: images(t, "full", "vda", "vdb")})
	full.AwaitSuccess()
	full.EndsWith(1)
	t.Go("guest", func() {
		d.Scribble("vda", 4)
		d.Scribble("vdb", 4)
	})
	next := conformance.BackupSpec{Over: full, Checkpoint: "c1", Disks: images(t, "next", "vda", "vdb")}
	next.Disks[1].Format = "raw"
	// How often Begin sends each for one qcow2 and one raw target (§5.4).
	for _, command := range []struct {
		name string
		sent int
	}{
		{"query-named-block-nodes", 1}, {"blockdev-create", 2}, {"query-jobs", 2}, {"job-dismiss", 2},
		{"blockdev-add", 4}, {"transaction", 1},
	} {
		for n := 1; n <= command.sent; n++ {
			fault := t.FailCommand(command.name, n, "the dog ate it")
			_, err := d.TryBegin(next)
			t.Expect(fault.Lift()).To(BeTrue(), "Begin sends %s at least %d times", command.name, n)
			t.ExpectError(err, virt.ERR_INTERNAL_ERROR, "unable to execute QEMU command '"+command.name+"': the dog ate it")
			t.ExpectFiles(false, t.Path("next-vda"), t.Path("next-vdb"))
			t.Expect(d.JobIDs()).To(BeEmpty())
			_, err = d.CheckpointLookupByName(virt.XML("c1"), 0)
			t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "c1")
			d.ForgetCheckpoint("c1")
			t.ExpectNothingLeft(d)
		}
	}
	b := d.Begin(next)
	b.AwaitSuccess()
	b.EndsWith(1)
	t.Join()
	b.ExpectImages()
	t.Expect(t.JobsCompleted()).To(HaveLen(2), "a Begin that failed has no completion event")
}
