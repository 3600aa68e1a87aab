package conformance

import (
	"fmt"
	"hash/fnv"
	"runtime"
	"sync"
	"time"
)

// SchedulesMax bounds the explored schedules of one spec in one run.
const SchedulesMax = 1_000_000

// Options say how specs are run.
type Options struct {
	Lane Lane
	// Schedules is the number of explored schedules beside the plain one, in
	// lanes that explore.
	Schedules int
	// Seed is the base from which the seed of each schedule is derived.
	Seed uint64
	// Workers is the number of worlds at a time; 0 means one per processor.
	Workers int
	// Deadline is the wall-clock bound of one spec; 0 means two minutes. A spec
	// that meets it is an error with all stacks, never a pass.
	Deadline time.Duration
	// Baseline excuses failures that are known; nil excuses none.
	Baseline *Baseline
	// Stop is asked before each spec; a text other than "" is the reason why no
	// more are run. nil never stops.
	Stop func() string
	// OnResult receives each result as it comes, from one goroutine at a time.
	OnResult func(Result)
}

func (o Options) deadline() time.Duration {
	if o.Deadline > 0 {
		return o.Deadline
	}
	return 2 * time.Minute
}

// SeedOf derives the seed of a schedule: a pure function, so that a line of a
// report is enough to run it again (splitmix64's finaliser).
func SeedOf(base uint64, schedule int) uint64 {
	z := base + uint64(schedule)*0x9e3779b97f4a7c15
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// RunOne takes one spec through its schedules in one lane and gives the verdict.
func RunOne(s Spec, o Options) Result {
	start := time.Now()
	r := Result{
		Spec: s.ID, Title: s.Title, Lane: o.Lane.Name(),
		Requirements: s.Requirements, Alone: s.Alone,
	}
	if state, reason := applicable(s, o.Lane); state != StatePass {
		r.State, r.Reason = state, reason
		return r
	}
	if o.Stop != nil {
		if reason := o.Stop(); reason != "" {
			r.State, r.Reason = StateNotRun, reason
			return r
		}
	}
	done := make(chan Result, 1)
	go func(r Result) { done <- runSchedules(s, o, r) }(r)
	watchdog := time.NewTimer(o.deadline())
	defer watchdog.Stop()
	select {
	case r = <-done:
	case <-watchdog.C:
		r.State = StateError
		r.Failure = &Failure{
			Kind:    "time-out",
			Message: fmt.Sprintf("the spec did not end within %s of wall-clock time", o.deadline()),
			Stack:   allStacks(),
			Seed:    o.Seed,
		}
	}
	r.Seconds = time.Since(start).Seconds()
	return o.Baseline.Judge(r)
}

// applicable says whether a lane can run the spec, and if not why.
func applicable(s Spec, lane Lane) (State, string) {
	if !s.RunsIn(lane.Name()) {
		return StateDisabled, s.Reason
	}
	for _, f := range s.Needs {
		if ok, reason := lane.Has(f); !ok {
			return StateUnsupported, fmt.Sprintf("%s: %s", f, reason)
		}
	}
	return StatePass, ""
}

func runSchedules(s Spec, o Options, r Result) Result {
	plain := runOnce(s, o, 0, "")
	r.Schedules, r.Hash, r.Points = 1, plain.Hash, plain.Points
	if plain.Failure != nil {
		return failed(r, s, o, plain)
	}
	if !o.Lane.Explores() || o.Schedules == 0 {
		r.State = StatePass
		return r
	}
	hashes, bad := exploreSchedules(s, o)
	r.Schedules += o.Schedules
	hashes[0] = plain.Hash
	if bad != nil {
		return failed(r, s, o, *bad)
	}
	r.DistinctHashes, r.AllHash = foldHashes(hashes)
	r.State = StatePass
	return r
}

// foldHashes counts the different hashes and makes one of all, in the order of
// their schedules (FNV-1a).
func foldHashes(hashes []string) (distinct int, all string) {
	seen := make(map[string]bool, len(hashes))
	h := fnv.New64a()
	for _, one := range hashes {
		seen[one] = true
		_, _ = h.Write([]byte(one)) // a hash does not fail
	}
	return len(seen), fmt.Sprintf("%016x", h.Sum64())
}

// exploreSchedules runs schedules 1…N on worker goroutines and returns the hashes
// by index and the outcome of the lowest failing one.
func exploreSchedules(s Spec, o Options) ([]string, *Outcome) {
	workers := o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var (
		mu     sync.Mutex
		next   = 1
		hashes = make([]string, o.Schedules+1)
		bad    *Outcome
		wg     sync.WaitGroup
	)
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if next > o.Schedules || (bad != nil && bad.Failure.Schedule < next) {
			return 0, false
		}
		next++
		return next - 1, true
	}
	for range min(workers, o.Schedules) {
		wg.Go(func() {
			for {
				i, ok := take()
				if !ok {
					return
				}
				out := runOnce(s, o, i, "")
				mu.Lock()
				hashes[i] = out.Hash
				if out.Failure != nil && (bad == nil || out.Failure.Schedule < bad.Failure.Schedule) {
					bad = &out
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return hashes, bad
}

// runOnce is one run of the body in a fresh world.
func runOnce(s Spec, o Options, schedule int, trace string) Outcome {
	run := RunSpec{
		Spec: s.ID, Schedule: schedule, Seed: SeedOf(o.Seed, schedule),
		Racing: s.Racing, Trace: trace, Deadline: o.deadline(),
	}
	out := o.Lane.Run(run, func(e *Env) { runBody(e, s) })
	if out.Failure != nil {
		out.Failure.Schedule, out.Failure.Seed = schedule, run.Seed
		if out.Trace != "" {
			out.Failure.Trace = out.Trace
			out.Failure.Replay = "fleece replay " + out.Trace
		}
	}
	return out
}

// Replay runs one spec under a stored trace.
func Replay(s Spec, o Options, trace string, seed uint64) Outcome {
	run := RunSpec{Spec: s.ID, Seed: seed, Racing: s.Racing, Trace: trace, Deadline: o.deadline()}
	return o.Lane.Run(run, func(e *Env) { runBody(e, s) })
}

// RunSeeded runs one spec once under the schedule of the given index.
func RunSeeded(s Spec, o Options, schedule int) Outcome { return runOnce(s, o, schedule, "") }

func failed(r Result, s Spec, o Options, out Outcome) Result {
	r.State = StateFail
	if out.Failure.Kind == "harness" || out.Failure.Kind == "time-out" {
		r.State = StateError
	}
	r.Failure = out.Failure
	if r.Failure.Replay == "" {
		r.Failure.Replay = fmt.Sprintf("fleece run --target %s --label-filter %s --seed %d", o.Lane.Name(), s.ID, o.Seed)
	}
	return r
}

func allStacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}
