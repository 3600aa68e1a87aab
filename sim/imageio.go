package sim

// guestRun cuts [off, off+n) at the end of the run of equal state at off.
func (img *image) guestRun(off, n int64) (r mapRun, length int64) {
	g := off >> img.bits
	last := (off + n - 1) >> img.bits
	r = img.clusters.at(g, last-g+1)
	return r, min(n, (r.g+r.n)<<img.bits-off)
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

// write stores segs, with zeroes between them, in [off, off+n). An error leaves
// the mapping as it was for what was not written.
func (img *image) write(backing *node, off, n int64, segs []segment) error {
	for n > 0 {
		was, length := img.guestRun(off, n)
		r := was
		if was.kind != mapData {
			var err error
			if r, length, err = img.allocate(backing, was, off, length); err != nil {
				return err
			}
		}
		host := img.hostOffset(r, off)
		img.scratch = cut(img.scratch[:0], segs, off, length, host-off)
		if err := img.content().writeSegments(host, length, img.scratch); err != nil {
			if was.kind != mapData {
				img.takeBack(was, r)
			}
			return err
		}
		off, n = off+length, n-length
	}
	return nil
}

// takeBack undoes an allocation whose data could not be written.
func (img *image) takeBack(was, r mapRun) {
	was = was.from(r.g)
	was.n = r.n
	if was.kind != mapZeroAlloc && !img.data.external {
		img.freeClusters(r.host, r.n)
	}
	_ = img.setRun(was) // the tables exist
}

// allocate gives the clusters of r data clusters in the file that hold what the
// guest sees there now, as far as [off, off+n) does not cover them. Only the first
// and the last cluster can be covered in part.
func (img *image) allocate(backing *node, r mapRun, off, n int64) (mapRun, int64, error) {
	size := img.clusterSize()
	if head := off & (size - 1); head != 0 || n < size {
		return img.allocatePart(backing, r.from(off>>img.bits), min(n, size-head))
	}
	r.n = n >> img.bits
	r, err := img.allocateData(r)
	return r, r.n << img.bits, err
}

// allocatePart allocates one cluster that is written in part: copy on write.
func (img *image) allocatePart(backing *node, r mapRun, n int64) (mapRun, int64, error) {
	rd := &img.memory.cow
	rd.reset()
	was, start := r, r.g<<img.bits
	inherits := r.kind == mapNone && backing != nil
	if inherits {
		if err := readShort(rd, backing, start, img.clusterSize()); err != nil {
			return r, 0, err
		}
	}
	r.n = 1
	r, err := img.allocateData(r)
	if err == nil && was.kind != mapZeroAlloc && img.data.external {
		err = img.data.fill(start, img.clusterSize())
	}
	if err == nil && len(rd.segs) > 0 {
		host := r.host << img.bits
		moved := cut(img.moved[:0], rd.segs, start, img.clusterSize(), host-start)
		img.moved = moved
		if err = img.content().writeSegments(host, img.clusterSize(), moved); err != nil {
			img.takeBack(was, r)
		}
	}
	return r, n, err
}

// allocateData maps the clusters of r to host clusters. It may do so for the
// first of them only; what it returns is contiguous.
func (img *image) allocateData(r mapRun) (mapRun, error) {
	if r.kind == mapZeroAlloc {
		if err := img.content().zero(r.host<<img.bits, r.n<<img.bits); err != nil {
			return r, err
		}
		r.kind = mapData
		return r, img.setRun(r)
	}
	// One L2 table after the other, as QEMU does: the table first, then its data.
	r.n = min(r.n, (r.g/img.perL2()+1)*img.perL2()-r.g)
	if err := img.makeTable(r.g / img.perL2()); err != nil {
		return r, err
	}
	r.kind = mapData
	if img.data.external {
		r.host = r.g
		return r, img.setRun(r)
	}
	host, err := img.allocClusters(r.n)
	if err != nil {
		return r, err
	}
	r.host = host
	return r, img.setRun(r)
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
