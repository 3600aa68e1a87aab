package conformance_test

import (
	"strings"
	"testing"

	"fleece/conformance"
	"fleece/conformance/lanes"
	"fleece/conformance/specs"
	"fleece/driver"
	"fleece/host"
	"fleece/machine"
	"fleece/qmp"
	"fleece/rt"
)

// starter starts a driver under test, as lanes.Config.NewDriver does.
type starter = func(p rt.Process, h host.Host, hv machine.Hypervisor, c conformance.DriverConfig) (any, error)

// leaky starts fleece's driver with a deliberate fault: QEMU never gets one kind of
// command, and the driver is told that it did what it should. The command is a
// name, or "transaction" and the name of an action in it.
func leaky(command string) starter {
	return func(p rt.Process, h host.Host, hv machine.Hypervisor, c conformance.DriverConfig) (any, error) {
		name, action, inTransaction := strings.Cut(command, " ")
		deaf := qmp.Rule{Command: name, Answer: func(qmp.Value) qmp.Value {
			return qmp.Return(qmp.Dict(), qmp.Int(0))
		}}
		if inTransaction {
			deaf.If = func(m qmp.Value) bool { return strings.Contains(m.String(), action) }
		}
		return driver.New(p, h, rules{hv, p, deaf}, driver.Config{StateDir: c.StateDir, TLSDir: c.TLSDir, JobWait: c.JobWait})
	}
}

// rules is a hypervisor whose connections are disturbed by a rule.
type rules struct {
	machine.Hypervisor
	p    rt.Process
	rule qmp.Rule
}

func (r rules) Launch(spec machine.Spec) (machine.Machine, error) {
	m, err := r.Hypervisor.Launch(spec)
	return ruled{m, r}, err
}

func (r rules) Attach(name string) (machine.Machine, error) {
	m, err := r.Hypervisor.Attach(name)
	return ruled{m, r}, err
}

type ruled struct {
	machine.Machine
	by rules
}

func (m ruled) Dial() (qmp.Conn, error) {
	c, err := m.Machine.Dial()
	if err != nil {
		return nil, err
	}
	tap := qmp.NewTap(m.by.p, c, qmp.TapOptions{Name: "wrong-driver"})
	tap.Add(m.by.rule)
	return tap, nil
}

// simLane is lane sim with the driver; nil is the right one.
func simLane(t testing.TB, wrong starter) conformance.Lane {
	t.Helper()
	lane, err := lanes.Sim(lanes.Config{NewDriver: wrong})
	if err != nil {
		t.Fatal(err)
	}
	return lane
}

// specOf finds a spec by its id.
func specOf(t testing.TB, id string) conformance.Spec {
	t.Helper()
	for _, s := range specs.All() {
		if s.ID == id {
			return s
		}
	}
	t.Fatalf("there is no spec %s", id)
	return conformance.Spec{}
}
