package qcow2

import "fmt"

// Writer writes images and keeps its buffers between them. It is not for use by
// several tasks at once. The zero value is ready.
type Writer struct {
	layout layout
	places []bitmapPlace
	pack   packer
	head   []byte // the header
	out    stream // all other metadata
}

// Write writes img with a Writer of its own; see Writer.Write.
func Write(to File, img *Image) (size int64, err error) { return new(Writer).Write(to, img) }

// Write replaces all that to holds by img, and returns the size of the file. The
// header comes last: what is left by a crash in between is not taken for an
// image. Nothing is synced. An image that cannot be is an *Error of the class
// ErrArgument, and to is untouched; failures of to are wrapped.
func (w *Writer) Write(to File, img *Image) (size int64, err error) {
	if err := img.check(); err != nil {
		return 0, err
	}
	if err := w.pack.pack(img); err != nil {
		return 0, fmt.Errorf("qcow2: compressing: %w", err)
	}
	if w.places, err = w.layout.plan(img, &w.pack, w.places); err != nil {
		return 0, err
	}
	if err := w.header(img); err != nil {
		return 0, err
	}
	size = w.layout.offset(w.layout.total)
	for _, n := range [2]int64{0, size} {
		if err := to.Truncate(n); err != nil {
			return 0, fmt.Errorf("qcow2: truncating to %d bytes: %w", n, err)
		}
	}
	w.out.start(to)
	w.refcounts()
	w.l1(img.Runs)
	w.l2(img)
	w.pack.rewind()
	w.bitmaps(img)
	w.out.flush()
	if img.DataFile != "" {
		w.external(img)
		w.out.to = to
	} else {
		w.data(img.Runs)
	}
	if w.pack.out.Len() > 0 {
		w.out.write(w.pack.out.Bytes(), w.layout.offset(w.layout.packed))
	}
	w.out.write(w.head, 0)
	return size, w.out.end()
}

// refcounts puts the table, whose blocks follow each other, and the blocks, in
// which every count is 1 but those of clusters that streams share.
func (w *Writer) refcounts() {
	l := &w.layout
	w.out.at(l.offset(l.refTable))
	for i := range l.refBlockCount {
		w.out.put64(uint64(l.offset(l.refBlocks + i)))
	}
	w.out.at(l.offset(l.refBlocks))
	for range l.packed {
		w.out.room()
		w.out.put16(1)
	}
	for _, n := range w.pack.counts(l.bits) {
		w.out.room()
		w.out.put16(n)
	}
}

// l1 puts the entries of the L2 tables that the runs take.
func (w *Writer) l1(runs []Run) {
	l := &w.layout
	span := l.offset(l.perL2()) // bytes of the disk per table
	next, table := int64(0), l.l2
	for i := range runs {
		for index := max(runs[i].Offset/span, next); index <= (runs[i].End()-1)/span; index++ {
			w.out.at(l.offset(l.l1) + index*8)
			w.out.put64(uint64(l.offset(table)) | flagCopied)
			table++
			next = index + 1
		}
	}
}

// l2 puts the entries of all clusters.
func (w *Writer) l2(img *Image) {
	l, runs := &w.layout, img.Runs
	shift := l.bits - 3
	index, table := int64(-1), l.l2-1
	host := uint64(l.offset(l.data))
	for i := range runs {
		zero := runs[i].Kind == Zero
		for c := runs[i].Offset >> l.bits; c <= (runs[i].End()-1)>>l.bits; c++ {
			if c>>shift != index {
				index = c >> shift
				table++
			}
			w.out.at(l.offset(table) + c&(l.perL2()-1)*8)
			if zero {
				w.out.put64(flagZero)
				continue
			}
			if runs[i].Compressed {
				if s := w.pack.take(); s.length > 0 {
					w.out.put64(s.entry(l.offset(l.packed), l.bits))
					continue
				}
			}
			if img.DataFile != "" {
				host = uint64(l.offset(c))
			}
			w.out.put64(host | flagCopied)
			host += 1 << l.bits
		}
	}
}

// data writes the content from the caller's memory.
func (w *Writer) data(runs []Run) {
	l := &w.layout
	host := l.offset(l.data)
	for i := range runs {
		if runs[i].Kind != Data {
			continue
		}
		if runs[i].Compressed {
			host = w.incompressible(&runs[i], host)
			continue
		}
		if len(runs[i].Data) > 0 {
			w.out.write(runs[i].Data, host)
		}
		host += l.offset(l.clusters(runs[i].Length))
	}
}

// external writes the content into the data file, which it makes as large as the disk.
func (w *Writer) external(img *Image) {
	for _, n := range [2]int64{0, img.Size} {
		if err := img.DataTo.Truncate(n); err != nil && w.out.err == nil {
			w.out.err = fmt.Errorf("qcow2: truncating the data file to %d bytes: %w", n, err)
		}
	}
	w.out.to = img.DataTo
	for i := range img.Runs {
		if r := &img.Runs[i]; len(r.Data) > 0 {
			w.out.write(r.Data, r.Offset)
		}
	}
}

// incompressible writes the clusters of a compressed run that are stored as they
// are, from host on, and gives where the next goes.
func (w *Writer) incompressible(r *Run, host int64) int64 {
	size := w.layout.offset(1)
	for off := int64(0); off < r.Length; off += size {
		if w.pack.take().length > 0 {
			continue
		}
		w.out.write(r.Data[off:min(off+size, int64(len(r.Data)))], host)
		host += size
	}
	return host
}
