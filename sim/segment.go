package sim

// segment is a piece of content at an offset. Between the segments of a range
// there are zeroes; this is how sparse content moves through the graph.
type segment struct {
	off  int64
	data []byte
}

// arenaBlock is how much memory a reader takes at least.
const arenaBlock = 4 << 10

// reader collects the segments of a range, in order. Memory is kept for the
// next read, so that segments are valid until then.
type reader struct {
	segs  []segment
	shift int64 // added to the offsets of what a lower layer reports
	arena []byte
	used  int
}

// reset forgets what was read.
func (r *reader) reset() { r.segs, r.shift, r.used = r.segs[:0], 0, 0 }

// read collects the content of [off, off+n) of a node.
func (r *reader) read(n *node, off, length int64) error {
	r.reset()
	return n.drv.read(r, off, length)
}

// alloc returns room for n bytes.
func (r *reader) alloc(n int) []byte {
	if r.used+n > len(r.arena) {
		r.arena = make([]byte, max(n, arenaBlock, 2*len(r.arena)))
		r.used = 0
	}
	p := r.arena[r.used : r.used+n : r.used+n]
	r.used += n
	return p
}

// add reports content of the layer that reads.
func (r *reader) add(off int64, data []byte) {
	r.segs = append(r.segs, segment{off + r.shift, data})
}

// copyTo fills p, which begins at off.
func (r *reader) copyTo(p []byte, off int64) {
	clear(p)
	for _, s := range r.segs {
		copy(p[s.off-off:], s.data)
	}
}

// cut appends to out what of segs lies in [off, off+n), moved by shift.
func cut(out, segs []segment, off, n, shift int64) []segment {
	for _, s := range segs {
		lo, hi := max(s.off, off), min(s.off+int64(len(s.data)), off+n)
		if lo < hi {
			out = append(out, segment{lo + shift, s.data[lo-s.off : hi-s.off]})
		}
	}
	return out
}

// onlyZeroes reports whether nothing but zeroes is in segs.
func onlyZeroes(segs []segment) bool {
	for _, s := range segs {
		for _, c := range s.data {
			if c != 0 {
				return false
			}
		}
	}
	return true
}
