package qcow2

import (
	"encoding/binary"
	"math"
)

// Header is what the header of an image and its extensions say.
type Header struct {
	Version       int   // 2 or 3
	Size          int64 // virtual size, bytes, a multiple of 512
	ClusterBits   uint  // log2 of the cluster size
	BackingFile   string
	BackingFormat string // empty when the image does not name it
	DataFile      string // of an image with ExternalData, as the image names it
	RefcountBits  int    // 1, 2, 4 … 64; 16 in version 2
	Incompatible  uint64
	Compatible    uint64
	Autoclear     uint64
	Snapshots     uint32 // internal ones
	// BitmapCount is the number of stored bitmaps. It is 0 when the autoclear
	// bit is not set: then somebody changed the image who knew no bitmaps, and
	// the extension must not be believed.
	BitmapCount uint32

	length            int64 // header_length
	l1Offset          int64
	l1Entries         int64
	refTableOffset    int64
	refTableClusters  int64
	bitmapDirOffset   int64
	bitmapDirBytes    int64
	bitmapExtAt       int64 // offset of the extension's data
	backingNameOffset int64
	backingNameBytes  int64
}

// ClusterSize is in bytes, 512 … 2 MiB.
func (h *Header) ClusterSize() int64 { return 1 << h.ClusterBits }

// ExtendedL2 says whether clusters have 32 subclusters each.
func (h *Header) ExtendedL2() bool { return h.Incompatible&IncompatibleExtendedL2 != 0 }

// ExternalData says whether the content of the disk is in another file, the data file,
// and this one has the metadata only.
func (h *Header) ExternalData() bool { return h.Incompatible&IncompatibleExternalData != 0 }

// DataFileRaw says whether the data file alone, read as a raw image, is the disk.
func (h *Header) DataFileRaw() bool {
	return h.ExternalData() && h.Autoclear&AutoclearRawExternal != 0
}

// l2Entries is the number of clusters that one L2 table maps.
func (h *Header) l2Entries() int64 { return h.ClusterSize() / h.l2EntryBytes() }

func (h *Header) l2EntryBytes() int64 {
	if h.ExtendedL2() {
		return 16
	}
	return 8
}

// l1Needed is the number of L1 entries that the virtual size takes.
func (h *Header) l1Needed() int64 {
	return ceilDiv(ceilDiv(h.Size, h.ClusterSize()), h.l2Entries())
}

// aligned reports whether off is the beginning of a cluster.
func (h *Header) aligned(off int64) bool { return off&(h.ClusterSize()-1) == 0 }

// readHeader reads and checks header and extensions. buf is scratch.
func (h *Header) readHeader(src source, buf []byte) ([]byte, error) {
	*h = Header{}
	buf = grow(buf, min(max(src.size, headerBytesMade), 4096))
	if err := src.read(buf, 0, "the header"); err != nil {
		return buf, err
	}
	if err := h.parseFixed(buf, src.size); err != nil {
		return buf, err
	}
	if err := h.parseV3(buf); err != nil {
		return buf, err
	}
	if err := h.checkTables(); err != nil {
		return buf, err
	}
	end := h.ClusterSize()
	if h.backingNameOffset != 0 {
		end = h.backingNameOffset + h.backingNameBytes
	}
	if end = min(end, src.size); end > int64(len(buf)) {
		buf = grow(buf, end)
		if err := src.read(buf, 0, "the header"); err != nil {
			return buf, err
		}
	}
	return buf, h.parseVariable(buf[:end])
}

func (h *Header) parseFixed(p []byte, size int64) error {
	be := binary.BigEndian
	if m := be.Uint32(p); m != magic || size < headerBytesV2 {
		return &Error{Class: ErrFormat, Field: "magic", Value: uint64(m), Detail: "no header of an image"}
	}
	if h.Version = int(be.Uint32(p[4:])); h.Version != 2 && h.Version != 3 {
		return &Error{Class: ErrFormat, Field: "version", Offset: 4, Value: uint64(h.Version), Detail: "neither 2 nor 3"}
	}
	bits := be.Uint32(p[20:])
	if bits < ClusterBitsMin {
		return corrupt("cluster_bits", 20, uint64(bits), "a cluster has at least 512 bytes")
	}
	if bits > ClusterBitsMax {
		return beyond("cluster_bits", 20, uint64(bits), ClusterBitsMax)
	}
	h.ClusterBits = uint(bits)
	virtual := be.Uint64(p[24:])
	if virtual > math.MaxInt64 {
		return beyond("size", 24, virtual, math.MaxInt64)
	}
	if h.Size = int64(virtual); h.Size%SectorSize != 0 {
		return corrupt("size", 24, virtual, "not a multiple of 512")
	}
	if crypt := be.Uint32(p[32:]); crypt != 0 {
		return unsupported("crypt_method", 32, uint64(crypt), "encrypted")
	}
	h.l1Entries = int64(be.Uint32(p[36:]))
	h.refTableClusters = int64(be.Uint32(p[56:]))
	h.Snapshots = be.Uint32(p[60:])
	h.backingNameBytes = int64(be.Uint32(p[16:]))
	return h.parseOffsets(p)
}

func (h *Header) parseOffsets(p []byte) error {
	for _, f := range []struct {
		name string
		at   int64
		to   *int64
	}{
		{"backing_file_offset", 8, &h.backingNameOffset},
		{"l1_table_offset", 40, &h.l1Offset},
		{"refcount_table_offset", 48, &h.refTableOffset},
	} {
		v := binary.BigEndian.Uint64(p[f.at:])
		if v > math.MaxInt64 {
			return beyond(f.name, f.at, v, math.MaxInt64)
		}
		*f.to = int64(v)
	}
	return nil
}

func (h *Header) parseV3(p []byte) error {
	if h.length, h.RefcountBits = headerBytesV2, 16; h.Version == 2 {
		return nil
	}
	be := binary.BigEndian
	if h.length = int64(be.Uint32(p[100:])); h.length < headerBytesV3 {
		return corrupt("header_length", 100, uint64(h.length), "shorter than the fields of version 3")
	}
	if h.length > h.ClusterSize() {
		return beyond("header_length", 100, uint64(h.length), uint64(h.ClusterSize()))
	}
	h.Incompatible, h.Compatible, h.Autoclear = be.Uint64(p[72:]), be.Uint64(p[80:]), be.Uint64(p[88:])
	if unknown := h.Incompatible &^ incompatibleRead; unknown != 0 {
		return unsupported("incompatible_features", 72, unknown, "features that are not known to this reader")
	}
	if h.ExtendedL2() && h.ClusterSize() < subclusters*SectorSize {
		return corrupt("cluster_bits", 20, uint64(h.ClusterBits), "too small for 32 subclusters")
	}
	order := be.Uint32(p[96:])
	if order > RefcountOrderMax {
		return beyond("refcount_order", 96, uint64(order), RefcountOrderMax)
	}
	h.RefcountBits = 1 << order
	return nil
}

// checkTables checks what the header says of the two tables, by QEMU's limits.
func (h *Header) checkTables() error {
	if h.l1Entries > L1BytesMax/8 {
		return beyond("l1_size", 36, uint64(h.l1Entries), L1BytesMax/8)
	}
	if needed := h.l1Needed(); h.l1Entries < needed {
		return corrupt("l1_size", 36, uint64(h.l1Entries), "too small for the virtual size")
	}
	if !h.aligned(h.l1Offset) {
		return corrupt("l1_table_offset", 40, uint64(h.l1Offset), "not at the beginning of a cluster")
	}
	if most := RefcountTableBytesMax >> h.ClusterBits; h.refTableClusters > int64(most) {
		return beyond("refcount_table_clusters", 56, uint64(h.refTableClusters), uint64(most))
	}
	if h.refTableClusters == 0 {
		return corrupt("refcount_table_clusters", 56, 0, "there is no refcount table")
	}
	if !h.aligned(h.refTableOffset) || h.refTableOffset == 0 {
		return corrupt("refcount_table_offset", 48, uint64(h.refTableOffset), "not at the beginning of a cluster of its own")
	}
	if h.backingNameOffset > h.ClusterSize() {
		return beyond("backing_file_offset", 8, uint64(h.backingNameOffset), uint64(h.ClusterSize()))
	}
	if most := min(BackingFileBytesMax, h.ClusterSize()-h.backingNameOffset); h.backingNameOffset != 0 && h.backingNameBytes > most {
		return beyond("backing_file_size", 16, uint64(h.backingNameBytes), uint64(most))
	}
	return nil
}
