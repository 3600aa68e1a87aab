package sim

import (
	"syscall"

	"fleece/qmp"
)

// checkStored looks at the bitmaps that the image has in it, in its order.
func (n *node) checkStored() *qmp.ReplyError {
	img := n.image()
	if img == nil {
		return nil
	}
	for _, s := range img.stored {
		if b := n.bitmaps.find(s.name); b != nil {
			if err := b.check(checkDefault); err != nil {
				return err
			}
		}
	}
	return nil
}

// blockResize changes the size of a node and its bitmaps.
func (m *Machine) blockResize(a qmp.Value) *qmp.ReplyError {
	device, name := a.Get("device"), a.Get("node-name").S()
	n := m.node(name)
	if n == nil {
		return qmp.Generic("Cannot find device='" + device.S() + "' nor node-name='" + name + "'")
	}
	size, _ := a.Get("size").Int64()
	if size < 0 {
		return qmp.Generic("Parameter 'size' expects a >0 size")
	}
	if n.blocked() != nil {
		return qmp.Generic("Device '" + device.TextOr("(null)") + "' is in use") // sic
	}
	u := &user{label: "an unnamed block device", perm: permResize, shared: permAll}
	e := n.use("root", u)
	defer e.drop()
	if err := n.conflictBelow(); err != nil {
		return err
	}
	for x := n; x != nil; x = x.filtered() {
		if x.readOnly {
			return qmp.Generic("Image is read-only")
		}
	}
	if err := n.checkStored(); err != nil {
		return err
	}
	for _, b := range n.bitmaps.list {
		if b.busy {
			return m.die("Bitmap '" + b.name + "' is currently in use by another operation and cannot be used") // an assertion
		}
	}
	if n.inactive {
		return m.die("The image belongs to the destination of a migration") // an assertion of the real binary
	}
	if _, fixed := n.drv.(*nullDriver); fixed {
		return qmp.Generic("Image format driver does not support resize")
	}
	img, below := n.image(), n.backing()
	old := n.length()
	shows := img != nil && below != nil && old < min(size, below.length()) // what is below would
	if shows && img.version == 2 {
		return ioError("Failed to zero out new clusters", syscall.ENOTSUP)
	}
	if img != nil && size%sectorSize != 0 {
		return qmp.Generic("The new size must be a multiple of 512")
	}
	if o := (imageOptions{size: size}); img != nil {
		o.clusterSize = img.clusterSize()
		if o.l1Bytes() > max(qcow2L1BytesMax, img.l1Entries*8) {
			return qmp.Generic("Failed to grow the L1 table: File too large")
		}
	}
	if err := n.drv.truncate(size); err != nil {
		return ioError("Failed to resize", err)
	}
	for _, b := range n.bitmaps.list {
		b.resize(size)
	}
	if shows {
		if err := img.zeroTail(below, old, size); err != nil {
			return ioError("Failed to zero out the new area", err)
		}
		img.cool() // only then
	}
	return nil
}

// zeroTail makes what an image has grown by read as zero: zero clusters, and before them
// data up to where a cluster begins (qcow2_co_truncate).
func (img *image) zeroTail(backing *node, old, size int64) error {
	head := min((old+img.clusterSize()-1)&^(img.clusterSize()-1), size)
	if err := img.zero(backing, head, size-head); err != nil || head == old {
		return err
	}
	return img.write(backing, old, head-old, nil)
}

// resize is what truncate of qemu-io does.
func (n *node) resize(size int64) error {
	if err := n.drv.truncate(size); err != nil {
		return err
	}
	for _, b := range n.bitmaps.list {
		b.resize(size)
	}
	return nil
}
