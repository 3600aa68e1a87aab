package qcow2

import "iter"

// Next returns the kind of the range that begins at off and how long it is, up
// to the next range of another kind or the end of the disk. It reads tables, no
// data. off is 0 ≤ off < Size.
func (r *Reader) Next(off int64) (length int64, kind Kind, err error) {
	if off < 0 || off >= r.header.Size {
		return 0, Unallocated, badArgument("off", off, "not within the virtual size")
	}
	if off < r.last.Offset || off >= r.last.End() {
		if err := r.find(off); err != nil {
			return 0, Unallocated, err
		}
	}
	return r.last.End() - off, r.last.Kind, nil
}

// find puts the extent that begins at off into last.
func (r *Reader) find(off int64) error {
	r.last = Extent{}
	e := Extent{Offset: off}
	for at := off; at < r.header.Size; at = e.End() {
		m, err := r.mapping(at, r.header.Size-at)
		if err != nil && e.Length == 0 {
			return err
		}
		if err != nil || e.Length > 0 && m.kind != e.Kind {
			break // a broken entry is told when it is asked for
		}
		e.Kind = m.kind
		e.Length += m.length
	}
	r.last = e
	return nil
}

// Extents yields the whole disk in order, neighbours of different kinds. An
// error ends it.
func (r *Reader) Extents() iter.Seq2[Extent, error] {
	return func(yield func(Extent, error) bool) {
		for off := int64(0); off < r.header.Size; {
			length, kind, err := r.Next(off)
			if err != nil {
				yield(Extent{Offset: off}, err)
				return
			}
			if !yield(Extent{off, length, kind}, nil) {
				return
			}
			off += length
		}
	}
}
