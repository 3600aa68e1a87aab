package sim

// zeroAround reports whether [lo, off) and [end, hi) read as zero by the status of the
// chain that begins at n (is_zero of block/qcow2.c).
func (n *node) zeroAround(lo, off, end, hi int64) (bool, error) {
	head, err := n.isZero(lo, off)
	if err != nil || !head {
		return false, err
	}
	return n.isZero(end, hi)
}

// isZero reports whether the status of a range is zero throughout; beyond the end of
// the node it is.
func (n *node) isZero(lo, hi int64) (bool, error) {
	hi = min(hi, n.length())
	for lo < hi {
		_, zero, length, err := n.drv.status(lo, hi-lo)
		if err != nil || !zero {
			return false, err
		}
		lo += length
	}
	return true, nil
}
