package qcow2

import (
	"encoding/binary"
	"math"
)

// BitmapInfo is one entry of the bitmap directory.
type BitmapInfo struct {
	Name        string
	Granularity int64 // bytes
	Auto        bool  // enabled: records writes whenever the image is open
	InUse       bool  // not closed cleanly: its bits must not be believed

	entryOffset  int64 // in the file
	tableOffset  int64
	tableEntries int64
}

// Bitmaps returns the directory's entries in its order; the slice is the
// Reader's own. It is empty when the image has no bitmaps, or ones that must be
// ignored (Header.BitmapCount). It refuses what QEMU refuses (block/qcow2-bitmap.c).
func (r *Reader) Bitmaps() ([]BitmapInfo, error) {
	if r.bitsRead {
		return r.bitmaps, nil
	}
	list, err := readDirectory(r.src, &r.header, r.bitmaps[:0])
	if err != nil {
		return nil, err
	}
	r.bitmaps, r.bitsRead = list, true
	return list, nil
}

func readDirectory(src source, h *Header, list []BitmapInfo) ([]BitmapInfo, error) {
	if h.BitmapCount == 0 {
		return list, nil
	}
	if h.bitmapDirOffset >= src.size || h.bitmapDirBytes > src.size-h.bitmapDirOffset {
		return nil, corrupt("bitmap_directory_size", h.bitmapExtAt+8, uint64(h.bitmapDirBytes), "beyond the end of the file")
	}
	dir := make([]byte, h.bitmapDirBytes)
	if err := src.read(dir, h.bitmapDirOffset, "the bitmap directory"); err != nil {
		return nil, err
	}
	at := int64(0)
	for ; at < int64(len(dir)); at = pad8(at) {
		b, n, err := parseBitmap(h, dir[at:], h.bitmapDirOffset+at)
		if err != nil {
			return nil, err
		}
		if len(list) == int(h.BitmapCount) {
			return nil, corrupt("nb_bitmaps", h.bitmapExtAt, uint64(h.BitmapCount), "the directory holds more")
		}
		list = append(list, b)
		at += n
	}
	if len(list) != int(h.BitmapCount) {
		return nil, corrupt("nb_bitmaps", h.bitmapExtAt, uint64(h.BitmapCount), "the directory holds fewer")
	}
	if i, twice := sameName(len(list), func(i int) string { return list[i].Name }); twice {
		return nil, corrupt("bitmap name", list[i].entryOffset+bitmapEntryBytes, uint64(i), "used twice")
	}
	return list, nil
}

// parseBitmap decodes the entry at the beginning of p, which is at offset at of
// the file, and returns its length without the padding.
func parseBitmap(h *Header, p []byte, at int64) (b BitmapInfo, n int64, err error) {
	if len(p) < bitmapEntryBytes {
		return b, 0, corrupt("bitmap directory entry", at, uint64(len(p)), "cut off by the end of the directory")
	}
	be := binary.BigEndian
	table, entries, flags := be.Uint64(p), be.Uint32(p[8:]), be.Uint32(p[12:])
	kind, granularity, name, extra := p[16], p[17], int64(be.Uint16(p[18:])), be.Uint32(p[20:])
	switch {
	case flags&^(bitmapInUse|bitmapAuto) != 0:
		return b, 0, unsupported("bitmap flags", at+12, uint64(flags), "only in_use and auto are known")
	case kind != bitmapTypeDirty:
		return b, 0, unsupported("bitmap type", at+16, uint64(kind), "only dirty tracking bitmaps (1) are known")
	case granularity < granularityBitsMin:
		return b, 0, corrupt("granularity_bits", at+17, uint64(granularity), "finer than 512 bytes")
	case granularity > granularityBitsMax:
		return b, 0, beyond("granularity_bits", at+17, uint64(granularity), granularityBitsMax)
	case extra != 0:
		return b, 0, unsupported("extra_data_size", at+20, uint64(extra), "no extra data is known")
	case name == 0:
		return b, 0, corrupt("name_size", at+18, 0, "a bitmap without name")
	case name > BitmapNameBytesMax:
		return b, 0, beyond("name_size", at+18, uint64(name), BitmapNameBytesMax)
	case bitmapEntryBytes+name > int64(len(p)):
		return b, 0, corrupt("name_size", at+18, uint64(name), "beyond the end of the directory")
	}
	b = BitmapInfo{
		Name:        string(p[bitmapEntryBytes : bitmapEntryBytes+name]),
		Granularity: 1 << granularity,
		Auto:        flags&bitmapAuto != 0, InUse: flags&bitmapInUse != 0,
		entryOffset: at, tableEntries: int64(entries),
	}
	return b, bitmapEntryBytes + name, b.setTable(h, table)
}

// setTable checks where the bitmap table is, and whether it fits the disk.
func (b *BitmapInfo) setTable(h *Header, offset uint64) error {
	at := b.entryOffset
	if offset == 0 || offset > math.MaxInt64 || !h.aligned(int64(offset)) {
		return corrupt("bitmap_table_offset", at, offset, "not at the beginning of a cluster of its own")
	}
	b.tableOffset = int64(offset)
	if b.tableEntries > BitmapTableEntriesMax {
		return beyond("bitmap_table_size", at+8, uint64(b.tableEntries), BitmapTableEntriesMax)
	}
	if b.tableEntries<<h.ClusterBits > BitmapBytesMax {
		return beyond("bitmap_table_size", at+8, uint64(b.tableEntries), BitmapBytesMax>>h.ClusterBits)
	}
	bytes := ceilDiv(ceilDiv(h.Size, b.Granularity), 8)
	// QEMU resizes no stored bitmap; one that is in use is never loaded.
	if b.tableEntries == 0 || !b.InUse && b.tableEntries != ceilDiv(bytes, h.ClusterSize()) {
		return corrupt("bitmap_table_size", at+8, uint64(b.tableEntries), "does not fit the virtual size")
	}
	return nil
}
