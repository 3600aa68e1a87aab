package explore_test

import (
	"testing"
	"time"

	"fleece/explore"
	"fleece/rt"
	"fleece/rt/simrt"
)

const ms = time.Millisecond

func scenario(name string, main func(w *simrt.World)) explore.Scenario {
	return explore.Scenario{Name: name, Lane: "sim", Main: main}
}

// touch takes the lock and lets it go.
func touch(mu rt.Mutex) {
	mu.Lock()
	defer mu.Unlock()
}

// join waits for tasks.
type join struct {
	mu   rt.Mutex
	cond rt.Cond
	n    int
}

func newJoin(r rt.Runtime) *join {
	mu := r.NewMutex("join.lock")
	return &join{mu: mu, cond: r.NewCond("join", mu)}
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

// abba takes two locks in opposite order; extra tells each task to take one
// more lock in front, as a change of the code would.
func abba(extra bool) func(w *simrt.World) {
	return func(w *simrt.World) {
		driver := w.NewProcess("driver")
		dom, cp, stats := driver.NewMutex("domLock"), driver.NewMutex("cpLock"), driver.NewMutex("statsLock")
		j := newJoin(w.Spec())
		task := func(name string, first, second rt.Mutex) {
			driver.Go(name, func() {
				if extra {
					touch(stats)
				}
				first.Lock()
				touch(second)
				first.Unlock()
				j.done()
			})
		}
		task("backup", dom, cp)
		task("events", cp, dom)
		j.await(2)
	}
}

// lostWakeUp looks at the flag, lets the lock go, and only then waits.
func lostWakeUp(w *simrt.World) {
	spec := w.Spec()
	mu := spec.NewMutex("mu")
	cond := spec.NewCond("ready", mu)
	ready := false
	spec.Go("setter", func() {
		mu.Lock()
		ready = true
		cond.Signal()
		mu.Unlock()
	})
	mu.Lock()
	seen := ready
	mu.Unlock()
	if !seen {
		mu.Lock()
		cond.Wait()
		mu.Unlock()
	}
}

// lockless signals without the lock: lost if it comes between look and wait.
func lockless(w *simrt.World) {
	spec := w.Spec()
	mu := spec.NewMutex("mu")
	cond := spec.NewCond("ready", mu)
	ready := false
	spec.Go("setter", func() {
		rt.Point(spec, "set", "ready")
		ready = true
		cond.Signal()
	})
	mu.Lock()
	for !ready {
		cond.Wait()
	}
	mu.Unlock()
}

// lateRegister starts a job, does some more, and registers for its end; the job
// takes a millisecond, and nothing waits meanwhile.
func lateRegister(w *simrt.World) {
	qemu, driver := w.NewProcess("qemu"), w.NewProcess("driver")
	mu := driver.NewMutex("domLock")
	ended := driver.NewCond("jobEnded", mu)
	registered, done := false, false
	qemu.Go("job", func() {
		qemu.Sleep(ms)
		mu.Lock()
		if registered { // else nobody is told
			done = true
			ended.Signal()
		}
		mu.Unlock()
	})
	for range 3 {
		rt.Point(driver, "write", "status.xml")
	}
	mu.Lock()
	registered = true
	for !done {
		ended.Wait()
	}
	mu.Unlock()
}

// noClock never moves the clock beside a task that can run.
type noClock struct{ *explore.Random }

func (n noClock) Pick(p *simrt.Point) int {
	for {
		if k := n.Random.Pick(p); !p.Clock() || k < p.Len()-1 {
			return k
		}
	}
}

// find runs seeds until one fails.
func find(s explore.Scenario, st explore.Strategy, seeds int) (explore.Outcome, bool) {
	pool := simrt.NewPool(simrt.Coro)
	defer pool.Close()
	for seed := range seeds {
		if o := explore.Run(s, st, uint64(seed), pool); o.Failure != nil {
			return o, true
		}
	}
	return explore.Outcome{}, false
}

func TestRandom_FindsPlantedBugsThatThePlainRunDoesNot(t *testing.T) {
	for _, c := range []struct {
		name   string
		main   func(w *simrt.World)
		detail string
	}{
		{"lock order", abba(false),
			"backup waits for cpLock held by events; events waits for domLock held by backup"},
		{"lost wake-up", lostWakeUp, "main waits for ready"},
		{"signal without the lock", lockless, "main waits for ready"},
		{"late registration", lateRegister, "main waits for jobEnded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := scenario(c.name, c.main)
			if o, found := find(s, explore.Plain{}, 1); found {
				t.Fatalf("the plain run fails: %s", o.Failure.Detail)
			}
			o, found := find(s, explore.NewRandom(), 2000)
			if !found {
				t.Fatal("not found")
			}
			if o.Failure.Kind != simrt.KindDeadlock || o.Failure.Detail != c.detail {
				t.Fatalf("found %s: %s", o.Failure.Kind, o.Failure.Detail)
			}
		})
	}
}

func TestRandom_FindsLateRegistrationOnlyIfTheClockIsAChoice(t *testing.T) {
	s := scenario("late registration", lateRegister)
	if _, found := find(s, noClock{explore.NewRandom()}, 5000); found {
		t.Fatal("found without the clock: the test shows nothing")
	}
	if _, found := find(s, explore.NewRandom(), 2000); !found {
		t.Fatal("not found with the clock")
	}
}

func TestRandom_FindsNothingInCorrectCode(t *testing.T) {
	s := scenario("correct", func(w *simrt.World) {
		driver := w.NewProcess("driver")
		dom, cp := driver.NewMutex("domLock"), driver.NewMutex("cpLock")
		j := newJoin(w.Spec())
		for _, name := range []string{"backup", "events", "query"} {
			driver.Go(name, func() {
				dom.Lock()
				cp.Lock()
				driver.Sleep(ms)
				cp.Unlock()
				dom.Unlock()
				j.done()
			})
		}
		j.await(3)
	})
	if o, found := find(s, explore.NewRandom(), 2000); found {
		t.Fatalf("found %s", o.Failure.Detail)
	}
}

func TestRandom_TakesEachValueOfAChoiceAndMostlyThePlainOne(t *testing.T) {
	var count [3]int
	s := scenario("choose", func(w *simrt.World) { count[w.Spec().Choose("fault", 3)]++ })
	find(s, explore.NewRandom(), 16000)
	if count[0] < 14000 || count[1] < 300 || count[2] < 300 {
		t.Fatalf("values came out %v times", count)
	}
}
