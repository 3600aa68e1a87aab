package sim

import "slices"

// run is the half-open range [lo, hi) of granules.
type run struct{ lo, hi int64 }

// runSet is a set of integers as sorted, disjoint runs that do not touch.
// It makes a bitmap of a 16 TiB disk cost what was written to it.
type runSet struct {
	runs  []run
	count int64 // members
}

// search returns the index of the first run that ends after i.
func (s *runSet) search(i int64) int {
	lo, hi := 0, len(s.runs)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if s.runs[mid].hi > i {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// has reports whether i is a member.
func (s *runSet) has(i int64) bool {
	k := s.search(i)
	return k < len(s.runs) && s.runs[k].lo <= i
}

// next returns the first run at or after i, cut to begin at i at the earliest.
func (s *runSet) next(i int64) (run, bool) {
	k := s.search(i)
	if k == len(s.runs) {
		return run{}, false
	}
	r := s.runs[k]
	r.lo = max(r.lo, i)
	return r, true
}

// nextGap returns the first integer at or after i that is no member.
func (s *runSet) nextGap(i int64) int64 {
	if k := s.search(i); k < len(s.runs) && s.runs[k].lo <= i {
		return s.runs[k].hi
	}
	return i
}

// overlaps reports whether a member lies in [lo, hi).
func (s *runSet) overlaps(lo, hi int64) bool {
	k := s.search(lo)
	return k < len(s.runs) && s.runs[k].lo < hi
}

// add puts [lo, hi) into the set.
func (s *runSet) add(lo, hi int64) {
	if lo >= hi {
		return
	}
	first := s.search(lo - 1) // touching on the left counts
	last := first
	for last < len(s.runs) && s.runs[last].lo <= hi {
		lo, hi = min(lo, s.runs[last].lo), max(hi, s.runs[last].hi)
		s.count -= s.runs[last].hi - s.runs[last].lo
		last++
	}
	s.count += hi - lo
	if last == first+1 {
		s.runs[first] = run{lo, hi}
		return
	}
	s.runs = slices.Replace(s.runs, first, last, run{lo, hi})
}

// remove takes [lo, hi) out of the set.
func (s *runSet) remove(lo, hi int64) {
	if lo >= hi {
		return
	}
	first := s.search(lo)
	last := first
	var keep [2]run
	n := 0
	for last < len(s.runs) && s.runs[last].lo < hi {
		r := s.runs[last]
		s.count -= min(r.hi, hi) - max(r.lo, lo)
		if r.lo < lo {
			keep[n] = run{r.lo, lo}
			n++
		}
		if r.hi > hi {
			keep[n] = run{hi, r.hi}
			n++
		}
		last++
	}
	if last > first {
		s.runs = slices.Replace(s.runs, first, last, keep[:n]...)
	}
}

// clear empties the set.
func (s *runSet) clear() { s.runs, s.count = s.runs[:0], 0 }

// clone is an independent copy.
func (s *runSet) clone() runSet {
	return runSet{runs: slices.Clone(s.runs), count: s.count}
}
