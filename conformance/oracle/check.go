package oracle

import (
	"errors"
	"fmt"
)

// readChunk is how much of an image is read at a time, in bytes.
const readChunk = 256 << 10

// Check judges the evidence of one instant. A nil Finding says that one cut
// explains all of it; an error says that the evidence could not be read.
func (h *History) Check(at *Instant, e Evidence) (*Finding, error) {
	c := newCut(h, at)
	for _, di := range e.Images {
		if err := c.readImage(di); err != nil {
			return asFinding(err)
		}
	}
	for _, b := range e.Bitmaps {
		if f := c.readBitmap(b); f != nil {
			return f, nil
		}
	}
	if f := c.judge(); f != nil {
		return f, nil
	}
	inCut := c.smallest()
	for _, b := range e.Bitmaps {
		if f := c.judgeDirty(b, inCut); f != nil {
			return f, nil
		}
	}
	return nil, nil
}

// asFinding takes a Finding out of the error that carried it through the reading.
func asFinding(err error) (*Finding, error) {
	var f *Finding
	if errors.As(err, &f) {
		return f, nil
	}
	return nil, err
}

// reader takes down what each sector of one image shows.
type reader struct {
	*cut
	DiskImage
	cells   []cell
	written []Range // blocks in which data may be, if Sparse is set
}

// readImage reads an image; a *Finding comes back as the error.
func (c *cut) readImage(di DiskImage) error {
	d := di.Disk
	if size := di.Image.Size(); size != d.Size {
		return &Finding{Disk: d.Name, Problem: fmt.Sprintf("the image is %d bytes long, the disk %d", size, d.Size)}
	}
	r := reader{cut: c, DiskImage: di, cells: d.cells(c.at)}
	if di.Sparse != 0 {
		r.written = blocks(d.writes, di.Sparse, func(w *Write) bool {
			return di.Since == nil || !di.Since.has(w) && !c.at.lacks(w)
		})
		if rest := d.Size % di.Sparse; rest > 0 && di.Since == nil {
			// QEMU copies the rest of a disk as data, be it zeroes, if it comes to that in
			// a task of its own (docs/qemu-findings.md).
			r.written = union(append(r.written, Range{d.Size - rest, rest}))
		}
	}
	for off := int64(0); off < d.Size; {
		length, kind, err := di.Image.Next(off)
		if err == nil && length <= 0 {
			err = errEmptyExtent
		}
		if err != nil {
			return fmt.Errorf("image of %s at byte %d: %w", d.Name, off, err)
		}
		length = min(length, d.Size-off)
		if err := r.extent(Range{off, length}, kind); err != nil {
			return err
		}
		off += length
	}
	return nil
}

// extent judges one range of an image that is of one kind.
func (r *reader) extent(e Range, kind Kind) error {
	if kind == Unallocated && r.Since != nil {
		if err := r.increment(e); err != nil {
			return err
		}
	}
	if kind == Unallocated && r.OnlyAllocated {
		return nil
	}
	if kind == Data && r.Sparse != 0 {
		if off, outside := firstOutside(r.written, e); outside {
			return r.notSparse(off)
		}
	}
	if r.Covered == nil {
		return r.covered(e, kind)
	}
	return parts(r.Covered, e, func(piece Range, inside bool) error {
		switch {
		case inside:
			return r.covered(piece, kind)
		case kind != Data || r.OnlyAllocated:
			return nil
		}
		return r.read(piece, r.uncovered)
	})
}

// covered judges a range whose content matters.
func (r *reader) covered(e Range, kind Kind) error {
	if kind == Data {
		return r.read(e, r.bytes)
	}
	for i := findCell(r.cells, e.Offset); i < len(r.cells) && r.cells[i].offset < e.end(); i++ {
		from, to := max(r.cells[i].offset, e.Offset), min(r.cells[i].end, e.end())
		if err := r.shows(&r.cells[i], nil, Range{from, to - from}); err != nil {
			return err
		}
	}
	return nil
}

// read reads a range of kind Data, a chunk at a time.
func (r *reader) read(e Range, judge func(p []byte, off int64) error) error {
	for off := e.Offset; off < e.end(); {
		n := min(e.end()-off, readChunk)
		p := r.h.memory.buffer(n)
		if got, err := r.Image.ReadAt(p, off); int64(got) < n {
			return fmt.Errorf("image of %s: %d bytes of %d at %d: %w", r.Disk.Name, got, n, off, err)
		}
		if err := judge(p, off); err != nil {
			return err
		}
		off += n
	}
	return nil
}

// bytes judges the bytes p that stand at off.
func (r *reader) bytes(p []byte, off int64) error {
	end := off + int64(len(p))
	at := off
	for i := findCell(r.cells, off); at < end; i++ {
		next := end
		if i < len(r.cells) {
			next = min(end, max(r.cells[i].offset, at))
		}
		if err := r.blank(p[at-off:next-off], at); err != nil {
			return err
		}
		at = next
		if i == len(r.cells) || at == end {
			break
		}
		next = min(end, r.cells[i].end)
		if err := r.cell(&r.cells[i], p[at-off:next-off], at); err != nil {
			return err
		}
		at = next
	}
	return nil
}

// blank judges bytes where no legal cut has anything. The usual case is that all
// are zero; else the cell without writes says what is wrong.
func (r *reader) blank(p []byte, off int64) error {
	at := firstNonZero(p)
	if at < 0 {
		return nil
	}
	at = max(at-(off+at)%SectorSize, 0)
	return r.cell(&cell{offset: off, end: off + int64(len(p))}, p[at:], off+at)
}

// cell judges bytes within one cell.
func (r *reader) cell(k *cell, p []byte, off int64) error {
	for len(p) > 0 {
		w, n, known := r.identify(k, p, off)
		if n == 0 {
			return r.strange(p, off)
		}
		if known {
			if err := r.shows(k, w, Range{off, n}); err != nil {
				return err
			}
		}
		p, off = p[n:], off+n
	}
	return nil
}

// shows notes what a range within a cell says: w, or nil for none, is the last
// write there.
func (r *reader) shows(k *cell, w *Write, e Range) error {
	p := place{disk: r.Disk, offset: e.Offset, length: e.Length, shows: w}
	if w == nil && len(k.sure) > 0 {
		return r.lost(k, p)
	}
	if w != nil {
		if k.candidate(w.Seq) == nil {
			return r.impossible(k, w, p)
		}
		r.mustIn(w, p)
	}
	for _, v := range k.free {
		if v != w && (w == nil || w.before(v)) {
			r.mustOut(v, p)
		}
	}
	return nil
}
