package sim

import (
	"encoding/binary"

	"fleece/qmp"
)

// Numbers of the qcow2 format (docs/interop/qcow2.txt).
const (
	qcow2Magic          = 0x514649fb
	qcow2HeaderV2       = 72
	qcow2HeaderV3       = 104
	qcow2HeaderMax      = 4096 // bytes that are read to find header and extensions
	qcow2OffsetMask     = 0x00fffffffffffe00
	qcow2Copied         = 1 << 63
	qcow2Compressed     = 1 << 62
	qcow2ZeroFlag       = 1
	qcow2AutoclearBits  = 1 << 0 // the bitmaps extension is consistent
	qcow2AutoclearRaw   = 1 << 1 // the data file is raw
	qcow2IncompatDirty  = 1 << 0
	qcow2IncompatData   = 1 << 2 // there is a data file
	qcow2CompatLazy     = 1 << 0
	qcow2ExtBackingFmt  = 0xe2792aca
	qcow2ExtDataFile    = 0x44415441
	qcow2ExtBitmaps     = 0x23852875
	qcow2RefcountBits   = 4 // log2: 16 bits per cluster
	qcow2ClusterBitsMin = 9
	qcow2ClusterBitsMax = 21
	qcow2L1BytesMax     = 32 << 20
)

// l2Table is one table that is in the file.
type l2Table struct {
	index   int64 // in L1
	cluster int64 // host cluster
	// Entries [dirtyLo, dirtyHi) differ from the file; linked is false as
	// long as L1 in the file does not point here.
	dirtyLo, dirtyHi int64
	linked           bool
	cold             bool // not read since the image was opened, reopened or cut
}

// image is an open qcow2 image. Data goes to the file at once; the mapping stays
// in memory until flush, as QEMU's metadata caches keep it (§0.10). So a machine
// that is killed leaves data in place that was overwritten, and loses what was
// newly allocated.
type image struct {
	file    *node
	data    dataFile
	bits    uint // log2 of the cluster size
	version uint32
	size    int64 // virtual, bytes

	passes                     bool // discards, to the file below
	lazyRefcounts              bool // of the header; refcounts are written at flush anyway
	backingFile, backingFormat string
	extraExtensions            []byte // kept as they were found

	l1Offset, l1Entries int64
	tables              []l2Table // sorted by index
	cold                int       // how many of them are
	refsCold            bool      // no refcount was read, either
	looked              bool      // the first status compares all refcounts with the file's size
	clusters            clusterMap

	refTable     int64   // first host cluster
	refTableLen  int64   // host clusters
	refBlocks    []int64 // host clusters; 0 for a block that is not there
	refTableStep int     // refBlocks[:refTableStep] are in the file's table
	used         runSet  // host clusters
	freeFrom     int64   // where to look for free ones
	refDirty     run     // host clusters whose refcount may differ from the file
	end          int64   // first byte beyond everything allocated

	stored      []storedBitmap
	bitmapDir   run // host clusters of the bitmap directory
	headerDirty bool

	scratch []segment
	moved   []segment
	// What a write that is under way replaces, and end before it.
	before    []mapRun
	endBefore int64
	// The machine's memory, or for an image in another image its own.
	memory *imageMemory
}

// imageMemory is what operations of an image use for their own duration. All
// images of a machine may share it, since one operation runs at a time, but not an
// image that lies inside another.
type imageMemory struct {
	metadata []byte
	cow      reader // the rest of a cluster that is written in part
}

func memoryFor(file *node) *imageMemory {
	if file.m == nil {
		return &imageMemory{}
	}
	for n := file; n != nil; n = n.child("file") {
		if n.image() != nil {
			return &imageMemory{}
		}
	}
	return &file.m.images
}

// bytes is n bytes to build or read metadata in, until the next call for any image
// with the same memory.
func (img *image) bytes(n int64) []byte {
	buf := &img.memory.metadata
	if int64(len(*buf)) < n {
		*buf = make([]byte, max(n, qcow2HeaderMax))
	}
	return (*buf)[:n]
}

func (img *image) clusterSize() int64 { return 1 << img.bits }

// perL2 is the number of guest clusters that one L2 table maps.
func (img *image) perL2() int64 { return 1 << (img.bits - 3) }

// perRefBlock is the number of host clusters that one refcount block counts.
func (img *image) perRefBlock() int64 { return 1 << (img.bits + 3 - qcow2RefcountBits) }

// meta reads metadata; what is beyond the end of the file reads as zero.
func (img *image) meta(off, n int64) ([]byte, error) {
	p := img.bytes(n)
	return p, img.file.readFull(p, off)
}

// isQcow2 reports whether a file that begins with head is an image of the format.
func isQcow2(head []byte) bool { return binary.BigEndian.Uint32(head) == qcow2Magic }

// openImage reads the metadata of an image.
func openImage(file *node) (*image, *qmp.ReplyError) {
	img := &image{file: file, memory: memoryFor(file)}
	head, err := img.meta(0, qcow2HeaderMax)
	if err != nil {
		return nil, ioError("Could not read qcow2 header", err)
	}
	if !isQcow2(head) {
		return nil, qmp.Generic("Image is not in qcow2 format")
	}
	bitmaps, rerr := img.parseHeader(head)
	if rerr != nil {
		return nil, rerr
	}
	img.used.add(0, 1)
	if err := img.loadRefcounts(); err != nil {
		return nil, ioError("Could not initialize refcount handling", err)
	}
	if err := img.loadTables(); err != nil {
		return nil, ioError("Could not read L1 table", err)
	}
	if err := img.loadBitmapDirectory(bitmaps); err != nil {
		return nil, ioError("Could not read bitmaps", err)
	}
	img.end = img.file.length()
	img.cool()
	return img, nil
}

// bitmapExtension is the header extension that finds the bitmap directory.
type bitmapExtension struct {
	count             uint32
	dirSize, dirStart int64
}

func (img *image) parseHeader(head []byte) (bitmapExtension, *qmp.ReplyError) {
	be := binary.BigEndian
	img.version = be.Uint32(head[4:])
	img.data = dataFile{}
	img.bits = uint(be.Uint32(head[20:]))
	img.size = int64(be.Uint64(head[24:]))
	img.l1Entries = int64(be.Uint32(head[36:]))
	img.l1Offset = int64(be.Uint64(head[40:]))
	img.refTableLen = int64(be.Uint32(head[56:]))
	var none bitmapExtension
	switch {
	case img.version != 2 && img.version != 3:
		return none, qmp.Generic("Unsupported qcow2 version " + itoa(int64(img.version)))
	case img.bits < qcow2ClusterBitsMin || img.bits > qcow2ClusterBitsMax:
		return none, qmp.Generic("Unsupported cluster size: 2^" + itoa(int64(img.bits)))
	case be.Uint32(head[32:]) != 0:
		return none, qmp.Generic("No secret was specified for the encrypted image")
	case img.l1Entries*8 > qcow2L1BytesMax || img.l1Offset&(img.clusterSize()-1) != 0:
		return none, qmp.Generic("Active L1 table too large")
	}
	img.refTable = int64(be.Uint64(head[48:])) >> img.bits
	autoclear := uint64(0)
	length := int64(qcow2HeaderV2)
	if img.version == 3 {
		autoclear = be.Uint64(head[88:])
		img.data.external = be.Uint64(head[72:])&qcow2IncompatData != 0
		img.data.raw = img.data.external && autoclear&qcow2AutoclearRaw != 0
		img.lazyRefcounts = be.Uint64(head[80:])&qcow2CompatLazy != 0
		length = min(int64(be.Uint32(head[100:])), qcow2HeaderMax)
	}
	nameAt, nameLen := int64(be.Uint64(head[8:])), int64(be.Uint32(head[16:]))
	if nameAt > 0 && nameLen > 0 && nameAt+nameLen <= qcow2HeaderMax {
		img.backingFile = string(head[nameAt : nameAt+nameLen])
	}
	ext := img.parseExtensions(head, length)
	if autoclear&qcow2AutoclearBits == 0 {
		ext = none // some program that does not know bitmaps wrote the image
	}
	return ext, nil
}

// parseExtensions keeps what it does not know.
func (img *image) parseExtensions(head []byte, at int64) (ext bitmapExtension) {
	be := binary.BigEndian
	for at+8 <= qcow2HeaderMax {
		kind, n := be.Uint32(head[at:]), int64(be.Uint32(head[at+4:]))
		padded := (n + 7) &^ 7
		if kind == 0 || at+8+padded > qcow2HeaderMax {
			break
		}
		body := head[at+8 : at+8+n]
		switch {
		case kind == qcow2ExtBackingFmt:
			img.backingFormat = string(body)
		case kind == qcow2ExtDataFile:
			img.data.name = string(body)
		case kind == qcow2ExtBitmaps && n >= 24:
			ext = bitmapExtension{be.Uint32(body), int64(be.Uint64(body[8:])), int64(be.Uint64(body[16:]))}
		default:
			img.extraExtensions = append(img.extraExtensions, head[at:at+8+padded]...)
		}
		at += 8 + padded
	}
	return ext
}

// take counts host clusters as used.
func (img *image) take(cluster, n int64) {
	img.used.add(cluster, cluster+n)
}

func (img *image) loadRefcounts() error {
	img.take(img.refTable, img.refTableLen)
	r, start := &img.file.m.meta, img.refTable<<img.bits
	if err := r.read(img.file, start, img.refTableLen<<img.bits); err != nil {
		return err
	}
	for _, s := range r.segs {
		for i := 0; i+8 <= len(s.data); i += 8 {
			v := int64(binary.BigEndian.Uint64(s.data[i:])&^0x1ff) >> img.bits
			if v == 0 {
				continue
			}
			index := (s.off - start + int64(i)) / 8
			for int64(len(img.refBlocks)) < index {
				img.refBlocks = append(img.refBlocks, 0)
			}
			img.refBlocks = append(img.refBlocks, v)
			img.take(v, 1)
		}
	}
	img.refTableStep = len(img.refBlocks)
	return nil
}

// loadTables reads L1 and every L2 table; holes of the file cost nothing.
func (img *image) loadTables() error {
	img.used.add(img.l1Offset>>img.bits, (img.l1Offset+img.l1Entries*8+img.clusterSize()-1)>>img.bits)
	r := &img.file.m.meta
	if err := r.read(img.file, img.l1Offset, img.l1Entries*8); err != nil {
		return err
	}
	for _, s := range r.segs {
		for i := 0; i+8 <= len(s.data); i += 8 {
			e := binary.BigEndian.Uint64(s.data[i:]) & qcow2OffsetMask
			if e == 0 {
				continue
			}
			index := (s.off - img.l1Offset + int64(i)) / 8
			cluster := int64(e) >> img.bits
			img.tables = append(img.tables, l2Table{index: index, cluster: cluster, linked: true})
			img.take(cluster, 1)
		}
	}
	for i := range img.tables {
		if err := img.loadTable(r, &img.tables[i]); err != nil {
			return err
		}
	}
	return nil
}

func (img *image) loadTable(r *reader, t *l2Table) error {
	start := t.cluster << img.bits
	if err := r.read(img.file, start, img.clusterSize()); err != nil {
		return err
	}
	for _, s := range r.segs {
		for i := 0; i+8 <= len(s.data); i += 8 {
			e := binary.BigEndian.Uint64(s.data[i:])
			if e == 0 {
				continue
			}
			g := t.index*img.perL2() + (s.off-start+int64(i))/8
			img.loadEntry(g, e)
		}
	}
	return nil
}

func (img *image) loadEntry(g int64, e uint64) {
	host := int64(e&qcow2OffsetMask) >> img.bits
	r := mapRun{g: g, n: 1, host: host, kind: mapData}
	switch {
	case e&qcow2ZeroFlag != 0 && host == 0:
		r.kind = mapZero
	case e&qcow2ZeroFlag != 0:
		r.kind = mapZeroAlloc
	}
	if img.data.external && r.kind == mapData && e&qcow2Copied == 0 {
		return
	}
	if r.hasHost() && !img.data.external {
		img.take(host, 1)
	}
	// Tables are read in order, so that this is nearly always an append.
	if k := len(img.clusters.runs); k > 0 && follows(img.clusters.runs[k-1], r) {
		img.clusters.runs[k-1].n++
		return
	}
	img.clusters.set(r)
}
