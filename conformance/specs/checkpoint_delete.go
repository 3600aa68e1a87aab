package specs

import (
	"strings"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func checkpointDeleteSpecs() []conformance.Spec {
	limited := []conformance.Feature{conformance.FeatureLimitedDir, conformance.FeatureKillDriver}
	return []conformance.Spec{
		{
			ID:           "checkpoint.delete-forgets-no-write",
			Title:        "a checkpoint deleted under writes, wherever it stands, takes no write from the others: increments from them are right, and its children are its parent's",
			Requirements: []string{"CHK-04", "CHK-02", "I10", "I9", "I16", "E225"},
			Body:         deleteForgetsNoWrite,
		},
		{
			ID:           "checkpoint.delete-with-children",
			Title:        "a Delete takes the children too, or only them, or only what is remembered, as its flags say; other flags are refused",
			Requirements: []string{"CHK-04", "CHK-02", "E015", "E016", "E039", "E209"},
			Body:         deleteWithChildren,
		},
		{
			ID:           "checkpoint.delete-of-an-inactive-domain",
			Title:        "bitmaps of a domain that does not run cannot be deleted, the memory of them can, and the bitmaps stay right",
			Requirements: []string{"CHK-04", "E229", "I16"},
			Body:         deleteOfAnInactiveDomain,
		},
		{
			ID:           "checkpoint.delete-refused-by-qemu",
			Title:        "a Delete that QEMU refuses changes neither tree nor bitmaps, and succeeds once what was in the way is gone",
			Requirements: []string{"CHK-04", "E235", "I10"},
			Body:         deleteRefusedByQEMU,
		},
		{
			ID:           "checkpoint.delete-below-an-overlay",
			Title:        "a Delete removes bitmaps from images below the active one, or fails as a whole if they cannot be opened for writing",
			Requirements: []string{"CHK-04", "E234"},
			Body:         deleteBelowAnOverlay,
		},
		{
			ID:           "checkpoint.delete-without-room",
			Title:        "a Delete that cannot write whose child a checkpoint is now fails and leaves the tree as it was, also for the next driver",
			Requirements: []string{"CHK-04", "CHK-06", "E237"},
			Needs:        limited,
			Body:         deleteWithoutRoom,
		},
	}
}

// checkpointNamed finds a checkpoint that must be there.
func checkpointNamed(t *conformance.T, d *conformance.Domain, name string) *virt.Checkpoint {
	c, err := d.CheckpointLookupByName(virt.XML(name), 0)
	t.Expect(err).NotTo(HaveOccurred(), "look checkpoint %s up", name)
	return c
}

// expectChain asserts that the checkpoints are these, each the child of the one
// before, the last one current.
func expectChain(t *conformance.T, d *conformance.Domain, want ...string) {
	list, err := d.ListAllCheckpoints(virt.DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(list).To(HaveLen(len(want)))
	for i, c := range list {
		t.Expect(c.GetName()).To(Equal(want[i]))
		parent, err := c.GetParent(0)
		if i == 0 {
			t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "does not have a parent")
		} else {
			t.Expect(err).NotTo(HaveOccurred())
			t.Expect(parent.GetName()).To(Equal(want[i-1]))
		}
		t.Expect(c.IsCurrent(0)).To(Equal(i == len(want)-1), "whether %s is current", want[i])
	}
	t.Expect(d.HasCurrentCheckpoint(0)).To(Equal(len(want) > 0))
}

// written makes checkpoints with writes after each.
func written(d *conformance.Domain, names ...string) {
	for _, name := range names {
		d.Checkpoint(name)
		d.Scribble("vda", 2)
	}
}

// expectIncrements reads an increment from each checkpoint, whose dirty extents and
// content must be right.
func expectIncrements(t *conformance.T, d *conformance.Domain, since ...string) {
	for _, name := range since {
		p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere(), Since: name})
		p.ExpectExports()
		p.EndsWith(0, 1)
	}
}

func deleteForgetsNoWrite(t *conformance.T) {
	t.Each(3, func(i int) {
		d := t.StartDomain(conformance.DomainSpec{Name: caseName(i), Disks: []conformance.DiskSpec{
			{Target: "vda", Size: 2 << 20, ClusterSize: 4096}, conformance.SmallDisk("vdb"),
		}})
		all := []string{"c0", "c1", "c2"}
		written(d, all...)
		d.Scribble("vdb", 2)
		c := checkpointNamed(t, d, all[i])
		t.Go("guest-of-"+d.Name, func() { d.Scribble("vda", 5); d.Scribble("vdb", 2) })
		t.Expect(c.Delete(0)).To(Succeed())
		d.ForgetCheckpoint(all[i])
		rest := append(append([]string(nil), all[:i]...), all[i+1:]...)
		expectChain(t, d, rest...)
		t.ExpectError(c.Delete(0), virt.ERR_NO_DOMAIN_CHECKPOINT, "no domain checkpoint with matching name '"+all[i]+"'")
		t.Join()
		t.ExpectNothingLeft(d) // its bitmap, for one
		d.ExpectNoMetadata(all[i])
		expectIncrements(t, d, rest...)
		d.PowerOff()
		d.ExpectBitmaps()
	})
}

func deleteWithChildren(t *conformance.T) {
	d := oneDisk(t)
	written(d, "c0", "c1", "c2", "c3", "c4")
	read, err := t.ReadOnlyDomain(d).CheckpointLookupByName(virt.XML("c1"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	c := checkpointNamed(t, d, "c2")
	both := virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN | virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY
	refused := map[string]error{}
	refused["E015"] = read.Delete(both)
	refused["E016"] = c.Delete(both | 64)
	refused["E039"] = c.Delete(64)
	for _, row := range []string{"E015", "E016", "E039"} {
		t.ExpectRow(row, refused[row])
	}
	expectChain(t, d, "c0", "c1", "c2", "c3", "c4")
	t.Expect(c.Delete(virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY)).To(Succeed())
	d.ForgetCheckpoint("c3")
	d.ForgetCheckpoint("c4")
	expectChain(t, d, "c0", "c1", "c2")
	t.Expect(checkpointNamed(t, d, "c1").Delete(virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN)).To(Succeed())
	d.ForgetCheckpoint("c1")
	d.ForgetCheckpoint("c2")
	expectChain(t, d, "c0")
	t.Expect(d.TryCheckpoint("c1")).To(Succeed())
	t.Expect(checkpointNamed(t, d, "c1").Delete(virt.DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY)).To(Succeed())
	expectChain(t, d, "c0")
	d.ExpectNoMetadata("c1")
	t.ExpectRow("E209", d.TryCheckpoint("c1")) // its bitmap is still there
	t.Join()
	t.ExpectNothingLeft(d)
	expectIncrements(t, d, "c0")
	d.PowerOff()
	d.ExpectBitmaps()
}

func deleteOfAnInactiveDomain(t *conformance.T) {
	d := oneDisk(t)
	written(d, "c0", "c1", "c2")
	t.Join()
	d.PowerOff()
	c := checkpointNamed(t, d, "c1")
	for _, flags := range []virt.DomainCheckpointDeleteFlags{0, virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN, virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY} {
		t.ExpectRow("E229", c.Delete(flags))
	}
	expectChain(t, d, "c0", "c1", "c2")
	t.Expect(c.Delete(virt.DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY)).To(Succeed())
	expectChain(t, d, "c0", "c2")
	t.ExpectError(c.Delete(0), virt.ERR_OPERATION_UNSUPPORTED, "cannot delete checkpoint for inactive domain") // before it is looked for
	d.ExpectBitmaps()
	d.Start()
	t.Go("guest-again", func() { d.Scribble("vda", 3) })
	t.Expect(checkpointNamed(t, d, "c0").Delete(0)).To(Succeed())
	d.ForgetCheckpoint("c0")
	expectChain(t, d, "c2")
	t.Join()
	expectIncrements(t, d, "c2")
}

func deleteRefusedByQEMU(t *conformance.T) {
	d := oneDisk(t)
	written(d, "c0", "c1")
	for off := int64(0); off < 4<<20; off += 256 << 10 {
		d.Write("vda", off, 128<<10) // more than what a stalled job copies at once
	}
	written(d, "c2")
	other := d.StartForeignIncrement("vda", "c1")
	c := checkpointNamed(t, d, "c1")
	for _, flags := range []virt.DomainCheckpointDeleteFlags{0, virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN} {
		t.ExpectRow("E235", c.Delete(flags))
		expectChain(t, d, "c0", "c1", "c2")
	}
	other.End()
	t.Join()
	t.ExpectNothingLeft(d)
	expectIncrements(t, d, "c0", "c1", "c2")
	t.Expect(c.Delete(0)).To(Succeed())
	d.ForgetCheckpoint("c1")
	expectChain(t, d, "c0", "c2")
	t.ExpectNothingLeft(d)
	d.PowerOff()
	d.ExpectBitmaps()
}

func deleteBelowAnOverlay(t *conformance.T) {
	d := oneDisk(t)
	written(d, "c0", "c1")
	d.Snapshot(conformance.SnapshotSpec{Name: "s0"})
	t.Go("guest-again", func() { d.Scribble("vda", 3) })
	c := checkpointNamed(t, d, "c1")
	fault := t.FailCommand("blockdev-reopen", 1, "Could not reopen file: Permission denied")
	t.ExpectRow("E234", c.Delete(0))
	t.Expect(fault.Lift()).To(BeTrue(), "the image below was not opened for writing")
	expectChain(t, d, "c0", "c1")
	t.Expect(c.Delete(0)).To(Succeed())
	d.ForgetCheckpoint("c1")
	expectChain(t, d, "c0")
	t.Join()
	t.ExpectNothingLeft(d)
	expectIncrements(t, d, "c0")
	d.PowerOff()
	d.ExpectBitmaps()
}

func deleteWithoutRoom(t *conformance.T) {
	t.LimitState(stateBytes)
	d := oneDisk(t)
	d.Checkpoint("c0")
	d.Checkpoint("c1")
	d.MayHaveBitmap("c2")
	long := "<domaincheckpoint><name>c2</name><description>" + strings.Repeat("long ", descriptionBytes/5) + "</description></domaincheckpoint>"
	_, err := d.CreateCheckpointXML(virt.XML(long), 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.FillState(stateBytesLeft)
	c := checkpointNamed(t, d, "c1")
	t.ExpectError(c.Delete(0), virt.ERR_SYSTEM_ERROR, "No space left on device")
	expectChain(t, d, "c0", "c1", "c2")
	t.Join()
	t.KillDriver()
	t.RestartDriver()
	expectChain(t, d, "c0", "c1", "c2")
	t.ExpectNothingLeft(d)
	expectIncrements(t, d, "c0", "c2")
	t.Expect(checkpointNamed(t, d, "c2").Delete(0)).To(Succeed()) // needs no room
	d.ForgetCheckpoint("c2")
	expectChain(t, d, "c0", "c1")
}
