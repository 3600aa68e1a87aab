package sim

import (
	"slices"
	"strings"

	"fleece/qmp"
)

// qomCommand executes what looks at the object tree: user-created objects, disks, and
// the containers that have them. The machine's own parts are not simulated.
func (m *Machine) qomCommand(cmd qmp.Command) (v qmp.Value, done bool, err *qmp.ReplyError) {
	path := cmd.Args.Get("path").S()
	switch cmd.Name {
	case "qom-list":
		v, err = m.qomList(path)
	case "qom-get":
		v, err = m.qomGet(path, cmd.Args.Get("property").S())
	case "qom-set":
		v, err = qmp.Dict(), m.qomSet(path, cmd.Args.Get("property").S(), cmd.Args.Get("value"))
	default:
		return v, false, nil
	}
	return v, true, err
}

func noObject(path string) *qmp.ReplyError {
	return &qmp.ReplyError{Class: qmp.DeviceNotFound, Desc: "Device '" + path + "' not found"}
}

// noProperty is the error of a property that a type does not have.
func noProperty(kind, name string) *qmp.ReplyError {
	return qmp.Generic("Property '" + kind + "." + name + "' not found")
}

// Containers of the object tree.
const (
	qomObjects = "/objects"
	qomNamed   = "/machine/peripheral"
	qomUnnamed = "/machine/peripheral-anon"
	qomMachine = "pc-i440fx-7.2-machine"
)

// qomList lists a container, its latest child first.
func (m *Machine) qomList(path string) (qmp.Value, *qmp.ReplyError) {
	out := []qmp.Value{qomEntry("type", "string")}
	switch path {
	case qomObjects:
		for i := len(m.objects) - 1; i >= 0; i-- {
			out = append(out, qomEntry(m.objects[i].id, "child<"+m.objects[i].kind+">"))
		}
		out = append(out, qomEntry("pc.ram", "child<memory-backend-ram>"))
	case qomNamed, qomUnnamed:
		for _, d := range slices.Backward(m.devices) {
			if name, ok := strings.CutPrefix(d.path, path+"/"); ok {
				out = append(out, qomEntry(name, "child<"+d.driver+">"))
			}
		}
	default:
		if m.qomDevice(path) == nil && m.qomObject(path) == nil && path != "/machine" && path != "/" {
			return qmp.Value{}, noObject(path)
		}
		return qmp.Value{}, qmp.Generic("The properties of '" + path + "' are not simulated")
	}
	return qmp.List(out...), nil
}

func qomEntry(name, kind string) qmp.Value {
	return qmp.Dict(qmp.M("name", qmp.Str(name)), qmp.M("type", qmp.Str(kind)))
}

func (m *Machine) qomObject(path string) *object {
	id, ok := strings.CutPrefix(path, qomObjects+"/")
	if !ok {
		return nil
	}
	return m.object(id)
}

// qomDevice finds a device by its path, or by that of its backend.
func (m *Machine) qomDevice(path string) *device {
	for _, d := range m.devices {
		if path == d.path || path == d.backendPath() {
			return d
		}
	}
	return nil
}

func (m *Machine) qomGet(path, property string) (qmp.Value, *qmp.ReplyError) {
	if d := m.qomDevice(path); d != nil {
		return d.property(path, property)
	}
	if o := m.qomObject(path); o != nil {
		return o.property(property)
	}
	switch {
	case path != "/machine":
		return qmp.Value{}, noObject(path)
	case property == "type":
		return qmp.Str(qomMachine), nil
	}
	return qmp.Value{}, noProperty(qomMachine, property)
}

// property is a property of a disk or of its backend.
func (d *device) property(path, name string) (qmp.Value, *qmp.ReplyError) {
	kind := d.driver
	if path != d.path {
		kind = "virtio-blk-device"
	}
	switch name {
	case "type":
		return qmp.Str(kind), nil
	case "realized", "hotplugged":
		return qmp.Bool(name == "realized"), nil
	case "id":
		return qmp.Str(d.id), nil
	case "drive":
		if d.root == nil {
			return qmp.Str(""), nil
		}
		return qmp.Str(d.root.child.name), nil
	}
	return qmp.Value{}, noProperty(kind, name)
}

// property is a property of a user-created object.
func (o *object) property(name string) (qmp.Value, *qmp.ReplyError) {
	switch {
	case name == "type":
		return qmp.Str(o.kind), nil
	case o.kind == "secret" && name == "data":
		return qmp.Str(o.data), nil
	case o.kind == "secret" && name == "loaded":
		return qmp.Bool(true), nil
	case o.kind == "iothread":
		for _, p := range [...]struct {
			name string
			v    int64
		}{{"poll-max-ns", o.poll.maxNS}, {"poll-grow", o.poll.grow}, {"poll-shrink", o.poll.shrink}, {"aio-max-batch", o.poll.batch}} {
			if p.name == name {
				return qmp.Int(p.v), nil
			}
		}
	case o.kind == "throttle-group" && name == "limits":
		return o.limits.query(), nil
	case o.kind == "throttle-group" && name == "x-iops-total":
		return qmp.Int(o.limits.iops), nil
	case o.kind == "throttle-group" && name == "x-bps-total":
		return qmp.Int(o.limits.bps), nil
	}
	return qmp.Value{}, noProperty(o.kind, name)
}

// query is ThrottleLimits; bursts are not known.
func (l throttleLimits) query() qmp.Value {
	var out []qmp.Member
	for _, x := range [...]struct {
		name string
		v    int64
	}{
		{"bps-total", l.bps}, {"bps-read", l.bpsRead}, {"bps-write", l.bpsWrite},
		{"iops-total", l.iops}, {"iops-read", l.iopsRead}, {"iops-write", l.iopsWrite},
	} {
		out = append(out, qmp.M(x.name, qmp.Int(x.v)), qmp.M(x.name+"-max", qmp.Int(0)), qmp.M(x.name+"-max-length", qmp.Int(1)))
	}
	return qmp.Dict(append(out, qmp.M("iops-size", qmp.Int(0)))...)
}

func (m *Machine) qomSet(path, property string, v qmp.Value) *qmp.ReplyError {
	d, o := m.qomDevice(path), m.qomObject(path)
	switch {
	case d == nil && o == nil:
		return noObject(path)
	case d != nil && property == "drive":
		return m.setDrive(d, v.S())
	case o != nil && o.kind == "throttle-group" && property == "limits":
		limits, err := parseLimits(v)
		if err == nil {
			o.limits = limits
		}
		return err
	case d != nil:
		return qmp.Generic("Attempt to set property '" + property + "' on device '" + d.id + "' (type '" + d.driver + "') after it was realized")
	}
	return noProperty(o.kind, property)
}

// setDrive gives a disk another node while the guest uses it (set_drive_helper).
func (m *Machine) setDrive(d *device, name string) *qmp.ReplyError {
	to := m.node(name)
	model, _ := modelOf(d.driver)
	if to == nil {
		return qmp.Generic("Property '" + model.property + ".drive' can't find value '" + name + "'")
	}
	if d.root == nil {
		return qmp.Generic("Setting property '" + model.property + ".drive' of an empty drive is not simulated")
	}
	from := d.root.child
	section := m.drain(from)
	defer section.end()
	d.root.moveTo(to)
	if err := to.conflictBelow(); err != nil {
		d.root.moveTo(from)
		return err
	}
	return nil
}
