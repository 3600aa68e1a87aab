package specs

import (
	"time"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/qmp"
	"fleece/virt"
)

// chainSwitchSpecs are about drivers that die when a guest is about to be switched over to
// another image.
func chainSwitchSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "chain.switch-interrupted",
			Title:        "a switch that a driver's death interrupted can be done by the next driver, or be given up, and then nothing of it is left; increments are right",
			Requirements: []string{"BEG-05", "I9", "I12"},
			Needs:        []conformance.Feature{conformance.FeatureKillDriver},
			Body:         switchInterrupted,
		},
		{
			ID:           "chain.resized-above-a-checkpoint",
			Title:        "checkpoints whose bitmaps lie in images of several sizes, since the disk was resized above an overlay, are reported as broken (109), after a pull, too, and never taken for good; newer ones are right",
			Requirements: []string{"CHK-06", "E140", "I5"},
			Body:         resizedAboveACheckpoint,
		},
		{
			ID:           "chain.resized-and-committed",
			Title:        "a disk that was resized above its overlays is committed into an image that grows; checkpoints from after it go on, those that cannot be carried over are reported (109)",
			Requirements: []string{"CHK-06", "E140", "I9", "I16"},
			Body:         resizedAndCommitted,
		},
		{
			ID:           "chain.copy-into-an-image-with-bitmaps",
			Title:        "a checkpoint that was broken is so after a copy into an image of the caller's that has a bitmap of its name (109)",
			Requirements: []string{"CHK-06", "E140"},
			Body:         copyIntoAnImageWithBitmaps,
		},
		{
			ID:           "snapshot.over-an-image-with-bitmaps",
			Title:        "a checkpoint that was broken is so above an overlay of the caller's that has a bitmap of its name (109)",
			Requirements: []string{"CHK-06", "E140", "SNP-06"},
			Body:         snapshotOverAnImageWithBitmaps,
		},
	}
}

func switchInterrupted(t *conformance.T) {
	t.Each(2, func(i int) {
		d := longChain(t, caseName(i), true)
		images, disk := d.Images("vda"), virt.XML("vda")
		path := t.Path(d.Name + "-copy")
		if i == 0 {
			t.Expect(d.BlockCommit(disk, &images[1], &images[0], 0, virt.DOMAIN_BLOCK_COMMIT_ACTIVE)).To(Succeed())
		} else {
			t.Keeps(path)
			d.StartCopy("vda", path, 0)
		}
		t.Go("guest-of-"+d.Name, func() { d.Scribble("vda", 2) })
		t.Await("the job to be ready", func() bool { return ready(t, d) })
		gate := t.GateCommand("job-complete")
		t.Go("switch-of-"+d.Name, func() { _ = d.BlockJobAbort(disk, virt.DOMAIN_BLOCK_JOB_ABORT_PIVOT) })
		gate.AwaitArrived()
		t.KillDriver()
		t.Join()
		gate.Open()
		t.RestartDriver()
		if i == 1 {
			t.Expect(d.BlockJobAbort(disk, virt.DOMAIN_BLOCK_JOB_ABORT_PIVOT)).To(Succeed())
			d.Copied("vda", path, false)
		} else {
			t.Expect(d.BlockJobAbort(disk, 0)).To(Succeed())
			t.Poll("the end of the commit", time.Millisecond, func() bool {
				info, err := d.GetBlockJobInfo(disk, 0)
				t.Expect(err).NotTo(HaveOccurred())
				return info.Type == virt.DOMAIN_BLOCK_JOB_TYPE_UNKNOWN
			})
			t.ExpectNothingLeft(d)
			d.Commit("vda", images[1], images[0])
		}
		incrementsAreRight(t, d)
	})
}

// ready reports whether a job of a domain has told that it waits for the switch.
func ready(t *conformance.T, d *conformance.Domain) bool {
	for _, e := range t.Events() {
		if j, ok := e.(virt.BlockJobEvent); ok && j.Domain.Name == d.Name && j.Status == virt.DOMAIN_BLOCK_JOB_READY {
			return true
		}
	}
	return false
}

func resizedAboveACheckpoint(t *conformance.T) {
	d := longChain(t, "vm", true)
	d.Resize("vda", 3<<20)
	broken := func() {
		for _, since := range []string{"c0", "c1"} {
			_, err := d.BackupBegin(conformance.PullSpec{
				Disks: []conformance.PullDisk{{Target: "vda", Scratch: t.Path("none")}}, Since: since, Server: t.ServerHere(),
			}.XML(), nil, 0)
			t.ExpectError(err, virt.ERR_CHECKPOINT_INCONSISTENT, "missing or broken bitmap '"+since+"' for disk 'vda'")
			t.Expect(description(t, d, since, virt.DOMAIN_CHECKPOINT_XML_SIZE|virt.DOMAIN_CHECKPOINT_XML_NO_DOMAIN)).
				NotTo(ContainSubstring("size="), "nobody knows what changed since "+since)
		}
	}
	broken()
	d.Checkpoint("c2")
	t.Go("guest", func() { d.Scribble("vda", 4) })
	d.Write("vda", 3<<20-512, 512)
	d.PullInto("vda", "")
	t.Join()
	broken()
	p := d.BeginPull(conformance.PullSpec{Disks: []conformance.PullDisk{{Target: "vda"}}, Since: "c2", Server: t.ServerHere()})
	p.ExpectExports()
	p.EndsWith(0, 1)
	for _, name := range []string{"c0", "c1"} {
		t.Expect(checkpointNamed(t, d, name).Delete(0)).To(Succeed())
		d.ForgetCheckpoint(name)
	}
	t.ExpectNothingLeft(d)
}

func resizedAndCommitted(t *conformance.T) {
	d := longChain(t, "vm", true)
	d.Resize("vda", 3<<20)
	d.Write("vda", 2<<20, 64<<10)
	d.Checkpoint("c2")
	t.Go("guest", func() { d.Scribble("vda", 4) })
	d.Write("vda", 3<<20-512, 512)
	images := d.Images("vda")
	d.Commit("vda", images[3], images[0])
	t.Join()
	_, err := d.BackupBegin(conformance.PullSpec{
		Disks: []conformance.PullDisk{{Target: "vda", Scratch: t.Path("none")}}, Since: "c1", Server: t.ServerHere(),
	}.XML(), nil, 0)
	t.ExpectError(err, virt.ERR_CHECKPOINT_INCONSISTENT, "missing or broken bitmap 'c1' for disk 'vda'")
	p := d.BeginPull(conformance.PullSpec{Disks: []conformance.PullDisk{{Target: "vda"}}, Since: "c2", Server: t.ServerHere()})
	p.ExpectExports()
	p.EndsWith(0, 1)
	for _, name := range []string{"c0", "c1"} {
		t.Expect(checkpointNamed(t, d, name).Delete(0)).To(Succeed())
		d.ForgetCheckpoint(name)
	}
	t.ExpectNothingLeft(d)
	d.PowerOff()
	d.ExpectBitmaps()
}

func copyIntoAnImageWithBitmaps(t *conformance.T) {
	d := oneDisk(t)
	path := t.Path("copy")
	d.ImageForCopy("vda", path, false)
	stray(t, d, path)
	sinceBroken(t, d)
	t.Go("guest", func() { d.Scribble("vda", 3) })
	d.CopyTo("vda", path, virt.DOMAIN_BLOCK_COPY_REUSE_EXT)
	t.Join()
	sinceBroken(t, d)
	p := d.BeginPull(conformance.PullSpec{Disks: []conformance.PullDisk{{Target: "vda"}}, Since: "c1", Server: t.ServerHere()})
	p.ExpectExports()
	p.EndsWith(0, 1)
}

// stray makes checkpoints c0, whose bitmap then goes, and c1, and puts a bitmap of the name
// c0 into an image of the caller's.
func stray(t *conformance.T, d *conformance.Domain, path string) {
	d.Checkpoint("c0")
	d.Checkpoint("c1")
	t.Join()
	file := qmp.Dict(qmp.M("driver", qmp.Str("file")), qmp.M("filename", qmp.Str(path)))
	for _, c := range []struct {
		command string
		args    []qmp.Member
	}{
		{"blockdev-add", []qmp.Member{qmp.M("node-name", qmp.Str("stray")), qmp.M("driver", qmp.Str("qcow2")), qmp.M("file", file), qmp.M("backing", qmp.Null())}},
		{"block-dirty-bitmap-add", bitmap("stray", "c0", true)},
		{"blockdev-del", []qmp.Member{qmp.M("node-name", qmp.Str("stray"))}},
		{"block-dirty-bitmap-remove", bitmap(d.FormatNode("vda"), "c0", true)[:2]},
	} {
		t.Expect(d.OnMonitor(c.command, c.args...)).To(BeEmpty(), c.command)
	}
}

// sinceBroken expects that nothing starts from c0.
func sinceBroken(t *conformance.T, d *conformance.Domain) {
	_, err := d.BackupBegin(conformance.PullSpec{
		Disks: []conformance.PullDisk{{Target: "vda", Scratch: t.Path("none")}}, Since: "c0", Server: t.ServerHere(),
	}.XML(), nil, 0)
	t.ExpectError(err, virt.ERR_CHECKPOINT_INCONSISTENT, "missing or broken bitmap 'c0' for disk 'vda'")
}

func snapshotOverAnImageWithBitmaps(t *conformance.T) {
	d := oneDisk(t)
	path := t.Path("overlay")
	t.QcowFile(path, 4<<20, 64<<10)
	t.Keeps(path)
	stray(t, d, path)
	sinceBroken(t, d)
	t.Go("guest", func() { d.Scribble("vda", 3) })
	d.Snapshot(conformance.SnapshotSpec{
		Name: "s0", Flags: virt.DOMAIN_SNAPSHOT_CREATE_REUSE_EXT, Disks: []conformance.SnapshotDisk{{Target: "vda", Path: path}},
	})
	t.Join()
	d.Scribble("vda", 2)
	sinceBroken(t, d)
	p := d.BeginPull(conformance.PullSpec{Disks: []conformance.PullDisk{{Target: "vda"}}, Since: "c1", Server: t.ServerHere()})
	p.ExpectExports()
	p.EndsWith(0, 1)
}
