package oracle

import "bytes"

// identify finds out who wrote the first bytes of p, which stand at off in cell
// k: w (nil: nobody, they are zero) for n bytes. n is 0 if nobody could have
// written them. known is false if they are too few to tell: part of a sector that
// fits more than one writer.
func (r *reader) identify(k *cell, p []byte, off int64) (w *Write, n int64, known bool) {
	if off%SectorSize == 0 && len(p) >= SectorSize {
		if n := zeroPrefix(p); n > 0 {
			return nil, n, true
		}
		w = r.owner(seqOf(p), off, off+SectorSize)
		if w == nil {
			return nil, 0, false
		}
		return w, sameSectors(p, w, off), true
	}
	return r.identifyPart(k, p[:min(int64(len(p)), SectorSize-off%SectorSize)], off)
}

// owner is the write of that number if it covers the range on this disk.
func (r *reader) owner(seq uint32, from, to int64) *Write {
	if seq == 0 || int(seq) > len(r.h.writes) {
		return nil
	}
	if w := r.h.writes[seq-1]; w.Disk == r.Disk && w.covers(from, to) {
		return w
	}
	return nil
}

// identifyPart is identify for less than a sector: all writes there are compared,
// those first that a cut may show.
func (r *reader) identifyPart(k *cell, p []byte, off int64) (w *Write, n int64, known bool) {
	n = int64(len(p))
	fits := 0
	if allZero(p) {
		fits++
	}
	for _, list := range [][]*Write{k.sure, k.free} {
		for _, v := range list {
			if bytes.Equal(v.data[off-v.Offset:off-v.Offset+n], p) {
				w = v
				fits++
			}
		}
	}
	if fits > 0 {
		return w, n, fits == 1
	}
	for _, v := range r.Disk.writes {
		if v.covers(off, off+n) && bytes.Equal(v.data[off-v.Offset:off-v.Offset+n], p) {
			return v, n, true
		}
	}
	return nil, 0, false
}

// allZero compares p with itself, one byte on: fast, and without a buffer of zeroes.
func allZero(p []byte) bool {
	return len(p) == 0 || p[0] == 0 && bytes.Equal(p[1:], p[:len(p)-1])
}

// firstNonZero is the index of the first byte that is not zero; -1 if there is none.
func firstNonZero(p []byte) int64 {
	if allZero(p) {
		return -1
	}
	i := 0
	for p[i] == 0 {
		i++
	}
	return int64(i)
}

// zeroPrefix counts the leading bytes of p that are zero, in whole sectors.
func zeroPrefix(p []byte) int64 {
	n := 0
	for _, step := range [2]int{16 * SectorSize, SectorSize} {
		for len(p)-n >= step && allZero(p[n:n+step]) {
			n += step
		}
	}
	return int64(n)
}

// sameSectors counts the leading bytes of p, in whole sectors, that are w's data
// at off. The whole range is tried first: it is the usual case.
func sameSectors(p []byte, w *Write, off int64) int64 {
	mine := w.data[off-w.Offset:]
	mine = mine[:min(len(mine), len(p))/SectorSize*SectorSize]
	if bytes.Equal(p[:len(mine)], mine) {
		return int64(len(mine))
	}
	n := 0
	for n < len(mine) && bytes.Equal(p[n:n+SectorSize], mine[n:n+SectorSize]) {
		n += SectorSize
	}
	return int64(n)
}
