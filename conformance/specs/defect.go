package specs

import (
	"strings"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

// defectSpecs are about faults of libvirt 9.0 that no other spec would notice; all of
// them, with the specs that do, are in docs/upstream-defects.md.
func defectSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "defect.delete-is-all-or-nothing",
			Title:        "a Delete that QEMU refuses leaves every checkpoint where it was in the tree; one with CHILDREN that works leaves a tree that can be listed",
			Requirements: []string{"CHK-04", "CHK-03", "I9"},
			Body:         deleteIsAllOrNothing,
		},
		{
			ID:           "defect.missing-bitmap-is-no-obstacle",
			Title:        "a checkpoint whose bitmap somebody removed can be deleted, and its siblings go on",
			Requirements: []string{"CHK-04", "CHK-06"},
			Body:         missingBitmapIsNoObstacle,
		},
		{
			ID:           "defect.bitmap-has-the-checkpoints-name",
			Title:        "a redefinition that gives a bitmap another name than the checkpoint's is refused, and nothing of it stays",
			Requirements: []string{"CHK-05", "E206"},
			Body:         bitmapHasTheCheckpointsName,
		},
		{
			ID:           "defect.abort-of-a-begin-is-remembered",
			Title:        "AbortJob while Begin still prepares makes that Begin fail as cancelled, with nothing left",
			Requirements: []string{"JOB-05", "BEG-19", "I12"},
			Body:         abortOfABeginIsRemembered,
		},
		{
			ID:           "defect.restart-keeps-the-description",
			Title:        "a driver that comes back tells of a pull what the one before told, every name of export and bitmap; an aborted pull is a success without a message",
			Requirements: []string{"DSC-01", "PUL-05", "JOB-06", "JOB-08"},
			Needs:        []conformance.Feature{conformance.FeatureKillDriver},
			Body:         restartKeepsTheDescription,
		},
		{
			ID:           "defect.totals-keep-what-has-ended",
			Title:        "the totals of a running backup count the disks that have ended, too",
			Requirements: []string{"JOB-05", "JOB-06", "JOB-07"},
			Body:         totalsKeepWhatHasEnded,
		},
		{
			ID:           "defect.unnamed-checkpoints-collide",
			Title:        "checkpoints without a name have that of the second in which they are made; of two in one second one is refused (9), and nothing of it stays",
			Requirements: []string{"CHK-01", "CHK-08", "E208"},
			Body:         unnamedCheckpointsCollide,
		},
		{
			ID:           "defect.exported-bitmaps-share-a-name",
			Title:        "the exported bitmaps of two disks may have one name: each export shows its own disk's",
			Requirements: []string{"PUL-04", "I6"},
			Body:         exportedBitmapsShareAName,
		},
	}
}

// family is every checkpoint with its parent: "c1<c0".
func family(t *conformance.T, d *conformance.Domain) []string {
	list, err := d.ListAllCheckpoints(virt.DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL)
	t.Expect(err).NotTo(HaveOccurred())
	all := []string{}
	for _, c := range list {
		name, err := c.GetName()
		t.Expect(err).NotTo(HaveOccurred())
		if parent, err := c.GetParent(0); err == nil {
			of, err := parent.GetName()
			t.Expect(err).NotTo(HaveOccurred())
			name += "<" + of
		}
		all = append(all, name)
	}
	return all
}

func deleteIsAllOrNothing(t *conformance.T) {
	d := oneDisk(t)
	chained(d, "c0", "c1", "c2", "c3")
	t.Go("guest", func() { d.Scribble("vda", 4) })
	before := family(t, d)
	t.Expect(before).To(Equal([]string{"c0", "c1<c0", "c2<c1", "c3<c2"}))
	middle, err := d.CheckpointLookupByName(virt.XML("c1"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	for _, flags := range []virt.DomainCheckpointDeleteFlags{0, virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN, virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY} {
		fault := t.FailCommand("transaction", 1, "no bitmap is removed today")
		t.ExpectError(middle.Delete(flags), virt.ERR_INTERNAL_ERROR, "no bitmap is removed today")
		t.Expect(fault.Lift()).To(BeTrue())
		t.Expect(family(t, d)).To(Equal(before), "after a Delete with flags %d that failed", flags)
	}
	b := d.Begin(conformance.BackupSpec{Since: "c1", Disks: images(t, "since", "vda")})
	b.AwaitSuccess()
	b.EndsWith(1)
	b.ExpectImages()
	// All bitmaps go at once: there is no second transaction that could fail.
	second := t.FailCommand("transaction", 2, "the second half fails")
	t.Expect(middle.Delete(virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN)).To(Succeed())
	t.Expect(second.Lift()).To(BeFalse())
	for _, name := range []string{"c1", "c2", "c3"} {
		d.ForgetCheckpoint(name)
	}
	t.Expect(family(t, d)).To(Equal([]string{"c0"}))
	root, err := d.CheckpointLookupByName(virt.XML("c0"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	children, err := root.ListAllChildren(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(children).To(BeEmpty())
	t.Join()
	t.ExpectNothingLeft(d)
}

func missingBitmapIsNoObstacle(t *conformance.T) {
	d := oneDisk(t)
	chained(d, "c0", "c1", "c2")
	d.BrokenBitmap("c1")
	t.Go("guest", func() { d.Scribble("vda", 4) })
	t.Expect(d.OnMonitor("block-dirty-bitmap-remove", bitmap(d.FormatNode("vda"), "c1", true)[:2]...)).To(BeEmpty())
	lost, err := d.CheckpointLookupByName(virt.XML("c1"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(lost.Delete(0)).To(Succeed(), "delete a checkpoint without a bitmap")
	d.ForgetCheckpoint("c1")
	t.Expect(family(t, d)).To(Equal([]string{"c0", "c2<c0"}))
	t.ExpectNothingLeft(d)
	b := d.Begin(conformance.BackupSpec{Since: "c2", Disks: images(t, "since", "vda")})
	b.AwaitSuccess()
	b.EndsWith(1)
	b.ExpectImages()
	t.Join()
}

func bitmapHasTheCheckpointsName(t *conformance.T) {
	d := oneDisk(t)
	chk := d.Checkpoint("c0")
	t.Go("guest", func() { d.Scribble("vda", 4) })
	xml, err := chk.GetXMLDesc(virt.DOMAIN_CHECKPOINT_XML_NO_DOMAIN)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(chk.Delete(virt.DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY)).To(Succeed())
	other := strings.Replace(xml, "bitmap='c0'", "bitmap='elsewhere'", 1)
	t.Expect(other).NotTo(Equal(xml))
	_, err = d.CreateCheckpointXML(virt.XML(other), virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE)
	t.ExpectError(err, virt.ERR_CONFIG_UNSUPPORTED, "must match checkpoint name 'c0'")
	t.Expect(family(t, d)).To(BeEmpty())
	again, err := d.CreateCheckpointXML(virt.XML(xml), virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE|virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE)
	t.Expect(err).NotTo(HaveOccurred(), "redefine what was there")
	t.Expect(again.Delete(0)).To(Succeed())
	d.ForgetCheckpoint("c0")
	t.Join()
	t.ExpectNothingLeft(d)
}

func abortOfABeginIsRemembered(t *conformance.T) {
	d := oneDisk(t)
	d.Scribble("vda", 2)
	// QEMU formats the image, and Begin waits to hear that it is done.
	gate := t.GateEvent("JOB_STATUS_CHANGE")
	s := conformance.BackupSpec{Checkpoint: "c1"}
	t.Go("caller", func() {
		_, err := d.TryBegin(s)
		t.ExpectError(err, virt.ERR_OPERATION_ABORTED, "backup job: canceled by client")
	})
	gate.AwaitArrived()
	t.Expect(d.AbortJob()).To(Succeed())
	gate.Open()
	t.Join()
	d.ForgetCheckpoint("c1")
	t.ExpectNothingLeft(d)
	t.ExpectFiles(false, d.BackupPaths(s)...)
	t.Expect(d.JobIDs()).To(BeEmpty())
	t.Expect(t.JobsCompleted()).To(BeEmpty(), "a Begin that failed has no event")
	b := d.Begin(s)
	b.AwaitSuccess()
	b.EndsWith(1)
	b.ExpectImages()
}

func restartKeepsTheDescription(t *conformance.T) {
	d := pullDomain(t)
	d.Checkpoint("c0")
	d.Scribble("vda", 3)
	p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere(), Since: "c0", Disks: []conformance.PullDisk{
		{Target: "vda", Export: "mine", Bitmap: "my changes"}, {Target: "vdb"},
	}})
	t.Go("guest", func() { d.Scribble("vda", 3) })
	before, err := d.BackupGetXMLDesc(p.ID, 0)
	t.Expect(err).NotTo(HaveOccurred())
	info, err := d.GetJobInfo()
	t.Expect(err).NotTo(HaveOccurred())
	t.KillDriver()
	t.RestartDriver()
	after, err := d.BackupGetXMLDesc(p.ID, 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(after).To(Equal(before))
	t.Expect(after).To(And(ContainSubstring("exportname='mine' exportbitmap='my changes'"), ContainSubstring("exportname='vdb'")))
	_, err = d.BackupBegin(nil, nil, 0)
	t.ExpectError(err, virt.ERR_OPERATION_TIMEOUT, "cannot acquire state change lock")
	later, err := d.GetJobInfo()
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(later.TimeElapsed).To(BeNumerically(">=", info.TimeElapsed), "the time of the job starts anew")
	p.ExpectExports()
	t.Join()
	p.EndsWith(virt.DOMAIN_BACKUP_END_ABORT, 1)
	kind, params, err := d.GetJobStats(virt.DOMAIN_JOB_STATS_COMPLETED)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(kind).To(Equal(virt.DOMAIN_JOB_COMPLETED))
	e := virt.JobCompletedEvent{Params: params}
	t.Expect(e.Success()).To(BeTrue())
	t.Expect(e.ErrorMessage()).To(BeEmpty(), "a message beside a success")
}

func totalsKeepWhatHasEnded(t *conformance.T) {
	const small, large = 64 << 10, 4 << 20
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{{Target: "vda", Size: small}, {Target: "vdb", Size: large}}})
	for off := int64(0); off < large; off += 256 << 10 {
		d.Write("vdb", off, 128<<10) // more than a held push copies at once
	}
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{})
	t.Go("guest", func() { d.Scribble("vda", 2) })
	t.Await("the job of vda to end", func() bool {
		for _, e := range t.Events() {
			if j, ok := e.(virt.BlockJobEvent); ok && j.Status == virt.DOMAIN_BLOCK_JOB_COMPLETED {
				return true
			}
		}
		return false
	})
	kind, params, err := d.GetJobStats(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(kind).To(Equal(virt.DOMAIN_JOB_UNBOUNDED))
	t.Expect(number(params, virt.DOMAIN_JOB_DISK_TOTAL)).To(Equal(uint64(small + large)))
	t.Expect(number(params, virt.DOMAIN_JOB_DISK_PROCESSED)).To(BeNumerically(">=", small))
	t.ReleasePushes(d)
	b.AwaitSuccess()
	t.Join()
	b.EndsWith(1)
	b.ExpectImages()
}

func unnamedCheckpointsCollide(t *conformance.T) {
	d := oneDisk(t)
	var made [2]*virt.Checkpoint
	var failed [2]error
	create := func(i int) { made[i], failed[i] = d.CreateCheckpointXML(virt.XML("<domaincheckpoint/>"), 0) }
	t.Go("other", func() { create(1) })
	create(0)
	t.Join()
	found := []string{}
	for i, c := range made {
		if failed[i] != nil {
			t.Expect(c).To(BeNil())
			t.ExpectRow("E208", failed[i])
			continue
		}
		name, err := c.GetName()
		t.Expect(err).NotTo(HaveOccurred())
		t.Expect(name).To(MatchRegexp("^[0-9]+$"))
		d.MayHaveBitmap(name)
		found = append(found, name)
	}
	list, err := d.ListAllCheckpoints(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(names(t, list)).To(ConsistOf(found))
	t.Expect(found).NotTo(BeEmpty())
	if len(found) == 2 {
		t.Expect(found[0]).NotTo(Equal(found[1]))
	}
	t.ExpectNothingLeft(d)
}

func exportedBitmapsShareAName(t *conformance.T) {
	d := pullDomain(t)
	d.Checkpoint("c0")
	d.Scribble("vda", 3)
	d.Scribble("vdb", 2)
	t.Go("guest", func() { d.Scribble("vdb", 3) })
	p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere(), Since: "c0", Disks: []conformance.PullDisk{
		{Target: "vda", Bitmap: "changes"}, {Target: "vdb", Bitmap: "changes"},
	}})
	p.ExpectExports()
	t.Join()
	p.EndsWith(0, 1)
}
