package sim

import "slices"

// mapKind is the state of a guest cluster in a qcow2 image's own layer.
type mapKind uint8

const (
	// mapNone is an unallocated cluster: it shows the backing file, or zeroes.
	mapNone mapKind = iota
	mapData
	mapZero      // reads as zero, no host cluster
	mapZeroAlloc // reads as zero, host cluster kept for the next write
)

// mapRun is n guest clusters from g of one kind; with a host cluster they are
// contiguous in the file from host on.
type mapRun struct {
	g, n, host int64
	kind       mapKind
}

func (r mapRun) hasHost() bool { return r.kind == mapData || r.kind == mapZeroAlloc }

// from is the part of r that begins at guest cluster g.
func (r mapRun) from(g int64) mapRun {
	d := g - r.g
	r.g, r.n = g, r.n-d
	if r.hasHost() {
		r.host += d
	}
	return r
}

// clusterMap is the guest to host mapping as sorted runs; unallocated clusters
// are not in it.
type clusterMap struct{ runs []mapRun }

// search returns the index of the first run that ends after g.
func (m *clusterMap) search(g int64) int {
	lo, hi := 0, len(m.runs)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if r := &m.runs[mid]; r.g+r.n > g {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// at returns the run of equal state from guest cluster g on, at most n long.
func (m *clusterMap) at(g, n int64) mapRun {
	k := m.search(g)
	if k == len(m.runs) || m.runs[k].g >= g+n {
		return mapRun{g: g, n: n}
	}
	r := m.runs[k]
	if r.g > g {
		return mapRun{g: g, n: r.g - g}
	}
	r = r.from(g)
	r.n = min(r.n, n)
	return r
}

// set replaces the state of [r.g, r.g+r.n).
func (m *clusterMap) set(r mapRun) {
	first := m.search(r.g)
	last := first
	var put [1]mapRun
	n := 0
	end := r.g + r.n
	for last < len(m.runs) && m.runs[last].g < end {
		old := m.runs[last]
		if old.g < r.g {
			left := old
			left.n = r.g - old.g
			put[n] = left
			n++
		}
		if old.g+old.n > end {
			right := old.from(end)
			m.splice(first, last+1, put[:n], r, &right)
			return
		}
		last++
	}
	m.splice(first, last, put[:n], r, nil)
}

// splice puts left, the new run and right in the place of runs [first, last).
func (m *clusterMap) splice(first, last int, left []mapRun, r mapRun, right *mapRun) {
	var put [3]mapRun
	out := append(put[:0], left...)
	if r.kind != mapNone {
		out = append(out, r)
	}
	if right != nil {
		out = append(out, *right)
	}
	if len(out) > 0 && first > 0 && follows(m.runs[first-1], out[0]) {
		out[0] = joined(m.runs[first-1], out[0])
		first--
	}
	if len(out) > 0 && last < len(m.runs) && follows(out[len(out)-1], m.runs[last]) {
		out[len(out)-1] = joined(out[len(out)-1], m.runs[last])
		last++
	}
	for i := len(out) - 1; i > 0; i-- {
		if follows(out[i-1], out[i]) {
			out[i-1] = joined(out[i-1], out[i])
			out = slices.Delete(out, i, i+1)
		}
	}
	m.runs = slices.Replace(m.runs, first, last, out...)
}

// follows reports whether b continues a.
func follows(a, b mapRun) bool {
	return a.kind == b.kind && a.g+a.n == b.g && (!a.hasHost() || a.host+a.n == b.host)
}

func joined(a, b mapRun) mapRun {
	a.n += b.n
	return a
}

// hasClusters reports whether the image has a host cluster for any part of [off, off+n).
func (img *image) hasClusters(off, n int64) bool {
	for g, end := off>>img.bits, (off+n-1)>>img.bits+1; g < end; {
		r := img.clusters.at(g, end-g)
		if r.hasHost() {
			return true
		}
		g = r.g + r.n
	}
	return false
}
