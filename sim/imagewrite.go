package sim

// anywhere is a hint that names no host cluster.
const anywhere = -1

// write stores segs, with zeroes between them, in [off, off+n). An error leaves
// the mapping as it was for what was not written.
func (img *image) write(backing *node, off, n int64, segs []segment) error {
	after := int64(anywhere)
	for n > 0 {
		r, length := img.guestRun(off, n)
		isNew := r.kind != mapData
		img.before = img.before[:0]
		if isNew {
			var err error
			if r, length, err = img.allocate(backing, r, off, n, after); err != nil {
				return err
			}
		}
		host := img.hostOffset(r, off)
		img.scratch = cut(img.scratch[:0], segs, off, length, host-off)
		img.event("write_aio")
		if err := img.content().writeSegments(host, length, img.scratch); err != nil {
			if isNew {
				img.takeBack(r)
			}
			return err
		}
		off, n, after = off+length, n-length, (host+length)>>img.bits
	}
	return nil
}

// allocate gives guest clusters of [off, off+n), where none has data, clusters of data in
// the file that hold what the guest sees there now, as far as the range does not cover
// them. after is the host cluster that should come first. What it returns is contiguous,
// with the number of bytes of the range that lie in it.
func (img *image) allocate(backing *node, r mapRun, off, n, after int64) (mapRun, int64, error) {
	var err error
	if r.kind == mapZeroAlloc {
		r, err = img.fillZeroes(r.from(off>>img.bits), off, n)
	} else {
		r, err = img.allocateData(backing, off, n, after)
	}
	return r, min(n, (r.g+r.n)<<img.bits-off), err
}

// fillZeroes turns clusters that read as zero, and have a place in the file, into data.
func (img *image) fillZeroes(r mapRun, off, n int64) (mapRun, error) {
	r.n = min(r.n, (off+n-1)>>img.bits-r.g+1)
	img.before, img.endBefore = append(img.before, r), img.end
	if err := img.content().zero(r.host<<img.bits, r.n<<img.bits); err != nil {
		return r, err
	}
	r.kind = mapData
	return r, img.setRun(r)
}

// allocateData maps clusters to new host clusters: all that follow each other without a
// place in the file, in one L2 table, are one allocation (handle_alloc).
func (img *image) allocateData(backing *node, off, n, after int64) (mapRun, error) {
	r := mapRun{g: off >> img.bits, kind: mapData}
	end := min((off+n-1)>>img.bits+1, (r.g/img.perL2()+1)*img.perL2())
	for g := r.g; g < end; {
		was := img.clusters.at(g, end-g)
		if was.hasHost() {
			break
		}
		img.before = append(img.before, was.from(g))
		g += was.n
		r.n = g - r.g
	}
	if err := img.makeTable(r.g / img.perL2()); err != nil {
		return r, err
	}
	img.endBefore = img.end
	if err := img.place(&r, after); err != nil {
		return r, err
	}
	if err := img.setRun(r); err != nil {
		return r, err
	}
	err := img.copyOnWrite(backing, r, off, min(n, (r.g+r.n)<<img.bits-off))
	if err != nil {
		img.takeBack(r)
	}
	return r, err
}

// place finds host clusters for r: at after if something is free there, which may make r
// shorter, and else wherever all of it has room.
func (img *image) place(r *mapRun, after int64) (err error) {
	if img.data.external {
		r.host = r.g
		return nil
	}
	if after != anywhere {
		if n := min(r.n, img.used.nextFree(after)); n > 0 {
			r.host, r.n = after, n
			img.cutBefore(r.g + n)
			return img.claim(after, n)
		}
	}
	r.host, err = img.allocClusters(r.n)
	return err
}

// cutBefore forgets what was at guest cluster g and beyond.
func (img *image) cutBefore(g int64) {
	for i := range img.before {
		was := &img.before[i]
		if was.g+was.n > g {
			was.n = max(g-was.g, 0)
		}
	}
}

// copyOnWrite copies what the backing file shows around [off, off+n) in the first and in
// the last cluster of r. Those of a data file may hold something else.
func (img *image) copyOnWrite(backing *node, r mapRun, off, n int64) error {
	size, zeroes := img.clusterSize(), false
	first, last := r.g<<img.bits, (r.g+r.n-1)<<img.bits
	filled := int64(-1)
	for _, part := range [...]struct{ cluster, lo, hi int64 }{{first, first, off}, {last, off + n, last + size}} {
		if part.lo >= part.hi {
			continue
		}
		if img.data.external && part.cluster != filled {
			filled = part.cluster
			if err := img.data.fill(part.cluster, size); err != nil {
				return err
			}
		}
		if backing == nil || img.kindBefore(part.cluster>>img.bits) != mapNone {
			zeroes = true
			continue
		}
		if err := img.copyPart(backing, part.lo, part.hi-part.lo, img.hostOffset(r, part.lo)-part.lo); err != nil {
			return err
		}
	}
	if zeroes && backing == nil && !img.data.external {
		img.file.highest = max(img.file.highest, (r.host+r.n)<<img.bits) // zeroed first (handle_alloc_space)
	}
	return nil
}

// copyPart copies n bytes at off, which lie shift bytes further in the file.
func (img *image) copyPart(backing *node, off, n, shift int64) error {
	rd := &img.memory.cow
	rd.reset()
	if err := readShort(rd, backing, off, n); err != nil || len(rd.segs) == 0 {
		return err
	}
	img.moved = cut(img.moved[:0], rd.segs, off, n, shift)
	return img.content().writeSegments(off+shift, n, img.moved)
}

// kindBefore is the state of a guest cluster before the allocation under way.
func (img *image) kindBefore(g int64) mapKind {
	for _, was := range img.before {
		if was.g <= g && g < was.g+was.n {
			return was.kind
		}
	}
	return mapData
}

// takeBack undoes an allocation whose data could not be written.
func (img *image) takeBack(r mapRun) {
	for _, was := range img.before {
		if was.n == 0 {
			continue
		}
		if was.kind != mapZeroAlloc && !img.data.external {
			img.freeClusters(r.host+was.g-r.g, was.n)
		}
		_ = img.setRun(was) // the tables exist
	}
	img.shrink(img.endBefore)
}
