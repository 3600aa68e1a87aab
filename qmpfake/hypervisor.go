package qmpfake

import (
	"fmt"

	"fleece/host"
	"fleece/machine"
	"fleece/qmp"
	"fleece/rt"
	"fleece/sim"
)

// Options of a hypervisor.
type Options struct {
	// Wire sends messages through bytes; the default hands trees over.
	Wire bool
	// Crash is what the machines do where the real binary dies.
	Crash sim.Crash
	// Schema is shared by all machines; the default is to load QEMU 7.2's once.
	Schema *qmp.Schema
	// Output is what machines print on stdout.
	Output func(line string)
}

// Hypervisor launches simulated machines in a world. It outlives the driver, as
// the host's processes do; one task uses it at a time.
type Hypervisor struct {
	world    rt.World
	view     func(p rt.Process) host.Host
	opts     Options
	mu       rt.Mutex // protects machines
	machines []*Machine
}

var (
	_ machine.Hypervisor = (*For)(nil)
	_ machine.Machine    = (*handle)(nil)
)

// NewHypervisor makes a hypervisor whose machines see the host through view.
func NewHypervisor(w rt.World, view func(p rt.Process) host.Host, opts Options) (*Hypervisor, error) {
	if opts.Schema == nil {
		s, err := qmp.LoadSchema()
		if err != nil {
			return nil, fmt.Errorf("qmpfake: %w", err)
		}
		opts.Schema = s
	}
	return &Hypervisor{world: w, view: view, opts: opts, mu: w.Kernel().NewMutex("hypervisor")}, nil
}

// Machine is a running simulated machine.
type Machine struct {
	hv   *Hypervisor
	name string
	p    rt.Process
	sim  *sim.Machine
	// driver is the chardev of the driver's monitor.
	driver *chardev
}

// Sim is the simulator, for guest I/O; call it in a task of Process.
func (m *Machine) Sim() *sim.Machine { return m.sim }

// Process is the process "qemu-NAME" of the world.
func (m *Machine) Process() rt.Process { return m.p }

// Launch starts a machine in a process of its own. Errors carry what the real
// binary prints before it exits.
func (hv *Hypervisor) Launch(spec machine.Spec) (*Machine, error) {
	if hv.Machine(spec.Name) != nil {
		return nil, fmt.Errorf("machine '%s' is running already", spec.Name)
	}
	p := hv.world.NewProcess("qemu-" + spec.Name)
	m := &Machine{hv: hv, name: spec.Name, p: p}
	var err error
	called := p.Call("qemu-main", func() {
		m.sim, err = sim.New(p, hv.view(p), spec, sim.Options{
			Crash: hv.opts.Crash, Schema: hv.opts.Schema, Output: hv.opts.Output,
		})
		m.driver = newChardev(p, m.serve)
	})
	if err == nil {
		err = called
	}
	if err != nil {
		p.Kill()
		return nil, err
	}
	hv.mu.Lock()
	hv.machines = append(hv.machines, m)
	hv.mu.Unlock()
	return m, nil
}

// Machine finds a running machine, or nil.
func (hv *Hypervisor) Machine(name string) *Machine {
	hv.mu.Lock()
	defer hv.mu.Unlock()
	for _, m := range hv.machines {
		if m.name == name && m.p.Alive() {
			return m
		}
	}
	return nil
}

// Kill ends the machine as SIGKILL does: its images are what their files hold.
func (m *Machine) Kill() { m.p.Kill() }

// Dial opens a monitor of its own for a task of the process from, as if QEMU had
// one more chardev: the harness looks through it while the driver has its own. The
// connection is closed when either process dies.
func (m *Machine) Dial(from rt.Process) (qmp.Conn, error) {
	client, server, err := m.pipe(from)
	if err != nil {
		return nil, err
	}
	m.p.Go("qmp", func() { m.serve(server) })
	return client, nil
}

// DialDriver connects to the driver's chardev. It takes one client at a time: a
// second connection is made, but not greeted before the first one ends ({04}).
func (m *Machine) DialDriver(from rt.Process) (qmp.Conn, error) {
	client, server, err := m.pipe(from)
	if err != nil {
		return nil, err
	}
	if err := m.p.Call("qmp-accept", func() { m.driver.connect(server) }); err != nil {
		return nil, machine.ErrNotRunning
	}
	return client, nil
}

func (m *Machine) pipe(from rt.Process) (client, server *qmp.PipeEnd, err error) {
	if !m.p.Alive() {
		return nil, nil, machine.ErrNotRunning
	}
	client, server = qmp.NewPipe(m.hv.world.Kernel(), qmp.PipeOptions{Name: "qmp-" + m.name, Wire: m.hv.opts.Wire})
	client.Bind(from)
	server.Bind(m.p)
	return client, server, nil
}

func (m *Machine) serve(conn qmp.Conn) {
	Serve(m.sim, conn)
	if m.sim.Gone() {
		m.p.Kill() // quit: the process exits
	}
}

// For is the hypervisor as one process uses it: connections that it dials die with
// that process.
type For struct {
	hv   *Hypervisor
	from rt.Process
}

// For gives the hypervisor to a process, for example the driver.
func (hv *Hypervisor) For(from rt.Process) *For { return &For{hv, from} }

// Launch starts a machine.
func (f *For) Launch(spec machine.Spec) (machine.Machine, error) {
	m, err := f.hv.Launch(spec)
	if err != nil {
		return nil, err
	}
	return &handle{m, f.from}, nil
}

// Attach finds the running machine of that name, also one that a driver launched
// which has died since.
func (f *For) Attach(name string) (machine.Machine, error) {
	m := f.hv.Machine(name)
	if m == nil {
		return nil, machine.ErrNotRunning
	}
	return &handle{m, f.from}, nil
}

type handle struct {
	m    *Machine
	from rt.Process
}

// Dial connects to the driver's monitor.
func (h *handle) Dial() (qmp.Conn, error) { return h.m.DialDriver(h.from) }

// Kill ends the machine at once.
func (h *handle) Kill() error {
	h.m.Kill()
	return nil
}
