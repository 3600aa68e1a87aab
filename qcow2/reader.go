package qcow2

import (
	"fmt"
	"io"
	"sort"
)

// Options say how an image is read.
type Options struct {
	// Backing, if not nil, is read where the image itself has nothing; beyond
	// its end it reads as zero. Without it such ranges read as zero. The backing
	// file that the header names is never opened.
	Backing io.ReaderAt
	// Data is the data file of an image that has one (Header.ExternalData); beyond its
	// end it reads as zero. Without it the disk's extents and bitmaps can be read, and
	// its data cannot: that is an *Error of the class ErrArgument. The data file that
	// the header names is never opened.
	Data io.ReaderAt
}

// Reader reads one image. It keeps one L2 table and the L1 entries that are not
// zero; it does not notice that the file changes. It is not for use by several
// tasks at once. The zero value is ready for Reset.
type Reader struct {
	src      source
	header   Header
	backing  io.ReaderAt
	data     io.ReaderAt
	unitSize int64 // bytes of a cluster, or of a subcluster
	l1       []l1Entry
	l2       l2Table
	last     Extent // what Next found; Length 0 for none
	inflate  inflater
	bitmaps  []BitmapInfo
	bitsRead bool // bitmaps is loaded
	buf      []byte
}

// Open reads and checks header and L1 table of the image in the first size bytes
// of r. A refused image is an *Error; a failure of r is wrapped.
func Open(r io.ReaderAt, size int64, opts Options) (*Reader, error) {
	reader := new(Reader)
	if err := reader.Reset(r, size, opts); err != nil {
		return nil, err
	}
	return reader, nil
}

// Reset is Open in place: it uses the memory of the image that was read before.
// After an error the Reader holds no image.
func (r *Reader) Reset(from io.ReaderAt, size int64, opts Options) error {
	r.src, r.backing, r.data = source{from, size}, opts.Backing, opts.Data
	r.l1, r.l2.index, r.last = r.l1[:0], -1, Extent{}
	r.inflate.reset()
	r.bitmaps, r.bitsRead = r.bitmaps[:0], false
	err := r.load()
	if err != nil {
		r.header, r.l1 = Header{}, r.l1[:0]
	}
	return err
}

func (r *Reader) load() (err error) {
	if r.buf, err = r.header.readHeader(r.src, r.buf); err != nil {
		return err
	}
	h := &r.header
	if r.unitSize = h.ClusterSize(); h.ExtendedL2() {
		r.unitSize /= subclusters
	}
	if r.l1, r.buf, err = readL1(r.src, h, h.l1Needed(), r.l1, r.buf); err != nil {
		return err
	}
	return checkL1(r.src, h, r.l1)
}

// Header returns what the header says. It is the Reader's own: do not change it.
func (r *Reader) Header() *Header { return &r.header }

// Size is the virtual size in bytes.
func (r *Reader) Size() int64 { return r.header.Size }

// ClusterSize is in bytes.
func (r *Reader) ClusterSize() int64 { return r.header.ClusterSize() }

// ReadAt reads guest content, as io.ReaderAt says. Ranges of zeros read as zero;
// for unallocated ones see Options.Backing.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, badArgument("off", off, "negative")
	}
	if off >= r.header.Size {
		return 0, io.EOF
	}
	var end error
	if rest := r.header.Size - off; int64(len(p)) > rest {
		p, end = p[:rest], io.EOF
	}
	for done := 0; done < len(p); {
		n, err := r.readPiece(p[done:], off+int64(done))
		if err != nil {
			return done, err
		}
		done += n
	}
	return len(p), end
}

// readPiece reads the beginning of p, as far as it is one piece in the file.
func (r *Reader) readPiece(p []byte, off int64) (int, error) {
	m, err := r.mapping(off, int64(len(p)))
	if err != nil {
		return 0, err
	}
	p = p[:min(int64(len(p)), m.length)]
	switch {
	case m.compressed != 0:
		err = r.readCompressed(p, off, m.compressed)
	case m.kind == Data && r.header.ExternalData():
		err = r.readExternal(p, m.host)
	case m.kind == Data:
		err = r.src.read(p, m.host, "guest data")
	case m.kind == Unallocated && r.backing != nil:
		err = readZero(r.backing, p, off, "backing image")
	default:
		clear(p)
	}
	return len(p), err
}

// readExternal reads from the data file.
func (r *Reader) readExternal(p []byte, off int64) error {
	if r.data == nil {
		return badArgument("Options.Data", off, "the image keeps its data in another file, which is not given")
	}
	return readZero(r.data, p, off, "data file")
}

func (r *Reader) readCompressed(p []byte, off int64, descriptor uint64) error {
	content, err := r.inflate.cluster(r.src, &r.header, descriptor)
	if err != nil {
		return fmt.Errorf("the cluster at guest offset %d: %w", off&^(r.header.ClusterSize()-1), err)
	}
	copy(p, content[off&(r.header.ClusterSize()-1):])
	return nil
}

// mapped is a range that is alike and in one piece in the file.
type mapped struct {
	unit
	length int64
}

// mapping finds what is at off and how far it goes, looking no further than want
// bytes and the end of one L2 table. off is within the virtual size.
func (r *Reader) mapping(off, want int64) (mapped, error) {
	h := &r.header
	span := h.l2Entries() * h.ClusterSize() // of one L2 table
	index := off / span
	i := sort.Search(len(r.l1), func(i int) bool { return r.l1[i].index >= index })
	if i == len(r.l1) || r.l1[i].index != index || r.l1[i].offset() == 0 {
		end := h.Size
		if i < len(r.l1) {
			end = min(end, max(r.l1[i].index, index+1)*span)
		}
		return mapped{unit{kind: Unallocated}, end - off}, nil
	}
	if err := r.l2.load(r.src, h, r.l1[i]); err != nil {
		return mapped{}, err
	}
	in := off - index*span
	m, err := r.inTable(in, want)
	m.length = min(m.length, h.Size-off)
	return m, err
}

// inTable is mapping within the loaded L2 table; in counts from its beginning.
func (r *Reader) inTable(in, want int64) (mapped, error) {
	first := in / r.unitSize
	inUnit := in % r.unitSize
	u, err := r.unit(first)
	if err != nil {
		return mapped{}, err
	}
	if u.compressed != 0 {
		cluster := r.header.ClusterSize()
		return mapped{u, cluster - in%cluster}, nil
	}
	perEntry := r.header.ClusterSize() / r.unitSize
	units := int64(len(r.l2.raw)) / r.header.l2EntryBytes() * perEntry
	next := first + 1
	if u.kind == Unallocated && next%perEntry == 0 {
		entry := r.header.l2EntryBytes()
		next = int64(nextNonZero(r.l2.raw, int(next/perEntry*entry))) / entry * perEntry
	}
	for ; next < units && next*r.unitSize-in < want; next++ {
		// What is wrong with a later unit is told when it is asked for.
		v, err := r.unit(next)
		if err != nil || v.kind != u.kind || v.compressed != 0 {
			break
		}
		if u.kind == Data && v.host != u.host+(next-first)*r.unitSize {
			break
		}
	}
	if u.kind == Data {
		u.host += inUnit
	}
	return mapped{u, next*r.unitSize - in}, nil
}

func (r *Reader) unit(i int64) (unit, error) {
	if r.header.ExtendedL2() {
		return r.l2.extended(r.src, &r.header, i)
	}
	return r.l2.standard(r.src, &r.header, i)
}
