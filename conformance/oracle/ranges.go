package oracle

import "sort"

// Range is a byte range of a disk. Ranges in lists are sorted and do not overlap.
type Range struct{ Offset, Length int64 }

func (r Range) end() int64 { return r.Offset + r.Length }

// union sorts ranges and joins those that touch. It uses the slice that it gets.
func union(ranges []Range) []Range {
	sort.Slice(ranges, func(i, j int) bool { return ranges[i].Offset < ranges[j].Offset })
	joined := ranges[:0]
	for _, r := range ranges {
		if n := len(joined); n > 0 && joined[n-1].end() >= r.Offset {
			joined[n-1].Length = max(joined[n-1].end(), r.end()) - joined[n-1].Offset
		} else {
			joined = append(joined, r)
		}
	}
	return joined
}

// blocks is the union of the blocks of that size which the writes touch.
func blocks(writes []*Write, size int64, wanted func(w *Write) bool) []Range {
	touched := make([]Range, 0, len(writes))
	for _, w := range writes {
		if wanted(w) {
			from := w.Offset - w.Offset%size
			to := (w.end() + size - 1) / size * size
			touched = append(touched, Range{from, to - from})
		}
	}
	return union(touched)
}

// firstOutside finds the first byte of r that none of the ranges covers.
func firstOutside(ranges []Range, r Range) (int64, bool) {
	i := sort.Search(len(ranges), func(i int) bool { return ranges[i].end() > r.Offset })
	at := r.Offset
	for ; i < len(ranges) && ranges[i].Offset <= at && at < r.end(); i++ {
		at = ranges[i].end()
	}
	return at, at < r.end()
}

// parts cuts r into pieces that lie inside or outside of the ranges.
func parts(ranges []Range, r Range, each func(piece Range, inside bool) error) error {
	i := sort.Search(len(ranges), func(i int) bool { return ranges[i].end() > r.Offset })
	for at := r.Offset; at < r.end(); {
		next, inside := r.end(), false
		if i < len(ranges) && ranges[i].Offset <= at {
			next, inside = min(next, ranges[i].end()), true
			i++
		} else if i < len(ranges) {
			next = min(next, ranges[i].Offset)
		}
		if err := each(Range{at, next - at}, inside); err != nil {
			return err
		}
		at = next
	}
	return nil
}
