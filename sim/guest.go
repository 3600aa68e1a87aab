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
		return m.through(x, change{off: off, length: n}, func(x *node) error { return x.zero(off, n) })
	})
}

// GuestDiscard is a discard request. A node without discard=unmap drops it, and so
// does every copy-before-write filter: QEMU opens them without the option, so that
// discards are lost while a backup runs (seen with the real binary).
func (m *Machine) GuestDiscard(dev string, off, n int64) error {
	return m.guest("discard", dev, off, n, func(x *node) error { return m.guestDiscard(x, off, n) })
}

func (m *Machine) guestDiscard(n *node, off, length int64) error {
	if !n.unmap && !n.bitmaps.frozen() {
		return nil
	}
	c := change{off: off, length: length, discard: true}
	return m.through(n, c, func(n *node) error { return n.discard(off, length) })
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
	return m.through(n, change{off: lo, length: hi - lo}, func(n *node) error {
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

// change is a request that changes what a disk shows.
type change struct {
	off, length int64
	discard     bool
}

// tried marks a request that failed in a node.
func (c change) tried(n *node, err error) {
	if n.bitmaps.frozen() {
		return // refused before it is tracked
	}
	if c.discard {
		n.bitmaps.dirty(c.off, c.length)
		return
	}
	n.wrote(c.off, c.length, err)
}

// through makes a changing request after every copy-before-write filter on its way
// down has seen it. What one of them fails is marked in it and in the nodes above.
func (m *Machine) through(n *node, c change, f func(*node) error) error {
	for x := n; x != nil; x = x.filtered() {
		if err := x.admit(c); err != nil {
			for y := n; y != x; y = y.filtered() {
				c.tried(y, err)
			}
			c.tried(x, err)
			return err
		}
	}
	return f(n)
}

// admit lets a changing request pass a node on its way down.
func (n *node) admit(c change) error {
	switch d := n.cow(); {
	case n.bitmaps.frozen():
		return syscall.EPERM
	case n.readOnly:
		return syscall.EPERM
	case n.inactive:
		_ = n.m.die("") // an assertion of the real binary: the image belongs to another machine
		return syscall.EPERM
	case d != nil:
		return d.beforeWrite(c.off, c.length)
	}
	return nil
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
