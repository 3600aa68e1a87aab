package qmp

// DeviceAdd is device_add of a disk over a node, "" for an empty drive. The properties of
// a device are no part of the schema, so it has no type.
func DeviceAdd(driver, id, drive, serial string) Command {
	return Command{"device_add", Dict(M("driver", Str(driver)), M("id", Str(id)), M("drive", text(drive)), M("serial", text(serial)))}
}

// DeviceDel is device_del: the guest is asked to let a device go, DEVICE_DELETED tells
// when it has. An unknown one is DeviceNotFound.
type DeviceDel struct {
	ID string `qmp:"id"`
}

// Command gives it as a command.
func (d DeviceDel) Command() Command { return Command{"device_del", Dict(M("id", Str(d.ID)))} }

// AsDeviceDeleted reads the id of DEVICE_DELETED, "" for a device that has none; ok is
// false if e is another event.
func AsDeviceDeleted(e Event) (id string, ok bool) {
	if e.Name != EventDeviceDeleted {
		return "", false
	}
	return e.Data.Get("device").S(), true
}
