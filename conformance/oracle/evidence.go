package oracle

import "errors"

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

// DiskImage is the image that a backup made of a disk, or the disk itself. An
// incremental image is judged in full as Overlay of it and the backup before it
// (I7); and alone, with Since and OnlyAllocated, or Covered.
type DiskImage struct {
	Disk  *Disk
	Image Image
	// Sparse, if not 0, demands that data is only found in blocks of that many
	// bytes in which something was written (I14), and in what is left of the disk at
	// its end.
	Sparse int64
	// Since, if not nil, says that the image is an increment from that instant:
	// whatever was written between the two is in the image itself, not below it
	// (I7), and Sparse is narrowed to what was, or may have been, written between
	// the two: what was dirty then, and nothing that came later (I6).
	Since *Instant
	// OnlyAllocated restricts the judgement to what the image holds itself
	// (incremental images, I7).
	OnlyAllocated bool
	// Covered, if not nil, restricts the judgement to these ranges (a raw
	// incremental image: those of the bitmap, I8). Elsewhere the image must
	// read as zero, unless OnlyAllocated is set (a reused file: anything).
	Covered []Range
}

// DiskBitmap is the dirty bitmap of a checkpoint: it records from the instant on.
type DiskBitmap struct {
	Disk        *Disk
	Granularity int64 // bytes
	Dirty       []Range
	// Until is when the bitmap was read, or frozen (I6); nil says after all
	// that is known to the history. Writes that were under way then may be in
	// the bitmap or not.
	Until *Instant
}

// Overlay is an image over another, as a chain of images is read: what top does
// not hold is read from below, and as zero beyond below's end.
func Overlay(top, below Image) Image { return overlay{top, below} }

type overlay struct{ top, below Image }

func (o overlay) Size() int64 { return o.top.Size() }

func (o overlay) Next(off int64) (int64, Kind, error) {
	length, kind, _, err := o.next(off)
	return length, kind, err
}

// next is Next with the image that holds the range.
func (o overlay) next(off int64) (length int64, kind Kind, from Image, err error) {
	length, kind, err = o.top.Next(off)
	if err != nil || kind != Unallocated {
		return length, kind, o.top, err
	}
	if off >= o.below.Size() {
		return length, Zero, o.top, nil
	}
	belowLength, kind, err := o.below.Next(off)
	return min(length, belowLength, o.below.Size()-off), kind, o.below, err
}

var errEmptyExtent = errors.New("the image tells an extent without length")

func (o overlay) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		length, kind, from, err := o.next(off)
		if err == nil && length <= 0 {
			err = errEmptyExtent
		}
		if err != nil {
			return done, err
		}
		part := p[done:min(int64(len(p)), int64(done)+length)]
		if kind != Data {
			clear(part)
		} else if n, err := from.ReadAt(part, off); n < len(part) {
			return done + n, err
		}
		done, off = done+len(part), off+int64(len(part))
	}
	return done, nil
}
