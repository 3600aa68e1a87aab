package sim

import (
	"strings"

	"fleece/qmp"
)

// humanCommand executes the monitor's human commands that backup software uses:
// qemu-io, which is the one way to write to a disk without a guest (§10), info, and
// the run state. Lines end with CR LF.
func (m *Machine) humanCommand(line string) string {
	name, rest, _ := strings.Cut(strings.TrimLeft(line, " "), " ")
	switch name {
	case "":
		return ""
	case "qemu-io":
		return m.qemuIOCommand(rest)
	case "info":
		return m.humanInfo(strings.TrimSpace(rest))
	case "stop", "s":
		m.stop()
	case "cont", "c":
		return humanError(m.cont())
	case "system_reset":
		m.reset()
	case "system_powerdown":
		m.emit("POWERDOWN", qmp.Value{})
	case "drive_del":
		return "Device '" + rest + "' not found\r\n"
	case "help", "?":
		return "unknown command: '" + strings.TrimSpace(rest) + "'\r\n"
	default:
		if out, ok := m.humanVerb(name, strings.TrimSpace(rest)); ok {
			return out
		}
		return "unknown command: '" + name + "'\r\n"
	}
	return ""
}

// humanError is how the human monitor shows an error of a command.
func humanError(err *qmp.ReplyError) string {
	if err == nil {
		return ""
	}
	return "Error: " + err.Desc + "\r\n"
}

func (m *Machine) humanInfo(what string) string {
	name, option, _ := strings.Cut(what, " ")
	switch name {
	case "status":
		return m.infoStatus()
	case "version":
		v := &m.opts.Version
		return itoa(v.Major) + "." + itoa(v.Minor) + "." + itoa(v.Micro) + v.Package + "\r\n"
	case "name":
		if m.guestName == "" {
			return ""
		}
		return m.guestName + "\r\n"
	case "uuid":
		return m.guestUUID + "\r\n"
	case "kvm":
		return "kvm support: enabled\r\n"
	case "block":
		return m.infoBlock(option)
	case "blockstats":
		return m.infoBlockStats()
	case "snapshots":
		return "There is no snapshot available.\r\n"
	case "chardev":
		out := ""
		for _, id := range m.opts.Chardevs {
			out += id + ": filename=unix:\r\n"
		}
		return out
	case "mice":
		return "* Mouse #2: QEMU PS/2 Mouse\r\n"
	case "migrate":
		if m.migration.status == "" {
			return infoMigrate
		}
	case "iothreads":
		return m.infoIOThreads()
	case "block-jobs":
		return m.infoBlockJobs()
	}
	return "unknown command: 'info " + what + "'\r\n"
}

// infoMigrate is what is said before the first migration.
const infoMigrate = "globals:\r\nstore-global-state: on\r\nonly-migratable: off\r\nsend-configuration: on\r\n" +
	"send-section-footer: on\r\ndecompress-error-check: on\r\nclear-bitmap-shift: 18\r\n"

func (m *Machine) infoStatus() string {
	switch m.state {
	case stateRunning:
		return "VM status: running\r\n"
	case statePaused:
		return "VM status: paused\r\n"
	}
	return "VM status: paused (" + string(m.state) + ")\r\n"
}

// infoBlock lists the devices, or with -n the named nodes, or the node that is named;
// the name of a device is none.
func (m *Machine) infoBlock(option string) string {
	var out []string
	switch {
	case option == "" || option == "-v":
	case option != "-n":
		n := m.node(option)
		switch {
		case n == nil:
			return ""
		case n == m.nodes[len(m.nodes)-1]:
			return n.info()
		}
		return "\r\n" + n.info() // the line before the next of the list
	default:
		for i := len(m.nodes) - 1; i >= 0; i-- {
			out = append(out, m.nodes[i].info())
		}
		return strings.Join(out, "\r\n")
	}
	for _, d := range m.devices {
		switch {
		case !d.isDisk():
		case d.root == nil:
			out = append(out, d.id+": [not inserted]\r\n    Attached to:      "+d.qdev()+"\r\n")
		default:
			out = append(out, d.info())
		}
	}
	return strings.Join(out, "\r\n")
}

func (d *device) info() string {
	n := d.root.child
	out := n.infoHead() + "    Attached to:      " + d.qdev() + "\r\n"
	if d.ioStatus != "ok" {
		out += "    I/O status:       " + d.ioStatus + "\r\n"
	}
	return out + n.infoTail()
}

func (n *node) info() string { return n.infoHead() + n.infoTail() }

func (n *node) infoHead() string {
	readOnly := ""
	if n.readOnly {
		readOnly = ", read-only"
	}
	return n.name + ": " + n.filename() + " (" + n.kind + readOnly + ")\r\n"
}

func (n *node) infoTail() string {
	out := "    Cache mode:       writeback\r\n"
	if b := n.backing(); b != nil {
		out += "    Backing file:     " + b.filename() + " (chain depth: " + itoa(n.depth(true)) + ")\r\n"
	}
	if zeroes := n.options.Get("detect-zeroes").TextOr("off"); zeroes != "off" {
		out += "    Detect zeroes:    " + zeroes + "\r\n"
	}
	return out
}

func (m *Machine) infoBlockJobs() string {
	out := ""
	for i := len(m.jobs) - 1; i >= 0; i-- {
		j := m.jobs[i]
		if !j.blockJob {
			continue
		}
		current, total := j.work.progress()
		out += "Type " + j.kind + ", device " + j.id + ": Completed " + itoa(current) + " of " + itoa(total) +
			" bytes, speed limit " + itoa(j.work.speed()) + " bytes/s\r\n"
	}
	if out == "" {
		return "No active jobs\r\n"
	}
	return out
}

// infoBlockStats counts what the guest asked of each device; the times that requests
// took are nought here.
func (m *Machine) infoBlockStats() string {
	out := ""
	for _, d := range m.devices {
		if !d.isDisk() {
			continue
		}
		s := &d.io
		out += ": rd_bytes=" + itoa(s.readBytes) + " wr_bytes=" + itoa(s.writeBytes) + " rd_operations=" + itoa(s.reads) +
			" wr_operations=" + itoa(s.writes) + " flush_operations=" + itoa(s.flushes) +
			" wr_total_time_ns=0 rd_total_time_ns=0 flush_total_time_ns=0 rd_merged=0 wr_merged=0 idle_time_ns=0\r\n"
	}
	return out
}

func (m *Machine) infoIOThreads() string {
	out := ""
	for i := len(m.objects) - 1; i >= 0; i-- {
		if o := &m.objects[i]; o.kind == "iothread" {
			out += o.id + ":\r\n  thread_id=" + itoa(iothreadFirst+int64(i)) + "\r\n  poll-max-ns=" + itoa(o.poll.maxNS) +
				"\r\n  poll-grow=" + itoa(o.poll.grow) + "\r\n  poll-shrink=" + itoa(o.poll.shrink) + "\r\n  aio-max-batch=" + itoa(o.poll.batch) + "\r\n"
		}
	}
	return out
}
