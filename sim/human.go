package sim

import (
	"bytes"
	"strconv"
	"strings"
)

// humanCommand executes the monitor's human commands: qemu-io only, which is the
// one way to write to a disk without a guest (§10). The reply is empty also when
// the I/O failed; the result goes to stdout.
func (m *Machine) humanCommand(line string) string {
	rest, ok := strings.CutPrefix(line, "qemu-io ")
	if !ok {
		name, _, _ := strings.Cut(line, " ")
		return "unknown command: '" + name + "'\r\n"
	}
	isDevice := false
	if after, ok := strings.CutPrefix(rest, "-d "); ok {
		isDevice, rest = true, after
	}
	target, command, _ := strings.Cut(rest, " ")
	command = strings.Trim(command, `"`)
	if isDevice {
		return m.qemuIODevice(target, command)
	}
	return m.qemuIONode(target, command)
}

// qemuIODevice goes through the device's backend, and so through filters.
func (m *Machine) qemuIODevice(name, command string) string {
	d := m.backend(name)
	if d == nil || d.root == nil {
		if m.device(name) != nil {
			return "Error: Device does not have a block device backend\r\n"
		}
		return "Error: Device '" + name + "' not found\r\n"
	}
	m.beginGuestIO()
	m.qemuIO(d.root.child, command)
	m.endGuestIO()
	return ""
}

// backend finds a device by the path of its block backend (§10).
func (m *Machine) backend(name string) *device {
	for _, d := range m.devices {
		if name == d.qdev() || d.isVirtio() && name == d.id+"/virtio-backend" || !d.isVirtio() && name == d.id {
			return d
		}
	}
	return nil
}

// qemuIONode opens a backend on a node for the time of the command; opening and
// closing drain, which jobs above and below show (§5.6).
func (m *Machine) qemuIONode(name, command string) string {
	n, err := m.lookup(name)
	if err != nil {
		return "Error: " + err.Desc + "\r\n"
	}
	writes := !strings.HasPrefix(command, "read")
	u := &user{label: "an unnamed block device", perm: permRead, shared: permAll}
	if writes {
		u.perm |= permWrite
	}
	d := m.drain(n)
	d.end()
	e := n.use("root", u)
	result := ""
	if err := n.conflictBelow(); err != nil {
		result = "Error: " + err.Desc + "\r\n"
	} else {
		m.qemuIO(n, command)
	}
	owned := n.owned
	n.owned = true // the backend does not take the node with it
	_ = e.detach()
	n.owned = owned
	d = m.drain(n)
	d.end()
	return result
}

// ioRequest is a parsed qemu-io command.
type ioRequest struct {
	verb    string
	pattern byte
	zero    bool
	off, n  int64
}

const ioBytesMax = 1 << 31

func parseIO(command string) (r ioRequest, ok bool) {
	words := strings.Fields(command)
	if len(words) == 0 {
		return r, false
	}
	r.verb, r.pattern = words[0], 0xcd
	words = words[1:]
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		switch words[0] {
		case "-P":
			if len(words) < 2 {
				return r, false
			}
			p, err := strconv.ParseUint(words[1], 0, 8)
			if err != nil {
				return r, false
			}
			r.pattern = byte(p)
			words = words[1:]
		case "-z":
			r.zero = true
		}
		words = words[1:]
	}
	if len(words) != 2 {
		return r, r.verb == "flush"
	}
	off, ok1 := parseSize(words[0])
	n, ok2 := parseSize(words[1])
	r.off, r.n = off, n
	return r, ok1 && ok2 && n <= ioBytesMax
}

func parseSize(s string) (int64, bool) {
	shift := uint(0)
	if s != "" {
		switch s[len(s)-1] {
		case 'k', 'K':
			shift = 10
		case 'm', 'M':
			shift = 20
		case 'g', 'G':
			shift = 30
		}
	}
	if shift > 0 {
		s = s[:len(s)-1]
	}
	n, err := strconv.ParseInt(s, 0, 64)
	return n << shift, err == nil && n >= 0
}

// qemuIO does the request and prints what qemu-io prints.
func (m *Machine) qemuIO(n *node, command string) {
	r, ok := parseIO(command)
	if !ok || r.off+r.n > n.length() {
		m.print("Invalid argument: " + command)
		return
	}
	err := m.doIO(n, r)
	switch {
	case err != nil:
		m.print(r.verb + " failed: " + errText(err))
	case r.verb != "flush":
		m.print(r.verb + " " + itoa(r.n) + "/" + itoa(r.n) + " bytes at offset " + itoa(r.off))
	}
}

func (m *Machine) doIO(n *node, r ioRequest) error {
	switch {
	case r.verb == "flush":
		return n.flushDown()
	case r.verb == "discard":
		return m.guestDiscard(n, r.off, r.n)
	case r.verb == "write" && r.zero:
		return m.through(n, r.off, r.n, func(n *node) error { return n.zero(r.off, r.n) })
	case r.verb == "write":
		return m.guestWrite(n, r.off, bytes.Repeat([]byte{r.pattern}, int(r.n)))
	case r.verb == "read":
		p := make([]byte, r.n)
		if err := n.readFull(p, r.off); err != nil {
			return err
		}
		if strings.Contains(r.verb, "-P") && len(bytes.TrimLeft(p, string(r.pattern))) > 0 {
			m.print("Pattern verification failed at offset " + itoa(r.off))
		}
	}
	return nil
}
