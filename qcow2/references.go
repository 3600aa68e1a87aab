package qcow2

import (
	"cmp"
	"slices"
)

// usage is what a cluster of the file is used for.
type usage uint8

const (
	useHeader usage = iota
	useL1
	useL2
	useRefTable
	useRefBlock
	useBitmapDir
	useBitmapTable
	useBitmapData
	useData
	useCompressed
	useCopied usage = 0x80 // with useL2 and useData: the entry has the copied flag
)

var usageNames = [...]string{
	"the header", "the L1 table", "an L2 table", "the refcount table", "a refcount block",
	"the bitmap directory", "a bitmap table", "bitmap data", "guest data", "a compressed cluster",
}

// copied adds the copied flag of an entry.
func (u usage) copied(entry uint64) usage {
	if entry&flagCopied != 0 {
		return u | useCopied
	}
	return u
}

// reference is the use of the clusters [from, to) of the file.
type reference struct {
	from, to int64
	what     usage
}

// references are all uses of clusters. Neighbours of one use are one reference.
type references struct {
	list   []reference // in the order of the walk, then sorted by from
	ends   []reference // sorted by to
	sorted bool        // list is, and nothing overlaps
}

func (r *references) reset() { *r = references{list: r.list[:0], ends: r.ends[:0], sorted: true} }

func (r *references) add(from, to int64, what usage) {
	if n := len(r.list); n > 0 {
		last := &r.list[n-1]
		if last.to == from && last.what == what {
			last.to = to
			return
		}
		r.sorted = r.sorted && last.to <= from
	}
	r.list = append(r.list, reference{from, to, what})
}

// span is a range of clusters that are used alike.
type span struct {
	from, to   int64
	uses       int64
	compressed int64 // how many of the uses are by compressed clusters
	copied     int64 // how many entries have the copied flag
	plain      int64 // how many have not, and could
}

func (s *span) count(u usage, n int64) {
	s.uses += n
	switch u {
	case useCompressed:
		s.compressed += n
	case useL2 | useCopied, useData | useCopied:
		s.copied += n
	case useL2, useData:
		s.plain += n
	}
}

// each calls f for the clusters [0, end) as spans in order, unused ones too.
func (r *references) each(end int64, f func(s span) error) error {
	if !r.sorted {
		slices.SortFunc(r.list, func(a, b reference) int { return cmp.Compare(a.from, b.from) })
	}
	r.ends = append(r.ends[:0], r.list...)
	if !r.sorted {
		slices.SortFunc(r.ends, func(a, b reference) int { return cmp.Compare(a.to, b.to) })
	}
	var s span
	for i, j := 0, 0; s.from < end; s.from = s.to {
		for ; i < len(r.list) && r.list[i].from == s.from; i++ {
			s.count(r.list[i].what, 1)
		}
		for ; j < len(r.ends) && r.ends[j].to == s.from; j++ {
			s.count(r.ends[j].what, -1)
		}
		s.to = end
		if i < len(r.list) {
			s.to = min(s.to, r.list[i].from)
		}
		if j < len(r.ends) {
			s.to = min(s.to, r.ends[j].to)
		}
		if err := f(s); err != nil {
			return err
		}
	}
	return nil
}
