package sim

import "encoding/binary"

// flush writes the metadata that is only in memory, in the order that keeps the
// file free of pointers to uncounted clusters: refcounts, L2, L1, header.
func (img *image) flush() error {
	if err := img.flushRefcounts(); err != nil {
		return err
	}
	for i := range img.tables {
		if err := img.flushTable(&img.tables[i]); err != nil {
			return err
		}
	}
	for i := range img.tables {
		if err := img.linkTable(&img.tables[i]); err != nil {
			return err
		}
	}
	if img.headerDirty {
		if err := img.writeHeader(); err != nil {
			return err
		}
	}
	if img.file.fileLength() < img.end {
		return img.file.drv.truncate(img.end)
	}
	return nil
}

// metaOut returns a zeroed buffer of n bytes for metadata.
func (img *image) metaOut(n int64) []byte {
	p := img.bytes(n)
	clear(p)
	return p
}

func (img *image) put(p []byte, off int64) error {
	img.scratch = append(img.scratch[:0], segment{off, p})
	return img.file.writeSegments(off, int64(len(p)), img.scratch)
}

// refBlocksMax bounds the loop that finds room for refcount blocks, which count
// themselves.
const refBlocksMax = 1 << 20

// flushRefcounts makes blocks for what is counted, then writes what changed.
func (img *image) flushRefcounts() error {
	for range refBlocksMax {
		last := img.used.runs[len(img.used.runs)-1].hi
		need := (last + img.perRefBlock() - 1) / img.perRefBlock()
		if int64(len(img.refBlocks)) >= need {
			break
		}
		at, _ := img.reserve(1, img.clusterSize())
		img.refBlocks = append(img.refBlocks, at)
	}
	if int64(len(img.refBlocks))*8 > img.refTableLen<<img.bits {
		if err := img.growRefTable(); err != nil {
			return err
		}
	}
	img.event("refblock_update_part")
	if err := img.writeRefcounts(); err != nil {
		return err
	}
	if img.refTableStep == len(img.refBlocks) {
		return nil
	}
	p := img.metaOut(int64(len(img.refBlocks)-img.refTableStep) * 8)
	for i, b := range img.refBlocks[img.refTableStep:] {
		binary.BigEndian.PutUint64(p[i*8:], uint64(b)<<img.bits)
	}
	at := img.refTable<<img.bits + int64(img.refTableStep)*8
	img.refTableStep = len(img.refBlocks)
	return img.put(p, at)
}

// growRefTable moves the table to where there is room for it.
func (img *image) growRefTable() error {
	old := run{img.refTable, img.refTable + img.refTableLen}
	n := int64(len(img.refBlocks))*8*3/2>>img.bits + 1
	at, err := img.allocClusters(n)
	if err != nil {
		return err
	}
	img.refTable, img.refTableLen, img.refTableStep = at, n, 0
	img.headerDirty = true
	img.freeClusters(old.lo, old.hi-old.lo)
	return img.flushRefcounts()
}

func (img *image) writeRefcounts() error {
	d := img.refDirty
	img.refDirty = run{}
	for d.lo < d.hi {
		block := d.lo / img.perRefBlock()
		first := block * img.perRefBlock()
		hi := min(d.hi, first+img.perRefBlock())
		p := img.metaOut((hi - d.lo) * 2)
		for c := d.lo; c < hi; c++ {
			if img.used.has(c) {
				p[(c-d.lo)*2+1] = 1
			}
		}
		if block < int64(len(img.refBlocks)) && img.refBlocks[block] != 0 {
			if err := img.put(p, img.refBlocks[block]<<img.bits+(d.lo-first)*2); err != nil {
				return err
			}
			img.file.reached((img.refBlocks[block] + 1) << img.bits) // QEMU writes all of it
		}
		d.lo = hi
	}
	return nil
}

// l2SliceMax is how much of a table QEMU writes at least, if it has as much; in bytes.
const l2SliceMax = 64 << 10

func (img *image) flushTable(t *l2Table) error {
	if t.dirtyHi == 0 {
		return nil
	}
	p := img.metaOut((t.dirtyHi - t.dirtyLo) * 8)
	base := t.index * img.perL2()
	for g, end := base+t.dirtyLo, base+t.dirtyHi; g < end; {
		r := img.clusters.at(g, end-g)
		if r.kind != mapNone {
			img.encodeRun(p, r, base+t.dirtyLo)
		}
		g += r.n
	}
	img.event("l2_update")
	at := t.cluster<<img.bits + t.dirtyLo*8
	slice := min(img.clusterSize(), l2SliceMax)
	img.file.reached(t.cluster<<img.bits + (t.dirtyHi*8+slice-1)&^(slice-1))
	t.dirtyLo, t.dirtyHi = 0, 0
	return img.put(p, at)
}

func (img *image) encodeRun(p []byte, r mapRun, first int64) {
	for i := range r.n {
		e := uint64(0)
		if r.hasHost() {
			e = uint64(r.host+i)<<img.bits | qcow2Copied
		}
		if r.kind != mapData {
			e |= qcow2ZeroFlag
		}
		binary.BigEndian.PutUint64(p[(r.g+i-first)*8:], e)
	}
}

func (img *image) linkTable(t *l2Table) error {
	if t.linked {
		return nil
	}
	p := img.metaOut(8)
	binary.BigEndian.PutUint64(p, uint64(t.cluster)<<img.bits|qcow2Copied)
	t.linked = true
	img.event("l1_update")
	return img.put(p, img.l1Offset+t.index*8)
}

// writeHeader writes the header cluster's used part in one piece.
func (img *image) writeHeader() error {
	be := binary.BigEndian
	p := img.metaOut(qcow2HeaderMax)
	be.PutUint32(p, qcow2Magic)
	be.PutUint32(p[4:], img.version)
	be.PutUint32(p[20:], uint32(img.bits))
	be.PutUint64(p[24:], uint64(img.size))
	be.PutUint32(p[36:], uint32(img.l1Entries))
	be.PutUint64(p[40:], uint64(img.l1Offset))
	be.PutUint64(p[48:], uint64(img.refTable)<<img.bits)
	be.PutUint32(p[56:], uint32(img.refTableLen))
	n := qcow2HeaderV2
	if img.version == 3 {
		be.PutUint32(p[96:], qcow2RefcountBits)
		if img.lazyRefcounts {
			be.PutUint64(p[80:], qcow2CompatLazy)
		}
		n = qcow2HeaderV3
		be.PutUint32(p[100:], uint32(n))
		be.PutUint64(p[72:], img.data.incompatible())
		n += 8 // compression type 0 and padding belong to a header of 112
		be.PutUint32(p[100:], uint32(n))
	}
	n = img.putExtensions(p, n)
	if img.backingFile != "" {
		be.PutUint64(p[8:], uint64(n))
		be.PutUint32(p[16:], uint32(len(img.backingFile)))
		n += copy(p[n:], img.backingFile)
	}
	img.headerDirty = false
	return img.put(p[:min(int64(n), img.clusterSize())], 0)
}

func (img *image) putExtensions(p []byte, n int) int {
	be := binary.BigEndian
	ext := func(kind uint32, body []byte) {
		be.PutUint32(p[n:], kind)
		be.PutUint32(p[n+4:], uint32(len(body)))
		n += 8 + (copy(p[n+8:], body)+7)&^7
	}
	if img.backingFormat != "" {
		ext(qcow2ExtBackingFmt, []byte(img.backingFormat))
	}
	if img.data.name != "" {
		ext(qcow2ExtDataFile, []byte(img.data.name))
	}
	n += copy(p[n:], img.extraExtensions)
	be.PutUint64(p[88:], img.data.autoclear())
	if len(img.stored) > 0 {
		be.PutUint64(p[88:], img.data.autoclear()|qcow2AutoclearBits)
		var body [24]byte
		be.PutUint32(body[:], uint32(len(img.stored)))
		be.PutUint64(body[8:], uint64(img.directorySize()))
		be.PutUint64(body[16:], uint64(img.bitmapDir.lo)<<img.bits)
		ext(qcow2ExtBitmaps, body[:])
	}
	return n + 8 // the end marker: kind 0, length 0
}
