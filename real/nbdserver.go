package real

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// nbdServers are the programs that ServeNBD knows, with their arguments for a
// writable export "target" of a file on a unix socket.
var nbdServers = map[string]func(socket, file string) []string{
	"qemu-nbd": func(socket, file string) []string {
		return []string{"--socket", socket, "--export-name", "target", "--format", "raw", "--persistent", file}
	},
	"nbdkit": func(socket, file string) []string {
		return []string{"--foreground", "--unix", socket, "--exportname", "target", "file", file}
	},
}

// probeNBDServers says which of the programs that ServeNBD knows is missing; "" if
// none is.
func probeNBDServers() string {
	for _, program := range []string{"qemu-nbd", "nbdkit"} {
		if _, err := exec.LookPath(program); err != nil {
			return err.Error()
		}
	}
	return ""
}

// ServeNBD starts an NBD server outside of QEMU, program being "qemu-nbd" or
// "nbdkit", with one export "target" of that many bytes, all zero, on a unix socket
// whose path must be free. content is what the export holds; die kills the server.
// It is killed with the hypervisor, too.
func (h *Hypervisor) ServeNBD(program, socket string, bytes int64) (content func() ([]byte, error), die func() error, err error) {
	arguments := nbdServers[program]
	if arguments == nil {
		return nil, nil, fmt.Errorf("NBD server %q: there are qemu-nbd and nbdkit", program)
	}
	h.mu.Lock()
	h.started++
	file := filepath.Join(h.dir, fmt.Sprintf("served-%d", h.started))
	h.mu.Unlock()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return nil, nil, err
	}
	if err := os.Truncate(file, bytes); err != nil {
		return nil, nil, err
	}
	pid, done, err := h.reaper.start(request{
		Op: opStart, Args: append([]string{program}, arguments(socket, file)...),
		Stdout: os.DevNull, Stderr: file + ".stderr",
	})
	if err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", program, err)
	}
	die = func() error {
		_, err := h.reaper.do(request{Op: opKill, Pid: pid})
		if err == nil {
			<-done
		}
		return err
	}
	if err := awaitSocket(socket, done); err != nil {
		text, _ := os.ReadFile(file + ".stderr")
		return nil, nil, errors.Join(fmt.Errorf("%s: %w: %s", program, err, text), die())
	}
	return func() ([]byte, error) { return os.ReadFile(file) }, die, nil
}

// awaitSocket waits until somebody listens on a unix socket, or its server has
// ended.
func awaitSocket(socket string, done <-chan struct{}) error {
	deadline := time.Now().Add(startTimeout)
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		c, err := net.Dial("unix", socket)
		if err == nil {
			return c.Close()
		}
		select {
		case <-done:
			return errors.New("the server has ended")
		case <-time.After(wait):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no socket within %s", startTimeout)
		}
	}
}
