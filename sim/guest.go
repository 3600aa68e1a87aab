package sim

import (
	"fmt"
	"syscall"
)

// GuestWrite writes data to a disk as the guest would: through the device's
// backend, hence through copy-before-write filters and into bitmaps. dev is the
// device's id, "virtio-disk0". It blocks as a disk does, and other tasks may run
// between the copy of the old content and the write; no sector is torn. The error
// is what the guest sees.
func (m *Machine) GuestWrite(dev string, off int64, data []byte) error {
	return m.guest("write", dev, off, int64(len(data)), func(n *node) error {
		return m.guestWrite(n, off, data)
	})
}

// GuestZero is a write-zeroes request.
func (m *Machine) GuestZero(dev string, off, n int64) error {
	return m.guest("write zeroes", dev, off, n, func(x *node) error {
		return m.through(x, off, n, func(x *node) error { return x.zero(off, n) })
	})
}

// GuestDiscard is a discard request. A node without discard=unmap drops it, and so
// does every copy-before-write filter: QEMU opens them without the option, so that
// discards are lost while a backup runs (seen with the real binary).
func (m *Machine) GuestDiscard(dev string, off, n int64) error {
	return m.guest("discard", dev, off, n, func(x *node) error { return m.guestDiscard(x, off, n) })
}

func (m *Machine) guestDiscard(n *node, off, length int64) error {
	if !n.unmap {
		return nil
	}
	return m.through(n, off, length, func(n *node) error { return n.discard(off, length) })
}

// GuestRead fills p from off of a disk.
func (m *Machine) GuestRead(dev string, off int64, p []byte) error {
	return m.guest("read", dev, off, int64(len(p)), func(n *node) error {
		return n.readFull(p, off)
	})
}

// GuestFlush makes the disk's metadata reach its file.
func (m *Machine) GuestFlush(dev string) error {
	return m.guest("flush", dev, 0, 0, func(n *node) error { return n.flushDown() })
}

// guest runs one request of a device.
func (m *Machine) guest(what, dev string, off, length int64, f func(*node) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return ErrGone
	}
	d := m.device(dev)
	if d == nil || d.root == nil {
		return fmt.Errorf("guest %s: no disk '%s'", what, dev)
	}
	m.throttle(d.root.child, length)
	m.beginGuestIO(what != "read" && what != "flush")
	defer m.endGuestIO()
	n := d.root.child
	if off < 0 || length < 0 || off+length > n.length() {
		return fmt.Errorf("guest %s at %d of disk '%s': %w", what, off, dev, syscall.EIO)
	}
	err := f(n)
	d.io.count(what, length, err != nil)
	if err != nil {
		return fmt.Errorf("guest %s at %d of disk '%s': %w", what, off, dev, err)
	}
	return nil
}

// device finds a device by id or by its backend's path.
func (m *Machine) device(name string) *device {
	for _, d := range m.devices {
		if d.id == name {
			return d
		}
	}
	return nil
}

// guestWrite stores whole sectors: a part of one is read, changed and written, and
// marks the sector (§3.4).
func (m *Machine) guestWrite(n *node, off int64, data []byte) error {
	lo := off &^ (sectorSize - 1)
	hi := min((off+int64(len(data))+sectorSize-1)&^(sectorSize-1), n.length())
	return m.through(n, lo, hi-lo, func(n *node) error {
		if lo == off && hi == off+int64(len(data)) {
			return n.write(data, off)
		}
		p := make([]byte, hi-lo)
		if err := n.readFull(p, lo); err != nil {
			return err
		}
		copy(p[off-lo:], data)
		return n.write(p, lo)
	})
}

// through makes a changing request after every copy-before-write filter on its way
// down has seen it.
func (m *Machine) through(n *node, off, length int64, f func(*node) error) error {
	for x := n; x != nil; x = x.filtered() {
		if x.readOnly {
			return syscall.EPERM
		}
		if x.inactive {
			_ = m.die("") // an assertion of the real binary: the image belongs to another machine
			return syscall.EPERM
		}
		if d := x.cow(); d != nil {
			if err := d.beforeWrite(off, length); err != nil {
				return err
			}
		}
	}
	return f(n)
}

// flushDown flushes a node and what is below it.
func (n *node) flushDown() error {
	if err := n.drv.flush(); err != nil {
		return err
	}
	for _, e := range n.children {
		if e.role == "file" || e.role == "data-file" || n.isFilter() && e.role == "backing" {
			if err := e.child.flushDown(); err != nil {
				return err
			}
		}
	}
	return nil
}
