package sim

import (
	"slices"
	"syscall"

	"fleece/qmp"
)

// debugDriver is blkdebug with inject-error rules. A rule waits for its event, which a
// format above or the request itself raises; "none" is raised when the node is opened.
// The events of a format's metadata are those of allocating writes: cluster_alloc,
// refblock_load, refblock_update_part, l2_alloc_write, l2_update, l1_update.
type debugDriver struct {
	passDriver
	rules  []*debugRule
	active []*debugRule // newest first
}

type debugRule struct {
	event  string
	iotype string // "": read, write, write-zeroes, discard and flush
	once   bool
	errno  syscall.Errno
	offset int64 // that the request must cover; -1: any
}

// debugAlignMax is the first alignment that blkdebug does not have, in bytes.
const debugAlignMax = 1 << 31

func (m *Machine) openDebug(n *node) *qmp.ReplyError {
	d := &debugDriver{passDriver: passDriver{n}}
	for _, o := range n.options.Get("inject-error").Items() {
		r := &debugRule{
			event: o.Get("event").S(), iotype: o.Get("iotype").S(), once: o.Get("once").IsTrue(),
			errno: syscall.EIO, offset: -1,
		}
		if errno, ok := o.Get("errno").Int64(); ok {
			r.errno = syscall.Errno(errno)
		}
		if sector, ok := o.Get("sector").Int64(); ok {
			r.offset = sector * sectorSize
		}
		d.rules = append(d.rules, r)
	}
	if align, ok := n.options.Get("align").Int64(); ok && (align <= 0 || align >= debugAlignMax || align&(align-1) != 0) {
		return qmp.Generic("Cannot meet constraints with align " + itoa(align))
	}
	d.raise("none")
	return m.openPass(n, "image", func() driver { return d })
}

// raise makes the rules of an event the active ones.
func (d *debugDriver) raise(event string) {
	found := false
	for _, r := range d.rules {
		if r.event != event {
			continue
		}
		if !found {
			d.active, found = nil, true
		}
		d.active = append([]*debugRule{r}, d.active...)
	}
}

// fail gives the error of the first active rule that a request meets.
func (d *debugDriver) fail(iotype string, off, n int64) error {
	for _, r := range d.active {
		if r.iotype != "" && r.iotype != iotype || r.offset >= 0 && (r.offset < off || r.offset >= off+n) {
			continue
		}
		if r.once {
			other := func(x *debugRule) bool { return x == r }
			d.active = slices.DeleteFunc(d.active, other)
			d.rules = slices.DeleteFunc(d.rules, other)
		}
		if r.errno == 0 {
			return nil
		}
		return r.errno
	}
	return nil
}

func (d *debugDriver) read(r *reader, off, n int64) error {
	if err := d.fail("read", off, n); err != nil {
		return err
	}
	return d.passDriver.read(r, off, n)
}

func (d *debugDriver) write(off, n int64, segs []segment) error {
	d.raise("pwritev")
	if err := d.fail("write", off, n); err != nil {
		return err
	}
	defer d.raise("pwritev_done")
	return d.passDriver.write(off, n, segs)
}

func (d *debugDriver) zero(off, n int64) error {
	d.raise("pwritev_zero")
	if err := d.fail("write-zeroes", off, n); err != nil {
		return err
	}
	defer d.raise("pwritev_done")
	return d.passDriver.zero(off, n)
}

func (d *debugDriver) discard(off, n int64) error {
	if err := d.fail("discard", off, n); err != nil {
		return err
	}
	return d.passDriver.discard(off, n)
}

func (d *debugDriver) flush() error {
	d.raise("flush_to_disk")
	return d.fail("flush", 0, 0)
}

// event tells the file of an image what the format is about to do.
func (img *image) event(name string) {
	if d, ok := img.file.drv.(*debugDriver); ok {
		d.raise(name)
	}
}

// coldRefcounts reads the counts before the first change. Reading can only fail for a
// rule; what it reads is known.
func (img *image) coldRefcounts() error {
	d, ok := img.file.drv.(*debugDriver)
	if !ok || !img.refsCold || len(img.refBlocks) == 0 {
		return nil
	}
	d.raise("refblock_load")
	if err := d.fail("read", img.refBlocks[0]<<img.bits, img.clusterSize()); err != nil {
		return err
	}
	img.refsCold = false
	return nil
}
