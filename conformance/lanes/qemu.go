package lanes

import (
	"os"
	"path/filepath"

	"fleece/conformance"
	"fleece/host"
	"fleece/host/oshost"
	"fleece/real"
	"fleece/rt"
)

// qemuLane runs specs on a real QEMU.
type qemuLane struct {
	c    Config
	have real.Abilities
}

// QEMU makes the lane "qemu". The error says what is missing.
func QEMU(c Config) (conformance.Lane, error) {
	h, err := real.NewHypervisor(real.Options{Binary: c.Binary, Accel: c.Accel})
	if err != nil {
		return nil, err
	}
	if err := h.Close(); err != nil {
		return nil, err
	}
	return &qemuLane{c: c, have: real.Probe(c.Binary)}, nil
}

func (l *qemuLane) Name() string { return conformance.LaneQEMU }

// Version is what the binary says of itself.
func (l *qemuLane) Version() string { return l.have.Version }

func (l *qemuLane) Has(f conformance.Feature) (bool, string) {
	if f == conformance.FeatureLimitedDir && l.have.Tmpfs != "" {
		return false, l.have.Tmpfs
	}
	if f == conformance.FeatureForeignNBD && l.have.NBDServers != "" {
		return false, l.have.NBDServers
	}
	if f == conformance.FeatureReadErrors {
		return false, "a file of this host cannot be made unreadable under a running QEMU"
	}
	if f == conformance.FeatureBlockDevice && l.have.Loop != "" {
		return false, l.have.Loop
	}
	return true, ""
}

func (l *qemuLane) Explores() bool { return false }

func (l *qemuLane) Run(run conformance.RunSpec, body func(e *conformance.Env)) conformance.Outcome {
	if run.Trace != "" {
		return conformance.Outcome{Failure: &conformance.Failure{Kind: "harness", Message: "a trace can only be replayed in lane sim"}}
	}
	hv, err := real.NewHypervisor(real.Options{Binary: l.c.Binary, Accel: l.c.Accel})
	if err != nil {
		return conformance.Outcome{Failure: &conformance.Failure{Kind: "harness", Message: err.Error()}}
	}
	r := newRealRun()
	dir := filepath.Join(hv.Dir(), "run")
	view := func(p rt.Process) host.Host { return oshost.New(p, redirected(hv, dir)) }
	r.body(func() {
		if err := os.Mkdir(dir, 0o755); err != nil {
			r.fail(conformance.Failure{Kind: "harness", Message: err.Error()})
		}
		body(&conformance.Env{
			World: r.world, Spec: r.spec, Host: view, Dir: dir, Target: hv,
			NewDriver: l.c.newDriver(),
			JobWait:   jobWaitReal, Patience: patienceReal,
			Fail: r.fail, KeepExchange: true, Seed: run.Seed,
		})
	})
	out := r.end()
	if said := hv.Complaints(); out.Failure != nil && said != "" {
		out.Failure.Message += "\n" + said
	}
	if to := l.c.keepTo(run, l.Name(), out.Failure != nil); to != "" {
		kept(&out, keepDir(hv.Root()+dir, dir, to))
	}
	if err := hv.Close(); err != nil && out.Failure == nil {
		out.Failure = &conformance.Failure{Kind: "harness", Message: "end of the run: " + err.Error()}
	}
	return out
}

// redirected lets the host seam see the run's directory as the QEMUs do: a
// directory that a spec limits is mounted in their namespace only.
func redirected(hv *real.Hypervisor, dir string) oshost.Options {
	root := hv.Root()
	if root == "" {
		return oshost.Options{}
	}
	return oshost.Options{Redirect: []oshost.Redirect{{From: dir, To: root + dir}}}
}
