package main

import (
	"fmt"
	"runtime"
	"time"

	"fleece/conformance"
)

// Sizes of the cost checks: the work of a cycle follows what was written, not how
// large the disk is.
const (
	diskSmall    = 64 << 20 // bytes
	diskLarge    = 16 << 40 // bytes
	clusterBytes = 64 << 10
	clustersUsed = 1000 // of the 1024 that the small disk has
	// strideSpread puts the clusters all over the large disk, in clusters.
	strideSpread = diskLarge / clusterBytes / clustersUsed

	granulesFew  = 100_000
	granulesMany = 1_000_000
)

// Bounds of the cost checks, as ratios of the larger case to the smaller.
const (
	diskRatioMax    = 2  // a cycle on diskLarge to one on diskSmall
	granuleRatioMax = 10 // Begin with granulesMany dirty granules to one with granulesFew
)

// cost is what a piece of work took.
type cost struct {
	time    time.Duration
	objects uint64 // allocations
	bytes   uint64 // allocated
	points  int    // choice points
}

// meter adds up costs between start and stop. Nothing else may allocate meanwhile.
type meter struct {
	cost
	begun  time.Time
	before runtime.MemStats
	points int
}

func (m *meter) start(t *conformance.T) {
	m.points = t.Points()
	runtime.ReadMemStats(&m.before)
	m.begun = time.Now()
}

func (m *meter) stop(t *conformance.T) {
	m.time += time.Since(m.begun)
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	m.objects += now.Mallocs - m.before.Mallocs
	m.bytes += now.TotalAlloc - m.before.TotalAlloc
	m.cost.points += t.Points() - m.points
}

// cycleOfDisk is the cost of one whole cycle on a disk of that size of which the
// clusters [0, clustersUsed) are written, stride clusters apart: machine start,
// Begin with a checkpoint, copy, End, an increment, power off, and the judgement
// and check of every image.
func cycleOfDisk(lane conformance.Lane, size, stride int64) (cost, error) {
	var m meter
	err := runScale(lane, func(t *conformance.T) {
		m.start(t)
		d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{{Target: "vda", Size: size}}})
		for i := range int64(clustersUsed) {
			d.Write("vda", i*stride*clusterBytes, 4096)
		}
		full := d.Begin(conformance.BackupSpec{Checkpoint: "c0"})
		full.AwaitSuccess()
		full.EndsWith(1)
		full.ExpectImages()
		full.ExpectConsistent()
		d.Write("vda", clusterBytes, 512)
		next := d.Begin(conformance.BackupSpec{Over: full, Checkpoint: "c1"})
		next.AwaitSuccess()
		next.EndsWith(1)
		d.PowerOff()
		next.ExpectImages()
		next.ExpectConsistent()
		m.stop(t)
	})
	return m.cost, err
}

// runScale runs one body as a spec.
func runScale(lane conformance.Lane, body func(t *conformance.T)) error {
	spec := conformance.Spec{ID: "bench.scale", Title: "a cost check", Requirements: []string{"BEG-16"}, Body: body}
	r := conformance.RunOne(spec, conformance.Options{Lane: lane, Seed: 1})
	if r.State != conformance.StatePass {
		return fmt.Errorf("%s", conformance.Explain(r))
	}
	return nil
}

// scaleRuns is how often each case is measured; the quickest counts.
const scaleRuns = 5

// scale prints the ratios of the cost checks with their bounds.
func scale(lane conformance.Lane) error {
	disk := func(size, stride int64) func() (cost, error) {
		return func() (cost, error) { return cycleOfDisk(lane, size, stride) }
	}
	granules := func(n int64) func() (cost, error) {
		return func() (cost, error) { return beginWithGranules(lane, n) }
	}
	for _, c := range []struct {
		what         string
		small, large func() (cost, error)
		bound        string
	}{
		{"cycle, 1000 clusters: 16 TiB to 64 MiB", disk(diskSmall, 1), disk(diskLarge, 1), fmt.Sprint("at most ", diskRatioMax)},
		{"cycle, 1000 clusters all over 16 TiB, 1000 L2 tables, to 64 MiB", disk(diskSmall, 1), disk(diskLarge, strideSpread), "no bound"},
		{"Begin incremental: 1,000,000 to 100,000 dirty granules", granules(granulesFew), granules(granulesMany), fmt.Sprint("at most ", granuleRatioMax)},
	} {
		var small, large cost
		for range scaleRuns {
			if err := quicker(&small, c.small); err != nil {
				return err
			}
			if err := quicker(&large, c.large); err != nil {
				return err
			}
		}
		fmt.Printf("%s: time %.2f, allocations %.2f (%s)\n", c.what, float64(large.time)/float64(small.time),
			float64(large.objects)/float64(small.objects), c.bound)
	}
	return nil
}

// quicker measures once more and keeps the quicker of the two.
func quicker(best *cost, measure func() (cost, error)) error {
	k, err := measure()
	if err == nil && (best.time == 0 || k.time < best.time) {
		*best = k
	}
	return err
}
