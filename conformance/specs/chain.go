package specs

import (
	"strings"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

// chainSpecs are about jobs that change the chain of images below a disk (§5.10, §5.16):
// increments since checkpoints that are older than that are right after it.
func chainSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID: "chain.pull",
			Title: "after a block pull of all images, or of those above one that stays, increments since before and since within the chain are right, " +
				"whether snapshots made the chain or it was there at the start",
			Requirements: []string{"BEG-05", "I9", "I11", "PUL-04"},
			Body:         chainPull,
		},
		{
			ID: "chain.commit",
			Title: "after a block commit of the active image or of ones in the middle, to the base or to one in the middle, increments since before and since within the chain are right, " +
				"whether snapshots made the chain or it was there at the start",
			Requirements: []string{"BEG-05", "I9", "I11", "PUL-04"},
			Body:         chainCommit,
		},
		{
			ID: "chain.copy",
			Title: "after the guest was switched over to a copy, whole or shallow, to a new image or to one that was there, increments since before and since within the chain are right, " +
				"whether snapshots made the chain or it was there at the start",
			Requirements: []string{"BEG-05", "I9", "I11", "PUL-04"},
			Body:         chainCopy,
		},
		{
			ID:           "chain.no-write-is-lost-at-the-switch",
			Title:        "what the guest writes while it is switched over to a copy or to a base is in the next increment, and a checkpoint made meanwhile is as good as others",
			Requirements: []string{"BEG-05", "I9", "I7"},
			Body:         noWriteIsLostAtTheSwitch,
		},
		{
			ID:           "chain.one-job-per-disk",
			Title:        "a disk under a copy takes no backup (1), no other job, no snapshot and no unplugging (83), and no other size; other disks do, and the disk does when the copy is given up",
			Requirements: []string{"BEG-15", "E141", "E242", "E246", "BEG-19"},
			Body:         oneJobPerDisk,
		},
		{
			ID:           "chain.not-beside-a-backup",
			Title:        "a disk in a backup takes no pull, commit or copy (84), another disk does, and the backup is right",
			Requirements: []string{"BEG-15", "E243"},
			Body:         notBesideABackup,
		},
		{
			ID:           "chain.refusals",
			Title:        "what cannot be pulled, committed or copied is refused with its code and text, and leaves nothing",
			Requirements: []string{"BEG-19", "SUR-02"},
			Body:         chainRefusals,
		},
		{
			ID:           "chain.how-far-it-is",
			Title:        "the job of a disk can be asked for and limited, a backup's too, whose type is BACKUP; a disk without a job has none to tell of",
			Requirements: []string{"JOB-09", "SUR-02"},
			Body:         howFarItIs,
		},
		{
			ID:           "chain.driver-killed-anywhere",
			Title:        "a driver killed at any point of a copy, or of the switch to it, comes back to a domain whose document has the images that the guest is on, and backups are right",
			Requirements: []string{"BEG-19", "I12", "I9"},
			Needs:        []conformance.Feature{conformance.FeatureKillDriver},
			Body:         driverKilledInACopy,
		},
		{
			ID:           "chain.resize",
			Title:        "a disk that was given another size is backed up in that size, and increments since before have what was written there",
			Requirements: []string{"BEG-01", "BEG-05"},
			Body:         chainResize,
		},
	}
}

// longChain starts a domain whose disk has four images; checkpoint c0 is older than all
// overlays, c1 is from within. If not live, the chain is there at the domain's start.
func longChain(t *conformance.T, name string, live bool) *conformance.Domain {
	d := t.StartDomain(conformance.DomainSpec{Name: name, Disks: []conformance.DiskSpec{{Target: "vda", Size: 2 << 20}}})
	d.Scribble("vda", 2)
	d.Checkpoint("c0")
	d.Scribble("vda", 2)
	for i, checkpoint := range []string{"", "c1", ""} {
		d.Snapshot(conformance.SnapshotSpec{Name: "s" + string(rune('0'+i)), Checkpoint: checkpoint})
		d.Scribble("vda", 2)
	}
	if !live {
		d.PowerOff()
		d.Start()
		d.Scribble("vda", 1)
	}
	return d
}

// increments are right since both checkpoints, pulled and pushed.
func incrementsAreRight(t *conformance.T, d *conformance.Domain) {
	d.Scribble("vda", 1)
	for _, since := range []string{"c0", "c1"} {
		p := d.BeginPull(conformance.PullSpec{Disks: []conformance.PullDisk{{Target: "vda"}}, Since: since, Server: t.ServerHere()})
		d.Scribble("vda", 1)
		p.ExpectExports()
		p.EndsWith(0, 1)
	}
	b := d.Begin(conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda", Path: t.Path(d.Name + "-since")}}, Since: "c1"})
	b.AwaitSuccess()
	b.EndsWith(1)
	t.Join()
	d.PowerOff()
	d.ExpectBitmaps()
}

func chainPull(t *conformance.T) {
	t.Each(4, func(i int) {
		d := longChain(t, caseName(i), i < 2)
		base := ""
		if i%2 == 1 {
			base = d.Images("vda")[2]
		}
		t.Go("guest", func() { d.Scribble("vda", 4) })
		d.PullInto("vda", base)
		incrementsAreRight(t, d)
	})
}

func chainCommit(t *conformance.T) {
	ends := []struct{ base, top int }{{3, 0}, {3, 1}, {2, 1}, {2, 0}}
	t.Each(2*len(ends), func(i int) {
		d := longChain(t, caseName(i), i < len(ends))
		images, e := d.Images("vda"), ends[i%len(ends)]
		t.Go("guest", func() { d.Scribble("vda", 4) })
		d.Commit("vda", images[e.base], images[e.top])
		incrementsAreRight(t, d)
	})
}

func chainCopy(t *conformance.T) {
	t.Each(8, func(i int) {
		d := longChain(t, caseName(i), i < 4)
		var flags virt.DomainBlockCopyFlags
		path := t.Path(d.Name + "-copy")
		shallow := i%2 == 1
		if shallow {
			flags = virt.DOMAIN_BLOCK_COPY_SHALLOW
		}
		if i&2 != 0 {
			flags |= virt.DOMAIN_BLOCK_COPY_REUSE_EXT
			d.ImageForCopy("vda", path, shallow)
		}
		t.Go("guest", func() { d.Scribble("vda", 4) })
		d.CopyTo("vda", path, flags)
		incrementsAreRight(t, d)
	})
}

func noWriteIsLostAtTheSwitch(t *conformance.T) {
	t.Each(2, func(i int) {
		d := longChain(t, caseName(i), true)
		t.Go("guest", func() { d.Scribble("vda", 12) })
		t.Go("checkpoints", func() { d.Checkpoint("c2") })
		// The driver asks which image the guest is on when it is on the new one, whose
		// bitmaps are not there yet.
		gate := t.GateCommand("query-block")
		t.Go("late", func() {
			gate.AwaitArrived()
			for off := int64(1024); off < 2<<20; off += 256 << 10 {
				d.Write("vda", off, 512)
			}
			gate.Open()
		})
		if i == 0 {
			d.CopyTo("vda", t.Path(d.Name+"-copy"), 0)
		} else {
			d.Commit("vda", d.Images("vda")[1], d.Images("vda")[0])
		}
		t.Join()
		p := d.BeginPull(conformance.PullSpec{Disks: []conformance.PullDisk{{Target: "vda"}}, Since: "c2", Server: t.ServerHere()})
		p.ExpectExports()
		p.EndsWith(0, 1)
		incrementsAreRight(t, d)
	})
}

func oneJobPerDisk(t *conformance.T) {
	d := twoDisks(t, "vm")
	t.Go("guest", func() { d.Scribble("vda", 3) })
	d.StartCopy("vda", t.Path("copy"), 0)
	_, err := d.TryBegin(conformance.BackupSpec{})
	t.ExpectError(err, virt.ERR_INTERNAL_ERROR, "disk 'vda' has a blockjob assigned")
	const busy = "disk 'vda' already in active block job"
	disk := virt.XML("vda")
	t.ExpectError(d.BlockPull(disk, 0, 0), virt.ERR_BLOCK_COPY_ACTIVE, busy)
	t.ExpectError(d.BlockCommit(disk, nil, nil, 0, virt.DOMAIN_BLOCK_COMMIT_ACTIVE), virt.ERR_BLOCK_COPY_ACTIVE, busy)
	t.ExpectError(d.BlockCopy(disk, conformance.CopyXML(t.Path("other")), nil, virt.DOMAIN_BLOCK_COPY_TRANSIENT_JOB), virt.ERR_BLOCK_COPY_ACTIVE, busy)
	t.ExpectError(d.DetachDeviceFlags(d.DiskXML("vda"), 0), virt.ERR_BLOCK_COPY_ACTIVE, busy)
	_, err = d.TrySnapshot(conformance.SnapshotSpec{Name: "s"})
	t.ExpectError(err, virt.ERR_BLOCK_COPY_ACTIVE, busy)
	t.ExpectError(d.BlockResize(disk, 8<<10, 0), virt.ERR_INTERNAL_ERROR, "'block_resize'")
	other := d.Begin(conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda", Out: true}, {Target: "vdb"}}})
	other.AwaitSuccess()
	other.EndsWith(1)
	t.Expect(d.BlockJobAbort(disk, 0)).To(Succeed())
	d.AwaitCopyCancelled("vda")
	t.ExpectError(d.BlockJobAbort(disk, 0), virt.ERR_INVALID_ARG, "disk vda does not have an active block job")
	b := d.Begin(conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda"}}})
	b.AwaitSuccess()
	b.EndsWith(1)
}

func notBesideABackup(t *conformance.T) {
	d := twoDisks(t, "vm")
	d.Snapshot(conformance.SnapshotSpec{Name: "s"})
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda"}, {Target: "vdb", Out: true}}})
	t.Go("guest", func() { d.Scribble("vda", 3) })
	const busy = "disk 'vda' already in active block job"
	disk := virt.XML("vda")
	t.ExpectError(d.BlockPull(disk, 0, 0), virt.ERR_OPERATION_UNSUPPORTED, busy)
	t.ExpectError(d.BlockRebase(disk, nil, 0, 0), virt.ERR_OPERATION_UNSUPPORTED, busy)
	t.ExpectError(d.BlockCommit(disk, nil, nil, 0, virt.DOMAIN_BLOCK_COMMIT_ACTIVE), virt.ERR_OPERATION_UNSUPPORTED, busy)
	t.ExpectError(d.BlockCopy(disk, conformance.CopyXML(t.Path("other")), nil, virt.DOMAIN_BLOCK_COPY_TRANSIENT_JOB), virt.ERR_OPERATION_UNSUPPORTED, busy)
	t.ReleasePushes(d)
	b.AwaitSuccess()
	b.EndsWith(1)
	d.PullInto("vdb", "")
}

func chainRefusals(t *conformance.T) {
	d := longChain(t, "vm", true)
	t.Go("guest", func() { d.Scribble("vda", 3) })
	images, disk := d.Images("vda"), virt.XML("vda")
	path := func(s string) *string { return &s }
	active := virt.DOMAIN_BLOCK_COMMIT_ACTIVE
	transient := virt.DOMAIN_BLOCK_COPY_TRANSIENT_JOB
	for _, c := range []struct {
		err  error
		code virt.ErrorNumber
		text string
	}{
		{d.BlockPull(virt.XML("vdz"), 0, 0), virt.ERR_INVALID_ARG, "disk 'vdz' not found in domain"},
		{d.BlockPull(disk, 0, 1), virt.ERR_INVALID_ARG, "unsupported flags (0x1) in function qemuDomainBlockPull"},
		{d.BlockPull(disk, 1<<60, 0), virt.ERR_INVALID_ARG, "bandwidth must be less than 8796093022207"},
		{d.BlockRebase(disk, path("/nowhere"), 0, 0), virt.ERR_INVALID_ARG, "could not find image '/nowhere' beneath '" + images[0] + "' in chain for 'vda'"},
		{d.BlockRebase(disk, path(images[0]), 0, 0), virt.ERR_INVALID_ARG, "could not find image '" + images[0] + "' beneath"},
		{d.BlockRebase(disk, nil, 0, virt.DOMAIN_BLOCK_REBASE_COPY), virt.ERR_INVALID_ARG, "unsupported flags (0x8) in function qemuDomainBlockRebase"},
		{d.BlockCommit(disk, nil, nil, 0, 0), virt.ERR_INVALID_ARG, "commit of 'vda' active layer requires active flag"},
		{d.BlockCommit(disk, nil, path(images[1]), 0, active), virt.ERR_INVALID_ARG, "active commit requested but '" + images[1] + "' is not active"},
		{d.BlockCommit(disk, nil, path("/nowhere"), 0, 0), virt.ERR_INVALID_ARG, "could not find image '/nowhere' in chain for 'vda'"},
		{d.BlockCommit(disk, nil, path(images[3]), 0, 0), virt.ERR_INVALID_ARG, "could not find base image in chain for 'vda'"},
		{d.BlockCommit(disk, path(images[2]), path(images[3]), 0, 0), virt.ERR_INVALID_ARG, "has no backing file"},
		{
			d.BlockCommit(disk, path(images[3]), path(images[1]), 0, virt.DOMAIN_BLOCK_COMMIT_SHALLOW), virt.ERR_INVALID_ARG,
			"base '" + images[3] + "' is not immediately below '" + images[1] + "' in chain for",
		},
		{d.BlockCommit(disk, nil, nil, 0, virt.DOMAIN_BLOCK_COMMIT_DELETE), virt.ERR_INVALID_ARG, "unsupported flags (0x2) in function qemuDomainBlockCommit"},
		{d.BlockCopy(disk, conformance.CopyXML(t.Path("copy")), nil, 0), virt.ERR_OPERATION_INVALID, "domain is not transient"},
		{d.BlockCopy(disk, virt.XML("<video/>"), nil, transient), virt.ERR_XML_ERROR, "expecting root element of 'disk', not 'video'"},
		{d.BlockCopy(disk, conformance.CopyXML(images[3]), nil, transient), virt.ERR_CONFIG_UNSUPPORTED, "external destination file for disk vda already exists and is not a block device: " + images[3]},
		{
			d.BlockCopy(disk, conformance.CopyXML(t.Path("copy")), nil, transient|virt.DOMAIN_BLOCK_COPY_REUSE_EXT), virt.ERR_SYSTEM_ERROR,
			"missing destination file for disk vda: " + t.Path("copy"),
		},
		{
			d.BlockCopy(disk, virt.XML(strings.Replace(*conformance.CopyXML(t.Path("copy")), "qcow2", "raw", 1)), nil, transient|virt.DOMAIN_BLOCK_COPY_SHALLOW),
			virt.ERR_INVALID_ARG, "shallow copy of disk 'vda' into a raw file is not possible",
		},
		{d.BlockCopy(disk, conformance.CopyXML(t.Path("copy")), []virt.TypedParam{virt.UIntParam("granularity", 3)}, transient), virt.ERR_INVALID_ARG, "granularity must be power of 2"},
		{d.BlockCopy(disk, conformance.CopyXML(t.Path("copy")), nil, 64), virt.ERR_INVALID_ARG, "unsupported flags (0x40) in function qemuDomainBlockCopy"},
		{d.BlockJobSetSpeed(disk, 1, 0), virt.ERR_INVALID_ARG, "disk vda does not have an active block job"},
		{d.BlockResize(virt.XML("vdz"), 1, 0), virt.ERR_INVALID_ARG, "disk 'vdz' not found in domain"},
	} {
		t.ExpectError(c.err, c.code, c.text)
	}
	refusal := t.FailCommand("blockdev-mirror", 1, "no copies today")
	t.ExpectError(d.BlockCopy(disk, conformance.CopyXML(t.Path("copy")), nil, transient), virt.ERR_INTERNAL_ERROR, "no copies today")
	t.Expect(refusal.Lift()).To(BeTrue())
	t.ExpectNothingLeft(d)
	t.ExpectFiles(false, t.Path("copy"))
	d.StartCopy("vda", t.Path("copy"), 0)
	t.Expect(d.BlockJobAbort(disk, 0)).To(Succeed())
	d.AwaitCopyCancelled("vda")
	incrementsAreRight(t, d)
}

func howFarItIs(t *conformance.T) {
	d := twoDisks(t, "vm")
	a, b := virt.XML("vda"), virt.XML("vdb")
	t.Go("guest", func() { d.Scribble("vda", 3) })
	t.Expect(d.GetBlockJobInfo(a, 0)).To(Equal(virt.DomainBlockJobInfo{}))
	t.HoldPushes()
	push := d.Begin(conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda"}, {Target: "vdb", Out: true}}})
	info, err := d.GetBlockJobInfo(a, virt.DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(info.Type).To(Equal(virt.DOMAIN_BLOCK_JOB_TYPE_BACKUP))
	t.Expect(info.Bandwidth).To(BeEquivalentTo(1))
	t.Expect(info.Cur < info.End).To(BeTrue(), "a push that is held is at %d of %d", info.Cur, info.End)
	d.StartCopy("vdb", t.Path("copy"), 0)
	t.Expect(d.BlockJobSetSpeed(b, 3, 0)).To(Succeed())
	info, err = d.GetBlockJobInfo(b, 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(info.Type).To(Equal(virt.DOMAIN_BLOCK_JOB_TYPE_COPY))
	t.Expect(info.Bandwidth).To(BeEquivalentTo(3))
	t.Expect(info.Cur).To(Equal(info.End), "a copy that is ready")
	t.Expect(d.BlockJobAbort(b, 0)).To(Succeed())
	d.AwaitCopyCancelled("vdb")
	t.Expect(d.BlockJobSetSpeed(a, 0, 0)).To(Succeed())
	t.LetPushesGo()
	push.AwaitSuccess()
	push.EndsWith(1)
}

func driverKilledInACopy(t *conformance.T) {
	d := longChain(t, "vm", true)
	path := t.Path("copy")
	t.Keeps(path)
	diesWithin(t, 130, func() { d.CopyUnseen("vda", path) })
	d.SettleCopy("vda", path)
	incrementsAreRight(t, d)
}

func chainResize(t *conformance.T) {
	d := oneDisk(t)
	d.Checkpoint("c0")
	d.Scribble("vda", 2)
	t.Join()
	d.Resize("vda", 6<<20)
	t.Go("guest", func() { d.Scribble("vda", 4) })
	d.Write("vda", 6<<20-512, 512)
	b := d.Begin(conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda", Path: t.Path("since")}}, Since: "c0"})
	b.AwaitSuccess()
	b.EndsWith(1)
	full := d.Begin(conformance.BackupSpec{})
	full.AwaitSuccess()
	full.EndsWith(1)
}
