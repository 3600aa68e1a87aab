package real

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fleece/machine"
	"fleece/qmp"
)

// Monitors of a machine, by the names of their sockets.
const (
	driverMonitor  = "driver"
	harnessMonitor = "harness"
	guestMonitor   = "guest"
)

// startTimeout bounds the time from the start of QEMU to its first greeting.
const startTimeout = 20 * time.Second

// stderrMax bounds what is kept of QEMU's stderr, in bytes.
const stderrMax = 64 << 10

// Machine is one run of QEMU.
type Machine struct {
	h     *Hypervisor
	name  string
	dir   string // below the hypervisor's
	pid   int
	done  chan struct{} // closed when the process is gone
	tty   *terminal     // QEMU's stdout
	guest *guest
}

// launch starts QEMU for a machine.
func (h *Hypervisor) launch(spec machine.Spec) (*Machine, error) {
	if _, err := h.running(spec.Name); err == nil {
		return nil, fmt.Errorf("machine %s is running already", spec.Name)
	}
	h.mu.Lock()
	h.started++
	dir := filepath.Join(h.dir, fmt.Sprint(h.started))
	h.mu.Unlock()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	m := &Machine{h: h, name: spec.Name, dir: dir}
	args, err := m.arguments(spec)
	if err != nil {
		return nil, err
	}
	if m.tty, err = openTerminal(); err != nil {
		return nil, fmt.Errorf("a terminal for QEMU's output: %w", err)
	}
	m.pid, m.done, err = h.reaper.start(request{
		Op: opStart, Args: args, Stdout: m.tty.name, Stderr: filepath.Join(dir, "stderr"),
	})
	if err != nil {
		m.close()
		return nil, err
	}
	if err := m.await(); err != nil {
		m.close()
		return nil, err
	}
	m.guest = &guest{m: m}
	h.mu.Lock()
	h.machines[spec.Name] = m
	h.mu.Unlock()
	return m, nil
}

func (m *Machine) socket(monitor string) string { return filepath.Join(m.dir, monitor) }

// await waits until the guest monitor accepts, which it does when QEMU has set
// up its machine far enough to fail no more.
func (m *Machine) await() error {
	deadline := time.Now().Add(startTimeout)
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		c, err := net.Dial("unix", m.socket(guestMonitor))
		if err == nil {
			return m.greeted(c, deadline)
		}
		select {
		case <-m.done:
			return fmt.Errorf("QEMU did not start: %s", m.Stderr())
		case <-time.After(wait):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("QEMU opened no monitor within %s: %s", startTimeout, m.Stderr())
		}
	}
}

// greeted waits for the greeting on a connection, or for QEMU's end.
func (m *Machine) greeted(c net.Conn, deadline time.Time) error {
	defer c.Close()
	_ = c.SetDeadline(deadline)
	var first [1]byte
	if _, err := c.Read(first[:]); err != nil {
		select {
		case <-m.done:
		case <-time.After(time.Until(deadline)):
		}
		return fmt.Errorf("QEMU did not start: %s", m.Stderr())
	}
	return nil
}

// arguments renders the command line.
func (m *Machine) arguments(spec machine.Spec) ([]string, error) {
	kind := spec.Machine
	if kind == "" {
		kind = "pc"
	}
	args := []string{
		m.h.binary, "-name", spec.Name, "-nodefaults", "-no-user-config", "-display", "none",
		"-machine", kind + ",usb=off", "-accel", m.h.opts.Accel,
		"-m", fmt.Sprint(max(spec.MemoryKiB>>10, 1)), "-smp", fmt.Sprint(max(spec.VCPUs, 1)),
	}
	if spec.UUID != "" {
		args = append(args, "-uuid", spec.UUID)
	}
	if spec.Paused {
		args = append(args, "-S")
	}
	for _, monitor := range []string{driverMonitor, harnessMonitor, guestMonitor} {
		args = append(args,
			"-chardev", fmt.Sprintf("socket,id=%s,path=%s,server=on,wait=off", monitor, m.socket(monitor)),
			"-mon", fmt.Sprintf("chardev=%s,mode=control", monitor))
	}
	for _, node := range spec.Nodes {
		args = append(args, "-blockdev", string(qmp.Encode(node)))
	}
	for _, d := range spec.Devices {
		device, err := deviceArgument(d)
		if err != nil {
			return nil, err
		}
		args = append(args, "-device", device)
	}
	for i, c := range spec.Channels {
		args = append(args, channelArguments(i, c)...)
	}
	return append(args, m.h.opts.ExtraArgs...), nil
}

// channelArguments renders a channel, which has a serial device of its own.
func channelArguments(i int, c machine.Channel) []string {
	mode := ""
	if c.Listens {
		mode = ",server=on,wait=off"
	}
	return []string{
		"-device", fmt.Sprintf("virtio-serial-pci,id=virtio-serial%d", i),
		"-chardev", fmt.Sprintf("socket,id=char%s,path=%s%s", c.ID, strings.ReplaceAll(c.Path, ",", ",,"), mode),
		"-device", fmt.Sprintf("virtserialport,bus=virtio-serial%d.0,nr=1,chardev=char%s,id=%s,name=%s", i, c.ID, c.ID, c.Name),
	}
}

// deviceArgument renders a device as the JSON that -device takes.
func deviceArgument(d machine.Device) (string, error) {
	options := map[string]string{"driver": d.Driver, "id": d.ID}
	if d.Drive != "" {
		options["drive"] = d.Drive
	}
	if d.Serial != "" {
		options["serial"] = d.Serial
	}
	if d.WriteErrors != "" {
		options["werror"] = d.WriteErrors
	}
	if d.ReadErrors != "" {
		options["rerror"] = d.ReadErrors
	}
	text, err := json.Marshal(options)
	return string(text), err
}

// Start starts a machine for a caller that speaks to its monitors by itself.
func (h *Hypervisor) Start(spec machine.Spec) (*Machine, error) { return h.launch(spec) }

// Sockets are the paths of the unix sockets of two monitors, on which nobody has
// spoken yet. Each serves one client at a time.
func (m *Machine) Sockets() (first, second string) {
	return m.socket(driverMonitor), m.socket(harnessMonitor)
}

// gone reports whether the process has ended.
func (m *Machine) gone() bool {
	select {
	case <-m.done:
		return true
	default:
		return false
	}
}

// Kill ends the process with SIGKILL and waits until it is gone.
func (m *Machine) Kill() error {
	if !m.gone() {
		if _, err := m.h.reaper.do(request{Op: opKill, Pid: m.pid}); err != nil {
			return err
		}
		<-m.done
	}
	m.close()
	return nil
}

// Done is closed when the process is gone.
func (m *Machine) Done() <-chan struct{} { return m.done }

// Pid is QEMU's process id.
func (m *Machine) Pid() int { return m.pid }

// Stderr is what QEMU wrote there so far.
func (m *Machine) Stderr() string { return stderrIn(m.dir) }

func stderrIn(dir string) string {
	text, _ := os.ReadFile(filepath.Join(dir, "stderr"))
	if len(text) > stderrMax {
		text = text[:stderrMax]
	}
	return strings.TrimSpace(string(text))
}

// Complaints is what the machines of a hypervisor that is not closed yet wrote to stderr,
// those that are gone included: an assertion that ended one is there. "" if they are silent.
func (h *Hypervisor) Complaints() string {
	h.mu.Lock()
	started := h.started
	h.mu.Unlock()
	var all []string
	for i := range started {
		if text := stderrIn(filepath.Join(h.dir, fmt.Sprint(i+1))); text != "" {
			all = append(all, fmt.Sprintf("QEMU %d of the run wrote: %s", i+1, text))
		}
	}
	return strings.Join(all, "\n")
}

// close gives up what this process holds of the machine.
func (m *Machine) close() {
	if m.guest != nil {
		m.guest.close()
	}
	if m.tty != nil {
		m.tty.close()
	}
}
