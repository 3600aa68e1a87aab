// Package explore decides what a simulated world leaves open: it has the
// strategies that choose, the traces that keep what was chosen, and the replay
// of a trace.
//
// It knows only rt and rt/simrt: a scenario is a function that runs in a world.
// It is not a test framework; verdicts are the scenario's, by World.Fail.
//
// The property it keeps: a run is a pure function of scenario, options, strategy
// name and seed; and the trace of a failing run, replayed on the same code, gives
// the same failure and the same hash.
//
//	o := explore.Run(scenario, explore.NewRandom(), 42, pool)
//	if o.Failure != nil {
//		fmt.Println(o.Trace.Line()) // replays it
//	}
package explore
