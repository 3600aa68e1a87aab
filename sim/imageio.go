package sim

// guestRun cuts [off, off+n) at the end of the run of equal state at off.
func (img *image) guestRun(off, n int64) (r mapRun, length int64) {
	g := off >> img.bits
	last := (off + n - 1) >> img.bits
	r = img.clusters.at(g, last-g+1)
	length = min(n, (r.g+r.n)<<img.bits-off)
	img.warm(off, length)
	return r, length
}

// hostOffset is where guest offset off of run r lies in the file.
func (img *image) hostOffset(r mapRun, off int64) int64 {
	return r.host<<img.bits + off - r.g<<img.bits
}

// read reports the image's own content and asks backing (nil: zeroes) for what
// is not allocated.
func (img *image) read(rd *reader, backing *node, off, n int64) error {
	for n > 0 {
		r, length := img.guestRun(off, n)
		var err error
		switch {
		case r.kind == mapData:
			err = img.readHost(rd, img.hostOffset(r, off), off, length)
		case r.kind == mapNone && backing != nil:
			err = readShort(rd, backing, off, length)
		}
		if err != nil {
			return err
		}
		off, n = off+length, n-length
	}
	return nil
}

func (img *image) readHost(rd *reader, host, off, n int64) error {
	shift := rd.shift
	rd.shift += off - host
	defer func() { rd.shift = shift }()
	if img.data.node != nil {
		return readShort(rd, img.data.node, host, n)
	}
	return img.file.drv.read(rd, host, n)
}

// readShort reads from a backing node that may be smaller.
func readShort(rd *reader, backing *node, off, n int64) error {
	if n = min(n, backing.length()-off); n <= 0 {
		return nil
	}
	return backing.drv.read(rd, off, n)
}

// setRun changes the mapping and marks the tables, which it makes if need be.
func (img *image) setRun(r mapRun) error {
	first, last := r.g/img.perL2(), (r.g+r.n-1)/img.perL2()
	for index := first; index <= last; index++ {
		if err := img.makeTable(index); err != nil {
			return err
		}
	}
	img.clusters.set(r)
	at, _ := img.findTable(first)
	for index := first; index <= last; index++ {
		base := index * img.perL2()
		img.tables[at].touch(max(r.g-base, 0), min(r.g+r.n-base, img.perL2()))
		at++
	}
	return nil
}

// touch notes entries to write at the next flush.
func (t *l2Table) touch(lo, hi int64) {
	if t.dirtyHi == 0 {
		t.dirtyLo, t.dirtyHi = lo, hi
		return
	}
	t.dirtyLo, t.dirtyHi = min(t.dirtyLo, lo), max(t.dirtyHi, hi)
}

// wideZeroTables is the number of L2 tables (512 MiB each with 64 KiB clusters) up
// to which an image records all zero clusters, as QEMU does. In a larger one without
// a backing file, tables that would hold nothing else are not made, which reads the
// same: a 16 TiB backup costs what is on the disk, not 32768 tables.
const (
	wideZeroTables = 64
	wideZeroBytes  = 32 << 30 // and no smaller image
)

// zero makes [off, off+n) read as zero.
func (img *image) zero(backing *node, off, n int64) error {
	switch {
	case img.version == 2 && backing != nil:
		return img.write(backing, off, n, nil)
	case img.version == 2:
		return img.zeroV2(off, n)
	case img.data.raw:
		if err := img.data.clear(off, n); err != nil {
			return err
		}
	}
	size := img.clusterSize()
	for n > 0 {
		r, length := img.guestRun(off, n)
		part := off&(size-1) != 0 || length < size && off+length != img.size
		if part && r.kind == mapNone && backing != nil {
			clean, err := backing.zeroAround(off&^(size-1), off, min(off+length, (off&^(size-1))+size), min((off&^(size-1))+size, img.size))
			if err != nil {
				return err
			}
			if clean {
				length = min(length, size-off&(size-1))
				r.n = 1
				if err := img.zeroRun(backing, r); err != nil {
					return err
				}
				off, n = off+length, n-length
				continue
			}
		}
		switch {
		case part && (r.kind == mapData || r.kind == mapNone && backing != nil):
			length = min(length, size-off&(size-1))
			if err := img.write(backing, off, length, nil); err != nil {
				return err
			}
		case part:
			// What reads as zero already becomes a zero cluster as a whole.
			length = min(length, size-off&(size-1))
			r.n = 1
			if err := img.zeroRun(backing, r); err != nil {
				return err
			}
		default:
			if whole := length &^ (size - 1); whole > 0 {
				length = whole
			}
			r.n = (length + size - 1) >> img.bits
			if err := img.zeroRun(backing, r); err != nil {
				return err
			}
		}
		off, n = off+length, n-length
	}
	return nil
}

// zeroV2 drops whole clusters: version 2 has no zero clusters, and without a backing
// file what is not there reads as zero.
func (img *image) zeroV2(off, n int64) error {
	size := img.clusterSize()
	for n > 0 {
		r, length := img.guestRun(off, n)
		lo, whole := off&^(size-1), off&(size-1) == 0 && (length >= size || off+length == img.size)
		if !whole {
			length = min(length, size-off&(size-1))
		} else if length > size {
			length &^= size - 1
		}
		var err error
		if r.kind == mapData && !whole {
			err = img.write(nil, off, length, nil)
		} else {
			err = img.discard(nil, lo, min(max(length, size), img.size-lo))
		}
		if err != nil {
			return err
		}
		off, n = off+length, n-length
	}
	return nil
}

// wholeZeroes extends a range that was zeroed to the ends of clusters of which the rest
// reads as zero as well: they were zeroed as a whole.
func (img *image) wholeZeroes(lo, hi int64) (int64, int64) {
	size := img.clusterSize()
	isZero := func(off int64) bool {
		r, _ := img.guestRun(off, 1)
		return r.kind == mapZeroAlloc
	}
	if lo&(size-1) != 0 && isZero(lo) {
		lo &^= size - 1
	}
	if hi&(size-1) != 0 && isZero(hi-1) {
		hi = min((hi+size-1)&^(size-1), img.size)
	}
	return lo, hi
}

func (img *image) zeroRun(backing *node, r mapRun) error {
	switch r.kind {
	case mapData:
		r.kind = mapZeroAlloc
	case mapNone:
		r.kind, r.host = mapZero, 0
		if backing == nil && img.size > wideZeroBytes && img.size>>img.bits > wideZeroTables*img.perL2() {
			return img.zeroWide(r)
		}
	default:
		return nil
	}
	return img.setRun(r)
}

// zeroWide records zero clusters where a table is there or would hold something
// else as well.
func (img *image) zeroWide(r mapRun) error {
	for end := r.g + r.n; r.g < end; r.g += r.n {
		index := r.g / img.perL2()
		at, ok := img.findTable(index)
		r.n = min(end, (index+1)*img.perL2()) - r.g
		if ok || r.n < img.perL2() {
			if err := img.setRun(r); err != nil {
				return err
			}
			continue
		}
		next := end // or the next table that is there
		if at < len(img.tables) {
			next = min(end, img.tables[at].index*img.perL2())
		}
		r.n = max((next-r.g)/img.perL2(), 1) * img.perL2()
	}
	return nil
}

// discard drops whole clusters; parts of a cluster are left alone (§3.4). They
// read as zero afterwards, also over a backing file.
func (img *image) discard(backing *node, off, n int64) error {
	if img.version == 2 && backing != nil {
		return nil // the backing file would show through
	}
	size := img.clusterSize()
	lo, hi := (off+size-1)>>img.bits, (off+n)>>img.bits
	if off+n == img.size {
		hi = (off + n + size - 1) >> img.bits
	}
	for index := lo / img.perL2(); lo < hi && index*img.perL2() < hi; index++ {
		if err := img.makeTable(index); err != nil { // QEMU makes it, needed or not
			return err
		}
	}
	for lo < hi {
		r := img.clusters.at(lo, hi-lo)
		lo += r.n
		if r.kind == mapZero || r.kind == mapNone && backing == nil {
			continue
		}
		if err := img.letGo(r); err != nil {
			return err
		}
		r.kind, r.host = mapZero, 0
		if img.version == 2 {
			r.kind = mapNone
		}
		if err := img.setRun(r); err != nil {
			return err
		}
	}
	return nil
}
