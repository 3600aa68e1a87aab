package oracle

import (
	"bytes"
	"fmt"
)

// readChunk is how much of an image is read at a time, in bytes.
const readChunk = 1 << 20

// Check judges the evidence of one instant. A nil Finding says that one cut
// explains all of it; an error says that the evidence could not be read.
func (h *History) Check(at *Instant, e Evidence) (*Finding, error) {
	c := newCut(h, at)
	buf := make([]byte, 0, 64<<10)
	for _, di := range e.Images {
		f, err := c.readImage(di, &buf)
		if f != nil || err != nil {
			return f, err
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
	set := c.smallest()
	for _, b := range e.Bitmaps {
		if f := c.judgeDirty(b, set); f != nil {
			return f, nil
		}
	}
	return nil, nil
}

// readImage takes down what each sector of an image shows.
func (c *cut) readImage(di DiskImage, buf *[]byte) (*Finding, error) {
	d := di.Disk
	if size := di.Image.Size(); size != d.Size {
		return &Finding{Disk: d.Name, Problem: fmt.Sprintf("the image is %d bytes long, the disk %d", size, d.Size)}, nil
	}
	cells := d.cells()
	for off := int64(0); off < d.Size; {
		length, kind, err := di.Image.Next(off)
		if err != nil {
			return nil, fmt.Errorf("image of %s at byte %d: %w", d.Name, off, err)
		}
		if length <= 0 {
			return nil, fmt.Errorf("image of %s at byte %d: an extent of %d bytes", d.Name, off, length)
		}
		length = min(length, d.Size-off)
		r := Range{off, length}
		off += length
		switch {
		case kind == Unallocated && di.OnlyAllocated:
			continue
		case kind != Data:
			c.showsZero(d, cells, r)
			continue
		}
		if f := sparse(di, r); f != nil {
			return f, nil
		}
		if f, err := c.readData(di, cells, r, buf); f != nil || err != nil {
			return f, err
		}
	}
	return nil, nil
}

// readData reads a range of kind Data.
func (c *cut) readData(di DiskImage, cells []cell, r Range, buf *[]byte) (*Finding, error) {
	for off := r.Offset; off < r.Offset+r.Length; {
		n := min(r.Offset+r.Length-off, readChunk)
		if int64(cap(*buf)) < n {
			*buf = make([]byte, n)
		}
		p := (*buf)[:n]
		if _, err := di.Image.ReadAt(p, off); err != nil {
			return nil, fmt.Errorf("image of %s: read %d bytes at %d: %w", di.Disk.Name, n, off, err)
		}
		if f := c.readBytes(di.Disk, cells, p, off); f != nil {
			return f, nil
		}
		off += n
	}
	return nil, nil
}

// readBytes judges the bytes p that stand at off.
func (c *cut) readBytes(d *Disk, cells []cell, p []byte, off int64) *Finding {
	end := off + int64(len(p))
	at := off
	for i := findCell(cells, off); at < end; i++ {
		next := end
		if i < len(cells) && cells[i].offset < end {
			next = max(cells[i].offset, at)
		}
		if f := d.blank(p[at-off:next-off], at); f != nil {
			return f
		}
		at = next
		if i >= len(cells) || at >= end {
			continue
		}
		next = min(end, cells[i].end)
		if f := c.readCell(d, cells[i], p[at-off:next-off], at); f != nil {
			return f
		}
		at = next
	}
	return nil
}

// readCell judges bytes within one cell: a range that the same writes cover.
func (c *cut) readCell(d *Disk, k cell, p []byte, off int64) *Finding {
	for len(p) > 0 {
		seq := seqOf(p)
		if seq == 0 {
			n := zeroSectors(p)
			if n == 0 {
				return d.strange(p, off)
			}
			c.cellShows(d, k, nil, Range{off, n})
			p, off = p[n:], off+n
			continue
		}
		w := k.find(seq)
		if w == nil {
			return d.foreign(seq, off)
		}
		n := sameSectors(p, w, off)
		if n == 0 {
			return d.strange(p, off)
		}
		c.cellShows(d, k, w, Range{off, n})
		p, off = p[n:], off+n
	}
	return nil
}

// cellShows notes what a range within a cell says: w (nil for none) is the last
// write there.
func (c *cut) cellShows(d *Disk, k cell, w *Write, r Range) {
	p := place{disk: d, offset: r.Offset, length: r.Length, seen: "the sector was never written"}
	if w != nil {
		p.seen = fmt.Sprintf("the sector bears the stamp of write %d", w.Seq)
		c.mustIn(w, p)
	}
	for _, v := range k.writes {
		if v != w && (w == nil || w.before(v)) {
			c.mustOut(v, p)
		}
	}
}

// showsZero notes that a range reads as zero by metadata.
func (c *cut) showsZero(d *Disk, cells []cell, r Range) {
	for i := findCell(cells, r.Offset); i < len(cells) && cells[i].offset < r.Offset+r.Length; i++ {
		from, to := max(cells[i].offset, r.Offset), min(cells[i].end, r.Offset+r.Length)
		c.cellShows(d, cells[i], nil, Range{from, to - from})
	}
}

// blank judges bytes where nothing was ever written.
func (d *Disk) blank(p []byte, off int64) *Finding {
	n := zeroSectors(p)
	if n == int64(len(p)) {
		return nil
	}
	return d.strange(p[n:], off+n)
}

func (d *Disk) strange(p []byte, off int64) *Finding {
	return &Finding{
		Disk: d.Name, Offset: off, Length: SectorSize,
		Problem: fmt.Sprintf("bytes that nobody wrote there: % x …", p[:min(len(p), 24)]),
		Lines:   d.sectorHistory(off, SectorSize),
	}
}

func (d *Disk) foreign(seq uint32, off int64) *Finding {
	lines := d.sectorHistory(off, SectorSize)
	if int(seq) <= len(d.h.writes) {
		lines = append([]string{"belongs to " + d.h.writes[seq-1].String()}, lines...)
	}
	return &Finding{
		Disk: d.Name, Offset: off, Length: SectorSize,
		Problem: fmt.Sprintf("the stamp of write %d, which did not write here", seq), Lines: lines,
	}
}

// zeroSectors counts the leading bytes of p that are zero, in whole sectors.
func zeroSectors(p []byte) int64 {
	var zero [8 * SectorSize]byte
	n := 0
	for len(p)-n >= len(zero) && bytes.Equal(p[n:n+len(zero)], zero[:]) {
		n += len(zero)
	}
	for len(p)-n >= SectorSize && bytes.Equal(p[n:n+SectorSize], zero[:SectorSize]) {
		n += SectorSize
	}
	return int64(n)
}

// sameSectors counts the leading bytes of p, in whole sectors, that are w's data
// at off. The whole range is tried first: it is the usual case.
func sameSectors(p []byte, w *Write, off int64) int64 {
	mine := w.data[off-w.Offset:]
	mine = mine[:min(len(mine), len(p))]
	if bytes.Equal(p[:len(mine)], mine) {
		return int64(len(mine))
	}
	n := 0
	for n < len(mine) && bytes.Equal(p[n:n+SectorSize], mine[n:n+SectorSize]) {
		n += SectorSize
	}
	return int64(n)
}
