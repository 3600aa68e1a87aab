package sim

import "fleece/qmp"

// probe answers what clients ask about the parts of a machine that are not simulated:
// what a PC without display, network and balloon says (seen with the real binary).
func (m *Machine) probe(cmd qmp.Command) (v qmp.Value, done bool, err *qmp.ReplyError) {
	if text := probed(cmd.Name); text != "" {
		v, bad := qmp.Decode([]byte(text))
		if bad != nil {
			return v, true, qmp.Generic(bad.Error())
		}
		return v, true, nil
	}
	if err := m.absent(cmd); err != nil {
		return v, true, err
	}
	switch cmd.Name {
	case "query-chardev":
		return m.queryChardevs(), true, nil
	case "query-memory-size-summary":
		return qmp.Dict(qmp.M("base-memory", qmp.Int(m.memoryBytes())), qmp.M("plugged-memory", qmp.Int(0))), true, nil
	case "query-yank":
		return m.queryYank(), true, nil
	}
	return v, false, nil
}

// probed are the answers that are always the same; "" is none.
func probed(command string) string {
	switch command {
	case "query-fdsets", "query-memory-devices", "query-tpm", "query-pr-managers", "query-acpi-ospm-status", "query-vnc-servers", "query-rx-filter":
		return "[]"
	case "set-action", "watchdog-set-action", "rtc-reset-reinjection", "send-key", "announce-self":
		return "{}"
	case "query-dump":
		return `{"completed": 0, "status": "none", "total": 0}`
	case "query-vnc":
		return `{"enabled": false}`
	case "query-spice":
		return `{"enabled": false, "migrated": false, "mouse-mode": "client"}`
	case "query-mice":
		return `[{"absolute": false, "current": true, "index": 2, "name": "QEMU PS/2 Mouse"}]`
	case "query-replay":
		return `{"icount": 0, "mode": "none"}`
	case "query-sev":
		return `{"api-major": 0, "api-minor": 0, "build-id": 0, "enabled": false, "handle": 0, "policy": 0, "state": "uninit"}`
	case "query-hotpluggable-cpus":
		return `[{"props": {"core-id": 0, "socket-id": 0}, "qom-path": "/machine/unattached/device[0]", "type": "qemu64-x86_64-cpu", "vcpus-count": 1}]`
	case "query-cpus-fast":
		return `[{"cpu-index": 0, "props": {"core-id": 0, "socket-id": 0}, "qom-path": "/machine/unattached/device[0]", "target": "x86_64", "thread-id": 1}]`
	case "query-current-machine":
		return `{"wakeup-suspend-support": true}`
	case "query-display-options":
		return `{"type": "none"}`
	case "query-xen-replication-status":
		return `{"error": false}`
	case "query-colo-status":
		return `{"last-mode": "none", "mode": "none", "reason": "none"}`
	case "query-tpm-models":
		return `["tpm-crb", "tpm-tis"]`
	case "query-tpm-types":
		return `["passthrough", "emulator"]`
	case "query-dump-guest-memory-capability":
		return `{"formats": ["elf", "kdump-zlib", "win-dmp"]}`
	}
	return ""
}

// absent is the error of a command about what the machine does not have; nil for others.
func (m *Machine) absent(cmd qmp.Command) *qmp.ReplyError {
	text := func(name string) string { return cmd.Args.Get(name).S() }
	noDevice := func(id string) *qmp.ReplyError {
		return &qmp.ReplyError{Class: qmp.DeviceNotFound, Desc: "Device '" + id + "' not found"}
	}
	switch cmd.Name {
	case "query-balloon", "balloon":
		return &qmp.ReplyError{Class: qmp.DeviceNotActive, Desc: "No balloon device has been activated"}
	case "query-vm-generation-id":
		return qmp.Generic("VM Generation ID device not found")
	case "getfd", "add-fd":
		return qmp.Generic("No file descriptor supplied via SCM_RIGHTS")
	case "closefd":
		return qmp.Generic("File descriptor named '" + text("fdname") + "' not found")
	case "remove-fd":
		name := "fdset-id:" + cmd.Args.Get("fdset-id").String()
		if fd := cmd.Args.Get("fd"); fd.Present() {
			name += ", fd:" + fd.String()
		}
		return qmp.Generic("File descriptor named '" + name + "' not found")
	case "set_password", "change-vnc-password":
		return qmp.Generic("Could not set password")
	case "expire_password":
		return qmp.Generic("Could not set password expire time")
	case "screendump":
		return qmp.Generic("There is no console to take a screendump from")
	case "netdev_del":
		return noDevice(text("id"))
	case "device-list-properties":
		return noDevice(text("typename"))
	case "ringbuf-read", "ringbuf-write":
		return qmp.Generic("Device '" + text("device") + "' not found")
	case "x-exit-preconfig":
		return qmp.Generic("The command is permitted only before machine initialization")
	case "replay-break":
		return qmp.Generic("setting the breakpoint is allowed only in play mode")
	case "chardev-remove":
		for _, id := range m.opts.Chardevs {
			if id == text("id") {
				return qmp.Generic("Chardev '" + id + "' is busy")
			}
		}
		return qmp.Generic("Chardev '" + text("id") + "' not found")
	}
	return nil
}

// queryChardevs lists the monitors' sockets that connected to who listened.
func (m *Machine) queryChardevs() qmp.Value {
	var out []qmp.Value
	for _, id := range m.opts.Chardevs {
		out = append(out, qmp.Dict(qmp.M("filename", qmp.Str("unix:")), qmp.M("frontend-open", qmp.Bool(true)), qmp.M("label", qmp.Str(id))))
	}
	return qmp.List(out...)
}

// queryYank lists what can be cut off: sockets that connected, NBD clients, a migration.
func (m *Machine) queryYank() qmp.Value {
	kind := func(name string) qmp.Member { return qmp.M("type", qmp.Str(name)) }
	var out []qmp.Value
	for _, id := range m.opts.Chardevs {
		out = append(out, qmp.Dict(kind("chardev"), qmp.M("id", qmp.Str(id))))
	}
	for _, n := range m.nodes {
		if n.kind == "nbd" {
			out = append(out, qmp.Dict(kind("block-node"), qmp.M("node-name", qmp.Str(n.name))))
		}
	}
	if m.migration.runs() {
		out = append(out, qmp.Dict(kind("migration")))
	}
	return qmp.List(out...)
}

// memoryDefault is the memory of a machine about which nothing is said, in bytes.
const memoryDefault = 32 << 20

func (m *Machine) memoryBytes() int64 {
	if m.memory > 0 {
		return m.memory
	}
	return memoryDefault
}
