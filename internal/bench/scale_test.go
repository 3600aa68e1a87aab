package main

import (
	"testing"

	"fleece/conformance"
	"fleece/conformance/lanes"
)

func simLane(t *testing.T) conformance.Lane {
	t.Helper()
	sim, err := lanes.Sim(lanes.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return sim
}

// within fails if the work of the larger case is more than the bound allows. Time
// is not looked at: it is not the same twice.
func within(t *testing.T, small, large cost, bound int) {
	t.Helper()
	for _, w := range []struct {
		what         string
		small, large uint64
	}{
		{"allocations", small.objects, large.objects},
		{"allocated bytes", small.bytes, large.bytes},
		{"choice points", uint64(small.points), uint64(large.points)},
	} {
		if w.small == 0 || w.large > uint64(bound)*w.small {
			t.Errorf("%s: %d became %d, more than %d times as many", w.what, w.small, w.large, bound)
		}
	}
}

func TestTheWorkOfACycleDoesNotFollowTheSizeOfTheDisk(t *testing.T) {
	sim := simLane(t)
	small, err := cycleOfDisk(sim, diskSmall, 1)
	if err != nil {
		t.Fatal(err)
	}
	large, err := cycleOfDisk(sim, diskLarge, 1)
	if err != nil {
		t.Fatal(err)
	}
	within(t, small, large, diskRatioMax)
}

// TestClustersAllOverALargeDiskCostTheirTables bounds what no compact disk shows:
// each cluster has an L2 table of its own, 64 KiB of metadata in each of three
// images.
func TestClustersAllOverALargeDiskCostTheirTables(t *testing.T) {
	k, err := cycleOfDisk(simLane(t), diskLarge, strideSpread)
	if err != nil {
		t.Fatal(err)
	}
	if most := uint64(3 * clustersUsed * clusterBytes); k.bytes > most {
		t.Errorf("%d bytes were allocated, more than %d", k.bytes, most)
	}
}

func TestBeginIncrementalDoesNotFollowTheNumberOfDirtyGranules(t *testing.T) {
	sim := simLane(t)
	few, err := beginWithGranules(sim, granulesFew)
	if err != nil {
		t.Fatal(err)
	}
	many, err := beginWithGranules(sim, granulesMany)
	if err != nil {
		t.Fatal(err)
	}
	within(t, few, many, granuleRatioMax)
}
