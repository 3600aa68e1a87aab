package sim

import (
	"syscall"

	"fleece/qmp"
)

// accessDriver is snapshot-access: it shows the disk under a copy-before-write node as it
// was when that node was opened, from the target where the old content went there and
// from the source where nothing was written since.
type accessDriver struct{ n *node }

// openAccess opens a snapshot-access node. Whether its child can give such access shows at
// the first request.
func (m *Machine) openAccess(n *node) *qmp.ReplyError {
	n.jobPerms = func(_, _ permSet) (permSet, permSet) { return 0, permAll }
	if _, err := m.openChild(n, "file", "file"); err != nil {
		return err
	}
	n.drv = &accessDriver{n}
	m.insert(n)
	return nil
}

// layer is the node that has the content at off, and for how long.
func (d *accessDriver) layer(off, n int64) (*node, int64, error) {
	cow := d.n.child("file").cow()
	if cow == nil {
		return nil, 0, syscall.ENOTSUP
	}
	if cow.broken {
		return nil, 0, syscall.EACCES
	}
	done := cow.copy.doneBits
	g := off >> done.shift
	if r, ok := done.bits.next(g); !ok || r.lo > g {
		if ok {
			n = min(n, r.lo<<done.shift-off)
		}
		return d.n.child("file").child("file"), n, nil
	}
	return d.n.child("file").child("target"), min(n, done.bits.nextGap(g)<<done.shift-off), nil
}

func (d *accessDriver) read(r *reader, off, n int64) error {
	for n > 0 {
		from, part, err := d.layer(off, n)
		if err == nil {
			err = from.drv.read(r, off, part)
		}
		if err != nil {
			return err
		}
		off, n = off+part, n-part
	}
	return nil
}

func (d *accessDriver) status(off, n int64) (bool, bool, int64, error) {
	from, part, err := d.layer(off, n)
	if err != nil {
		return false, false, n, err
	}
	return from.drv.status(off, part)
}

func (d *accessDriver) write(int64, int64, []segment) error { return syscall.EACCES }
func (d *accessDriver) zero(int64, int64) error             { return syscall.EACCES }
func (d *accessDriver) discard(int64, int64) error          { return nil }
func (d *accessDriver) length() int64                       { return d.n.child("file").length() }
func (d *accessDriver) truncate(int64) error                { return syscall.ENOTSUP }
func (d *accessDriver) flush() error                        { return nil }
func (d *accessDriver) close() error                        { return nil }

func (d *accessDriver) info() imageInfo { return imageInfo{} }
