package oracle

import (
	"sort"

	"github.com/tidwall/btree"
)

// cell is a range of a disk with the writes that a legal cut may show there. All
// of them cover the whole cell.
type cell struct {
	offset, end int64
	// sure are acknowledged before the instant, and not replaced by another
	// such write that was issued after their acknowledgement: there is more
	// than one only if guests wrote the same place concurrently. If it is not
	// empty, the cell cannot read as never written.
	sure []*Write
	// free may be in the cut or not, in order of issue.
	free []*Write
}

// candidate returns the write of that sequence number, if a cut may show it.
func (k *cell) candidate(seq uint32) *Write {
	for _, w := range k.sure {
		if w.Seq == seq {
			return w
		}
	}
	for _, w := range k.free {
		if w.Seq == seq {
			return w
		}
	}
	return nil
}

// cells cuts the part of a disk that was written before or during the instant at
// every boundary of a write: one sweep over the offsets.
func (d *Disk) cells(at *Instant) []cell {
	starts := make([]*Write, 0, len(d.writes))
	for _, w := range d.writes {
		if !at.lacks(w) {
			starts = append(starts, w)
		}
	}
	ends := append([]*Write(nil), starts...)
	sort.Slice(starts, func(i, j int) bool { return starts[i].Offset < starts[j].Offset })
	sort.Slice(ends, func(i, j int) bool { return ends[i].end() < ends[j].end() })
	cells := make([]cell, 0, 2*len(starts))
	s := sweep{at: at}
	from := int64(0)
	for len(ends) > 0 {
		to := ends[0].end()
		if len(starts) > 0 {
			to = min(to, starts[0].Offset)
		}
		if to > from && s.open > 0 {
			cells = append(cells, s.cell(from, to))
		}
		for len(ends) > 0 && ends[0].end() == to {
			s.close(ends[0])
			ends = ends[1:]
		}
		for len(starts) > 0 && starts[0].Offset == to {
			s.add(starts[0])
			starts = starts[1:]
		}
		from = to
	}
	return cells
}

// sweep holds the writes that cover the place where the sweep stands.
type sweep struct {
	at   *Instant
	open int
	// Sure writes by both ends of their interval: the last issued rules out
	// those that were acknowledged before it.
	byAcked, byIssued btree.Map[uint64, *Write]
	free              []*Write
	// arena is cut into the cells' slices, so that a cell costs no allocation.
	arena []*Write
}

func (s *sweep) add(w *Write) {
	s.open++
	if s.at.has(w) {
		s.byAcked.Set(w.acked, w)
		s.byIssued.Set(w.issued, w)
		return
	}
	i := sort.Search(len(s.free), func(i int) bool { return s.free[i].Seq > w.Seq })
	s.free = append(s.free, nil)
	copy(s.free[i+1:], s.free[i:])
	s.free[i] = w
}

func (s *sweep) close(w *Write) {
	s.open--
	if s.at.has(w) {
		s.byAcked.Delete(w.acked)
		s.byIssued.Delete(w.issued)
		return
	}
	i := sort.Search(len(s.free), func(i int) bool { return s.free[i].Seq >= w.Seq })
	s.free = append(s.free[:i], s.free[i+1:]...)
}

// cell takes down who may show in [from, to).
func (s *sweep) cell(from, to int64) cell {
	k := cell{offset: from, end: to}
	start := len(s.arena)
	if last, _, ok := s.byIssued.Max(); ok {
		s.byAcked.Reverse(func(acked uint64, w *Write) bool {
			if acked < last {
				return false
			}
			s.arena = append(s.arena, w)
			return true
		})
	}
	mid := len(s.arena)
	s.arena = append(s.arena, s.free...)
	k.sure = s.arena[start:mid:mid]
	k.free = s.arena[mid:len(s.arena):len(s.arena)]
	return k
}

// findCell is the index of the first cell that ends after off.
func findCell(cells []cell, off int64) int {
	return sort.Search(len(cells), func(i int) bool { return cells[i].end > off })
}
