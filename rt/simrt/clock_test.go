package simrt_test

import (
	"slices"
	"testing"
	"time"

	"fleece/rt"
	"fleece/rt/simrt"
)

func TestClock_MovesOnlyToTheNextTimerAndWakesInOrder(t *testing.T) {
	backends(t, func(t *testing.T, b simrt.Backend) {
		var order []string
		r := mustPass(t, simrt.Run(simrt.Options{Backend: b}, func(w *simrt.World) {
			spec := w.Spec()
			j := newJoin(w)
			for _, s := range []struct {
				name string
				d    time.Duration
			}{{"c", 3 * ms}, {"a", ms}, {"b", 2 * ms}, {"a2", ms}} {
				spec.Go(s.name, func() {
					begin := spec.Now()
					spec.Sleep(s.d)
					if spec.Now().Sub(begin) != s.d {
						w.Fail(simrt.KindCheck, "slept too long")
					}
					order = append(order, s.name)
					j.done()
				})
			}
			j.await(4)
		}))
		if !slices.Equal(order, []string{"a", "a2", "b", "c"}) || r.Elapsed != 3*ms {
			t.Fatalf("order %v, elapsed %v", order, r.Elapsed)
		}
	})
}

// timeoutBeside waits with a deadline while another task passes a point.
func timeoutBeside(deadline, sleep time.Duration) func(w *simrt.World) {
	return func(w *simrt.World) {
		spec := w.Spec()
		mu := spec.NewMutex("mu")
		cond := spec.NewCond("cond", mu)
		j := newJoin(w)
		if sleep > 0 {
			spec.Go("sleeper", func() { spec.Sleep(sleep); j.done() })
		}
		spec.Go("waiter", func() {
			mu.Lock()
			cond.WaitUntil(spec.Now().Add(deadline))
			mu.Unlock()
			j.done()
		})
		probe(w)
		n := 1
		if sleep > 0 {
			n = 2
		}
		j.await(n)
	}
}

// probe is a point that test choosers look for.
func probe(w *simrt.World) {
	rt.Point(w.Spec(), "probe", "")
}

func TestClock_OffersProgressTimersBesideTasksButNotTimeouts(t *testing.T) {
	yield := steer(func(p *simrt.Point) string {
		if p.Address().Op == "go" {
			return p.Address().Object // the new task
		}
		return ""
	})
	for _, c := range []struct {
		name            string
		deadline, sleep time.Duration
		racing, offered bool
	}{
		{"a time-out alone", time.Second, 0, false, false},
		{"a time-out alone, racing", time.Second, 0, true, true},
		{"a progress timer before the time-out", time.Second, ms, false, true},
		{"a progress timer after the time-out", ms, time.Second, false, false},
		{"a progress timer beyond the horizon", 1 << 20 * time.Second, simrt.RaceHorizon + 1, false, false},
		{"a progress timer at the horizon", 1 << 20 * time.Second, simrt.RaceHorizon, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			offered := false
			watch := steer(func(p *simrt.Point) string {
				if p.Address().Op == "probe" {
					offered = p.Clock()
				}
				return yield(p)
			})
			o := simrt.Options{Chooser: watch, Racing: c.racing}
			mustPass(t, simrt.Run(o, timeoutBeside(c.deadline, c.sleep)))
			if offered != c.offered {
				t.Fatalf("offered is %v", offered)
			}
		})
	}
}

func TestClock_FiresTheEarliestTimerWhenNothingCanRun(t *testing.T) {
	// A caller that waits a second for a held job does not wait for the job's
	// next slice twelve days later.
	r := mustPass(t, simrt.Run(simrt.Options{}, func(w *simrt.World) {
		spec := w.Spec()
		spec.Go("held job", func() { spec.Sleep(1 << 20 * time.Second) })
		mu := spec.NewMutex("mu")
		cond := spec.NewCond("cond", mu)
		mu.Lock()
		if cond.WaitUntil(spec.Now().Add(time.Second)) {
			w.Fail(simrt.KindCheck, "woken")
		}
		mu.Unlock()
	}))
	if r.Elapsed != time.Second {
		t.Fatalf("elapsed %v", r.Elapsed)
	}
}

func TestClock_FiresProgressBeforeATimeoutOfTheSameInstant(t *testing.T) {
	mustPass(t, simrt.Run(simrt.Options{}, func(w *simrt.World) {
		spec := w.Spec()
		mu := spec.NewMutex("mu")
		cond := spec.NewCond("cond", mu)
		spec.Go("job", func() {
			spec.Sleep(ms)
			mu.Lock()
			cond.Signal()
			mu.Unlock()
		})
		mu.Lock()
		if !cond.WaitUntil(spec.Now().Add(ms)) {
			w.Fail(simrt.KindCheck, "the time-out fired although the job could run")
		}
		mu.Unlock()
	}))
}

func TestClock_ASignalVoidsTheTimer(t *testing.T) {
	r := mustPass(t, simrt.Run(simrt.Options{}, func(w *simrt.World) {
		spec := w.Spec()
		mu := spec.NewMutex("mu")
		cond := spec.NewCond("cond", mu)
		for range 100 {
			spec.Go("waker", func() {
				mu.Lock()
				cond.Signal()
				mu.Unlock()
			})
			mu.Lock()
			if !cond.WaitUntil(spec.Now().Add(time.Hour)) {
				w.Fail(simrt.KindCheck, "time-out")
			}
			mu.Unlock()
		}
	}))
	if r.Elapsed != 0 {
		t.Fatalf("elapsed %v", r.Elapsed)
	}
}

func TestClock_IsTheLastOptionAndTheRunningTaskTheFirst(t *testing.T) {
	var got [][]string
	watch := steer(func(p *simrt.Point) string {
		var labels []string
		for i := range p.Len() {
			labels = append(labels, p.TaskLabel(i))
		}
		if p.Address().Op == "probe" {
			got = append(got, labels)
		}
		return ""
	})
	mustPass(t, simrt.Run(simrt.Options{Chooser: watch}, func(w *simrt.World) {
		spec := w.Spec()
		spec.Go("sleeper", func() { spec.Sleep(ms) })
		spec.Sleep(ms / 2)
		spec.Go("b", func() {})
		spec.Go("a", func() {})
		probe(w)
	}))
	if len(got) != 1 || !slices.Equal(got[0], []string{"main", "b", "a", "clock"}) {
		t.Fatalf("options are %v", got)
	}
}
