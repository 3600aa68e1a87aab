package oracle

// Kind is what an image says of a range.
type Kind uint8

// The kinds of a range of an image.
const (
	Data        Kind = iota
	Zero             // reads as zero by metadata
	Unallocated      // not in this image: zero, or in the image below
)

// Image is a disk image that somebody opened: a qcow2 through a reader, or the
// bytes of a raw file.
type Image interface {
	// Size is the virtual size in bytes.
	Size() int64
	// ReadAt reads guest bytes of a range of kind Data.
	ReadAt(p []byte, off int64) (int, error)
	// Next returns the range that starts at off and its kind. Its end may be
	// beyond the end of what is alike.
	Next(off int64) (length int64, kind Kind, err error)
}

// Evidence is all that was read of one instant.
type Evidence struct {
	Images  []DiskImage
	Bitmaps []DiskBitmap
}

// DiskImage is the image that a backup made of a disk, or the disk itself.
type DiskImage struct {
	Disk  *Disk
	Image Image
	// Sparse, if not 0, demands that data is only found in blocks of that many
	// bytes in which something was written (I14).
	Sparse int64
	// OnlyAllocated restricts the judgement to what the image holds itself
	// (incremental images, I7 and I8).
	OnlyAllocated bool
}

// DiskBitmap is the dirty bitmap of a checkpoint as it was read later: it has
// recorded from the instant on, until everything known to the history was written.
type DiskBitmap struct {
	Disk        *Disk
	Granularity int64 // bytes
	Dirty       []Range
}

// Range is a byte range of a disk. Ranges in lists are sorted and do not overlap.
type Range struct{ Offset, Length int64 }
