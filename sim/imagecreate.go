package sim

import (
	"encoding/binary"
	"fmt"
	"syscall"

	"fleece/qmp"
)

// imageOptions are those of blockdev-create for qcow2.
type imageOptions struct {
	size          int64
	clusterSize   int64 // 0: 64 KiB
	version       uint32
	backingFile   string
	backingFormat string
	data          dataFile
	hasExtendedL2 bool
	lazyRefcounts bool
	refcountBits  int64 // 0: 16, the one width that is simulated
	preallocates  bool
	// otherCompression says that compressed clusters, of which this image will have
	// none, are not zlib's.
	otherCompression bool
}

// check gives the errors of qcow2_co_create in its order (§2.4).
func (o *imageOptions) check() *qmp.ReplyError {
	switch {
	case o.size&511 != 0 || o.size < 0:
		return qmp.Generic("Image size must be a multiple of 512 bytes")
	case o.clusterSize < 1<<qcow2ClusterBitsMin || o.clusterSize > 1<<qcow2ClusterBitsMax || o.clusterSize&(o.clusterSize-1) != 0:
		return qmp.Generic("Cluster size must be a power of two between 512 and 2048k")
	case o.hasExtendedL2 && o.clusterSize < extendedL2ClusterMin:
		return qmp.Generic("Extended L2 entries are only supported with cluster sizes of at least 16384 bytes")
	case o.version < 3 && o.hasExtendedL2:
		return qmp.Generic("Extended L2 entries are only supported with compatibility level 1.1 and above (use version=v3 or greater)")
	case o.version < 3 && o.lazyRefcounts:
		return qmp.Generic("Lazy refcounts only supported with compatibility level 1.1 and above (use version=v3 or greater)")
	case o.preallocates && o.backingFile != "" && !o.hasExtendedL2:
		return qmp.Generic("Backing file and preallocation can only be used at the same time if extended_l2 is on")
	case o.refcountBits <= 0 || o.refcountBits > 64 || o.refcountBits&(o.refcountBits-1) != 0:
		return qmp.Generic("Refcount width must be a power of two and may not exceed 64 bits")
	case o.version < 3 && o.refcountBits != refcountWidth:
		return qmp.Generic("Different refcount widths than 16 bits require compatibility level 1.1 or above (use version=v3 or greater)")
	case o.refcountBits != refcountWidth:
		return qmp.Generic("Refcount widths other than 16 bits are not simulated")
	case o.version < 3 && o.data.external:
		return qmp.Generic("External data files are only supported with compatibility level 1.1 and above (use version=v3 or greater)")
	case o.data.raw && !o.data.external:
		return qmp.Generic("data-file-raw requires data-file")
	case o.data.raw && o.backingFile != "":
		return qmp.Generic("Backing file and data-file-raw cannot be used at the same time")
	case o.backingFile == "" && o.backingFormat != "":
		return qmp.Generic("Backing format cannot be used without backing file")
	case o.version < 3 && o.otherCompression:
		return qmp.Generic("Non-zlib compression type is only supported with compatibility level 1.1 and above (use version=v3 or greater)")
	}
	return nil
}

const (
	extendedL2ClusterMin = 16 << 10               // bytes
	refcountWidth        = 1 << qcow2RefcountBits // bits
)

// checkSize gives the error that QEMU meets when the image is there and grows.
func (o *imageOptions) checkSize() *qmp.ReplyError {
	if o.l1Bytes() > qcow2L1BytesMax {
		return qmp.Generic("Could not resize image: Failed to grow the L1 table: File too large")
	}
	return nil
}

func (o *imageOptions) l1Bytes() int64 {
	perTable := o.clusterSize / 8 * o.clusterSize
	return (o.size/perTable + min(o.size%perTable, 1)) * 8
}

// createImage writes an empty image: header, refcount table, one refcount block
// and L1, each in its cluster, as QEMU lays them out.
func createImage(file *node, o imageOptions) error {
	if old := min(file.length(), 3*o.clusterSize+max(o.l1Bytes(), sectorSize)); old > 0 {
		if err := file.drv.zero(0, old); err != nil { // what was there before stays behind it
			return err
		}
	}
	img := &image{
		file: file, data: o.data, memory: memoryFor(file), version: o.version, size: o.size,
		backingFile: o.backingFile, backingFormat: o.backingFormat,
		refTable: 1, refTableLen: 1, refBlocks: []int64{2},
		l1Entries: o.l1Bytes() / 8, headerDirty: true, lazyRefcounts: o.lazyRefcounts,
	}
	for img.clusterSize() < o.clusterSize {
		img.bits++
	}
	if o.version == 3 && o.clusterSize >= qcow2HeaderMax {
		img.extraExtensions = featureNames()
	}
	l1Clusters := img.clustersFor(o.l1Bytes())
	if l1Clusters > 0 { // an image of no size has no L1 table
		img.l1Offset = 3 << img.bits
	}
	img.used.add(0, 3+l1Clusters)
	img.refDirty = run{0, 3 + l1Clusters}
	img.end = max(file.length(), 3<<img.bits+(o.l1Bytes()+511)&^511)
	if err := img.data.fit(img, 0, o.size); err != nil {
		return err
	}
	if err := img.flush(); err != nil {
		return err
	}
	if o.preallocates && !o.data.external {
		if err := img.write(nil, 0, o.size, nil); err != nil {
			return err
		}
		if err := img.flush(); err != nil {
			return err
		}
	}
	if o.size > 0 {
		file.highest = max(file.highest, img.l1Offset+o.l1Bytes()) // L1 is written, zeroes as it is
	}
	return nil
}

// resize changes the virtual size; L1 must have room, or is moved.
func (img *image) resize(size int64) error {
	o := imageOptions{size: size, clusterSize: img.clusterSize()}
	if entries := o.l1Bytes() / 8; entries > img.l1Entries {
		if o.l1Bytes() > qcow2L1BytesMax {
			return fmt.Errorf("the L1 table of an image of %d bytes: %w", size, syscall.EFBIG)
		}
		if err := img.growL1(entries); err != nil {
			return err
		}
	}
	isSmaller := size < img.size
	if isSmaller {
		img.cutOff(size)
		if err := img.cutTables(o.l1Bytes() / 8); err != nil {
			return err
		}
		img.refTableStep = 0 // qcow2_shrink_reftable writes the table ({08})
	}
	old := img.size
	img.size, img.headerDirty = size, true
	if err := img.data.fit(img, old, size); err != nil {
		return err
	}
	if err := img.flush(); err != nil {
		return err
	}
	img.cool()
	if !isSmaller {
		return nil
	}
	return img.cutTail()
}

// cutTail gives what is free at the end of the file back.
func (img *image) cutTail() error {
	end := img.used.runs[len(img.used.runs)-1].hi << img.bits
	if end >= img.file.length() {
		return nil
	}
	img.end = end
	return img.file.drv.truncate(end)
}

func (img *image) growL1(entries int64) error {
	oldFirst, oldN := img.l1Offset>>img.bits, max(img.clustersFor(img.l1Entries*8), 1)
	at, err := img.allocBytes(entries * 8)
	if err != nil {
		return err
	}
	p := make([]byte, entries*8)
	for i := range img.tables {
		t := &img.tables[i]
		if t.linked {
			binary.BigEndian.PutUint64(p[t.index*8:], uint64(t.cluster)<<img.bits|qcow2Copied)
		}
	}
	hadNone := img.l1Offset == 0
	img.l1Offset, img.l1Entries = at<<img.bits, entries
	if !hadNone {
		img.freeClusters(oldFirst, oldN)
	}
	return img.put(p, img.l1Offset)
}

// cutOff unmaps what lies beyond a smaller size.
func (img *image) cutOff(size int64) {
	lo, hi := (size+img.clusterSize()-1)>>img.bits, (img.size+img.clusterSize()-1)>>img.bits
	for lo < hi {
		r := img.clusters.at(lo, hi-lo)
		lo += r.n
		if r.kind == mapNone {
			continue
		}
		if r.hasHost() && !img.data.external {
			img.freeClusters(r.host, r.n)
		}
		r.kind, r.host = mapNone, 0
		_ = img.setRun(r) // the tables exist
	}
}

// cutTables frees the tables beyond the first entries of L1 (qcow2_shrink_l1_table).
func (img *image) cutTables(entries int64) error {
	for len(img.tables) > 0 && img.tables[len(img.tables)-1].index >= entries {
		t := img.tables[len(img.tables)-1]
		img.tables = img.tables[:len(img.tables)-1]
		if err := img.put(make([]byte, 8), img.l1Offset+t.index*8); err != nil {
			return err
		}
		img.freeClusters(t.cluster, 1)
	}
	return nil
}

// featureNames is the header extension that QEMU puts into images of version 3: it names
// the feature bits. It can be seen where an image is read as a plain file.
func featureNames() []byte {
	const entry, kind = 48, 0x6803f857
	names := [...]struct {
		field, bit byte // field 0: incompatible, 1: compatible, 2: autoclear
		name       string
	}{
		{0, 0, "dirty bit"}, {0, 1, "corrupt bit"}, {0, 2, "external data file"}, {0, 3, "compression type"}, {0, 4, "extended L2 entries"},
		{1, 0, "lazy refcounts"}, {2, 0, "bitmaps"}, {2, 1, "raw external data"},
	}
	p := make([]byte, 8+len(names)*entry)
	binary.BigEndian.PutUint32(p, kind)
	binary.BigEndian.PutUint32(p[4:], uint32(len(names)*entry))
	for i, n := range names {
		e := p[8+i*entry:]
		e[0], e[1] = n.field, n.bit
		copy(e[2:entry], n.name)
	}
	return p
}
