package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fleece/qmp"
)

// deviceCommand executes device_add and device_del.
func (m *Machine) deviceCommand(cmd qmp.Command) (done bool, err *qmp.ReplyError) {
	switch cmd.Name {
	case "device_add":
		return true, m.deviceAdd(cmd.Args)
	case "device_del":
		return true, m.deviceDel(cmd.Args.Get("id").S())
	}
	return false, nil
}

// property is the text of a property, which may have been given as a number or a
// boolean: device_add is not checked against the schema.
func property(v qmp.Value) string {
	if s, ok := v.Text(); ok || !v.Present() {
		return s
	}
	return strings.Trim(v.String(), `"`)
}

func isOn(v qmp.Value) bool {
	s := property(v)
	return s == "on" || s == "true" || s == "yes"
}

// deviceAdd plugs a device; the order of the checks is qdev_device_add's (§2.9).
func (m *Machine) deviceAdd(a qmp.Value) *qmp.ReplyError {
	driver := property(a.Get("driver"))
	if !a.Get("driver").Present() {
		return qmp.Generic("Parameter 'driver' is missing")
	}
	model, known := modelOf(driver)
	if !known {
		return qmp.Generic("'" + driver + "' is not a valid device model name")
	}
	s := deviceSpec{driver: driver, id: property(a.Get("id")), drive: property(a.Get("drive")), shared: isOn(a.Get("share-rw")), readOnly: isOn(a.Get("read-only"))}
	s.werror, s.rerror = property(a.Get("werror")), property(a.Get("rerror"))
	s.writeThrough = a.Get("write-cache").Present() && !isOn(a.Get("write-cache")) && property(a.Get("write-cache")) != "auto"
	if err := m.checkBus(model, property(a.Get("bus"))); err != nil {
		return err
	}
	switch {
	case !model.plugs:
		return qmp.Generic("Bus '" + busOf(driver) + "' does not support hotplugging")
	case a.Get("id").Present() && !wellFormed(s.id):
		return qmp.Generic("Parameter 'id' expects an identifier")
	case s.id != "" && m.device(s.id) != nil:
		return qmp.Generic("Duplicate device ID '" + s.id + "'")
	}
	s.path = m.pathOf(s.id)
	if err := checkProperties(a, model); err != nil {
		return err
	}
	if id := property(a.Get("iothread")); id != "" {
		if o := m.object(id); o == nil || o.kind != "iothread" {
			return &qmp.ReplyError{Class: qmp.DeviceNotFound, Desc: "Device '" + id + "' not found"}
		}
	}
	if err := m.checkSlot(&s, property(a.Get("addr"))); err != nil {
		return err
	}
	if model.property != "" && s.drive == "" && m.node(s.drive) == nil {
		return qmp.Generic("drive property not set")
	}
	return m.addDevice(s, model)
}

func busOf(driver string) string {
	if strings.HasPrefix(driver, "ide") {
		return "ide.1"
	}
	return "floppy-bus.0"
}

// checkBus finds the bus of a new device.
func (m *Machine) checkBus(model deviceModel, bus string) *qmp.ReplyError {
	if bus != "" && bus != "pci.0" && m.device(strings.TrimSuffix(bus, ".0")) == nil {
		return qmp.Generic("Bus '" + bus + "' not found")
	}
	if model.busType == "" {
		return nil
	}
	for _, d := range m.devices {
		if other, _ := modelOf(d.driver); other.provides == model.busType {
			return nil
		}
	}
	return qmp.Generic("No '" + model.busType + "' bus found for device '" + model.name + "'")
}

// checkSlot reads the PCI address of a new device and looks whether the slot is free.
func (m *Machine) checkSlot(s *deviceSpec, address string) *qmp.ReplyError {
	slot, _, _ := strings.Cut(address, ".")
	n, err := strconv.ParseUint(strings.TrimPrefix(slot, "0x"), 16, 5)
	if err != nil || n == 0 {
		return nil
	}
	s.slot = int(n)
	for _, d := range m.devices {
		if d.slot == s.slot {
			name := ""
			if d.id != "" {
				name = ",id=" + d.id
			}
			return qmp.Generic("PCI: slot " + itoa(int64(n)) + " function 0 not available for " + s.driver + ", in use by " + d.driver + name)
		}
	}
	return nil
}

// deviceProperties are the properties of disks that clients set.
func deviceProperties() []string {
	return []string{
		"driver", "id", "drive", "bus", "addr", "serial", "share-rw", "write-cache", "werror", "rerror", "bootindex",
		"iothread", "num-queues", "queue-size", "logical_block_size", "physical_block_size", "min_io_size", "opt_io_size",
		"discard_granularity", "discard", "write-zeroes", "config-wce", "scsi", "lun", "scsi-id", "channel", "device_id",
		"wwn", "vendor", "product", "ver", "removable", "rotation_rate", "multifunction", "disable-legacy", "disable-modern",
		"iommu_platform", "ats", "packed", "event_idx", "failover", "unit", "port", "acpi-index", "romfile", "vectors",
	}
}

func checkProperties(a qmp.Value, model deviceModel) *qmp.ReplyError {
	known := deviceProperties()
	for _, p := range a.Members() {
		if !slices.Contains(known, p.Name) {
			return qmp.Generic("Property '" + model.name + "." + p.Name + "' not found")
		}
	}
	for _, policy := range []string{"werror", "rerror"} {
		v := property(a.Get(policy))
		if v != "" && !slices.Contains([]string{"ignore", "report", "stop", "enospc", "auto"}, v) {
			return qmp.Generic("Parameter '" + policy + "' does not accept value '" + v + "'")
		}
	}
	return nil
}

// deviceDel asks the guest to let a device go. Without a guest it never does, until a
// reset takes it away; a SCSI disk goes at once (seen with the real binary).
func (m *Machine) deviceDel(id string) *qmp.ReplyError {
	d := m.device(strings.TrimPrefix(id, "/machine/peripheral/"))
	if d == nil || id == "" {
		return &qmp.ReplyError{Class: qmp.DeviceNotFound, Desc: "Device '" + id + "' not found"}
	}
	model, _ := modelOf(d.driver)
	switch {
	case !model.plugs && model.name != "":
		return qmp.Generic("Bus '" + busOf(d.driver) + "' does not support hotplugging")
	case model.busType != "":
		m.unplug(d)
	case d.wantsUnplug && d.unplugStands:
		return qmp.Generic("Device " + d.id + " is already in the process of unplug")
	default:
		// A request of before the guest ran stands for ever, others are made anew: QEMU
		// notes the guest's clock, and nought is no time.
		d.wantsUnplug, d.unplugStands = true, !m.hasRun
	}
	return nil
}

// GuestEject lets a device go that the guest was asked for, as its ACPI would.
func (m *Machine) GuestEject(dev string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return ErrGone
	}
	d := m.device(dev)
	if d == nil || !d.wantsUnplug {
		return fmt.Errorf("guest: device '%s' is not there, or nobody wants it", dev)
	}
	if d.root != nil {
		m.pairs(d.root.child, 1) // it stops
	}
	m.unplug(d)
	return nil
}

// finishUnplugs takes away what was asked to go. The events come after the reply.
func (m *Machine) finishUnplugs() {
	for _, d := range slices.Clone(m.devices) {
		if d.wantsUnplug {
			m.afterReply = append(m.afterReply, func() { m.unplug(d) })
		}
	}
}

// unplug removes a device and says so, a virtio disk's backend first.
func (m *Machine) unplug(d *device) {
	if d.root != nil {
		m.noise(d.root.child)
		_ = d.root.detach()
		d.root = nil
	}
	m.devices = slices.DeleteFunc(m.devices, func(x *device) bool { return x == d })
	if d.isVirtio() {
		m.emit("DEVICE_DELETED", qmp.Dict(qmp.M("path", qmp.Str(d.backendPath()))))
	}
	var id qmp.Value
	if d.id != "" {
		id = qmp.Str(d.id)
	}
	m.emit("DEVICE_DELETED", qmp.Dict(qmp.M("device", id), qmp.M("path", qmp.Str(d.path))))
}
