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
		last = r.end()
	}
	dirty := union(append([]Range(nil), b.Dirty...))
	for _, w := range b.Disk.writes {
		if c.at.has(w) || !b.surelyRecords(w) {
			continue
		}
		off, clean := firstOutside(dirty, Range{w.Offset, w.Length})
		if !clean {
			continue
		}
		off -= off % b.Granularity
		if c.at.lacks(w) {
			return &Finding{
				Disk: b.Disk.Name, Offset: off, Length: b.Granularity,
				Problem: "the granule is clean in the checkpoint's bitmap, but it was written since (I5)",
				Lines:   append([]string{c.interval()}, b.Disk.sectorHistory(off, b.Granularity)...),
			}
		}
		c.mustIn(w, place{disk: b.Disk, offset: off, length: b.Granularity, clean: true})
	}
	return nil
}

// surelyRecords reports that w, unless it is in the cut, must be in the bitmap. A
// failed write may have had no effect, and one under way may come yet.
func (b *DiskBitmap) surelyRecords(w *Write) bool {
	if b.Until == nil {
		return w.acked != never
	}
	return b.Until.has(w)
}

// mayRecord reports that w may be in the bitmap.
func (b *DiskBitmap) mayRecord(w *Write) bool { return b.Until == nil || !b.Until.lacks(w) }

// judgeDirty demands that each dirty granule has a write outside the cut (or a
// failed one, whose time nobody knows).
func (c *cut) judgeDirty(b DiskBitmap, inCut func(*Write) bool) *Finding {
	late := blocks(b.Disk.writes, b.Granularity, func(w *Write) bool {
		return b.mayRecord(w) && (w.failed || !inCut(w))
	})
	for _, r := range b.Dirty {
		if off, extra := firstOutside(late, r); extra {
			return &Finding{
				Disk: b.Disk.Name, Offset: off, Length: b.Granularity,
				Problem: "the granule is dirty in the checkpoint's bitmap, but nothing was written there since (I5)",
				Lines:   append([]string{c.interval()}, b.Disk.sectorHistory(off, b.Granularity)...),
			}
		}
	}
	return nil
}

// Granules makes the list of a bitmap out of the offsets of its dirty granules,
// in any order, each of that many bytes.
func Granules(offsets []int64, granularity int64) []Range {
	dirty := make([]Range, len(offsets))
	for i, off := range offsets {
		dirty[i] = Range{off, granularity}
	}
	sort.Slice(dirty, func(i, j int) bool { return dirty[i].Offset < dirty[j].Offset })
	return union(dirty)
}
