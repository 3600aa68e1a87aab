package real

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"fleece/qmp"
	"fleece/qmp/qmpnet"
	"fleece/rt/realrt"
)

// guest does the guest's I/O without a guest: HMP's qemu-io on the device, which
// goes through the device's backend and so through filters and bitmaps
// (qemu-behaviour §10). The reply is empty even on failure; the result is on
// QEMU's stdout.
type guest struct {
	m  *Machine
	mu sync.Mutex // one request at a time: the lines of two would mix

	monitor  *qmp.Monitor // opened at the first request
	conn     *qmpnet.Conn
	requests int
}

// readMax is the most that GuestRead reads with one command, in bytes: the
// output is a hex dump.
const readMax = 64 << 10

// GuestWrite writes data as the guest would and reports what QEMU said of it.
// Afterwards the first and the last sector are read back and compared.
func (h *Hypervisor) GuestWrite(domain, device string, off int64, data []byte) error {
	m, err := h.running(domain)
	if err != nil {
		return err
	}
	g := m.guest
	g.mu.Lock()
	defer g.mu.Unlock()
	file := filepath.Join(m.dir, "pattern")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return err
	}
	g.requests++
	if _, err := g.io(device, fmt.Sprintf("write -s %s %d %d", file, off, len(data)), fmt.Sprintf("wrote %d/%d bytes at offset %d", len(data), len(data), off)); err != nil {
		return err
	}
	return g.verify(device, off, data)
}

// verifyBytes is how much is read back at each end of a write.
const verifyBytes = 512

func (g *guest) verify(device string, off int64, data []byte) error {
	n := min(len(data), verifyBytes)
	back := make([]byte, n)
	for _, at := range []int{0, len(data) - n} {
		if err := g.read(device, off+int64(at), back); err != nil {
			return fmt.Errorf("read back what was written: %w", err)
		}
		if string(back) != string(data[at:at+n]) {
			return fmt.Errorf("%w: at offset %d", ErrReadBack, off+int64(at))
		}
		if len(data) == n {
			break
		}
	}
	return nil
}

// ErrReadBack says that a write which QEMU reported as done does not read back.
// It is a fault of the harness or of QEMU, never one of a backup.
var ErrReadBack = errors.New("the guest reads something else than it wrote")

// GuestRead reads as the guest would.
func (h *Hypervisor) GuestRead(domain, device string, off int64, data []byte) error {
	m, err := h.running(domain)
	if err != nil {
		return err
	}
	m.guest.mu.Lock()
	defer m.guest.mu.Unlock()
	for len(data) > 0 {
		n := min(len(data), readMax)
		if err := m.guest.read(device, off, data[:n]); err != nil {
			return err
		}
		data, off = data[n:], off+int64(n)
	}
	return nil
}

// read is one qemu-io read; it parses the hex dump.
func (g *guest) read(device string, off int64, p []byte) error {
	lines, err := g.io(device, fmt.Sprintf("read -v %d %d", off, len(p)), fmt.Sprintf("read %d/%d bytes at offset %d", len(p), len(p), off))
	if err != nil {
		return err
	}
	got := make([]byte, 0, len(p))
	for _, l := range lines {
		_, rest, ok := strings.Cut(l, ":  ")
		if !ok {
			continue
		}
		digits, _, _ := strings.Cut(rest, "  ")
		b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(digits), " ", ""))
		if err != nil {
			return fmt.Errorf("hex dump of qemu-io: %q: %w", l, err)
		}
		got = append(got, b...)
	}
	if len(got) != len(p) {
		return fmt.Errorf("hex dump of qemu-io: %d bytes, %d were asked for", len(got), len(p))
	}
	copy(p, got)
	return nil
}

// io runs one qemu-io command and returns the lines before the one that says
// that it is done. A line that does not belong to it is an error of QEMU.
func (g *guest) io(device, command, done string) ([]string, error) {
	if err := g.open(); err != nil {
		return nil, err
	}
	g.m.tty.forget()
	_, err := g.monitor.Run(qmp.Command{Name: "human-monitor-command", Args: qmp.Dict(
		qmp.M("command-line", qmp.Str(fmt.Sprintf("qemu-io -d %s/virtio-backend \"%s\"", device, command))))})
	if err != nil {
		return nil, err
	}
	var lines []string
	for {
		line, ok := g.m.tty.next()
		switch {
		case !ok:
			return nil, errors.New("QEMU's output ended")
		case line == done:
			// One more line tells the speed.
			_, _ = g.m.tty.next()
			return lines, nil
		case strings.Contains(line, " failed: "), strings.HasPrefix(line, "Error:"), strings.HasPrefix(line, "qemu-io: "):
			return nil, fmt.Errorf("qemu-io %s: %s", command, line)
		}
		lines = append(lines, line)
	}
}

// open connects the guest's own monitor.
func (g *guest) open() error {
	if g.monitor != nil {
		return nil
	}
	conn, err := g.m.dial(guestMonitor)
	if err != nil {
		return err
	}
	monitor := qmp.NewMonitor(realrt.NewWorld().NewProcess("guest"), conn, qmp.MonitorOptions{Name: "guest"})
	if _, err := monitor.Negotiate(); err != nil {
		_ = conn.Close()
		return err
	}
	g.conn, g.monitor = conn, monitor
	return nil
}

func (g *guest) close() {
	if g.conn != nil {
		_ = g.conn.Close()
	}
}
