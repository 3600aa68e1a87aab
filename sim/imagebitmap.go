package sim

import (
	"encoding/binary"
	"slices"
)

// Flags of a stored bitmap.
const (
	storedInUse = 1 << 0 // some program has it open, or died with it open
	storedAuto  = 1 << 1 // recording
)

const (
	storedTypeDirty   = 1
	storedEntryHeader = 24 // bytes of a directory entry before extra data and name
	storedAllOnes     = 1
)

// storedBitmap is an entry of the image's bitmap directory.
type storedBitmap struct {
	name       string
	flags      uint32
	shift      uint
	table      int64 // first host cluster of the bitmap table
	tableLen   int64 // entries
	tableData  []int64
	allOnes    []bool
	extra      []byte
	bitmapType byte
}

func (s *storedBitmap) entrySize() int64 {
	return (storedEntryHeader + int64(len(s.extra)+len(s.name)) + 7) &^ 7
}

func (img *image) directorySize() (n int64) {
	for i := range img.stored {
		n += img.stored[i].entrySize()
	}
	return n
}

func (img *image) findStored(name string) int {
	return slices.IndexFunc(img.stored, func(s storedBitmap) bool { return s.name == name })
}

func (img *image) clustersFor(bytes int64) int64 {
	return (bytes + img.clusterSize() - 1) >> img.bits
}

// loadBitmapDirectory reads the directory and the bitmap tables.
func (img *image) loadBitmapDirectory(ext bitmapExtension) error {
	if ext.count == 0 {
		return nil
	}
	start := ext.dirStart >> img.bits
	img.bitmapDir = run{start, start + img.clustersFor(ext.dirSize)}
	img.take(start, img.bitmapDir.hi-start)
	dir := make([]byte, ext.dirSize)
	if err := img.file.readFull(dir, ext.dirStart); err != nil {
		return err
	}
	be := binary.BigEndian
	for at := 0; at+storedEntryHeader <= len(dir); {
		nameLen, extraLen := int(be.Uint16(dir[at+18:])), int(be.Uint32(dir[at+20:]))
		nameAt := at + storedEntryHeader + extraLen
		if nameAt+nameLen > len(dir) {
			break
		}
		s := storedBitmap{
			name: string(dir[nameAt : nameAt+nameLen]), flags: be.Uint32(dir[at+12:]),
			table: int64(be.Uint64(dir[at:])) >> img.bits, tableLen: int64(be.Uint32(dir[at+8:])),
			bitmapType: dir[at+16], shift: uint(dir[at+17]), extra: dir[at+storedEntryHeader : nameAt],
		}
		if err := img.loadBitmapTable(&s); err != nil {
			return err
		}
		at += int(s.entrySize())
		img.stored = append(img.stored, s)
	}
	return nil
}

func (img *image) loadBitmapTable(s *storedBitmap) error {
	img.take(s.table, img.clustersFor(s.tableLen*8))
	raw, err := img.meta(s.table<<img.bits, s.tableLen*8)
	if err != nil {
		return err
	}
	for i := 0; i < len(raw); i += 8 {
		e := binary.BigEndian.Uint64(raw[i:])
		host := int64(e&qcow2OffsetMask) >> img.bits
		s.tableData = append(s.tableData, host)
		s.allOnes = append(s.allOnes, host == 0 && e&storedAllOnes != 0)
		if host != 0 {
			img.take(host, 1)
		}
	}
	return nil
}

// bitmapContent reads the bits of a stored bitmap into b.
func (img *image) bitmapContent(s *storedBitmap, b *bitmap) error {
	perCluster := img.clusterSize() * 8 // granules
	rd := &img.file.m.meta
	for i, host := range s.tableData {
		first := int64(i) * perCluster
		if s.allOnes[i] {
			limit := (b.size + b.granularity() - 1) >> b.shift
			b.bits.add(first, min(first+perCluster, limit))
			continue
		}
		if host == 0 {
			continue
		}
		start := host << img.bits
		if err := rd.read(img.file, start, img.clusterSize()); err != nil {
			return err
		}
		for _, seg := range rd.segs {
			addBits(&b.bits, seg.data, first+(seg.off-start)*8)
		}
	}
	return nil
}

// addBits adds the set bits of p, least significant first, from granule first on.
func addBits(set *runSet, p []byte, first int64) {
	for i, octet := range p {
		for bit := int64(0); octet != 0; bit++ {
			if octet&1 != 0 {
				g := first + int64(i)*8 + bit
				set.add(g, g+1)
			}
			octet >>= 1
		}
	}
}

// storeContent writes the bits of b and returns its table entries. Clusters
// without a set bit take no room, as in QEMU.
func (img *image) storeContent(s *storedBitmap, b *bitmap) error {
	perCluster := img.clusterSize() * 8
	granules := (b.size + b.granularity() - 1) >> b.shift
	s.tableLen = (granules + perCluster - 1) / perCluster
	s.tableData = make([]int64, s.tableLen)
	s.allOnes = make([]bool, s.tableLen)
	for i := range s.tableData {
		first := int64(i) * perCluster
		if !b.bits.overlaps(first, first+perCluster) {
			continue
		}
		host, err := img.allocClusters(1)
		if err != nil {
			return err
		}
		s.tableData[i] = host
		if err := img.put(img.bitsOut(b, first, perCluster), host<<img.bits); err != nil {
			return err
		}
	}
	host, err := img.allocBytes(s.tableLen * 8)
	if err != nil {
		return err
	}
	s.table = host
	p := img.metaOut(s.tableLen * 8)
	for i, c := range s.tableData {
		binary.BigEndian.PutUint64(p[i*8:], uint64(c)<<img.bits)
	}
	return img.put(p, host<<img.bits)
}

// bitsOut is one cluster of the serialised bitmap up to its last set bit.
func (img *image) bitsOut(b *bitmap, first, n int64) []byte {
	last := first
	for r, ok := b.bits.next(first); ok && r.lo < first+n; r, ok = b.bits.next(r.hi) {
		last = min(r.hi, first+n)
	}
	p := img.metaOut((last - first + 7) / 8)
	for r, ok := b.bits.next(first); ok && r.lo < first+n; r, ok = b.bits.next(r.hi) {
		for g := r.lo; g < min(r.hi, first+n); g++ {
			p[(g-first)>>3] |= 1 << ((g - first) & 7)
		}
	}
	return p
}

// dropContent frees what a stored bitmap occupies.
func (img *image) dropContent(s *storedBitmap) {
	if s.tableLen == 0 {
		return
	}
	img.freeClusters(s.table, img.clustersFor(s.tableLen*8))
	for _, host := range s.tableData {
		if host != 0 {
			img.freeClusters(host, 1)
		}
	}
	s.tableLen, s.tableData, s.allOnes = 0, nil, nil
}

// writeDirectory stores the directory in new clusters and lets the header point
// to it at the next flush.
func (img *image) writeDirectory() error {
	if old := img.bitmapDir; old.hi > 0 {
		defer img.freeClusters(old.lo, old.hi-old.lo)
	}
	img.bitmapDir, img.headerDirty = run{}, true
	n := img.directorySize()
	if n == 0 {
		return nil
	}
	at, err := img.allocBytes(n)
	if err != nil {
		return err
	}
	img.bitmapDir = run{at, at + img.clustersFor(n)}
	p := img.metaOut(n)
	for i, off := 0, int64(0); i < len(img.stored); i++ {
		s := &img.stored[i]
		img.encodeEntry(p[off:], s)
		off += s.entrySize()
	}
	return img.put(p, at<<img.bits)
}

func (img *image) encodeEntry(p []byte, s *storedBitmap) {
	be := binary.BigEndian
	be.PutUint64(p, uint64(s.table)<<img.bits)
	be.PutUint32(p[8:], uint32(s.tableLen))
	be.PutUint32(p[12:], s.flags)
	p[16], p[17] = storedTypeDirty, byte(s.shift)
	be.PutUint16(p[18:], uint16(len(s.name)))
	be.PutUint32(p[20:], uint32(len(s.extra)))
	copy(p[storedEntryHeader+copy(p[storedEntryHeader:], s.extra):], s.name)
}

// rewriteFlags writes the directory with changed flags at once, in place: opening
// read-write must mark the bitmaps before the first write (§3.5).
func (img *image) rewriteFlags() error {
	p := img.metaOut(img.directorySize())
	for i, off := 0, int64(0); i < len(img.stored); i++ {
		s := &img.stored[i]
		img.encodeEntry(p[off:], s)
		off += s.entrySize()
	}
	return img.put(p, img.bitmapDir.lo<<img.bits)
}
