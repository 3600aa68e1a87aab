package real

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// devicesMax bounds the loop devices of one hypervisor.
const devicesMax = 16

// BlockDevice makes a loop device of that many bytes, all zero, and returns its
// path, which has nothing to do with the given one. The device is gone when the
// hypervisor is closed, and also when this process dies: it is detached at once,
// which the kernel puts off until nobody has it open any more. The error says why
// there is none, as Abilities.Loop does.
func (h *Hypervisor) BlockDevice(_ string, bytes int64) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.devices) == devicesMax {
		return "", fmt.Errorf("more than %d block devices", devicesMax)
	}
	backing := filepath.Join(h.dir, fmt.Sprintf("device-%d", len(h.devices)))
	device, err := attachLoop(backing, bytes)
	if err != nil {
		return "", err
	}
	h.devices = append(h.devices, device)
	return device.Name(), nil
}

// attachLoop makes a file and a loop device over it that lasts until the result is
// closed.
func attachLoop(backing string, bytes int64) (*os.File, error) {
	if err := os.WriteFile(backing, nil, 0o600); err != nil {
		return nil, err
	}
	if err := os.Truncate(backing, bytes); err != nil {
		return nil, err
	}
	text, err := losetup("--find", "--show", backing)
	if err != nil {
		return nil, err
	}
	name := strings.TrimSpace(text)
	device, err := os.OpenFile(name, os.O_RDWR, 0)
	_, detachErr := losetup("--detach", name)
	if err = errors.Join(err, detachErr); err != nil {
		if device != nil {
			_ = device.Close()
		}
		return nil, err
	}
	return device, nil
}

func losetup(args ...string) (string, error) {
	var stderr strings.Builder
	c := exec.Command("losetup", args...)
	c.Stderr = &stderr
	text, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("losetup %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(text), nil
}

// probeLoop tries a loop device; "" if there is one.
func probeLoop() string {
	dir, err := os.MkdirTemp("", "fleece-")
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(dir)
	device, err := attachLoop(filepath.Join(dir, "device"), 1<<20)
	if err != nil {
		return err.Error()
	}
	if err := device.Close(); err != nil {
		return err.Error()
	}
	return ""
}
