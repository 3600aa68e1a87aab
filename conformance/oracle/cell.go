package oracle

import "sort"

// cell is a range of a disk that the same writes cover, in order of issue.
type cell struct {
	offset, end int64
	writes      []*Write
}

// find returns the write with that sequence number; nil if it does not cover the cell.
func (k cell) find(seq uint32) *Write {
	for _, w := range k.writes {
		if w.Seq == seq {
			return w
		}
	}
	return nil
}

// cells cuts the written part of a disk at every boundary of a write.
func (d *Disk) cells() []cell {
	bounds := make([]int64, 0, 2*len(d.writes))
	for _, w := range d.writes {
		bounds = append(bounds, w.Offset, w.end())
	}
	sort.Slice(bounds, func(i, j int) bool { return bounds[i] < bounds[j] })
	byOffset := append([]*Write(nil), d.writes...)
	sort.SliceStable(byOffset, func(i, j int) bool { return byOffset[i].Offset < byOffset[j].Offset })
	var cells []cell
	var open []*Write
	next := 0
	for i := 0; i+1 < len(bounds); i++ {
		from, to := bounds[i], bounds[i+1]
		if from == to {
			continue
		}
		kept := open[:0]
		for _, w := range open {
			if w.end() > from {
				kept = append(kept, w)
			}
		}
		open = kept
		for next < len(byOffset) && byOffset[next].Offset == from {
			open = append(open, byOffset[next])
			next++
		}
		if len(open) == 0 {
			continue
		}
		writes := append([]*Write(nil), open...)
		sort.Slice(writes, func(a, b int) bool { return writes[a].Seq < writes[b].Seq })
		cells = append(cells, cell{offset: from, end: to, writes: writes})
	}
	return cells
}

// findCell is the index of the first cell that ends after off.
func findCell(cells []cell, off int64) int {
	return sort.Search(len(cells), func(i int) bool { return cells[i].end > off })
}

// sparse judges a data extent against the rule that data is found only near
// what was written.
func sparse(di DiskImage, r Range) *Finding {
	if di.Sparse == 0 {
		return nil
	}
	for off := r.Offset - r.Offset%di.Sparse; off < r.Offset+r.Length; off += di.Sparse {
		if !di.Disk.touched(off, di.Sparse) {
			return &Finding{
				Disk: di.Disk.Name, Offset: max(off, r.Offset), Length: di.Sparse,
				Problem: "data where nothing was ever written: the image is not sparse (I14)",
			}
		}
	}
	return nil
}

// touched reports whether any write touches a range.
func (d *Disk) touched(off, length int64) bool {
	for _, w := range d.writes {
		if w.Offset < off+length && off < w.end() {
			return true
		}
	}
	return false
}
