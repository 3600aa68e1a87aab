package lanes

import (
	"fmt"
	"syscall"

	"fleece/host/memhost"
	"fleece/machine"
	"fleece/qmp"
	"fleece/qmpfake"
	"fleece/rt"
	"fleece/sim"
)

// simTarget is the simulator as the harness reaches it.
type simTarget struct {
	hv     *qmpfake.Hypervisor
	kernel *memhost.Kernel
	spec   rt.Process
}

func (t *simTarget) For(p rt.Process) machine.Hypervisor { return t.hv.For(p) }

func (t *simTarget) machine(domain string) (*qmpfake.Machine, error) {
	if m := t.hv.Machine(domain); m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("domain %s: %w", domain, machine.ErrNotRunning)
}

func (t *simTarget) DialSecond(domain string) (qmp.Conn, error) {
	m, err := t.machine(domain)
	if err != nil {
		return nil, err
	}
	return m.Dial(t.spec)
}

func (t *simTarget) GuestWrite(domain, device string, off int64, data []byte) error {
	return t.guest(domain, func(m *sim.Machine) error { return m.GuestWrite(device, off, data) })
}

func (t *simTarget) GuestRead(domain, device string, off int64, data []byte) error {
	return t.guest(domain, func(m *sim.Machine) error { return m.GuestRead(device, off, data) })
}

func (t *simTarget) GuestEject(domain, device string) error {
	return t.guest(domain, func(m *sim.Machine) error { return m.GuestEject(device) })
}

// guest runs one request of the guest in QEMU's process.
func (t *simTarget) guest(domain string, request func(m *sim.Machine) error) error {
	m, err := t.machine(domain)
	if err != nil {
		return err
	}
	var failure error
	if gone := m.Process().Call("guest", func() { failure = request(m.Sim()) }); gone != nil {
		return gone
	}
	return failure
}

func (t *simTarget) LimitDir(dir string, bytes int64) error { return t.kernel.Mount(dir, bytes) }

func (t *simTarget) BlockDevice(path string, bytes int64) (string, error) {
	return path, t.kernel.Device(path, bytes)
}

func (t *simTarget) FailReads(path string) (heal func()) {
	return t.kernel.Fail(memhost.Fault{Op: memhost.OpRead, Path: path, Forever: true, Errno: syscall.EIO}).Clear
}
