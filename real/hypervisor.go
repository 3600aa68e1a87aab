package real

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"fleece/machine"
	"fleece/qmp"
	"fleece/qmp/qmpnet"
	"fleece/rt"
)

// DefaultBinary is looked up in the PATH when Options.Binary is empty.
const DefaultBinary = "qemu-system-x86_64"

// Options of a hypervisor.
type Options struct {
	// Binary is the QEMU to run; empty means DefaultBinary.
	Binary string
	// Accel is "tcg", which is also the default, or "kvm".
	Accel string
	// TempDir is where the private directory is made; empty means the system's.
	// It must be short: a unix socket's path has at most 107 bytes.
	TempDir string
	// ExtraArgs are appended to the command line.
	ExtraArgs []string
}

// Hypervisor runs real QEMUs under one reaper. It is safe for use by several
// goroutines.
type Hypervisor struct {
	opts   Options
	binary string
	dir    string // private, 0700
	reaper *reaper

	mu       sync.Mutex
	machines map[string]*Machine // by domain name; running or not
	started  int
	devices  []*os.File // loop devices, held so that they last
}

// NewHypervisor starts the reaper and makes the private directory. Close ends
// both. An error says what is missing.
func NewHypervisor(o Options) (*Hypervisor, error) {
	if o.Binary == "" {
		o.Binary = DefaultBinary
	}
	if o.Accel == "" {
		o.Accel = "tcg"
	}
	if o.Accel != "tcg" && o.Accel != "kvm" {
		return nil, fmt.Errorf("accelerator %q: there are tcg and kvm", o.Accel)
	}
	binary, err := exec.LookPath(o.Binary)
	if err != nil {
		return nil, fmt.Errorf("no QEMU to test: %w (install qemu-system-x86, or name the binary)", err)
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.TempDir, "fleece-")
	if err != nil {
		return nil, err
	}
	r, err := startReaper(dir)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return &Hypervisor{opts: o, binary: binary, dir: dir, reaper: r, machines: make(map[string]*Machine)}, nil
}

// Dir is the private directory: sockets, and whatever the caller puts there. It
// is removed with the hypervisor.
func (h *Hypervisor) Dir() string { return h.dir }

// Root is the path under which this process sees the files of the namespace in
// which the QEMUs run; "" if that is this process's own.
func (h *Hypervisor) Root() string { return h.reaper.root() }

// Close kills every machine, ends the reaper and removes the private directory.
func (h *Hypervisor) Close() error {
	h.mu.Lock()
	machines := h.machines
	h.machines = make(map[string]*Machine)
	h.mu.Unlock()
	for _, m := range machines {
		m.close()
	}
	err := h.reaper.close()
	for _, device := range h.devices {
		err = errors.Join(err, device.Close())
	}
	return errors.Join(err, os.RemoveAll(h.dir))
}

// LimitDir mounts a tmpfs of that size over an existing directory, in the
// namespace of the QEMUs; Root shows it to this process. The error says why it
// is not possible here.
func (h *Hypervisor) LimitDir(dir string, bytes int64) error {
	_, err := h.reaper.do(request{Op: opMount, Path: dir, Bytes: bytes})
	return err
}

// For is the hypervisor as a process uses it: its connections die with it.
func (h *Hypervisor) For(p rt.Process) machine.Hypervisor { return hypervisorOf{h, p} }

type hypervisorOf struct {
	h *Hypervisor
	p rt.Process
}

// Launch starts a machine and waits until its monitor answers.
func (v hypervisorOf) Launch(spec machine.Spec) (machine.Machine, error) {
	m, err := v.h.launch(spec)
	if err != nil {
		return nil, err
	}
	return machineOf{m, v.p}, nil
}

// Attach finds a running machine.
func (v hypervisorOf) Attach(name string) (machine.Machine, error) {
	m, err := v.h.running(name)
	if err != nil {
		return nil, err
	}
	return machineOf{m, v.p}, nil
}

// running finds the machine of that name, or machine.ErrNotRunning.
func (h *Hypervisor) running(name string) (*Machine, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m := h.machines[name]; m != nil && !m.gone() {
		return m, nil
	}
	return nil, fmt.Errorf("domain %s: %w", name, machine.ErrNotRunning)
}

type machineOf struct {
	m *Machine
	p rt.Process
}

// Dial opens the driver's monitor.
func (v machineOf) Dial() (qmp.Conn, error) {
	c, err := v.m.dial(driverMonitor)
	if err != nil {
		return nil, err
	}
	c.Bind(v.p)
	return c, nil
}

// Kill ends the machine at once.
func (v machineOf) Kill() error { return v.m.Kill() }

// DialSecond opens the harness's monitor of a machine.
func (h *Hypervisor) DialSecond(domain string) (qmp.Conn, error) {
	m, err := h.running(domain)
	if err != nil {
		return nil, err
	}
	return m.dial(harnessMonitor)
}

func (m *Machine) dial(monitor string) (*qmpnet.Conn, error) {
	return qmpnet.Dial("unix", m.socket(monitor))
}
