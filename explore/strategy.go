package explore

import (
	"fmt"

	"fleece/rt/simrt"
)

// Strategy makes the choices of one run after another.
type Strategy interface {
	simrt.Chooser
	// Begin makes it ready for the run of that seed; nothing of an earlier run
	// may be left.
	Begin(seed uint64)
	// String is the name by which ParseStrategy makes it again.
	String() string
}

// ParseStrategy makes the strategy of that name.
func ParseStrategy(name string) (Strategy, error) {
	switch name {
	case "plain":
		return Plain{}, nil
	case "random":
		return NewRandom(), nil
	}
	return nil, fmt.Errorf("unknown strategy %q; there are plain and random", name)
}

// Plain takes the plain option everywhere: no preemption, no fault, and time
// moves only when nothing can run.
type Plain struct{}

// Pick answers 0.
func (Plain) Pick(*simrt.Point) int { return 0 }

// Data answers 0.
func (Plain) Data(*simrt.Point, string, int) int { return 0 }

// Begin has nothing to do.
func (Plain) Begin(uint64) {}

func (Plain) String() string { return "plain" }
