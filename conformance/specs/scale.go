package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
)

// slowOnRealFiles is why specs with huge disks keep to the simulator.
const slowOnRealFiles = "on a real file system QEMU records 16 TiB of zeroes table by table, which takes minutes; choice points are counted on the simulator only"

func scaleSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "scale.sixteen-tebibytes",
			Title:        "full and incremental backups of a disk of 16 TiB are right from its first sector to its last, and hold what was written only",
			Requirements: []string{"BEG-01", "BEG-05", "I1", "I7", "I14"},
			Lanes:        []string{conformance.LaneSim},
			Reason:       slowOnRealFiles,
			Body:         sixteenTebibytes,
		},
		{
			ID:           "scale.begin-does-not-follow-the-size",
			Title:        "Begin takes as many steps for a disk of 16 TiB as for one of 64 MiB",
			Requirements: []string{"BEG-16"},
			Lanes:        []string{conformance.LaneSim},
			Reason:       slowOnRealFiles,
			Alone:        "steps of other tasks would be counted with those of Begin",
			Body:         beginDoesNotFollowTheSize,
		},
	}
}

const (
	hugeDisk  = 16 << 40
	smallDisk = 64 << 20
)

// acrossTheDisk are places all over a huge disk: its ends, both sides of powers of
// two where an offset that is cut to fewer bits would come round, and some between.
func acrossTheDisk() []int64 {
	places := []int64{0, hugeDisk - 512}
	for power := 31; power <= 43; power += 3 {
		places = append(places, 1<<power-512, 1<<power+(3<<16))
	}
	return places
}

func sixteenTebibytes(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{{Target: "vda", Size: hugeDisk}}})
	places := acrossTheDisk()
	for _, off := range places {
		d.Write("vda", off, 512)
	}
	t.Go("guest", func() {
		for _, off := range places[1:5] {
			d.Write("vda", off-off%4096, 512)
		}
	})
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c0"})
	full.AwaitSuccess()
	t.Join()
	full.EndsWith(1)
	full.ExpectImages()
	t.Go("guest-later", func() { d.Write("vda", hugeDisk-(1<<20), 512) })
	next := d.Begin(conformance.BackupSpec{Over: full, Checkpoint: "c1"})
	next.AwaitSuccess()
	t.Join()
	next.EndsWith(1)
	next.ExpectImages()
	next.ExpectConsistent()
	d.PowerOff()
	d.ExpectBitmaps()
}

func beginDoesNotFollowTheSize(t *conformance.T) {
	steps := func(name string, size int64) int {
		d := t.StartDomain(conformance.DomainSpec{Name: name, Disks: []conformance.DiskSpec{{Target: "vda", Size: size}}})
		d.Write("vda", size-512, 512)
		before := t.Points()
		b := d.Begin(conformance.BackupSpec{Checkpoint: "c0"})
		n := t.Points() - before
		b.AwaitSuccess()
		b.EndsWith(1)
		return n
	}
	small := steps("small", smallDisk)
	huge := steps("huge", hugeDisk)
	// How the steps of driver, QEMU and the job interleave is the schedule's choice.
	t.Expect(small).To(BeNumerically(">", 0))
	t.Expect(huge).To(BeNumerically("<=", 2*small), "steps of Begin for 16 TiB, against those for 64 MiB")
}
