package sim

import "slices"

// run is the half-open range [lo, hi) of granules.
type run struct{ lo, hi int64 }

// runSet is a set of integers as sorted, disjoint runs that do not touch.
// It makes a bitmap of a 16 TiB disk cost what was written to it.
type runSet struct {
	runs  []run
	count int64 // members
	// shared says that another set may have the same runs in memory; they are
	// copied before the first change. So a backup that starts from a bitmap costs
	// the same however much of it is dirty.
	shared bool
}

// own makes the runs the set's own before a change.
func (s *runSet) own() {
	if s.shared {
		s.runs, s.shared = slices.Clone(s.runs), false
	}
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

// nextFree is how many numbers from i on are not in the set before the next that is.
func (s *runSet) nextFree(i int64) int64 {
	if s.has(i) {
		return 0
	}
	if r, ok := s.next(i); ok {
		return r.lo - i
	}
	return 1 << 62
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
	if first < len(s.runs) && s.runs[first].lo <= lo && hi <= s.runs[first].hi {
		return
	}
	s.own()
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
	if first == len(s.runs) || s.runs[first].lo >= hi {
		return
	}
	if first == 0 && s.behead(lo, hi) {
		return
	}
	s.own()
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
	s.runs = slices.Replace(s.runs, first, last, keep[:n]...)
}

// behead is remove of exactly the first runs of several, without moving or copying
// the others: so a job takes what it copies out of a bitmap.
func (s *runSet) behead(lo, hi int64) bool {
	n, gone := 0, int64(0)
	for n < len(s.runs) && s.runs[n].lo < hi {
		if r := s.runs[n]; r.lo < lo || r.hi > hi {
			return false
		}
		gone += s.runs[n].hi - s.runs[n].lo
		n++
	}
	if n == len(s.runs) && !s.shared {
		return false // keeps the memory
	}
	s.runs, s.count = s.runs[n:], s.count-gone
	return true
}

// unite adds all members of t. Small sets are added run by run, large ones in one
// pass over both; an empty set takes t's runs as they are.
func (s *runSet) unite(t *runSet) {
	switch {
	case len(t.runs) <= uniteSmall:
		for _, r := range t.runs {
			s.add(r.lo, r.hi)
		}
	case len(s.runs) == 0:
		*s = t.clone()
	default:
		s.zip(t)
	}
}

// uniteSmall is the number of runs up to which adding one after the other is
// cheaper than a pass over both sets.
const uniteSmall = 8

// zip is unite in one pass.
func (s *runSet) zip(t *runSet) {
	a, b := s.runs, t.runs
	out := runSet{runs: make([]run, 0, len(a)+len(b))}
	for len(a)+len(b) > 0 {
		next := &a
		if len(a) == 0 || len(b) > 0 && b[0].lo < a[0].lo {
			next = &b
		}
		out.push((*next)[0])
		*next = (*next)[1:]
	}
	*s = out
}

// push adds a run that begins nowhere before the last one.
func (s *runSet) push(r run) {
	if n := len(s.runs); n > 0 && s.runs[n-1].hi >= r.lo {
		last := &s.runs[n-1]
		s.count += max(r.hi, last.hi) - last.hi
		last.hi = max(r.hi, last.hi)
		return
	}
	s.runs = append(s.runs, r)
	s.count += r.hi - r.lo
}

// clear empties the set.
func (s *runSet) clear() {
	if s.shared {
		s.runs, s.shared = nil, false
	}
	s.runs, s.count = s.runs[:0], 0
}

// clone is an independent set with the same members.
func (s *runSet) clone() runSet {
	s.shared = true
	return *s
}
