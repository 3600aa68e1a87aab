// Package machine describes a virtual machine to whatever can run one, and the
// hypervisor that runs it. It is the joint between the driver, which plans a
// machine from domain XML and owns every name in it, and the two QEMUs: real
// renders a Spec as a command line, sim builds it in memory.
//
// It is not libvirt's domain: no XML, no state, no policy.
package machine

import (
	"errors"

	"fleece/qmp"
)

// ErrNotRunning is returned by Attach when no machine of that name runs.
var ErrNotRunning = errors.New("machine is not running")

// Spec is everything that a hypervisor must know to start a machine.
type Spec struct {
	Name      string // the domain's name; unique per hypervisor
	UUID      string // canonical text form
	MemoryKiB int64
	VCPUs     int
	Machine   string // QEMU's machine type, for example "pc"
	// Nodes are arguments of blockdev-add, one object each, in the order in
	// which they must be added (storage before format, backing before overlay).
	Nodes []qmp.Value
	// Devices are attached in order.
	Devices []Device
	// Channels are ports of virtio serial devices.
	Channels []Channel
	// Paused starts the machine with its vCPUs stopped (-S); the driver sends cont.
	Paused bool
}

// Device is one block device of the guest.
type Device struct {
	Driver   string // "virtio-blk-pci"
	ID       string // QEMU's device id, for example "virtio-disk0"
	Drive    string // node name of the disk's top node; "" for an empty drive
	ReadOnly bool
	Serial   string
	// Slot is the device's on the first PCI bus, 0 if QEMU is to choose. A hypervisor
	// may leave it to QEMU all the same.
	Slot int
	// WriteThrough says that the guest has no write cache (write-cache=off).
	WriteThrough bool
	// WriteErrors and ReadErrors are what becomes of errors (werror, rerror): "report",
	// "ignore", "stop", "enospc"; "" leaves it to QEMU.
	WriteErrors, ReadErrors string
}

// Channel is a port of a virtio serial device, over a unix socket of the host.
type Channel struct {
	ID   string // QEMU's device id, for example "channel0"
	Name string // which the guest knows it by: "org.qemu.guest_agent.0"
	Path string // of the socket
	// Listens says that QEMU makes the socket, and serves one client at a time; else
	// it connects to who listens there.
	Listens bool
}

// Hypervisor starts machines and finds running ones again after the driver was
// restarted. Errors of Launch carry QEMU's own text (its stderr).
type Hypervisor interface {
	Launch(spec Spec) (Machine, error)
	// Attach finds the running machine of that name, or ErrNotRunning.
	Attach(name string) (Machine, error)
}

// Machine is a running QEMU.
type Machine interface {
	// Dial opens a new connection to the driver's monitor. Its greeting has
	// not been read yet.
	Dial() (qmp.Conn, error)
	// Kill ends the machine at once (SIGKILL) and waits until it is gone.
	// A machine that is gone already is no error.
	Kill() error
}
