package lanes

import (
	"time"

	"fleece/conformance"
	"fleece/host"
	"fleece/host/memhost"
	"fleece/qmp"
	"fleece/qmpfake"
	"fleece/rt"
	"fleece/sim"
)

// Times of the lanes on the wall clock.
const (
	jobWaitReal  = time.Second
	patienceReal = 30 * time.Second
)

// simRealLane runs specs on the simulator with goroutines and the wall clock.
type simRealLane struct {
	c      Config
	schema *qmp.Schema
}

// SimReal makes the lane "sim-real".
func SimReal(c Config) (conformance.Lane, error) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		return nil, err
	}
	return &simRealLane{c: c, schema: schema}, nil
}

func (l *simRealLane) Name() string { return conformance.LaneSimReal }

func (l *simRealLane) Has(f conformance.Feature) (bool, string) { return simulatorHas(f) }

func (l *simRealLane) Explores() bool { return false }

func (l *simRealLane) Run(run conformance.RunSpec, body func(e *conformance.Env)) conformance.Outcome {
	if run.Trace != "" {
		return conformance.Outcome{Failure: &conformance.Failure{Kind: "harness", Message: "a trace can only be replayed in lane sim"}}
	}
	r := newRealRun()
	kernel := memhost.New(r.world.Kernel(), memhost.Options{})
	view := func(p rt.Process) host.Host { return kernel.View(p) }
	r.body(func() {
		if err := kernel.MkdirAll(runDir); err != nil {
			r.fail(conformance.Failure{Kind: "harness", Message: err.Error()})
		}
		hv, err := qmpfake.NewHypervisor(r.world, view, qmpfake.Options{Crash: sim.CrashDies, Wire: true, Schema: l.schema})
		if err != nil {
			r.fail(conformance.Failure{Kind: "harness", Message: err.Error()})
		}
		body(&conformance.Env{
			World: r.world, Spec: r.spec, Host: view, Dir: runDir,
			Target:    &simTarget{hv: hv, kernel: kernel, spec: r.spec},
			NewDriver: l.c.newDriver(),
			JobWait:   jobWaitReal, Patience: patienceReal,
			Fail: r.fail, KeepExchange: true, Seed: run.Seed,
		})
	})
	out := r.end()
	if to := l.c.keepTo(run, l.Name(), out.Failure != nil); to != "" {
		kept(&out, keepMemory(kernel, to))
	}
	return out
}
