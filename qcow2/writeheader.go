package qcow2

import "encoding/binary"

// header makes the first cluster, as far as it is used.
func (w *Writer) header(img *Image) error {
	l := &w.layout
	be := binary.BigEndian
	p := w.head[:0]
	nameOffset, l1Offset, incompatible, autoclear := int64(0), int64(0), uint64(0), uint64(0)
	ext := 8 + l.extensionBytes(img)
	if img.BackingFile != "" {
		nameOffset = headerBytesMade + ext
	}
	if size := headerBytesMade + ext + int64(len(img.BackingFile)); size > 1<<l.bits {
		return badArgument("BackingFile", int64(len(img.BackingFile)), "the header does not fit into one cluster")
	}
	if l.l1Entries > 0 {
		l1Offset = l.offset(l.l1)
	}
	if len(img.Bitmaps) > 0 {
		autoclear = AutoclearBitmaps
	}
	if img.DataFile != "" {
		incompatible = IncompatibleExternalData
	}
	if img.DataFileRaw {
		autoclear |= AutoclearRawExternal
	}
	if p == nil {
		p = make([]byte, 0, SectorSize)
	}
	p = be.AppendUint32(p, magic)
	p = be.AppendUint32(p, 3)
	p = be.AppendUint64(p, uint64(nameOffset))
	p = be.AppendUint32(p, uint32(len(img.BackingFile)))
	p = be.AppendUint32(p, uint32(l.bits))
	p = be.AppendUint64(p, uint64(img.Size))
	p = be.AppendUint32(p, 0) // crypt_method
	p = be.AppendUint32(p, uint32(l.l1Entries))
	p = be.AppendUint64(p, uint64(l1Offset))
	p = be.AppendUint64(p, uint64(l.offset(l.refTable)))
	p = be.AppendUint32(p, uint32(l.refBlocks-l.refTable))
	p = be.AppendUint32(p, 0) // nb_snapshots
	p = be.AppendUint64(p, 0) // snapshots_offset
	p = be.AppendUint64(p, incompatible)
	p = be.AppendUint64(p, 0) // compatible_features
	p = be.AppendUint64(p, autoclear)
	p = be.AppendUint32(p, 4) // refcount_order: 16 bits
	p = be.AppendUint32(p, headerBytesMade)
	p = be.AppendUint64(p, 0) // compression_type zlib, padding
	p = w.extensions(p, img)
	w.head = append(p, img.BackingFile...)
	return nil
}

// extensionBytes is the length of all extensions but the closing one.
func (l *layout) extensionBytes(img *Image) (n int64) {
	if img.BackingFormat != "" {
		n += 8 + pad8(int64(len(img.BackingFormat)))
	}
	if img.DataFile != "" {
		n += 8 + pad8(int64(len(img.DataFile)))
	}
	if len(img.Bitmaps) > 0 {
		n += 8 + extBitmapsBytes
	}
	return n
}

func (w *Writer) extensions(p []byte, img *Image) []byte {
	be := binary.BigEndian
	if img.BackingFormat != "" {
		p = appendName(p, extBackingFormat, img.BackingFormat)
	}
	if img.DataFile != "" {
		p = appendName(p, extDataFile, img.DataFile)
	}
	if len(img.Bitmaps) > 0 {
		p = be.AppendUint32(p, extBitmaps)
		p = be.AppendUint32(p, extBitmapsBytes)
		p = be.AppendUint32(p, uint32(len(img.Bitmaps)))
		p = be.AppendUint32(p, 0)
		p = be.AppendUint64(p, uint64(w.layout.dirBytes))
		p = be.AppendUint64(p, uint64(w.layout.offset(w.layout.dir)))
	}
	return be.AppendUint64(p, extEnd)
}

// appendName appends an extension that is a name.
func appendName(p []byte, kind uint32, name string) []byte {
	p = binary.BigEndian.AppendUint32(p, kind)
	p = binary.BigEndian.AppendUint32(p, uint32(len(name)))
	p = append(p, name...)
	for len(p)%8 != 0 {
		p = append(p, 0)
	}
	return p
}
