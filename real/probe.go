package real

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Abilities is what this host has; an empty text means that nothing is missing.
type Abilities struct {
	Path, Version string
	Err           string // why there is no QEMU
	KVM           string // why KVM cannot be used
	Tmpfs         string // why a directory cannot be limited
	Loop          string // why there is no block device to write to
	NBDServers    string // why ServeNBD cannot start each of its servers
}

// Probe looks for a QEMU and for what it needs. binary empty means DefaultBinary.
func Probe(binary string) Abilities {
	if binary == "" {
		binary = DefaultBinary
	}
	a := Abilities{Tmpfs: probeTmpfs(), Loop: probeLoop(), NBDServers: probeNBDServers()}
	path, err := exec.LookPath(binary)
	if err != nil {
		a.Err = err.Error()
	} else if text, err := exec.Command(path, "--version").Output(); err != nil {
		a.Path, a.Err = path, err.Error()
	} else {
		a.Path = path
		a.Version, _, _ = strings.Cut(string(text), "\n")
	}
	kvm, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		a.KVM = err.Error()
	} else {
		_ = kvm.Close()
	}
	return a
}

// probeTmpfs mounts one in a namespace and looks at it.
func probeTmpfs() string {
	dir, err := os.MkdirTemp("", "fleece-")
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(dir)
	r, err := startReaper(dir)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = r.close() }()
	inside := filepath.Join(dir, "limited")
	if err := os.Mkdir(inside, 0o755); err != nil {
		return err.Error()
	}
	if _, err := r.do(request{Op: opMount, Path: inside, Bytes: 64 << 10}); err != nil {
		return err.Error()
	}
	probe := filepath.Join(r.root(), inside, "probe")
	if err := os.WriteFile(probe, []byte("x"), 0o600); err != nil {
		return fmt.Sprintf("the mount cannot be reached: %v", err)
	}
	return ""
}
