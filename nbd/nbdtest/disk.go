// Package nbdtest is an export in memory that tells the truth about itself, for
// tests of NBD servers and clients: what it holds is easy to know in advance.
//
// It is not a disk of the simulator.
//
// The property it keeps: its extents agree with its content; a range that it
// calls zero reads as zero.
package nbdtest

import (
	"slices"
	"sync"
	"syscall"

	"fleece/nbd"
)

// Granularity is the unit of extents and of the dirty bitmap, in bytes.
const Granularity = 64 << 10

// Disk is an nbd.Export. Its exported fields are set before it is served.
type Disk struct {
	ExportName, Text string
	Writable         bool
	// Bitmaps are the names of dirty bitmaps; bit i of bitmap j is set if the
	// granule was marked by Dirty.
	Bitmaps []string
	// Depth offers qemu:allocation-depth.
	Depth bool
	// Fault, if set, is asked before each operation.
	Fault func(op string) error

	mu      sync.RWMutex
	content []byte
	data    []bool   // by granule: content, not a hole
	dirty   [][]bool // by bitmap and granule
	flushes int
}

// New makes a disk of holes.
func New(name string, size int64) *Disk {
	return &Disk{ExportName: name, content: make([]byte, size), data: make([]bool, granules(size))}
}

func granules(size int64) int { return int((size + Granularity - 1) / Granularity) }

// Fill writes a pattern that differs at every offset and marks the range as data.
func (d *Disk) Fill(off, n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := off; i < off+n; i++ {
		d.content[i] = PatternAt(i)
	}
	d.mark(off, n)
}

// PatternAt is the byte that Fill writes at an offset; never 0.
func PatternAt(off int64) byte {
	z := uint64(off) * 0x9e3779b97f4a7c15
	return byte(z>>56) | 1
}

// Dirty marks a range in a bitmap.
func (d *Disk) Dirty(bitmap string, off, n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.Index(d.Bitmaps, bitmap)
	for len(d.dirty) <= i {
		d.dirty = append(d.dirty, make([]bool, len(d.data)))
	}
	for g := off / Granularity; g*Granularity < off+n; g++ {
		d.dirty[i][g] = true
	}
}

// Content is a copy of what the disk holds.
func (d *Disk) Content() []byte {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Clone(d.content)
}

// Flushes counts the flushes.
func (d *Disk) Flushes() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.flushes
}

// mark says that a range is data; the caller holds mu.
func (d *Disk) mark(off, n int64) {
	for g := off / Granularity; g*Granularity < off+n; g++ {
		d.data[g] = true
	}
}

func (d *Disk) fault(op string) error {
	if d.Fault == nil {
		return nil
	}
	return d.Fault(op)
}

// Name is that of the export.
func (d *Disk) Name() string { return d.ExportName }

// Description is for people.
func (d *Disk) Description() string { return d.Text }

// Size is in bytes.
func (d *Disk) Size() int64 { return int64(len(d.content)) }

// ReadOnly reports whether clients may not write.
func (d *Disk) ReadOnly() bool { return !d.Writable }

// MultiConn reports that several connections see each other's writes.
func (d *Disk) MultiConn() bool { return true }

// Contexts lists what was configured.
func (d *Disk) Contexts() []nbd.Context {
	var all []nbd.Context
	if d.Depth {
		all = append(all, nbd.Context{ID: nbd.ContextAllocationDepth, Name: nbd.NameAllocationDepth})
	}
	for i, b := range d.Bitmaps {
		all = append(all, nbd.Context{ID: nbd.ContextBitmapFirst + uint32(i), Name: nbd.PrefixDirtyBitmap + b})
	}
	return all
}

// ReadAt fills p.
func (d *Disk) ReadAt(p []byte, off int64) error {
	if err := d.fault("read"); err != nil {
		return err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	copy(p, d.content[off:])
	return nil
}

// Status tells one run.
func (d *Disk) Status(context uint32, off, n int64) (uint32, int64, error) {
	if err := d.fault("status"); err != nil {
		return 0, 0, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	state := d.state(context, off/Granularity)
	end := off
	for end < off+n && d.state(context, end/Granularity) == state {
		end = (end/Granularity + 1) * Granularity
	}
	return state, min(end, off+n) - off, nil
}

func (d *Disk) state(context uint32, g int64) uint32 {
	switch {
	case context == nbd.ContextBaseAllocation && !d.data[g]:
		return nbd.StateHole | nbd.StateZero
	case context == nbd.ContextAllocationDepth && d.data[g]:
		return 1
	case context >= nbd.ContextBitmapFirst:
		if i := int(context - nbd.ContextBitmapFirst); i < len(d.dirty) && d.dirty[i][g] {
			return 1
		}
	}
	return 0
}

// Cache does nothing.
func (d *Disk) Cache(_, _ int64) error { return d.fault("cache") }

// Flush counts.
func (d *Disk) Flush() error {
	if err := d.fault("flush"); err != nil {
		return err
	}
	d.mu.Lock()
	d.flushes++
	d.mu.Unlock()
	return nil
}

// WriteAt stores p.
func (d *Disk) WriteAt(p []byte, off int64) error {
	if err := d.fault("write"); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	copy(d.content[off:], p)
	d.mark(off, int64(len(p)))
	return nil
}

// WriteZeroes stores zeroes; whole granules become holes unless noHole.
func (d *Disk) WriteZeroes(off, n int64, noHole, fast bool) error {
	if err := d.fault("write zeroes"); err != nil {
		return err
	}
	if fast && (off%Granularity != 0 || n%Granularity != 0) {
		return syscall.ENOTSUP
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.content[off : off+n])
	if noHole {
		d.mark(off, n)
		return nil
	}
	for g := (off + Granularity - 1) / Granularity; (g+1)*Granularity <= off+n; g++ {
		d.data[g] = false
	}
	return nil
}

// Trim makes holes.
func (d *Disk) Trim(off, n int64) error {
	if err := d.fault("trim"); err != nil {
		return err
	}
	return d.WriteZeroes(off, n, false, false)
}
