package lanes

import (
	"fmt"
	"sync"
	"time"

	"fleece/conformance"
	"fleece/explore"
	"fleece/host"
	"fleece/host/memhost"
	"fleece/qmp"
	"fleece/qmpfake"
	"fleece/rt"
	"fleece/rt/simrt"
	"fleece/sim"
)

// runDir is the directory of a run in a memory host.
const runDir = "/run-of-a-spec"

// jobWaitVirtual is libvirt's wait for the job lock.
const jobWaitVirtual = 30 * time.Second

// patienceVirtual is long after every time-out of a simulated world, and after
// the next chunk of a held job: whoever waits that long waits for ever.
const patienceVirtual = 10 * 365 * 24 * time.Hour

// simLane runs specs on the simulator in simulated worlds.
type simLane struct {
	c      Config
	schema *qmp.Schema
	mu     sync.Mutex
	idle   []memory // one per worker at most, since a dropped pool leaks its coroutines
	kind   simrt.Backend
}

// memory is what one run after the other uses.
type memory struct {
	pool  *simrt.Pool
	pages *memhost.Pages
}

// memory takes idle memory, or makes some.
func (l *simLane) memory() memory {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.idle)
	if n == 0 {
		return memory{simrt.NewPool(l.kind), memhost.NewPages()}
	}
	m := l.idle[n-1]
	l.idle = l.idle[:n-1]
	return m
}

func (l *simLane) giveBack(m memory) {
	l.mu.Lock()
	l.idle = append(l.idle, m)
	l.mu.Unlock()
}

// Sim makes the lane "sim".
func Sim(c Config) (conformance.Lane, error) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		return nil, err
	}
	backend := simrt.Coro
	switch c.Backend {
	case "", "coro":
	case "baton":
		backend = simrt.Baton
	default:
		return nil, fmt.Errorf("unknown backend %q: there are coro and baton", c.Backend)
	}
	return &simLane{c: c, schema: schema, kind: backend}, nil
}

func (l *simLane) Name() string { return conformance.LaneSim }

func (l *simLane) Has(f conformance.Feature) (bool, string) { return simulatorHas(f) }

func (l *simLane) Explores() bool { return true }

// Run runs the body once: on the plain schedule, a random one, or a stored trace.
func (l *simLane) Run(run conformance.RunSpec, body func(e *conformance.Env)) conformance.Outcome {
	memory := l.memory()
	defer l.giveBack(memory)
	s := &simRun{lane: l, run: run, body: body, pages: memory.pages}
	out := s.judged(memory.pool)
	if to := l.c.keepTo(run, l.Name(), out.Failure != nil); to != "" && s.kernel != nil {
		kept(&out, keepMemory(s.kernel, to))
	}
	return out
}

// judged is the run. A failure is replayed once more to keep the QMP exchange.
func (s *simRun) judged(pool *simrt.Pool) conformance.Outcome {
	if s.run.Trace != "" {
		return s.replay(pool)
	}
	var strategy explore.Strategy = explore.Plain{}
	if s.run.Schedule > 0 {
		strategy = explore.NewRandom()
	}
	o := explore.Run(s.scenario(), strategy, s.run.Seed, pool)
	out := s.outcome(o)
	if out.Failure != nil && o.Trace != nil {
		s.keep = true
		again := explore.Replay(s.scenario(), o.Trace, pool)
		if s.failure != nil {
			out.Failure.QMP = s.failure.QMP
		}
		if !again.SameHash {
			out.Failure = &conformance.Failure{Kind: "harness", Message: fmt.Sprintf(
				"not deterministic: the replay of the failing run has hash %016x, not %016x; the failure was: %s",
				again.Hash, o.Hash, out.Failure.Message)}
		}
	}
	return out
}

// simRun is one run and its repetition.
type simRun struct {
	lane    *simLane
	run     conformance.RunSpec
	body    func(e *conformance.Env)
	pages   *memhost.Pages
	kernel  *memhost.Kernel // of the last world
	keep    bool            // the exchange
	failure *conformance.Failure
}

func (s *simRun) scenario() explore.Scenario {
	sc := explore.Scenario{
		Name: s.run.Spec, Lane: conformance.LaneSim,
		World: simrt.Options{Racing: s.run.Racing, KeepTrace: true, KeepLog: false},
		Main:  s.main,
	}
	if s.run.Racing {
		sc.Options = append(sc.Options, "racing")
	}
	return sc
}

func (s *simRun) replay(pool *simrt.Pool) conformance.Outcome {
	trace, err := explore.ParseTrace([]byte(s.run.Trace))
	if err != nil {
		return conformance.Outcome{Failure: &conformance.Failure{Kind: "harness", Message: err.Error()}}
	}
	s.keep = true
	s.run.Seed = trace.Seed
	again := explore.Replay(s.scenario(), trace, pool)
	out := s.outcome(again.Outcome)
	if len(again.Misses) > 0 {
		out.Diverged = again.Misses[0].String()
	}
	return out
}

// outcome turns the result of a run into the harness's terms.
func (s *simRun) outcome(o explore.Outcome) conformance.Outcome {
	out := conformance.Outcome{Hash: fmt.Sprintf("%016x", o.Hash), Points: o.Points}
	if o.Trace != nil {
		if line, err := o.Trace.Line(); err == nil {
			out.Trace = line
		}
	}
	if o.Failure == nil {
		return out
	}
	if s.failure == nil {
		s.failure = &conformance.Failure{Kind: o.Failure.Kind, Message: o.Failure.Detail}
	}
	s.failure.Stack = o.Failure.Stack
	f := *s.failure
	out.Failure = &f
	return out
}

// main is the body of the world.
func (s *simRun) main(w *simrt.World) {
	s.failure = nil
	s.pages.Reset() // the world before, if any, is over
	kernel := memhost.New(w.Kernel(), memhost.Options{Pages: s.pages})
	s.kernel = kernel
	view := func(p rt.Process) host.Host { return kernel.View(p) }
	fail := func(f conformance.Failure) {
		s.failure = &f
		w.Fail(f.Kind, f.Message)
	}
	if err := kernel.MkdirAll(runDir); err != nil {
		fail(conformance.Failure{Kind: "harness", Message: err.Error()})
	}
	hv, err := qmpfake.NewHypervisor(w, view, qmpfake.Options{Crash: sim.CrashDies, Wire: s.lane.c.Wire, Schema: s.lane.schema})
	if err != nil {
		fail(conformance.Failure{Kind: "harness", Message: err.Error()})
	}
	s.body(&conformance.Env{
		World: w, Spec: w.Spec(), Host: view, Dir: runDir,
		Target:    &simTarget{hv: hv, kernel: kernel, spec: w.Spec()},
		NewDriver: s.lane.c.newDriver(),
		JobWait:   jobWaitVirtual, Patience: patienceVirtual, Virtual: true,
		Fail: fail, KeepExchange: s.keep, Seed: s.run.Seed,
	})
}
