package specs

import (
	"strings"
	"time"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func snapshotCallSpecs() []conformance.Spec {
	kill := []conformance.Feature{conformance.FeatureKillDriver}
	return []conformance.Spec{
		{
			ID:           "snapshot.metadata",
			Title:        "snapshots are listed, found and described, each the parent of the next; forgetting one gives its children to its parent and leaves the overlays",
			Requirements: []string{"SNP-05"},
			Body:         snapshotMetadata,
		},
		{
			ID:           "snapshot.redefine",
			Title:        "a snapshot that was forgotten is redefined from its description, current or not; what does not fit is refused",
			Requirements: []string{"SNP-03", "SNP-05"},
			Body:         snapshotRedefined,
		},
		{
			ID:           "snapshot.reuse-external",
			Title:        "with REUSE_EXT an image of the caller becomes the overlay; it is not formatted, and it stays when the snapshot fails",
			Requirements: []string{"SNP-05", "I16"},
			Body:         snapshotReuseExternal,
		},
		{
			ID:           "snapshot.halt",
			Title:        "with HALT the domain is stopped in order once the snapshot is made, so that its bitmaps are in the images; it starts again on the overlays",
			Requirements: []string{"SNP-01", "SNP-06"},
			Alone:        "the domain stops within the call, and a guest that writes then would fail",
			Body:         snapshotHalt,
		},
		{
			ID:           "snapshot.defined-anew-meanwhile",
			Title:        "a definition given while a snapshot is made keeps what its author wrote, and gets the overlays too",
			Requirements: []string{"SNP-05"},
			Body:         snapshotDefinedAnew,
		},
		{
			ID:           "snapshot.outlives-driver-and-machine",
			Title:        "after a snapshot a new driver and a new machine go on upon the overlays: increments start from older checkpoints, sizes and deletion reach through the chain",
			Requirements: []string{"SNP-06", "I11", "I9", "I17"},
			Needs:        kill,
			Body:         snapshotOutlives,
		},
		{
			ID:           "snapshot.driver-killed-anywhere",
			Title:        "a driver killed at any point of a snapshot comes back to the snapshot with its checkpoint, or to nothing of it; the guest's disks are whole either way",
			Requirements: []string{"SNP-01", "SNP-06", "I16"},
			Needs:        kill,
			Body:         snapshotDriverKilledAnywhere,
		},
		{
			ID:           "snapshot.domain-dies-anywhere",
			Title:        "a domain that dies at any point of a snapshot is left on the overlays that are there, or on its images with no overlay left",
			Requirements: []string{"SNP-01", "I16"},
			Body:         snapshotDomainDiesAnywhere,
		},
	}
}

func snapshotMetadata(t *conformance.T) {
	d := oneDisk(t)
	has, err := d.HasCurrentSnapshot(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(has).To(BeFalse())
	_, err = d.SnapshotCurrent(0)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_SNAPSHOT, "the domain does not have a current snapshot")
	var made []*conformance.Snapshot
	for _, name := range []string{"s1", "s2", "s3"} {
		made = append(made, d.Snapshot(conformance.SnapshotSpec{Name: name}))
	}
	_, err = d.TrySnapshot(conformance.SnapshotSpec{Name: "s2"})
	t.ExpectError(err, virt.ERR_OPERATION_FAILED, "domain moment s2 already exists")
	t.Expect(d.SnapshotNames()).To(Equal([]string{"s1", "s2", "s3"}))
	parent, err := made[2].GetParent(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(parent.GetName()).To(Equal("s2"))
	_, err = made[0].GetParent(0)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_SNAPSHOT, "snapshot 's1' does not have a parent")
	children, err := made[0].ListAllChildren(virt.DOMAIN_SNAPSHOT_LIST_DESCENDANTS | virt.DOMAIN_SNAPSHOT_LIST_EXTERNAL)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(children).To(HaveLen(2))
	inside, err := d.ListAllSnapshots(virt.DOMAIN_SNAPSHOT_LIST_INTERNAL)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(inside).To(BeEmpty())
	xml, err := made[1].GetXMLDesc(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(xml).To(And(ContainSubstring("<state>disk-snapshot</state>"), ContainSubstring("<name>s1</name>"),
		ContainSubstring("<disk name='vda' snapshot='external' type='file'>")))
	t.Expect(made[2].IsCurrent(0)).To(BeTrue())
	t.Expect(made[1].IsCurrent(0)).To(BeFalse())
	t.ExpectError(made[1].Delete(0), virt.ERR_CONFIG_UNSUPPORTED, "deletion of 1 external disk snapshots not supported yet")
	t.Expect(made[1].Delete(virt.DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)).To(Succeed())
	parent, err = made[2].GetParent(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(parent.GetName()).To(Equal("s1"))
	_, err = d.SnapshotLookupByName(virt.XML("s2"), 0)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_SNAPSHOT, "no domain snapshot with matching name 's2'")
	t.Expect(made[0].Delete(virt.DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY | virt.DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY)).To(Succeed())
	t.Expect(made[0].IsCurrent(0)).To(BeTrue())
	t.Expect(d.SnapshotNames()).To(Equal([]string{"s1"}))
	t.Join()
	d.PowerOff()
	for _, s := range made {
		s.ExpectBase()
	}
	t.ExpectError(d.Undefine(0), virt.ERR_OPERATION_INVALID, "cannot delete inactive domain with 1 snapshots")
}

func snapshotRedefined(t *conformance.T) {
	d := oneDisk(t)
	first := d.Snapshot(conformance.SnapshotSpec{Name: "s1"})
	second := d.Snapshot(conformance.SnapshotSpec{Name: "s2"})
	one, err := first.GetXMLDesc(0)
	t.Expect(err).NotTo(HaveOccurred())
	two, err := second.GetXMLDesc(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(first.Delete(virt.DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY | virt.DOMAIN_SNAPSHOT_DELETE_CHILDREN)).To(Succeed())
	t.Expect(d.SnapshotNames()).To(BeEmpty())
	d.ExpectSnapshotRefused(
		conformance.SnapshotRefusal{Row: "orphan", XML: virt.XML(two), Flags: snapshotRedefine, Code: virt.ERR_INVALID_ARG, Text: "parent s1 for moment s2 not found"},
		conformance.SnapshotRefusal{Row: "incomplete", XML: snapshotOf(""), Flags: snapshotRedefine, Code: virt.ERR_XML_ERROR, Text: "missing creationTime from existing snapshot"},
		conformance.SnapshotRefusal{
			Row: "not only disks", XML: snapshotOf("<creationTime>1</creationTime><state>running</state>"),
			Flags: snapshotRedefine | snapshotDiskOnly, Code: virt.ERR_INVALID_ARG, Text: "disk-only flag for snapshot s1 requires disk-snapshot state",
		},
	)
	const validate = snapshotRedefine | virt.DOMAIN_SNAPSHOT_CREATE_VALIDATE
	_, err = d.SnapshotCreateXML(virt.XML(one), validate|virt.DOMAIN_SNAPSHOT_CREATE_CURRENT)
	t.Expect(err).NotTo(HaveOccurred())
	_, err = d.SnapshotCreateXML(virt.XML(two), validate|snapshotDiskOnly)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(d.SnapshotNames()).To(Equal([]string{"s1", "s2"}))
	t.Expect(second.GetXMLDesc(0)).To(Equal(two))
	t.Expect(first.IsCurrent(0)).To(BeTrue())
	t.Join()
}

func snapshotReuseExternal(t *conformance.T) {
	d := oneDisk(t)
	path := t.Path("mine")
	t.Keeps(path)
	d.MakeOverlay("vda", path)
	before := t.ReadFile(path)
	spec := conformance.SnapshotSpec{
		Name: "s1", Checkpoint: "c1", Disks: []conformance.SnapshotDisk{{Target: "vda", Path: path}},
		Flags: virt.DOMAIN_SNAPSHOT_CREATE_REUSE_EXT,
	}
	fault := t.FailCommand("transaction", 1, "no")
	_, err := d.TrySnapshot(spec)
	t.Expect(fault.Lift()).To(BeTrue())
	t.ExpectError(err, virt.ERR_INTERNAL_ERROR, "no")
	t.Expect(t.ReadFile(path)).To(Equal(before))
	s := d.Snapshot(spec)
	t.Join()
	d.PowerOff()
	s.ExpectBase()
	d.ExpectBitmaps()
}

func snapshotHalt(t *conformance.T) {
	d := t.StartDomain(twoSmallDisks())
	d.Scribble("vda", 3)
	d.Checkpoint("c0")
	d.Scribble("vdb", 3)
	s := d.SnapshotHalted(conformance.SnapshotSpec{Name: "s1", Checkpoint: "c1"})
	state, reason, err := d.GetState()
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(state).To(Equal(virt.DOMAIN_SHUTOFF))
	t.Expect(reason).To(Equal(7), "VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT")
	s.ExpectBase()
	d.ExpectBitmaps()
	d.Start()
	d.Scribble("vda", 3)
	full := d.Begin(conformance.BackupSpec{Disks: images(t, "full", "vda", "vdb")})
	full.AwaitSuccess()
	full.EndsWith(1)
	d.Checkpoint("c2")
	d.PowerOff()
	full.ExpectImages()
	d.ExpectBitmaps()
}

func snapshotDefinedAnew(t *conformance.T) {
	d := oneDisk(t)
	old, err := d.GetXMLDesc(virt.DOMAIN_XML_INACTIVE)
	t.Expect(err).NotTo(HaveOccurred())
	richer := strings.Replace(old, ">32768</memory>", ">65536</memory>", 1)
	t.Expect(richer).NotTo(Equal(old))
	overlay := d.Overlays(conformance.SnapshotSpec{Name: "s1"})[0]
	t.Go("definer", func() {
		t.Poll("the overlay to be made", time.Millisecond, func() bool {
			_, err := t.Host().Stat(overlay)
			return err == nil
		})
		_, err := t.Conn().DomainDefineXML(richer)
		t.Expect(err).NotTo(HaveOccurred())
	})
	s := d.Snapshot(conformance.SnapshotSpec{Name: "s1"})
	t.Join()
	xml, err := d.GetXMLDesc(virt.DOMAIN_XML_INACTIVE)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(xml).To(ContainSubstring(">65536</memory>"))
	live, err := d.GetXMLDesc(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(live).To(And(ContainSubstring(">32768</memory>"), ContainSubstring(d.DiskPath("vda"))))
	d.PowerOff()
	s.ExpectBase()
}

func snapshotOutlives(t *conformance.T) {
	d := t.StartDomain(twoSmallDisks())
	d.Scribble("vda", 2)
	full := d.Begin(conformance.BackupSpec{Disks: images(t, "full", "vda", "vdb"), Checkpoint: "c0"})
	full.AwaitSuccess()
	full.EndsWith(1)
	t.Go("guest", func() { d.Scribble("vda", 4) })
	d.Snapshot(conformance.SnapshotSpec{Name: "s1", Checkpoint: "c1"})
	d.Snapshot(conformance.SnapshotSpec{Name: "s2", Disks: []conformance.SnapshotDisk{{Target: "vda", No: true}}})
	t.KillDriver()
	t.Join()
	t.RestartDriver()
	d.Write("vda", 0, 4096)
	t.Expect(d.SnapshotNames()).To(Equal([]string{"s1", "s2"}))
	current, err := d.SnapshotCurrent(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(current.GetName()).To(Equal("s2"))
	first := d.Begin(conformance.BackupSpec{Disks: images(t, "first", "vda", "vdb"), Since: "c0", Over: full})
	first.AwaitSuccess()
	first.EndsWith(1)
	d.PowerOff()
	first.ExpectImages()
	d.ExpectBitmaps()
	d.Start()
	d.Scribble("vdb", 3)
	second := d.Begin(conformance.BackupSpec{Disks: images(t, "second", "vda", "vdb"), Since: "c0", Over: full})
	second.AwaitSuccess()
	second.EndsWith(1)
	second.ExpectImages()
	c0, err := d.CheckpointLookupByName(virt.XML("c0"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	xml, err := c0.GetXMLDesc(virt.DOMAIN_CHECKPOINT_XML_SIZE | virt.DOMAIN_CHECKPOINT_XML_NO_DOMAIN)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(xml).To(MatchRegexp("name='vda' [^>]*size='[1-9][0-9]*'"), "what was written before the snapshot counts")
	t.Expect(c0.Delete(0)).To(Succeed())
	d.ForgetCheckpoint("c0")
	t.ExpectNothingLeft(d)
	d.PowerOff()
	d.ExpectBitmaps()
}

func snapshotDriverKilledAnywhere(t *conformance.T) {
	d := t.StartDomain(twoSmallDisks())
	d.Checkpoint("c0")
	d.Scribble("vda", 2)
	spec := conformance.SnapshotSpec{Name: "s1", Checkpoint: "c1"}
	var made *conformance.Snapshot
	diesWithin(t, 260, func() { made = d.TrySnapshotUnseen(spec) })
	handle, err := d.SnapshotLookupByName(virt.XML("s1"), 0)
	switch {
	case err != nil:
		t.ExpectError(err, virt.ERR_NO_DOMAIN_SNAPSHOT, "s1")
		t.Expect(made).To(BeNil(), "the call returned, and the snapshot is gone")
		d.ForgetCheckpoint("c1")
		t.ExpectFiles(false, d.Overlays(spec)...)
		t.Expect(names(t, allCheckpoints(t, d))).To(Equal([]string{"c0"}))
	default:
		if made == nil {
			made = d.AdoptSnapshot(spec, handle, d.LastInstant())
		}
		t.Expect(names(t, allCheckpoints(t, d))).To(Equal([]string{"c0", "c1"}))
	}
	t.ExpectNothingLeft(d)
	t.Go("guest", func() { d.Scribble("vdb", 3) })
	b := d.Begin(conformance.BackupSpec{Disks: images(t, "next", "vda", "vdb"), Since: "c0", Checkpoint: "c2"})
	b.AwaitSuccess()
	b.EndsWith(1)
	t.Join()
	d.PowerOff()
	b.ExpectImages()
	d.ExpectBitmaps()
	if made != nil {
		made.ExpectBase()
	}
}

func snapshotDomainDiesAnywhere(t *conformance.T) {
	d := t.StartDomain(twoSmallDisks())
	d.Checkpoint("c0")
	spec := conformance.SnapshotSpec{Name: "s1", Checkpoint: "c1"}
	failed := error(nil)
	overlays := d.Overlays(spec)
	t.Go("caller", func() { failed = d.TrySnapshotDoomed(spec) })
	t.Pause(220)
	d.Crash()
	t.Join()
	d.AwaitStopped()
	xml, err := d.GetXMLDesc(virt.DOMAIN_XML_INACTIVE)
	t.Expect(err).NotTo(HaveOccurred())
	there := len(d.SnapshotNames()) == 1
	t.Expect(there || failed != nil).To(BeTrue(), "the call returned, and the snapshot is gone")
	t.ExpectFiles(there, overlays...)
	for _, path := range overlays {
		if there {
			t.Keeps(path)
			t.Expect(xml).To(ContainSubstring(path))
		} else {
			t.Expect(xml).NotTo(ContainSubstring(path))
		}
	}
	t.Expect(d.Create()).To(Succeed(), "the domain starts on what there is")
	d.Revived()
}
