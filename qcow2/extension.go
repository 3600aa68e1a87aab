package qcow2

import (
	"encoding/binary"
	"math"
)

// parseVariable reads what follows the fixed fields: the extensions and the name
// of the backing file. p is the file up to the end of both.
func (h *Header) parseVariable(p []byte) error {
	end := int64(len(p))
	if h.backingNameOffset != 0 {
		if h.backingNameOffset+h.backingNameBytes > end {
			return corrupt("backing_file_offset", 8, uint64(h.backingNameOffset), "the name is beyond the end of the file")
		}
		h.BackingFile = string(p[h.backingNameOffset : h.backingNameOffset+h.backingNameBytes])
		end = h.backingNameOffset
	}
	for at := h.length; at+8 <= end; {
		kind, n := binary.BigEndian.Uint32(p[at:]), int64(binary.BigEndian.Uint32(p[at+4:]))
		if n > end-at-8 { // of the closing one too, as QEMU does
			return beyond("header extension length", at+4, uint64(n), uint64(end-at-8))
		}
		if kind == extEnd {
			return nil
		}
		if err := h.extension(kind, p[at+8:at+8+n], at+8); err != nil {
			return err
		}
		at += 8 + pad8(n)
	}
	return nil
}

func (h *Header) extension(kind uint32, p []byte, at int64) error {
	switch kind {
	case extBackingFormat:
		if len(p) > BackingFormatBytesMax {
			return beyond("backing file format name length", at-4, uint64(len(p)), BackingFormatBytesMax)
		}
		h.BackingFormat = string(p)
	case extDataFile:
		h.DataFile = string(p)
	case extBitmaps:
		return h.bitmapsExtension(p, at)
	}
	return nil
}

func (h *Header) bitmapsExtension(p []byte, at int64) error {
	if h.Autoclear&AutoclearBitmaps == 0 {
		return nil
	}
	if len(p) != extBitmapsBytes {
		return corrupt("bitmaps extension length", at-4, uint64(len(p)), "not 24")
	}
	be := binary.BigEndian
	count, bytes, offset := be.Uint32(p), be.Uint64(p[8:]), be.Uint64(p[16:])
	switch {
	case count == 0:
		return corrupt("nb_bitmaps", at, 0, "an extension without bitmaps")
	case count > BitmapsMax:
		return beyond("nb_bitmaps", at, uint64(count), BitmapsMax)
	case be.Uint32(p[4:]) != 0:
		return corrupt("bitmaps extension reserved field", at+4, uint64(be.Uint32(p[4:])), "not zero")
	case bytes > BitmapDirBytesMax:
		return beyond("bitmap_directory_size", at+8, bytes, BitmapDirBytesMax)
	case offset > math.MaxInt64 || !h.aligned(int64(offset)) || offset == 0:
		return corrupt("bitmap_directory_offset", at+16, offset, "not at the beginning of a cluster")
	}
	h.BitmapCount, h.bitmapDirBytes, h.bitmapDirOffset, h.bitmapExtAt = count, int64(bytes), int64(offset), at
	return nil
}
