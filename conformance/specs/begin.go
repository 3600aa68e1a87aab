package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

// allBeginSpecs are the specs of BackupBegin, in all files begin*.go.
func allBeginSpecs() []conformance.Spec {
	var all []conformance.Spec
	for _, part := range [][]conformance.Spec{
		beginSpecs(), beginCheckSpecs(), beginDocumentSpecs(), beginTargetSpecs(), beginChoiceSpecs(),
		beginExclusiveSpecs(), beginDeathSpecs(), beginLockSpecs(),
	} {
		all = append(all, part...)
	}
	return all
}

func beginSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "begin.the-start-not-the-end",
			Title:        "the image of a push holds the disk as it was at Begin, whatever the guest writes while the job runs",
			Requirements: []string{"BEG-02", "I1", "I16"},
			Body:         theStartNotTheEnd,
		},
		{
			ID:           "begin.full-is-everything",
			Title:        "without a checkpoint to start from the backup is full: every byte of every disk, at any cluster size and beyond 4 GiB",
			Requirements: []string{"BEG-01", "BEG-08", "PSH-01", "I1", "I14"},
			Body:         fullIsEverything,
		},
		{
			ID:           "begin.disks-share-the-instant",
			Title:        "several disks are captured at one and the same instant",
			Requirements: []string{"BEG-03", "I3"},
			Body:         disksShareTheInstant,
		},
		{
			ID:           "begin.checkpoint-shares-the-instant",
			Title:        "the checkpoint made by Begin starts exactly where the image ends: no write is in both or in neither",
			Requirements: []string{"BEG-04", "I4", "I5"},
			Body:         checkpointSharesTheInstant,
		},
		{
			ID:           "begin.ids-are-not-reused",
			Title:        "Begin returns a non-negative id that no other job has while it exists; of two callers one wins",
			Requirements: []string{"BEG-06", "BEG-20", "E122", "END-05", "E047"},
			Body:         idsAreNotReused,
		},
		{
			ID:           "begin.a-failure-leaves-nothing",
			Title:        "a Begin that fails half-way leaves no node, job, bitmap, file, checkpoint or id",
			Requirements: []string{"BEG-19", "E142"},
			Body:         aFailureLeavesNothing,
		},
	}
}

func theStartNotTheEnd(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	for off := int64(0); off < 4<<20; off += 512 << 10 {
		d.Write("vda", off, 64<<10)
	}
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{})
	t.Go("guest", func() {
		d.Write("vda", 0, 4096)            // copied already, or about to be
		d.Write("vda", 3<<20, 64<<10)      // not copied yet
		d.Write("vda", 4<<20-1536, 1536)   // the tail of the disk
		d.Write("vda", 2<<20+512, 128<<10) // over two clusters, where nothing was
	})
	t.Join()
	t.ReleasePushes(d)
	d.Scribble("vda", 4)
	b.AwaitSuccess()
	b.EndsWith(1)
	b.ExpectImages()
}

func fullIsEverything(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		{Target: "vda", Size: 1<<20 + 66048, ClusterSize: 512},
		{Target: "vdb", Size: 6<<20 + 512, ClusterSize: 2 << 20},
		{Target: "vdc", Size: 5 << 30, ClusterSize: 64 << 10},
	}})
	d.Write("vda", 1<<20+66048-1536, 1536)
	d.Write("vda", 512, 1024)
	d.Write("vdb", 6<<20, 512)
	d.Write("vdb", 2<<20-4096, 8192)
	d.Write("vdc", 4<<30+512, 64<<10)
	d.Write("vdc", 5<<30-512, 512)
	t.Go("guest", func() {
		d.Scribble("vda", 3)
		d.Write("vdc", 4<<30+4096, 4096)
		d.Scribble("vdb", 3)
	})
	b := d.Begin(conformance.BackupSpec{})
	b.AwaitSuccess()
	t.Join()
	b.EndsWith(1)
	b.ExpectImages()
	Expect := t.Expect
	list, err := d.ListAllCheckpoints(0)
	Expect(err).NotTo(HaveOccurred())
	Expect(list).To(BeEmpty(), "no checkpoint was asked for")
}

func disksShareTheInstant(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), {Target: "vdb", Size: 3 << 20, ClusterSize: 4096},
	}})
	// A writer goes from disk to disk: its writes are ordered, so an image that
	// holds a later one without an earlier one was torn. Half of them race with
	// Begin; the others come before the held jobs have copied what they overwrite.
	write := func(from, to int64) func() {
		return func() {
			for i := from; i < to; i++ {
				d.Write("vda", i*500<<10, 4096)
				d.Write("vdb", i*350<<10, 4096)
			}
		}
	}
	t.HoldPushes()
	t.Go("guest", write(0, 4))
	b := d.Begin(conformance.BackupSpec{})
	t.Join()
	t.Go("guest-later", write(4, 8))
	t.Join()
	t.ReleasePushes(d)
	b.AwaitSuccess()
	b.EndsWith(1)
	b.ExpectImages()
}

func checkpointSharesTheInstant(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		{Target: "vda", Size: 3 << 20, ClusterSize: 512}, {Target: "vdb", Size: 8 << 20, ClusterSize: 2 << 20},
	}})
	d.Scribble("vda", 4)
	t.Go("guest", func() {
		for range 4 {
			d.Scribble("vda", 2)
			d.Scribble("vdb", 2)
		}
	})
	b := d.Begin(conformance.BackupSpec{Checkpoint: "c1"})
	b.AwaitSuccess()
	t.Join()
	b.EndsWith(1)
	chk, err := d.CheckpointLookupByName(virt.XML("c1"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(chk.GetName()).To(Equal("c1"))
	d.PowerOff()
	b.ExpectImages()
}

func idsAreNotReused(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	first := conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda", Path: t.Path("first")}}}
	second := conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda", Path: t.Path("second")}}}
	var b2 *conformance.Backup
	var err2 error
	t.Go("caller", func() { b2, err2 = d.TryBegin(second) })
	b1, err1 := d.TryBegin(first)
	t.Join()
	winner := b1
	if err1 != nil {
		winner = b2
	}
	t.Expect(winner).NotTo(BeNil(), "one of two callers wins; errors: %v, %v", err1, err2)
	if err1 == nil && err2 == nil {
		t.Fail("both callers have a backup of the same domain: ids %d and %d", b1.ID, b2.ID)
	}
	t.Expect(winner.ID).To(BeNumerically(">", 0))
	winner.AwaitSuccess()
	_, err := d.TryBegin(conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda", Path: t.Path("third")}}})
	t.ExpectError(err, virt.ERR_OPERATION_INVALID, "another backup job is already running")
	winner.EndsWith(1)
	_, err = d.BackupEnd(winner.ID, 0)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id")
	next := d.Begin(conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda", Path: t.Path("fourth")}}})
	t.Expect(next.ID).To(BeNumerically(">", winner.ID))
	// An id names its own job, whatever else runs: nothing takes it for the only one.
	_, err = d.BackupGetXMLDesc(winner.ID, 0)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id")
	_, err = d.BackupEnd(winner.ID, virt.DOMAIN_BACKUP_END_ABORT)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id")
	_, err = d.BackupGetXMLDesc(next.ID, 0)
	t.Expect(err).NotTo(HaveOccurred())
	ids := d.JobIDs()
	t.Expect(ids).To(HaveLen(1))
	t.Expect(ids[0].ID).To(Equal(next.ID))
	next.AwaitSuccess()
	next.EndsWith(1)
}

func aFailureLeavesNothing(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"),
	}})
	t.Go("guest", func() { d.Scribble("vda", 6) })
	spec := conformance.BackupSpec{Checkpoint: "c1", Disks: []conformance.BackupDisk{
		{Target: "vda", Path: t.Path("a.backup")}, {Target: "vdb", Path: t.Path("b.backup")},
	}}
	t.WriteFile(t.Path("b.backup"), []byte("somebody else's"))
	_, err := d.TryBegin(spec)
	t.ExpectError(err, virt.ERR_INVALID_ARG, "exists")
	t.ExpectFiles(false, t.Path("a.backup"))
	t.Expect(string(t.ReadFile(t.Path("b.backup")))).To(Equal("somebody else's"))
	_, err = d.CheckpointLookupByName(virt.XML("c1"), 0)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "c1")
	ids, err := d.ListJobIds(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(ids).To(BeEmpty())
	t.Join()
	t.ExpectNothingLeft(d)
	t.Expect(t.JobsCompleted()).To(BeEmpty(), "a Begin that failed has no completion event")
	// What failed may be tried again at once, under the same names.
	t.RemoveFile(t.Path("b.backup"))
	b := d.Begin(spec)
	b.AwaitSuccess()
	b.EndsWith(1)
	b.ExpectImages()
}
