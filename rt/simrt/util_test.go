package simrt_test

import (
	"testing"
	"time"

	"fleece/rt"
	"fleece/rt/simrt"
)

// steer is a Chooser made of a function: it answers the label of the task that
// is to go on, "clock", or "" for the plain option.
type steer func(p *simrt.Point) string

func (s steer) Pick(p *simrt.Point) int {
	want := s(p)
	for i := range p.Len() {
		if want != "" && p.TaskLabel(i) == want {
			return i
		}
	}
	return 0
}

func (steer) Data(*simrt.Point, string, int) int { return 0 }

// prefer goes on with that task wherever it can.
func prefer(label string) steer {
	return func(*simrt.Point) string { return label }
}

// touch takes the lock and lets it go.
func touch(mu rt.Mutex) {
	mu.Lock()
	defer mu.Unlock()
}

// join waits until n tasks said done.
type join struct {
	mu   rt.Mutex
	cond rt.Cond
	n    int
}

func newJoin(w *simrt.World) *join {
	mu := w.Kernel().NewMutex("join.lock")
	return &join{mu: mu, cond: w.Kernel().NewCond("join", mu)}
}

func (j *join) done() {
	j.mu.Lock()
	j.n++
	j.cond.Broadcast()
	j.mu.Unlock()
}

func (j *join) await(n int) {
	j.mu.Lock()
	for j.n < n {
		j.cond.Wait()
	}
	j.mu.Unlock()
}

// mustFail runs and wants a failure of that kind.
func mustFail(t *testing.T, o simrt.Options, kind string, main func(w *simrt.World)) *simrt.Failure {
	t.Helper()
	r := simrt.Run(o, main)
	if r.Failure == nil || r.Failure.Kind != kind {
		t.Fatalf("want a failure of kind %s, got %+v", kind, r.Failure)
	}
	return r.Failure
}

const ms = time.Millisecond
