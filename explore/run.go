package explore

import "fleece/rt/simrt"

// Scenario is what is run, many times: Main must not leave anything behind that
// another run could see.
type Scenario struct {
	Name string
	// Lane and Options go into the trace, and say how to make the scenario
	// again. An option is one word, such as "racing" or "wire".
	Lane    string
	Options []string
	// World has the limits of the run; Chooser and Pool are set by Run.
	World simrt.Options
	Main  func(w *simrt.World)
}

// Outcome is one run.
type Outcome struct {
	simrt.Result
	// Trace is set if the run failed or Scenario.World.KeepTrace was set.
	Trace *Trace
}

// Run runs the scenario once. The pool may be nil.
func Run(s Scenario, st Strategy, seed uint64, pool *simrt.Pool) Outcome {
	st.Begin(seed)
	options := s.World
	options.Chooser, options.Pool = st, pool
	o := Outcome{Result: simrt.Run(options, s.Main)}
	if o.Failure != nil || options.KeepTrace {
		o.Trace = newTrace(s, st.String(), seed, o.Result)
	}
	return o
}

func newTrace(s Scenario, strategy string, seed uint64, r simrt.Result) *Trace {
	t := &Trace{
		Scenario: s.Name, Lane: s.Lane, Options: s.Options, Seed: seed, Strategy: strategy,
		Hash: r.Hash, Points: r.Points, Deviations: r.Deviations,
	}
	if r.Failure != nil {
		t.Failure, t.Detail = r.Failure.Key(), r.Failure.Detail
	}
	return t
}

// Replayed is what came of a trace.
type Replayed struct {
	Outcome
	// Misses are the deviations that did not fit; the first is where the runs
	// diverged.
	Misses []Miss
	// SameFailure says that kind and place of the failure, or that there was
	// none, are those of the trace; SameHash that the whole run is the same.
	SameFailure, SameHash bool
}

// Replay runs the scenario with the deviations of a trace. The pool may be nil.
func Replay(s Scenario, t *Trace, pool *simrt.Pool) Replayed {
	r := NewReplayer(t.Deviations)
	o := Run(s, r, t.Seed, pool)
	return Replayed{
		Outcome: o, Misses: r.Misses(),
		SameFailure: o.Failure.Key() == t.Failure, SameHash: o.Hash == t.Hash,
	}
}
