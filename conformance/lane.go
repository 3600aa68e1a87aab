package conformance

import (
	"time"

	"fleece/host"
	"fleece/machine"
	"fleece/qmp"
	"fleece/rt"
)

// Lane runs spec bodies against one kind of QEMU in one kind of world.
type Lane interface {
	// Name is one of LaneSim, LaneSimReal, LaneQEMU.
	Name() string
	// Has reports whether the lane offers a feature; the reason says why not.
	Has(f Feature) (ok bool, reason string)
	// Explores reports whether schedules other than the plain one exist.
	Explores() bool
	// Run makes a fresh world, runs body in it once, and ends everything that
	// it started. It is called from several goroutines at a time if Explores.
	Run(run RunSpec, body func(e *Env)) Outcome
}

// RunSpec says which run of a spec is wanted.
type RunSpec struct {
	Spec string // the spec's id: the scenario name of a trace
	// Schedule 0 is the plain one.
	Schedule int
	Seed     uint64
	Racing   bool
	// Trace, if not empty, is replayed (fl1:… or the text of a trace file).
	Trace string
	// Deadline ends a run on the wall clock; the outcome is then a time-out.
	Deadline time.Duration
}

// Outcome is what a lane reports of one run.
type Outcome struct {
	Failure *Failure
	Hash    string // of the trace; "" where no world is simulated
	Points  int    // choice points
	Trace   string // fl1:…
	// Diverged tells where a replayed trace no longer fitted; "" if it did.
	Diverged string
}

// Env is one world as a lane built it for one run.
type Env struct {
	World rt.World
	// Spec is the process of the spec body and of the harness's own tasks.
	Spec rt.Process
	// Host gives a process its view of the world's one host.
	Host func(p rt.Process) host.Host
	// Dir is an existing, empty directory that this run owns.
	Dir string
	// Target is the QEMU under test.
	Target Target
	// NewDriver starts a driver in process p: a value for virt.NewConn.
	NewDriver func(p rt.Process, h host.Host, hv machine.Hypervisor, c DriverConfig) (any, error)
	// JobWait is how long the driver waits for a domain's job lock.
	JobWait time.Duration
	// Patience bounds every wait of the harness in this lane.
	Patience time.Duration
	// Fail ends the run with a verdict; it does not return.
	Fail func(f Failure)
	// Virtual says that the clock is the simulator's: a wait in vain is then a
	// finding, not a matter of patience.
	Virtual bool
	// KeepExchange keeps the QMP messages between driver and QEMU for a failure.
	KeepExchange bool
	// Seed of this run, for the spec's own data.
	Seed uint64
}

// DriverConfig is what the harness tells a driver.
type DriverConfig struct {
	// StateDir is an existing directory for everything that must survive a
	// restart of the driver.
	StateDir string
	// TLSDir is where the driver looks for the server's certificates of pull
	// backups with TLS; it need not exist.
	TLSDir string
	// TLSAnyClient is whether clients need no certificate.
	TLSAnyClient bool
	// TLSByDefault says that both are given as the driver's default for all kinds of
	// TLS, and not as what is meant for backups.
	TLSByDefault bool
	JobWait      time.Duration
}

// Target is the QEMU under test with the harness's own accesses to it, none of
// which goes through the driver.
type Target interface {
	// For is the hypervisor as a process uses it: its connections die with it.
	For(p rt.Process) machine.Hypervisor
	// DialSecond opens a connection to the harness's own monitor.
	DialSecond(domain string) (qmp.Conn, error)
	// GuestWrite writes as the guest would, through the device.
	GuestWrite(domain, device string, off int64, data []byte) error
	// GuestRead reads as the guest would.
	GuestRead(domain, device string, off int64, data []byte) error
	// GuestEject lets a device go that the guest was asked for.
	GuestEject(domain, device string) error
	// LimitDir gives an existing empty directory a capacity in bytes. Called
	// before the machine is launched.
	LimitDir(dir string, bytes int64) error
}
