package live

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"fleece/host"
	"fleece/host/oshost"
	"fleece/machine"
	"fleece/qmp"
	"fleece/qmp/qmpnet"
	"fleece/qmpfake"
	"fleece/rt"
	"fleece/rt/realrt"
	"fleece/sim"
)

// Options of a machine.
type Options struct {
	// Dir is an existing directory: the machine's image files lie in it, and
	// relative names are taken from there.
	Dir string
	// Machine is what runs.
	Machine machine.Spec
	// Monitors are listeners, which Run owns: each is a chardev in server mode.
	Monitors []net.Listener
	// Crash is what the machine does where the real binary dies.
	Crash sim.Crash
	// Ready, if set, is called when the machine runs.
	Ready func()
	// Print, if set, gets the lines of the machine's stdout.
	Print func(line string)
}

// StartError is what the real binary prints when it cannot start.
type StartError struct{ Err error }

// Error shows the binary's text.
func (e *StartError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *StartError) Unwrap() error { return e.Err }

// ErrDied is the end of a machine that crashed where the real binary does.
var ErrDied = errors.New("the machine died, as the real binary does here")

// shutdownMax is how long tasks may take to end with their process.
const shutdownMax = 5 * time.Second

// Machine is a machine that runs.
type Machine struct {
	o     Options
	world *realrt.World
	p     rt.Process
	sim   *sim.Machine
	over  chan struct{} // closed when the machine has quit or died
	once  sync.Once
	died  bool
	all   sync.WaitGroup
}

// Start starts a machine. On an error the monitors are closed.
func Start(o Options) (*Machine, error) {
	m := &Machine{o: o, world: realrt.NewWorld(), over: make(chan struct{})}
	if err := m.start(); err != nil {
		m.closeMonitors()
		m.world.Shutdown(shutdownMax)
		return nil, err
	}
	for _, l := range o.Monitors {
		m.all.Go(func() { m.accept(l) })
	}
	if o.Ready != nil {
		o.Ready()
	}
	return m, nil
}

func (m *Machine) start() error {
	dir, err := filepath.Abs(m.o.Dir)
	if err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("directory %s: is none: %w", m.o.Dir, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("directory %s: is none", m.o.Dir)
	}
	schema, err := qmp.LoadSchema()
	if err != nil {
		return err
	}
	m.p = m.world.NewProcess("qemu")
	var h host.Host = within{oshost.New(m.p, oshost.Options{}), dir}
	called := m.p.Call("main", func() {
		m.sim, err = sim.New(m.p, h, m.o.Machine, sim.Options{Crash: m.o.Crash, Schema: schema, Output: m.o.Print})
	})
	if err != nil {
		return &StartError{err}
	}
	if called != nil {
		return called
	}
	m.p.OnKill(func() { m.end(true) }) // a machine that quit has ended before
	return nil
}

// end notes that the machine is gone.
func (m *Machine) end(died bool) {
	m.once.Do(func() {
		m.died = died
		close(m.over)
	})
}

// accept is the goroutine of one monitor: it serves one client after the other.
func (m *Machine) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		conn := qmpnet.New(c)
		conn.Bind(m.p)
		served := make(chan struct{})
		m.p.Go("qmp", func() {
			defer close(served)
			qmpfake.Serve(m.sim, conn)
			if m.sim.Gone() {
				m.end(false)
			}
		})
		select {
		case <-served:
		case <-m.over:
			return
		}
	}
}

// Sim is the simulator, for guest I/O of tests; call it within Call.
func (m *Machine) Sim() *sim.Machine { return m.sim }

// Call runs f as a task of the machine's process.
func (m *Machine) Call(f func()) error { return m.p.Call("call", f) }

// Terminate ends the machine as SIGTERM ends QEMU.
func (m *Machine) Terminate() {
	_ = m.p.Call("signal", m.sim.Terminate) // a machine that has died needs none
	m.end(false)
}

// Wait waits until the machine is gone, and ends everything. ErrDied says that it
// crashed.
func (m *Machine) Wait() error {
	<-m.over
	m.closeMonitors()
	left := m.world.Shutdown(shutdownMax)
	m.all.Wait()
	switch {
	case len(left) > 0:
		return fmt.Errorf("tasks of the machine did not end: %v", left)
	case m.died:
		return ErrDied
	}
	return nil
}

func (m *Machine) closeMonitors() {
	for _, l := range m.o.Monitors {
		_ = l.Close()
	}
}
