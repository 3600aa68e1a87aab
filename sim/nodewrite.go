package sim

import "syscall"

// writeSegments stores content and marks the node's bitmaps.
func (n *node) writeSegments(off, length int64, segs []segment) error {
	if n.findZeroes != "off" && n.findZeroes != "" && onlyZeroes(segs) {
		if n.findZeroes == "unmap" {
			return n.zeroUnmap(off, length)
		}
		return n.zero(off, length)
	}
	if n.threshold != 0 {
		n.crossed(off + length)
	}
	if n.bitmaps.frozen() {
		return syscall.EPERM
	}
	err := n.drv.write(off, length, segs)
	n.wrote(off, length, err)
	return err
}

// wrote notes that a range was written, or that it was tried: a failed write is marked,
// too (bdrv_co_write_req_finish). One beyond the end has made the node larger, and its
// bitmaps follow.
func (n *node) wrote(off, length int64, err error) {
	n.highest = max(n.highest, off+length)
	for _, b := range n.bitmaps.list {
		switch {
		case off+length <= b.size:
		case err == nil:
			b.resize(max(off+length, n.length()))
		case !b.disabled && b.beyond(off+length):
			_ = n.m.die("A failed write ends beyond bitmap '" + b.name + "'") // an assertion (hbitmap_set)
			return
		}
	}
	n.bitmaps.dirty(off, length)
}

// write stores p.
func (n *node) write(p []byte, off int64) error {
	n.one[0] = segment{off, p}
	return n.writeSegments(off, int64(len(p)), n.one[:])
}

func (n *node) zero(off, length int64) error {
	if n.threshold != 0 {
		n.crossed(off + length)
	}
	if n.bitmaps.frozen() {
		return syscall.EPERM
	}
	err := n.drv.zero(off, length)
	n.wrote(off, length, err)
	return err
}

// isThrottled reports whether a throttle node is on the way down.
func (n *node) isThrottled() bool {
	for ; n != nil; n = n.filtered() {
		if n.kind == "throttle" {
			return true
		}
	}
	return false
}

// zeroUnmap writes zeroes and lets the clusters go that held something. A backend asks
// for it whatever the node was opened with (blk_co_pwrite_zeroes), a filter only if what
// is below it was opened with discard=unmap; images of version 2 cannot do it.
func (n *node) zeroUnmap(off, length int64) error {
	if err := n.zero(off, length); err != nil {
		return err
	}
	x := n
	for x.filtered() != nil {
		if x = x.filtered(); !x.unmap {
			return nil
		}
	}
	if img := x.image(); img != nil && img.version > 2 {
		lo, hi := img.wholeZeroes(off, off+length)
		return img.discard(x.backing(), lo, hi-lo)
	}
	return nil
}

// discard is dropped, and marks nothing, unless the node was opened with
// discard=unmap (§3.4).
func (n *node) discard(off, length int64) error {
	if n.bitmaps.frozen() {
		return syscall.EPERM
	}
	if !n.unmap {
		return nil
	}
	err := n.drv.discard(off, length)
	n.bitmaps.dirty(off, length)
	return err
}

// grow tells the layers below that the image will extend to end, before anything
// is written there.
func (n *node) grow(end int64) {
	for n.child("file") != nil {
		n = n.child("file")
	}
	if f, ok := n.drv.(*fileDriver); ok {
		f.promised = max(f.promised, end)
	}
}

// reached notes how far writes of metadata got that QEMU makes in one piece.
func (n *node) reached(end int64) {
	for ; n != nil; n = n.child("file") {
		n.highest = max(n.highest, end)
	}
}

// promise takes back what grow said of what lies beyond end.
func (n *node) promise(end int64) {
	for n.child("file") != nil {
		n = n.child("file")
	}
	if f, ok := n.drv.(*fileDriver); ok {
		f.promised = min(f.promised, end)
	}
}

// fileLength is the length without what grow promised.
func (n *node) fileLength() int64 {
	for n.child("file") != nil {
		n = n.child("file")
	}
	if f, ok := n.drv.(*fileDriver); ok {
		return f.size
	}
	return n.length()
}
