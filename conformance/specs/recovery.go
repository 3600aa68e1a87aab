package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func recoverySpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "recovery.driver-killed-while-copying",
			Title:        "a driver killed in the middle of a running push finds the job when it comes back, reports its end and ends it",
			Requirements: []string{"BEG-02", "BEG-06", "PSH-02", "END-07", "CHK-06"},
			Needs:        []conformance.Feature{conformance.FeatureKillDriver},
			Body:         driverKilledWhileCopying,
		},
		{
			ID:           "recovery.driver-killed-anywhere-in-begin",
			Title:        "a driver killed at any point of Begin comes back to a whole backup or to nothing",
			Requirements: []string{"BEG-19", "I12", "END-09"},
			Needs:        []conformance.Feature{conformance.FeatureKillDriver},
			Body:         driverKilledAnywhereInBegin,
		},
	}
}

func driverKilledWhileCopying(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	d.Scribble("vda", 4)
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{Checkpoint: "c1"})
	t.Go("guest", func() { d.Scribble("vda", 4) })
	t.KillDriver()
	_, err := d.ListJobIds(0)
	t.Expect(err).To(HaveOccurred(), "the dead driver answers nothing")
	t.RestartDriver()
	ids, err := d.ListJobIds(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(ids).To(Equal([]virt.DomainJobID{{Type: virt.DOMAIN_JOB_UNBOUNDED, ID: b.ID}}))
	_, err = d.BackupEnd(b.ID, 0)
	t.ExpectError(err, virt.ERR_OPERATION_INVALID, "abort")
	_, err = d.CheckpointLookupByName(virt.XML("c1"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.ReleasePushes(d)
	b.AwaitSuccess()
	t.Join()
	b.EndsWith(1)
	d.PowerOff()
	b.ExpectImages()
	t.Expect(t.JobsCompleted()).To(HaveLen(1))
}

func driverKilledAnywhereInBegin(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	d.Scribble("vda", 3)
	spec := conformance.BackupSpec{Checkpoint: "c1"}
	var b *conformance.Backup
	t.Go("caller", func() { b, _ = d.TryBegin(spec) })
	t.Pause(400)
	t.KillDriver()
	t.Join()
	t.RestartDriver()
	ids, err := d.ListJobIds(0)
	t.Expect(err).NotTo(HaveOccurred())
	if len(ids) == 0 {
		// Nothing, or nothing more: a backup that Begin did not report may not stay.
		if b == nil {
			_, err := d.CheckpointLookupByName(virt.XML("c1"), 0)
			t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "c1")
			d.ForgetCheckpoint("c1")
			t.ExpectFiles(false, d.BackupPaths(spec)...)
		}
		t.ExpectNothingLeft(d)
	} else {
		b = d.Adopt(spec, ids[0].ID)
		b.AwaitEnded()
		b.EndsWith(1)
		b.ExpectImages()
	}
	// Whatever it was, the domain is free for the next one.
	next := d.Begin(conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda", Path: t.Path("next")}}})
	next.AwaitSuccess()
	next.EndsWith(1)
	next.ExpectImages()
}
