package main

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"fleece/conformance/lanes"
)

// BenchmarkCycle is a whole cycle on the simulator, a quarter of a machine start
// included.
func BenchmarkCycle(b *testing.B) {
	lanes.TuneCollector()
	b.ReportAllocs()
	measure(b, b.N)
}

func measure(t testing.TB, n int) tally {
	t.Helper()
	sim, err := lanes.Sim(lanes.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var sum tally
	for sum.cycles < n {
		if err := cycles(sim, cyclesPerMachine, &sum); err != nil {
			t.Fatal(err)
		}
	}
	return sum
}

// TestChoicePointsPerCycleOnlyFall is a ratchet: twice the points is four times
// the schedules with two deviations. The number in ratchet.txt may only fall; it rose
// once, when the simulated jobs of a backup began to end one by one, as QEMU's do.
func TestChoicePointsPerCycleOnlyFall(t *testing.T) {
	text, err := os.ReadFile("ratchet.txt")
	if err != nil {
		t.Fatal(err)
	}
	most, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	sum := measure(t, cyclesPerMachine)
	switch now := sum.points / sum.cycles; {
	case now > most:
		t.Errorf("a cycle has %d choice points, %d are allowed", now, most)
	case now < most:
		t.Errorf("a cycle has %d choice points: lower ratchet.txt from %d", now, most)
	}
}
