package qmp_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"fleece/qmp"
	"fleece/rt"
	"fleece/rt/realrt"
	"fleece/rt/simrt"
)

// join is how long a real world may take to end its tasks.
const join = 10 * time.Second

// schedules is how many random schedules of each test are run beside the plain
// one.
const schedules = 50

// dice is a Chooser that deviates at random, by a generator of its own.
type dice struct{ state uint64 }

func (d *dice) next(n int) int {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(n))
}

// Pick chooses who runs.
func (d *dice) Pick(p *simrt.Point) int { return d.next(p.Len()) }

// Data chooses a value.
func (d *dice) Data(_ *simrt.Point, _ string, n int) int { return d.next(n) }

// body is a test that runs in a world, in a task of spec. It returns what is wrong.
type body func(w rt.World, spec rt.Process, wire bool) error

// inWorlds runs body in a simulated world under many schedules and in a real one,
// with trees and with bytes.
func inWorlds(t *testing.T, body body) {
	t.Helper()
	for _, wire := range []bool{false, true} {
		t.Run(fmt.Sprintf("simulated, wire %v", wire), func(t *testing.T) {
			for seed := range uint64(schedules) {
				simulate(t, seed, body, wire)
			}
		})
		t.Run(fmt.Sprintf("real, wire %v", wire), func(t *testing.T) {
			w := realrt.NewWorld()
			spec := w.NewProcess("spec")
			var wrong error
			if err := spec.Call("main", func() { wrong = body(w, spec, wire) }); err != nil {
				t.Fatal(err)
			}
			if left := w.Shutdown(join); len(left) > 0 {
				t.Fatalf("still running: %v", left)
			}
			if wrong != nil {
				t.Fatal(wrong)
			}
		})
	}
}

// simulate is one run; seed 0 is the plain schedule.
func simulate(t *testing.T, seed uint64, body body, wire bool) simrt.Result {
	t.Helper()
	var wrong error
	opts := simrt.Options{}
	if seed > 0 {
		opts.Chooser = &dice{state: seed}
	}
	r := simrt.Run(opts, func(w *simrt.World) { wrong = body(w, w.Spec(), wire) })
	if r.Failure != nil {
		t.Fatalf("seed %d: %s: %s\n%s", seed, r.Failure.Kind, r.Failure.Detail, r.Failure.Stack)
	}
	if wrong != nil {
		t.Fatalf("seed %d: %v", seed, wrong)
	}
	return r
}

// gate lets tasks of any process wait for each other.
type gate struct {
	mu   rt.Mutex
	cond rt.Cond
	n    int
}

func newGate(w rt.World, name string) *gate {
	mu := w.Kernel().NewMutex(name)
	return &gate{mu: mu, cond: w.Kernel().NewCond(name, mu)}
}

func (g *gate) add() {
	g.mu.Lock()
	g.n++
	g.mu.Unlock()
	g.cond.Broadcast()
}

func (g *gate) await(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.n < n {
		g.cond.Wait()
	}
}

// wants returns an error that does not wrap target.
func wants(what string, err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return fmt.Errorf("%s: got %w, want %w", what, err, target)
}

func numbered(n int64) qmp.Value { return qmp.Dict(qmp.M("n", qmp.Int(n))) }
