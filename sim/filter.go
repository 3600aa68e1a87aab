package sim

import (
	"slices"
	"syscall"

	"fleece/qmp"
)

// filterDriver is copy-before-write: what is not yet copied goes to the target
// before the source is overwritten. The guest's requests come through Machine's
// guest functions, which call beforeWrite and may let the lock go; the driver's own
// methods pass on.
type filterDriver struct {
	passDriver
	copy *blockCopy
	// breaks tells that a failed copy spoils the snapshot and not the guest's
	// write (on-cbw-error=break-snapshot).
	breaks bool
	broken bool
	size   int64 // bytes
}

// length is that of the source when the filter was made, or what the filter was resized
// to: QEMU does not ask the source again.
func (d *filterDriver) length() int64 { return d.size }

func (d *filterDriver) truncate(size int64) error {
	err := d.passDriver.truncate(size)
	if err == nil {
		d.size = size
	}
	return err
}

// beforeWrite copies what a guest is about to overwrite.
func (d *filterDriver) beforeWrite(off, n int64) error {
	if d.broken {
		return nil
	}
	if off+n > d.n.child("file").length() {
		_ = d.n.m.die("The write is beyond the end of what the filter is over") // an assertion: a smaller overlay was put below
		return syscall.EIO
	}
	err := d.copy.beforeWrite(off, n)
	if err != nil && d.breaks {
		d.broken = true
		return nil
	}
	return err
}

// openCopyBeforeWrite opens a filter that the monitor made; the order of the checks is
// cbw_open's.
func (m *Machine) openCopyBeforeWrite(n *node) *qmp.ReplyError {
	source, err := m.openChild(n, "file", "file")
	if err != nil {
		return err
	}
	target, err := m.openChild(n, "target", "target")
	if err != nil {
		return err
	}
	var bm *bitmap
	if ref := n.options.Get("bitmap"); ref.Present() {
		if _, bm, err = m.findBitmap(ref.Get("node").S(), ref.Get("name").S()); err != nil {
			return err
		}
	}
	d := &filterDriver{passDriver: passDriver{n}, breaks: n.options.Get("on-cbw-error").S() == "break-snapshot", size: source.length()}
	d.copy = m.newBlockCopy(n, source, target, backupArgs{maxWorkers: copyWorkersDefault})
	if bm != nil {
		d.copy.bits.bits.clear()
		d.copy.bits.mergeFrom(bm)
		access := n.bitmaps.list[len(n.bitmaps.list)-1]
		access.bits = d.copy.bits.bits.clone()
	}
	n.drv = d
	m.insert(n)
	return nil
}

// close gives the copy bitmap of a filter back that the monitor made.
func (d *filterDriver) close() error {
	d.copy.closed = true
	if source := d.n.child("file"); source != nil {
		source.bitmaps.release(d.copy.bits)
	}
	return nil
}

func (d *filterDriver) info() imageInfo {
	info := d.passDriver.info()
	info.specific = qmp.Value{}
	return info
}

// insertFilter puts a filter over source and between it and all its parents
// (§5.9). Errors carry QEMU's prefix.
func (m *Machine) insertFilter(source, target *node, name qmp.Value) (*node, *qmp.ReplyError) {
	const prefix = "Could not create node: "
	n := &node{m: m, kind: "copy-before-write", name: name.S(), owned: true}
	if !name.Present() {
		n.name = m.generateName()
	} else if err := m.checkName(n.name); err != nil {
		return nil, qmp.Generic(prefix + err.Desc)
	}
	d := &filterDriver{passDriver: passDriver{n}, size: source.length()}
	n.drv = d
	older := slices.Clone(source.parents)
	for role, c := range [...]*node{source, target} {
		n.attach([...]string{"file", "target"}[role], c)
		if err := c.conflictBelow(); err != nil {
			n.dropChildren()
			return nil, qmp.Generic(prefix + err.Desc)
		}
	}
	source.moveParents(n, func(e *edge) bool { // but not where the target itself has the source as backing
		return slices.Contains(older, e) && (e.parent == nil || !n.reaches(e.parent))
	})
	m.insert(n)
	if err := n.conflictBelow(); err != nil {
		m.removeFilter(n)
		return nil, qmp.Generic("Could not replace node: " + err.Desc)
	}
	return n, nil
}

// removeFilter gives the parents back to what the filter filters.
func (m *Machine) removeFilter(n *node) {
	source := n.filtered()
	n.moveParents(source, func(*edge) bool { return true })
	m.nodes = slices.DeleteFunc(m.nodes, func(x *node) bool { return x == n })
	n.closed = true
	n.dropChildren()
}

func (n *node) dropChildren() {
	for len(n.children) > 0 {
		_ = n.children[0].detach()
	}
}
