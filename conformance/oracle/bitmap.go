package oracle

import (
	"fmt"
	"sort"
)

// readBitmap takes down what clean granules say, and checks the form of the list.
func (c *cut) readBitmap(b DiskBitmap) *Finding {
	last := int64(0)
	for _, r := range b.Dirty {
		if r.Offset < last || r.Length <= 0 || r.Offset%b.Granularity != 0 {
			return &Finding{Disk: b.Disk.Name, Offset: r.Offset, Length: r.Length,
				Problem: fmt.Sprintf("the bitmap of granularity %d lists a range that is unsorted or unaligned", b.Granularity)}
		}
		last = r.Offset + r.Length
	}
	for _, w := range b.Disk.writes {
		from := w.Offset - w.Offset%b.Granularity
		if off, clean := firstClean(b, from, w.end()); clean {
			c.cleanSays(w, place{disk: b.Disk, offset: off, length: b.Granularity, seen: "the granule is clean in the checkpoint's bitmap"})
		}
	}
	return nil
}

// cleanSays is mustIn for a clean granule: a failed write may have had no effect.
func (c *cut) cleanSays(w *Write, p place) {
	if !w.failed {
		c.mustIn(w, p)
	}
}

// firstClean finds the first clean granule in [from, to).
func firstClean(b DiskBitmap, from, to int64) (int64, bool) {
	i := sort.Search(len(b.Dirty), func(i int) bool { return b.Dirty[i].Offset+b.Dirty[i].Length > from })
	for from < to {
		if i == len(b.Dirty) || b.Dirty[i].Offset > from {
			return from, true
		}
		from = b.Dirty[i].Offset + b.Dirty[i].Length
		i++
	}
	return 0, false
}

// judgeDirty demands that each dirty granule has a write outside the smallest
// cut (or a failed one, whose time nobody knows).
func (c *cut) judgeDirty(b DiskBitmap, set []bool) *Finding {
	g := b.Granularity
	var late []Range // granules that writes outside the cut touch, unsorted
	for _, w := range b.Disk.writes {
		if w.failed || !set[w.Seq-1] {
			from := w.Offset - w.Offset%g
			to := (w.end() + g - 1) / g * g
			late = append(late, Range{from, to - from})
		}
	}
	sort.Slice(late, func(i, j int) bool { return late[i].Offset < late[j].Offset })
	for _, r := range b.Dirty {
		if off, extra := uncovered(late, r); extra {
			return &Finding{
				Disk: b.Disk.Name, Offset: off, Length: g,
				Problem: "the granule is dirty in the checkpoint's bitmap, but nothing was written there since (I5)",
				Lines:   append([]string{c.interval()}, b.Disk.sectorHistory(off, g)...),
			}
		}
	}
	return nil
}

// uncovered finds the first byte of r that none of the sorted ranges covers.
func uncovered(ranges []Range, r Range) (int64, bool) {
	at := r.Offset
	for _, k := range ranges {
		if k.Offset > at {
			break
		}
		at = max(at, k.Offset+k.Length)
		if at >= r.Offset+r.Length {
			return 0, false
		}
	}
	return at, at < r.Offset+r.Length
}
