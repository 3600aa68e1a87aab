package sim

import (
	"syscall"

	"fleece/nbd"
)

// exportDisk is an export as the NBD protocol sees it. Each operation is one
// request of a device: it waits for drained sections and takes the machine's lock.
type exportDisk struct {
	m     *Machine
	x     *export
	multi bool
}

var _ nbd.Export = (*exportDisk)(nil)

// Name, Description, Size, ReadOnly and MultiConn do not change after the export
// was made.
func (d *exportDisk) Name() string        { return d.x.name }
func (d *exportDisk) Description() string { return d.x.description }
func (d *exportDisk) Size() int64         { return d.x.size }
func (d *exportDisk) ReadOnly() bool      { return !d.x.writable }
func (d *exportDisk) MultiConn() bool     { return d.multi }

// Contexts lists the allocation depth and the bitmaps that the export was made with.
func (d *exportDisk) Contexts() []nbd.Context {
	var all []nbd.Context
	if d.x.depth {
		all = append(all, nbd.Context{ID: nbd.ContextAllocationDepth, Name: nbd.NameAllocationDepth})
	}
	for i, b := range d.x.bitmaps {
		all = append(all, nbd.Context{ID: nbd.ContextBitmapFirst + uint32(i), Name: nbd.PrefixDirtyBitmap + b.name})
	}
	return all
}

// request runs one request. An export that has gone serves nothing: its clients
// were cut.
func (d *exportDisk) request(changes bool, n int64, f func(n *node) error) error {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	d.x.requests++
	defer func() {
		d.x.requests--
		d.m.exportIdle(d.x)
	}()
	d.m.throttle(d.x.edge.child, n)
	d.m.beginGuestIO(changes)
	defer d.m.endGuestIO()
	if d.x.gone || d.m.gone {
		return syscall.EIO
	}
	return f(d.x.edge.child)
}

// ReadAt fills p.
func (d *exportDisk) ReadAt(p []byte, off int64) error {
	return d.request(false, int64(len(p)), func(n *node) error { return n.readFull(p, off) })
}

// Status tells one run of a context.
func (d *exportDisk) Status(context uint32, off, n int64) (state uint32, length int64, err error) {
	err = d.request(false, 0, func(x *node) error {
		switch context {
		case nbd.ContextBaseAllocation:
			state, length, err = x.allocation(off, n)
		case nbd.ContextAllocationDepth:
			state, length, err = x.allocationDepth(off, n)
		default:
			state, length = d.x.bitmaps[context-nbd.ContextBitmapFirst].extent(off, n)
		}
		return err
	})
	return state, length, err
}

// allocation is the state of a range in base:allocation: a hole that reads as zero
// unless some layer has data for it (§6.3).
func (n *node) allocation(off, length int64) (uint32, int64, error) {
	const hole = nbd.StateHole | nbd.StateZero
	for {
		if off >= n.length() { // beyond the end of a shorter backing file
			return hole, length, nil
		}
		allocated, zero, part, err := n.drv.status(off, min(length, n.length()-off))
		if err != nil {
			return 0, 0, err
		}
		length = min(length, max(part, 1))
		switch below := n.below(); {
		case zero:
			return hole, length, nil
		case allocated && !n.isFilter():
			return 0, length, nil
		case below == nil:
			return hole, length, nil
		default:
			n = below
		}
	}
}

// allocationDepth counts layers down to the one that has the range; 0 if none has.
func (n *node) allocationDepth(off, length int64) (uint32, int64, error) {
	for depth := uint32(1); n != nil; n = n.below() {
		if off >= n.length() {
			return 0, length, nil
		}
		if n.isFilter() {
			continue
		}
		allocated, _, part, err := n.drv.status(off, min(length, n.length()-off))
		if err != nil {
			return 0, 0, err
		}
		length = min(length, max(part, 1))
		if allocated {
			return depth, length, nil
		}
		depth++
	}
	return 0, length, nil
}

// extent is the state of a range in a bitmap, at its granularity.
func (b *bitmap) extent(off, n int64) (uint32, int64) {
	g := off >> b.shift
	r, ok := b.bits.next(g)
	switch {
	case !ok:
		return 0, n
	case r.lo > g:
		return 0, min(n, r.lo<<b.shift-off)
	default:
		return 1, min(n, r.hi<<b.shift-off)
	}
}

// Cache does nothing: content is in memory.
func (d *exportDisk) Cache(_, _ int64) error { return nil }

// Flush makes the metadata reach the file.
func (d *exportDisk) Flush() error {
	return d.request(false, 0, func(n *node) error { return n.flushDown() })
}

// WriteAt, WriteZeroes and Trim go through the filters, and into bitmaps, as a
// device's requests do.
func (d *exportDisk) WriteAt(p []byte, off int64) error {
	return d.request(true, int64(len(p)), func(n *node) error { return d.m.guestWrite(n, off, p) })
}

// WriteZeroes stores zeroes.
func (d *exportDisk) WriteZeroes(off, n int64, noHole, _ bool) error {
	return d.request(true, n, func(x *node) error {
		return d.m.through(x, change{off: off, length: n}, func(x *node) error {
			if noHole {
				return x.zero(off, n)
			}
			return x.zeroUnmap(off, n)
		})
	})
}

// Trim discards, where the node passes discards on.
func (d *exportDisk) Trim(off, n int64) error {
	return d.request(true, n, func(x *node) error { return d.m.guestDiscard(x, off, n) })
}
