package qcow2

import (
	"bytes"
	"encoding/binary"
)

// Limits of sizes. Where the format itself sets none they are QEMU's
// (block/qcow2.h).
const (
	ClusterBitsMin     = 9 // 512 bytes
	ClusterBitsMax     = 21
	ClusterBitsDefault = 16 // 64 KiB

	L1BytesMax            = 32 << 20
	RefcountTableBytesMax = 8 << 20
	RefcountOrderMax      = 6 // 64 bits
	BackingFileBytesMax   = 1023
	BackingFormatBytesMax = 15 // QEMU reads it into char[16]

	BitmapsMax            = 65535
	BitmapDirBytesMax     = 1024 * BitmapsMax
	BitmapNameBytesMax    = 1023
	BitmapTableEntriesMax = 0x8000000
	BitmapBytesMax        = 512 << 20 // of one bitmap's bits
	GranularityMin        = 1 << granularityBitsMin
	GranularityMax        = 1 << granularityBitsMax
	// DirtyRangesMax is how many ranges ReadBitmap collects; Dirty has no limit.
	DirtyRangesMax = 1 << 22
	// ProblemsMax is how many problems a Report lists; its counts go on.
	ProblemsMax = 1000
)

// SectorSize is the unit of virtual sizes in bytes.
const SectorSize = 512

// Feature bits of the header.
const (
	IncompatibleDirty        = 1 << 0 // refcounts may be wrong
	IncompatibleCorrupt      = 1 << 1 // must not be written to
	IncompatibleExternalData = 1 << 2
	IncompatibleCompression  = 1 << 3 // compression_type is not zlib
	IncompatibleExtendedL2   = 1 << 4
	CompatibleLazyRefcounts  = 1 << 0
	AutoclearBitmaps         = 1 << 0 // the bitmaps extension is consistent
	AutoclearRawExternal     = 1 << 1 // the data file is a raw image of the disk
)

const (
	magic           = 0x514649fb // "QFI\xfb"
	headerBytesV2   = 72
	headerBytesV3   = 104
	headerBytesMade = 112 // what we write: up to compression_type and its padding

	incompatibleRead = IncompatibleDirty | IncompatibleCorrupt | IncompatibleExternalData | IncompatibleExtendedL2

	extEnd           = 0
	extBackingFormat = 0xe2792aca
	extDataFile      = 0x44415441
	extBitmaps       = 0x23852875
	extBitmapsBytes  = 24

	offsetMask     = 0x00fffffffffffe00 // of L1 and L2 entries
	flagCopied     = 1 << 63
	flagCompressed = 1 << 62
	flagZero       = 1 << 0

	subclusters = 32 // of one cluster with extended L2 entries

	granularityBitsMin = 9
	granularityBitsMax = 31
	bitmapEntryBytes   = 24 // of the directory, without the name
	bitmapTypeDirty    = 1
	bitmapInUse        = 1 << 0
	bitmapAuto         = 1 << 1
	bitmapAllOnes      = 1 << 0 // in a bitmap table entry
	bitmapReservedMask = 0xff000000000001fe

	chunkBytes = 64 << 10 // of tables read or written at a time
)

// Kind is what an image itself says of a range of the guest's disk.
type Kind uint8

// The kinds of a range. Data is the zero value.
const (
	Data        Kind = iota // stored in the image
	Zero                    // reads as zero by metadata
	Unallocated             // not in this image: zero, or what the backing file has
)

func (k Kind) String() string {
	switch k {
	case Data:
		return "data"
	case Zero:
		return "zero"
	case Unallocated:
		return "unallocated"
	}
	return "invalid"
}

// Range is the bytes [Offset, Offset+Length) of the guest's disk.
type Range struct{ Offset, Length int64 }

// End is the first byte after the range.
func (r Range) End() int64 { return r.Offset + r.Length }

// Extent is a range that is all of one kind.
type Extent struct {
	Offset, Length int64
	Kind           Kind
}

// End is the first byte after the extent.
func (e Extent) End() int64 { return e.Offset + e.Length }

// ceilDiv is a/b rounded up, for a ≥ 0 and b > 0, without overflow.
func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 {
		q++
	}
	return q
}

// nextNonZero is the offset of the first 8 bytes at or after from that are not
// all zero, or len(p). from and len(p) are multiples of 8.
func nextNonZero(p []byte, from int) int {
	for from < len(p) {
		if from+len(zeros) <= len(p) && bytes.Equal(p[from:from+len(zeros)], zeros[:]) {
			from += len(zeros)
			continue
		}
		for end := min(from+len(zeros), len(p)); from < end; from += 8 {
			if binary.LittleEndian.Uint64(p[from:]) != 0 {
				return from
			}
		}
	}
	return from
}

// pad8 rounds up to the next multiple of 8.
func pad8(n int64) int64 { return (n + 7) &^ 7 }
