package sim

import (
	"syscall"

	"fleece/qmp"
)

// windowDriver is raw with an offset or a size: it shows a part of its file child.
type windowDriver struct {
	n            *node
	offset, size int64
	fixed        bool // a size was given
}

// isWindow reports whether a raw node shows only a part of its child.
func (n *node) isWindow() bool {
	return n.options.Get("offset").Present() || n.options.Get("size").Present()
}

// openRaw opens a raw node; the order of the checks is raw_apply_options's.
func (m *Machine) openRaw(n *node) *qmp.ReplyError {
	if !n.isWindow() {
		return m.openPass(n, "file", func() driver { return &passDriver{n} })
	}
	d := &windowDriver{n: n}
	file, err := m.openChild(n, "file", "file")
	if err != nil {
		return err
	}
	for _, name := range [...]string{"size", "offset"} {
		if v, ok := n.options.Get(name).Int64(); ok && v < 0 {
			return qmp.Generic("Parameter '" + name + "' expects a non-negative number below 2^64")
		}
	}
	d.offset, _ = n.options.Get("offset").Int64()
	d.size, d.fixed = n.options.Get("size").Int64()
	real := file.length()
	switch {
	case real < d.offset:
		return qmp.Generic("Offset (" + itoa(d.offset) + ") cannot be greater than size of the containing file (" + itoa(real) + ")")
	case d.fixed && real-d.offset < d.size:
		return qmp.Generic("The sum of offset (" + itoa(d.offset) + ") and size (" + itoa(d.size) +
			") has to be smaller or equal to the  actual size of the containing file (" + itoa(real) + ")")
	case d.fixed && d.size%sectorSize != 0:
		return qmp.Generic("Specified size is not multiple of 512")
	}
	n.drv = d
	m.insert(n)
	return nil
}

func (d *windowDriver) file() *node { return d.n.child("file") }

func (d *windowDriver) read(r *reader, off, n int64) error {
	shift := r.shift
	r.shift -= d.offset
	err := d.file().drv.read(r, off+d.offset, n)
	r.shift = shift
	return err
}

func (d *windowDriver) write(off, n int64, segs []segment) error {
	return d.file().writeSegments(off+d.offset, n, cut(nil, segs, off, n, d.offset))
}

func (d *windowDriver) zero(off, n int64) error    { return d.file().zero(off+d.offset, n) }
func (d *windowDriver) discard(off, n int64) error { return d.file().discard(off+d.offset, n) }

func (d *windowDriver) status(off, n int64) (bool, bool, int64, error) {
	return d.file().drv.status(off+d.offset, n)
}

func (d *windowDriver) length() int64 {
	if d.fixed {
		return d.size
	}
	return (d.file().length() - d.offset + sectorSize - 1) &^ (sectorSize - 1)
}

// truncate is refused where the size was given.
func (d *windowDriver) truncate(size int64) error {
	if d.fixed {
		return syscall.ENOTSUP
	}
	return d.file().drv.truncate(size + d.offset)
}

func (d *windowDriver) flush() error { return nil }
func (d *windowDriver) close() error { return nil }

func (d *windowDriver) info() imageInfo {
	info := d.file().drv.info()
	info.specific = qmp.Value{}
	return info
}
