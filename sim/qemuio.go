package sim

import (
	"bytes"
	"strconv"
	"strings"

	"fleece/qmp"
)

// qemuIOCommand runs a command of qemu-io on a node or, with -d, on a device's
// backend. The reply is empty also when the I/O failed; the result goes to stdout.
func (m *Machine) qemuIOCommand(rest string) string {
	isDevice := false
	if after, ok := strings.CutPrefix(rest, "-d"); ok && (after == "" || after[0] == ' ') {
		isDevice, rest = true, strings.TrimLeft(after, " ")
	}
	target, command, _ := strings.Cut(rest, " ")
	if target == "" {
		return "qemu-io: block device name expected\r\nTry \"help qemu-io\" for more information\r\n"
	}
	if !strings.HasPrefix(command, `"`) && strings.Contains(command, " ") {
		return "qemu-io: extraneous characters at the end of line\r\nTry \"help qemu-io\" for more information\r\n"
	}
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
	if writesTo(command) && d.user.perm&permWrite == 0 {
		d.user.perm |= permWrite
		err := d.root.child.conflictBelow()
		d.user.perm &^= permWrite
		if err != nil {
			return err.Desc + lockHint(d.root.child, err) + "\r\n"
		}
	}
	m.beginGuestIO(writesTo(command))
	m.qemuIO(d.root.child, command)
	if r, ok := parseIO(command); ok && d.root != nil { // of its requests QEMU counts these
		switch r.verb {
		case "aio_write":
			d.io.count("write", r.n, false)
		case "aio_read":
			d.io.count("read", r.n, false)
		}
	}
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

// qdevBackend is backend with the errors of blk_by_qdev_id.
func (m *Machine) qdevBackend(id string) (*device, *qmp.ReplyError) {
	if d := m.backend(id); d != nil {
		return d, nil
	}
	if m.device(id) != nil && id != "" {
		return nil, qmp.Generic("Device does not have a block device backend")
	}
	return nil, &qmp.ReplyError{Class: qmp.DeviceNotFound, Desc: "Device '" + id + "' not found"}
}

// qemuIONode opens a backend on a node for the time of the command; opening and
// closing drain, which jobs above and below show (§5.6).
func (m *Machine) qemuIONode(name, command string) string {
	n := m.node(name)
	if n == nil {
		return "Error: Cannot find device='' nor node-name='" + name + "'\r\n"
	}
	u := &user{label: "an unnamed block device", shared: permAll}
	m.pairs(n, 1)
	e := n.use("root", u)
	if err := n.conflictBelow(); err != nil {
		e.drop()
		return humanError(err)
	}
	result := ""
	if err := u.mayRun(n, command); err != nil {
		result = err.Desc + lockHint(n, err) + "\r\n"
	} else {
		m.qemuIO(n, command)
	}
	e.drop()
	m.pairs(n, 1)
	return result
}

// lockHint is what the human monitor adds to a refused lock.
func lockHint(n *node, err *qmp.ReplyError) string {
	if !strings.HasPrefix(err.Desc, "Failed to get ") {
		return ""
	}
	return "\r\nIs another process using the image [" + n.filename() + "]?"
}

// mayRun takes the permission that a command needs.
func (u *user) mayRun(n *node, command string) *qmp.ReplyError {
	if !writesTo(command) {
		return nil
	}
	u.perm = permWrite
	return n.conflictBelow()
}

// ioRequest is a parsed qemu-io command.
type ioRequest struct {
	verb    string
	pattern byte
	zero    bool
	verify  bool // -P was given
	unmap   bool // -u was given
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
			r.pattern, r.verify = byte(p), true
			words = words[1:]
		case "-z":
			r.zero = true
		case "-u":
			r.unmap = true
		}
		words = words[1:]
	}
	if isVector := strings.HasSuffix(r.verb, "v") || strings.HasPrefix(r.verb, "aio_"); isVector && len(words) > 2 {
		words = gathered(words) // the buffers one after the other
	}
	if r.verb == "truncate" && len(words) == 1 {
		n, ok := parseSize(words[0])
		r.off = n
		return r, ok
	}
	if len(words) != 2 {
		return r, r.verb == "flush" || r.verb == "length"
	}
	off, ok1 := parseSize(words[0])
	n, ok2 := parseSize(words[1])
	r.off, r.n = off, n
	return r, ok1 && ok2 && n <= ioBytesMax
}

// gathered makes the lengths of a vector's buffers one.
func gathered(words []string) []string {
	total := int64(0)
	for _, w := range words[1:] {
		n, ok := parseSize(w)
		if !ok {
			return words[:2]
		}
		total += n
	}
	return []string{words[0], itoa(total)}
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

// writesTo reports whether a command needs to write: qemu-io asks for the permission
// before it runs one.
func writesTo(command string) bool {
	verb, _, _ := strings.Cut(strings.TrimLeft(command, " "), " ")
	switch verb {
	case "write", "w", "writev", "aio_write", "discard", "d", "truncate":
		return true
	}
	return false
}

// qemuIO does the request and prints what qemu-io prints.
func (m *Machine) qemuIO(n *node, command string) {
	r, ok := parseIO(command)
	switch {
	case !ok:
		m.print("command \"" + r.verb + "\" not found")
		return
	case r.verb != "truncate" && r.off+r.n > n.length():
		m.print(r.verb + " failed: Input/output error")
		return
	}
	err := m.doIO(n, r)
	verb := r.verb
	if verb == "write" {
		verb = "wrote"
	}
	switch {
	case err != nil:
		m.print(r.verb + " failed: " + errText(err))
	case r.verb == "length":
		m.print(itoa(n.length()))
	case r.verb != "flush":
		m.print(verb + " " + itoa(r.n) + "/" + itoa(r.n) + " bytes at offset " + itoa(r.off))
	}
}

func (m *Machine) doIO(n *node, r ioRequest) error {
	switch {
	case r.verb == "flush":
		return n.flushDown()
	case r.verb == "truncate":
		return n.resize(r.off)
	case r.verb == "discard":
		return m.guestDiscard(n, r.off, r.n)
	case r.zero && (r.verb == "write" || r.verb == "aio_write"):
		return m.through(n, change{off: r.off, length: r.n}, func(n *node) error {
			if r.unmap {
				return n.zeroUnmap(r.off, r.n)
			}
			return n.zero(r.off, r.n)
		})
	case r.verb == "write", r.verb == "writev", r.verb == "aio_write":
		return m.guestWrite(n, r.off, bytes.Repeat([]byte{r.pattern}, int(r.n)))
	case r.verb == "read", r.verb == "readv", r.verb == "aio_read":
		p := make([]byte, r.n)
		if err := n.readFull(p, r.off); err != nil {
			return err
		}
		if r.verify && bytes.Count(p, []byte{r.pattern}) < len(p) {
			m.print("Pattern verification failed at offset " + itoa(r.off) + ", " + itoa(r.n) + " bytes")
		}
	}
	return nil
}
