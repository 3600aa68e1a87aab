package explore

import "fleece/rt/simrt"

const (
	// clockWeight is how many times less likely the clock is than a task.
	clockWeight = 4
	// labelOdds: a label of Choose is on in one of so many runs.
	labelOdds = 4
	// fireOdds: while a label is on, one of so many of its choices is not plain.
	fireOdds = 4
)

// Random takes each runnable task with the same probability, and the clock with
// less. A label of Choose is on in a quarter of the runs; then a quarter of its
// choices take one of the values that are not plain. So a run has few kinds of
// fault, and those often enough to meet.
type Random struct {
	rng    PRNG
	labels uint64 // decides, with the label, whether it is on
}

// NewRandom makes the strategy for seed 0.
func NewRandom() *Random {
	r := &Random{}
	r.Begin(0)
	return r
}

// Begin seeds the generator.
func (r *Random) Begin(seed uint64) {
	r.rng = NewPRNG(seed)
	r.labels = r.rng.Uint64()
}

// Pick takes any option.
func (r *Random) Pick(p *simrt.Point) int {
	if !p.Clock() {
		return r.rng.Below(p.Len())
	}
	return r.rng.Below((p.Len()-1)*clockWeight+1) / clockWeight
}

// Data takes any value if the label is on.
func (r *Random) Data(_ *simrt.Point, label string, n int) int {
	on := PRNG{state: r.labels ^ simrt.TaskKey(label, 1)}
	if on.Below(labelOdds) != 0 || r.rng.Below(fireOdds) != 0 {
		return 0
	}
	return 1 + r.rng.Below(n-1)
}

func (r *Random) String() string { return "random" }
