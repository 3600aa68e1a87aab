package real

import (
	"bufio"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo terminal that QEMU has as its stdout. On a pipe its C
// library would buffer what qemu-io prints; on a terminal each line comes at once.
type terminal struct {
	master *os.File
	slave  *os.File // kept open, so that the master does not end with QEMU
	name   string

	mu    sync.Mutex
	lines []string
	ready *sync.Cond
	ended bool
}

// terminalLinesMax bounds the lines that nobody has asked for.
const terminalLinesMax = 10000

// openTerminal makes a raw pseudo terminal.
func openTerminal() (*terminal, error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		_ = master.Close()
		return nil, fmt.Errorf("unlock the pseudo terminal: %w", err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		_ = master.Close()
		return nil, fmt.Errorf("name of the pseudo terminal: %w", err)
	}
	t := &terminal{master: master, name: fmt.Sprintf("/dev/pts/%d", n)}
	t.ready = sync.NewCond(&t.mu)
	if t.slave, err = os.OpenFile(t.name, os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0); err != nil {
		_ = master.Close()
		return nil, err
	}
	if err := raw(int(t.slave.Fd())); err != nil {
		t.close()
		return nil, err
	}
	go t.read()
	return t, nil
}

// raw turns off everything that a terminal does to its input and output.
func raw(fd int) error {
	attributes, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	attributes.Iflag, attributes.Oflag, attributes.Lflag = 0, 0, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, attributes)
}

// read collects lines until the terminal is closed.
func (t *terminal) read() {
	sc := bufio.NewScanner(t.master)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		t.mu.Lock()
		if len(t.lines) < terminalLinesMax {
			t.lines = append(t.lines, sc.Text())
		}
		t.ready.Broadcast()
		t.mu.Unlock()
	}
	t.mu.Lock()
	t.ended = true
	t.ready.Broadcast()
	t.mu.Unlock()
}

// forget drops the lines that nobody has asked for.
func (t *terminal) forget() {
	t.mu.Lock()
	t.lines = nil
	t.mu.Unlock()
}

// next waits for a line; ok is false when the terminal was closed.
func (t *terminal) next() (line string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.lines) == 0 && !t.ended {
		t.ready.Wait()
	}
	if len(t.lines) == 0 {
		return "", false
	}
	line, t.lines = t.lines[0], t.lines[1:]
	return line, true
}

func (t *terminal) close() {
	if t.slave != nil {
		_ = t.slave.Close()
	}
	_ = t.master.Close()
}
