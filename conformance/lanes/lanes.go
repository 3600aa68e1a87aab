// Package lanes builds the worlds in which spec bodies run: the simulator in a
// simulated world (sim), the simulator on goroutines (sim-real), and a real
// QEMU (qemu).
//
// It is not a judge: it hands out a world, a host, a QEMU and a driver, and
// reports how the run ended.
//
// The property it keeps: whatever a run started is ended when Run returns, and a
// failure of the lane itself is of kind harness or time-out, never of kind check.
package lanes

import (
	"fmt"
	"runtime/debug"

	"fleece/conformance"
	"fleece/driver"
	"fleece/host"
	"fleece/machine"
	"fleece/rt"
)

// What programs that run many simulated worlds should tell the collector. Worlds
// are short-lived and small, so collecting less often nearly halves the time of a
// run.
const gcPercent = 800

// TuneCollector sets the process's garbage collector for running worlds.
func TuneCollector() {
	debug.SetGCPercent(gcPercent)
}

// Config chooses what is under test and how worlds are built.
type Config struct {
	// NewDriver starts the driver under test; nil is fleece's own.
	NewDriver func(p rt.Process, h host.Host, hv machine.Hypervisor, c conformance.DriverConfig) (any, error)
	// Wire passes QMP messages through bytes inside a simulated world.
	Wire bool
	// Backend is "coro" (or empty) or "baton": how tasks of a simulated world run.
	Backend string
	// Binary is the real QEMU; empty means qemu-system-x86_64 in the PATH.
	Binary string
	// Accel of the real QEMU: "tcg" (or empty) or "kvm".
	Accel string
	// KeepImages is a directory for the files of every spec as its run left them,
	// LANE/SPEC/…; KeepFailed is one for those of failed runs. "" keeps none.
	KeepImages, KeepFailed string
}

func (c Config) newDriver() func(rt.Process, host.Host, machine.Hypervisor, conformance.DriverConfig) (any, error) {
	if c.NewDriver != nil {
		return c.NewDriver
	}
	return OwnDriver
}

// OwnDriver starts fleece's own driver.
func OwnDriver(p rt.Process, h host.Host, hv machine.Hypervisor, c conformance.DriverConfig) (any, error) {
	config := driver.Config{StateDir: c.StateDir, TLSDir: c.TLSDir, TLSAnyClient: c.TLSAnyClient, JobWait: c.JobWait}
	if c.TLSByDefault {
		config.TLSDir, config.TLSAnyClient = "", false
		config.DefaultTLSDir, config.DefaultTLSAnyClient = c.TLSDir, c.TLSAnyClient
	}
	return driver.New(p, h, hv, config)
}

// ByName makes the lane of that name.
func ByName(name string, c Config) (conformance.Lane, error) {
	switch name {
	case conformance.LaneSim:
		return Sim(c)
	case conformance.LaneSimReal:
		return SimReal(c)
	case conformance.LaneQEMU:
		return QEMU(c)
	}
	return nil, fmt.Errorf("unknown target %q: there are sim, sim-real and qemu", name)
}

// simulatorHas is what the lanes on the simulator have: everything but programs of
// others.
func simulatorHas(f conformance.Feature) (bool, string) {
	if f == conformance.FeatureForeignNBD {
		return false, "a simulated host runs no programs of others"
	}
	return true, ""
}
