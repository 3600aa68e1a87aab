package sim

import (
	"syscall"

	"fleece/qmp"
)

// nullDriver is null-co: reads nothing, keeps nothing.
type nullDriver struct {
	size   int64
	zeroes bool // read-zeroes: it does not only read so, it says so
}

func (d *nullDriver) read(*reader, int64, int64) error    { return nil }
func (d *nullDriver) write(int64, int64, []segment) error { return nil }
func (d *nullDriver) zero(int64, int64) error             { return nil }
func (d *nullDriver) discard(int64, int64) error          { return nil }
func (d *nullDriver) length() int64                       { return d.size }
func (d *nullDriver) truncate(int64) error                { return syscall.ENOTSUP }
func (d *nullDriver) flush() error                        { return nil }
func (d *nullDriver) close() error                        { return nil }
func (d *nullDriver) info() imageInfo                     { return imageInfo{} }
func (d *nullDriver) status(_, n int64) (bool, bool, int64, error) {
	return true, d.zeroes, n, nil // without read-zeroes its content is undefined
}

// passDriver is raw, and every other driver that passes all on to its file child.
type passDriver struct{ n *node }

func (d *passDriver) file() *node { return d.n.filtered() }

func (d *passDriver) read(r *reader, off, n int64) error { return readShort(r, d.file(), off, n) }
func (d *passDriver) write(off, n int64, segs []segment) error {
	return d.file().writeSegments(off, n, segs)
}
func (d *passDriver) zero(off, n int64) error    { return d.file().zero(off, n) }
func (d *passDriver) discard(off, n int64) error { return d.file().discard(off, n) }
func (d *passDriver) length() int64              { return d.file().length() }
func (d *passDriver) truncate(size int64) error  { return d.file().drv.truncate(size) }
func (d *passDriver) flush() error               { return nil }
func (d *passDriver) close() error               { return nil }
func (d *passDriver) status(off, n int64) (bool, bool, int64, error) {
	return d.file().drv.status(off, n)
}
func (d *passDriver) info() imageInfo {
	info := d.file().drv.info()
	info.specific = qmp.Value{}
	return info
}

// qcow2Driver is a qcow2 image over its file child.
type qcow2Driver struct {
	n   *node
	img *image
}

func (d *qcow2Driver) read(r *reader, off, n int64) error {
	d.img.event("read_aio")
	return d.img.read(r, d.n.backing(), off, n)
}

func (d *qcow2Driver) write(off, n int64, segs []segment) error {
	return d.img.write(d.n.backing(), off, n, segs)
}

func (d *qcow2Driver) zero(off, n int64) error { return d.img.zero(d.n.backing(), off, n) }

func (d *qcow2Driver) discard(off, n int64) error {
	return d.img.discard(d.n.backing(), off, n)
}

func (d *qcow2Driver) status(off, n int64) (bool, bool, int64, error) {
	d.img.look()
	r, length := d.img.guestRun(off, d.sliceRest(off, n))
	backing := d.n.backing()
	switch {
	case r.kind == mapData:
		// Clusters are filled when they are allocated: there QEMU finds no holes
		// in the file, where this one leaves them.
		return true, false, length, nil
	case r.kind != mapNone:
		return true, true, length, nil
	case backing == nil || off >= backing.length():
		return false, true, length, nil
	}
	_, zero, part, err := backing.drv.status(off, min(length, backing.length()-off))
	return false, zero, part, err
}

// sliceRest cuts a query at the end of what one table maps: qcow2_get_host_offset looks
// no further. With clusters of 512 bytes, 32 KiB, a backup, which asks once per cluster
// of 64 KiB at least, never sees a whole one of one kind and copies such an image as
// data throughout (docs/qemu-findings.md). With larger clusters a backup can only see
// the last cut, behind which less than one of its clusters may be left; the others are
// left out.
func (d *qcow2Driver) sliceRest(off, n int64) int64 {
	span := d.img.perL2() << d.img.bits
	if span >= copyClusterMin {
		if last := (d.img.size - 1) / span * span; off < last {
			return min(n, last-off)
		}
		return n
	}
	return min(n, span-off%span)
}

func (d *qcow2Driver) length() int64             { return d.img.size }
func (d *qcow2Driver) truncate(size int64) error { return d.img.resize(size) }

func (d *qcow2Driver) flush() error {
	if d.n.readOnly {
		return nil
	}
	return d.img.flush()
}

func (d *qcow2Driver) close() error {
	if d.n.readOnly {
		return nil
	}
	err := d.n.storeBitmaps() // the tables are written even if the bitmaps are lost
	if e := d.img.flush(); err == nil {
		err = e
	}
	return err
}

func (d *qcow2Driver) info() imageInfo {
	compat := "1.1"
	if d.img.version == 2 {
		compat = "0.10"
	}
	data := qmp.Dict(
		qmp.M("compat", qmp.Str(compat)), qmp.M("compression-type", qmp.Str("zlib")),
		qmp.M("lazy-refcounts", v3(d.img, d.img.lazyRefcounts)), qmp.M("refcount-bits", qmp.Int(1<<qcow2RefcountBits)),
		qmp.M("data-file", optional(d.img.data.name)), qmp.M("data-file-raw", d.img.data.shown()),
		qmp.M("corrupt", v3(d.img, false)), qmp.M("extended-l2", v3(d.img, false)),
		qmp.M("bitmaps", d.img.storedInfo()))
	return imageInfo{
		clusterSize: d.img.clusterSize(), hasFlags: true, allocated: d.img.file.drv.info().allocated + d.img.data.allocated(),
		specific: qmp.Dict(qmp.M("type", qmp.Str("qcow2")), qmp.M("data", data)),
	}
}

// v3 is a member that images of version 2 do not show.
func v3(img *image, b bool) qmp.Value {
	if img.version == 2 {
		return qmp.Value{}
	}
	return qmp.Bool(b)
}
