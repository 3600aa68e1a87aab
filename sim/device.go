package sim

import (
	"strings"

	"fleece/machine"
	"fleece/qmp"
)

// device is a frontend of the guest: a disk, or a controller that only has a name.
type device struct {
	id           string // "" for one that the monitor did not name
	driver       string
	path         string // in QOM
	root         *edge  // nil for an empty drive
	user         *user
	ioStatus     string
	io           ioStats
	wantsUnplug  bool
	unplugStands bool           // no second one is taken
	limits       throttleLimits // of block_set_io_throttle
	group        string
	writeThrough bool
	slot         int  // on the PCI bus, 0 if nobody asked for one
	onlyReports  bool // errors never stop the guest: there is no I/O status
}

// deviceModel is what the machine knows of a device's driver.
type deviceModel struct {
	name     string
	property string // that errors about the drive name: "" for a controller
	busType  string // that must exist, "" for one that is always there
	provides string // bus type that the device brings
	plugs    bool   // takes part in hotplug
	// backend is the QOM child that has the drive: "/virtio-backend" or "".
	backend string
	// writes tells that a read-only node is refused.
	writes bool
}

// deviceModels are the devices that can be added, disks and what they hang on.
func deviceModels() []deviceModel {
	const scsi = "SCSI"
	return []deviceModel{
		{name: "virtio-blk-pci", property: "virtio-blk-device", plugs: true, backend: "/virtio-backend"},
		{name: "virtio-blk-pci-non-transitional", property: "virtio-blk-device", plugs: true, backend: "/virtio-backend"},
		{name: "virtio-blk-pci-transitional", property: "virtio-blk-device", plugs: true, backend: "/virtio-backend"},
		{name: "virtio-scsi-pci", provides: scsi, plugs: true},
		{name: "scsi-hd", property: "scsi-hd", busType: scsi, plugs: true},
		{name: "scsi-cd", property: "scsi-cd", busType: scsi, plugs: true},
		{name: "ide-hd", property: "ide-hd", writes: true},
		{name: "ide-cd", property: "ide-cd"},
		{name: "floppy", property: "floppy"},
		{name: "nvme", property: "nvme", plugs: true},
		{name: "usb-storage", property: "usb-storage"},
	}
}

func modelOf(driver string) (deviceModel, bool) {
	for _, d := range deviceModels() {
		if d.name == driver {
			return d, true
		}
	}
	return deviceModel{}, false
}

// deviceSpec are the properties of a new device.
type deviceSpec struct {
	driver, id, drive string
	readOnly, shared  bool
	writeThrough      bool
	werror, rerror    string
	slot              int    // PCI slot that was asked for, 0 for any
	path              string // in QOM, if it is known already
}

func specOfDevice(s *machine.Device) deviceSpec {
	return deviceSpec{driver: s.Driver, id: s.ID, drive: s.Drive, readOnly: s.ReadOnly, slot: s.Slot, writeThrough: s.WriteThrough, werror: s.WriteErrors, rerror: s.ReadErrors}
}

// addDevice attaches a frontend. Reads, unchanged writes and resizes of its disk are
// shared; a second writer is not, unless share-rw says so (§2.2).
func (m *Machine) addDevice(s deviceSpec, model deviceModel) *qmp.ReplyError {
	d := &device{id: s.id, driver: s.driver, ioStatus: "ok", path: s.path, slot: s.slot, writeThrough: s.writeThrough}
	d.onlyReports = (s.werror == "report" || s.werror == "ignore") && s.rerror != "stop"
	if d.path == "" {
		d.path = m.pathOf(s.id)
	}
	if s.drive != "" {
		n := m.node(s.drive)
		if n == nil {
			return qmp.Generic("Property '" + model.property + ".drive' can't find value '" + s.drive + "'")
		}
		if err := d.plug(n, s, model); err != nil {
			return err
		}
	}
	m.devices = append(m.devices, d)
	return nil
}

// pathOf is the QOM path of a new device. Those without an id are counted, though
// they may fail afterwards.
func (m *Machine) pathOf(id string) string {
	if id != "" {
		return "/machine/peripheral/" + id
	}
	m.unnamed++
	return "/machine/peripheral-anon/device[" + itoa(int64(m.unnamed-1)) + "]"
}

func (d *device) plug(n *node, s deviceSpec, model deviceModel) *qmp.ReplyError {
	d.user = &user{
		label: "block device '" + d.qdev() + "'", graphName: d.qdev(), isDevice: true,
		perm: permRead | permWrite, shared: permReadShare | permResize,
	}
	if s.shared {
		d.user.shared |= permWrite
	}
	switch {
	case s.readOnly, n.readOnly && !model.writes:
		d.user.perm = permRead
	case n.readOnly:
		return qmp.Generic("Block node is read-only")
	}
	d.root = n.use("root", d.user)
	if err := n.conflictBelow(); err != nil {
		n.m.noise(n) // the backend comes and goes
		_ = d.root.detach()
		d.root = nil
		return err
	}
	n.m.pairs(n, 1)
	return nil
}

// qdev is the path that query-block shows (§2.8): the backend of a virtio disk has no
// id of its own.
func (d *device) qdev() string {
	if d.isVirtio() || d.id == "" {
		return d.backendPath()
	}
	return d.id
}

// backendPath is the QOM path of what has the drive.
func (d *device) backendPath() string {
	if d.isVirtio() {
		return d.path + "/virtio-backend"
	}
	return d.path
}

func (d *device) isVirtio() bool { return strings.HasPrefix(d.driver, "virtio-blk") }

// isDisk reports whether query-block lists the device.
func (d *device) isDisk() bool { return d.driver != "virtio-scsi-pci" }
