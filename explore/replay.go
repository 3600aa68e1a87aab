package explore

import (
	"fmt"

	"fleece/rt/simrt"
)

// Replayer takes the deviations of a trace where they fit, and the plain option
// everywhere else. So any sub-list of a trace can be run.
type Replayer struct {
	devs   []simrt.Deviation
	at     map[uint64]int // index in devs by the hash of the address
	state  []devState
	reason []string
}

type devState uint8

const (
	notReached devState = iota
	taken
	unfit
)

// Miss is a deviation that the replayed run did not take.
type Miss struct {
	Index     int // in the trace
	Deviation simrt.Deviation
	Reason    string
}

func (m Miss) String() string {
	return fmt.Sprintf("deviation %d (%s): %s", m.Index+1, formatDeviation(m.Deviation), m.Reason)
}

// NewReplayer makes a strategy that replays the deviations.
func NewReplayer(devs []simrt.Deviation) *Replayer {
	r := &Replayer{devs: devs, at: make(map[uint64]int, len(devs))}
	for i := len(devs) - 1; i >= 0; i-- {
		r.at[devs[i].At.Hash()] = i
	}
	r.Begin(0)
	return r
}

// Begin forgets what an earlier run took; the seed has no meaning.
func (r *Replayer) Begin(uint64) {
	r.state = make([]devState, len(r.devs))
	r.reason = make([]string, len(r.devs))
}

// Pick takes the deviation of this point, if there is one that fits.
func (r *Replayer) Pick(p *simrt.Point) int {
	i, ok := r.at[p.AddressHash()]
	if !ok {
		return 0
	}
	to := r.devs[i].To
	if to.Kind == simrt.ToValue {
		r.miss(i, "the trace has a value here, but now a task is to be chosen")
		return 0
	}
	key := to.Key()
	for k := range p.Len() {
		if p.TaskKey(k) == key {
			r.state[i] = taken
			return k
		}
	}
	if to.Kind == simrt.ToClock {
		r.miss(i, "the clock cannot move there")
	} else {
		r.miss(i, "the task cannot run there")
	}
	return 0
}

// Data takes the deviation of this point, if there is one that fits.
func (r *Replayer) Data(p *simrt.Point, _ string, n int) int {
	i, ok := r.at[p.AddressHash()]
	if !ok {
		return 0
	}
	to := r.devs[i].To
	if to.Kind != simrt.ToValue || to.Value >= n {
		r.miss(i, fmt.Sprintf("now a value below %d is to be chosen", n))
		return 0
	}
	r.state[i] = taken
	return to.Value
}

func (r *Replayer) miss(i int, reason string) {
	r.state[i], r.reason[i] = unfit, reason
}

// Misses are the deviations that were not taken, in the order of the trace; the
// first is where the runs diverged.
func (r *Replayer) Misses() []Miss {
	var misses []Miss
	for i, s := range r.state {
		switch s {
		case notReached:
			misses = append(misses, Miss{i, r.devs[i], "the run does not get there"})
		case unfit:
			misses = append(misses, Miss{i, r.devs[i], r.reason[i]})
		}
	}
	return misses
}

func (r *Replayer) String() string { return "replay" }
