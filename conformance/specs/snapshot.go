package specs

import (
	"time"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func snapshotSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "snapshot.one-instant",
			Title:        "a snapshot of two disks under writes freezes both at one instant, and the checkpoint made with it records from there",
			Requirements: []string{"SNP-01", "I3", "I4"},
			Body:         snapshotOneInstant,
		},
		{
			ID:           "snapshot.increments-over-the-chain",
			Title:        "an increment whose checkpoint is older than a snapshot, or two, holds what was written before and after them",
			Requirements: []string{"SNP-06", "I11", "I9", "I7"},
			Body:         incrementsOverTheChain,
		},
		{
			ID:           "snapshot.pull-over-the-chain",
			Title:        "a pull from a checkpoint older than a snapshot serves the union of what overlay and base record",
			Requirements: []string{"SNP-06", "I11", "I2", "I6"},
			Body:         pullOverTheChain,
		},
		{
			ID:           "snapshot.some-disks",
			Title:        "a snapshot may leave disks out; the checkpoint made with it is on all of them, each on its active image",
			Requirements: []string{"SNP-01", "SNP-05", "I4"},
			Body:         snapshotSomeDisks,
		},
		{
			ID:           "snapshot.beside-checkpoints",
			Title:        "checkpoints that come and go while a snapshot is made are before it or after it: none loses its bitmap on the way to the overlay",
			Requirements: []string{"SNP-06", "I11", "I9"},
			Body:         snapshotBesideCheckpoints,
		},
		{
			ID:           "snapshot.raw-disk",
			Title:        "a disk without bitmaps can be snapshotted; with a checkpoint too, since the overlay holds its bitmap",
			Requirements: []string{"SNP-07", "SNP-05"},
			Body:         snapshotRawDisk,
		},
		{
			ID:           "snapshot.no-metadata",
			Title:        "with NO_METADATA neither the snapshot nor its checkpoint is remembered, and the disks are on overlays all the same",
			Requirements: []string{"SNP-02"},
			Body:         snapshotNoMetadata,
		},
	}
}

func twoSmallDisks() conformance.DomainSpec {
	return conformance.DomainSpec{Disks: []conformance.DiskSpec{
		{Target: "vda", Size: 2 << 20}, {Target: "vdb", Size: 1 << 20, ClusterSize: 4096},
	}}
}

func snapshotOneInstant(t *conformance.T) {
	d := t.StartDomain(twoSmallDisks())
	d.Scribble("vda", 2)
	d.Checkpoint("c0")
	for _, task := range []string{"guest", "other"} {
		t.Go(task, func() { // what is on the second disk was written after what is on the first
			for range 16 {
				d.Scribble("vda", 1)
				d.Scribble("vdb", 1)
			}
		})
	}
	s := d.Snapshot(conformance.SnapshotSpec{Name: "s1", Checkpoint: "c1"})
	t.Join()
	t.Expect(d.SnapshotNames()).To(Equal([]string{"s1"}))
	c1, err := d.CheckpointLookupByName(virt.XML("c1"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	parent, err := c1.GetParent(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(parent.GetName()).To(Equal("c0"))
	d.PowerOff()
	s.ExpectBase()
	d.ExpectBitmaps()
}

func incrementsOverTheChain(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{{Target: "vda", Size: 3 << 20}}})
	full := d.Begin(conformance.BackupSpec{Disks: images(t, "full", "vda"), Checkpoint: "c0"})
	d.Scribble("vda", 3)
	full.AwaitSuccess()
	full.EndsWith(1)
	t.Go("guest", func() { d.Scribble("vda", 6) })
	d.Snapshot(conformance.SnapshotSpec{Name: "s1", Checkpoint: "c1"})
	first := d.Begin(conformance.BackupSpec{Disks: images(t, "first", "vda"), Since: "c0", Over: full})
	first.AwaitSuccess()
	first.EndsWith(1)
	d.Snapshot(conformance.SnapshotSpec{Name: "s2"})
	d.Scribble("vda", 2)
	second := d.Begin(conformance.BackupSpec{Disks: images(t, "second", "vda"), Since: "c1", Checkpoint: "c2"})
	third := conformance.BackupSpec{Disks: images(t, "third", "vda"), Since: "c0", Over: full}
	second.AwaitSuccess()
	second.EndsWith(1)
	last := d.Begin(third)
	last.AwaitSuccess()
	last.EndsWith(1)
	t.Join()
	d.PowerOff()
	for _, b := range []*conformance.Backup{full, first, second, last} {
		b.ExpectImages()
	}
	d.ExpectBitmaps()
}

func pullOverTheChain(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{{Target: "vda", Size: 2 << 20}}})
	d.Checkpoint("c0")
	d.Scribble("vda", 3)
	t.Go("guest", func() { d.Scribble("vda", 6) })
	d.Snapshot(conformance.SnapshotSpec{Name: "s1"})
	p := d.BeginPull(conformance.PullSpec{Disks: []conformance.PullDisk{{Target: "vda"}}, Since: "c0", Server: t.ServerHere()})
	p.ExpectExports()
	t.Join()
	p.EndsWith(0, 1)
	d.PowerOff()
	d.ExpectBitmaps()
}

func snapshotSomeDisks(t *conformance.T) {
	d := t.StartDomain(twoSmallDisks())
	t.Go("guest-a", func() { d.Scribble("vda", 4) })
	t.Go("guest-b", func() { d.Scribble("vdb", 4) })
	only := []conformance.SnapshotDisk{{Target: "vda", No: true}, {Target: "vdb", Path: t.Path("over")}}
	s := d.Snapshot(conformance.SnapshotSpec{Name: "s1", Disks: only, Checkpoint: "c1"})
	t.Join()
	d.PowerOff()
	s.ExpectBase()
	d.ExpectBitmaps()
}

func snapshotBesideCheckpoints(t *conformance.T) {
	d := t.StartDomain(twoSmallDisks())
	d.Checkpoint("c0")
	d.Checkpoint("old")
	d.ForgetCheckpoint("old")
	old, err := d.CheckpointLookupByName(virt.XML("old"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	created := []string{"c1", "c2", "c3", "c4"}
	for _, name := range created {
		d.MayHaveBitmap(name)
	}
	overlay := d.Overlays(conformance.SnapshotSpec{Name: "s1"})[1]
	t.Go("guest", func() { d.Scribble("vda", 6) })
	t.Go("creator", func() {
		t.Poll("the overlays to be made", time.Millisecond, func() bool {
			_, err := t.Host().Stat(overlay)
			return err == nil
		})
		for _, name := range created {
			_, err := d.CreateCheckpointXML(virt.XML("<domaincheckpoint><name>"+name+"</name></domaincheckpoint>"), 0)
			t.Expect(err).NotTo(HaveOccurred())
		}
	})
	t.Go("deleter", func() { t.Expect(old.Delete(0)).To(Succeed()) })
	_, err = d.SnapshotCreateXML(snapshotOf(""), snapshotDiskOnly)
	t.Expect(err).NotTo(HaveOccurred())
	t.Join()
	d.AdoptSnapshot(conformance.SnapshotSpec{Name: "s1"}, nil, nil)
	t.ExpectNothingLeft(d)
	b := d.Begin(conformance.BackupSpec{Disks: images(t, "since-c1", "vda", "vdb"), Since: "c1"})
	b.AwaitSuccess()
	b.EndsWith(1)
	d.PowerOff()
	b.ExpectImages()
	d.ExpectBitmaps()
}

func snapshotRawDisk(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{{Target: "vda", Size: 1 << 20, Format: "raw"}}})
	t.Go("guest", func() { d.Scribble("vda", 6) })
	t.ExpectError(d.TryCheckpoint("c0"), virt.ERR_CONFIG_UNSUPPORTED, "checkpoint for disk vda unsupported for storage type raw")
	first := d.Snapshot(conformance.SnapshotSpec{Name: "s1"})
	second := d.Snapshot(conformance.SnapshotSpec{Name: "s2", Checkpoint: "c2"})
	t.Join()
	d.PowerOff()
	first.ExpectBase()
	second.ExpectBase()
	d.ExpectBitmaps()
}

func snapshotNoMetadata(t *conformance.T) {
	d := t.StartDomain(twoSmallDisks())
	t.Go("guest", func() { d.Scribble("vda", 6) })
	s := d.Snapshot(conformance.SnapshotSpec{Name: "s1", Checkpoint: "c1", Flags: virt.DOMAIN_SNAPSHOT_CREATE_NO_METADATA})
	t.Join()
	t.Expect(d.SnapshotNames()).To(BeEmpty())
	list, err := d.ListAllCheckpoints(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(list).To(BeEmpty())
	xml, err := s.GetDomain()
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(xml.GetName()).To(Equal(d.Name))
	_, err = s.GetXMLDesc(0)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_SNAPSHOT, "no domain snapshot with matching name 's1'")
	d.PowerOff()
	s.ExpectBase()
	d.ExpectBitmaps()
}
