package memhost

// Sizes of page memory.
const (
	slabPages = 64 // one allocation
	slabsKept = 32 // of a Pages that is used again: 8 MiB
)

type slab [slabPages]page

// chunksKept bounds the chunks of a Pages that is used again.
const chunksKept = 4096

// Pages is memory for file content that one kernel after another may use, so that
// the runs of a spec need not allocate their disks anew. It is not safe for use by
// two kernels at once. A page's memory is not cleared before it is taken: whoever
// takes one writes all of it.
type Pages struct {
	slabs []*slab // at most slabsKept
	used  int     // of slabs
	rest  []page  // of the slab taken last
	lent  bool    // a crash clone has pages of this memory
	keep  bool

	chunks     []*chunk // at most chunksKept
	chunksUsed int
}

// NewPages makes memory that is kept over Reset.
func NewPages() *Pages { return &Pages{keep: true} }

// Reset takes all pages back. The kernel that used them must not be used any more;
// pages that a crash clone shares are left to it.
func (p *Pages) Reset() {
	if p.lent {
		*p = Pages{keep: p.keep}
	}
	p.used, p.rest = 0, nil
	p.chunksUsed = 0
}

// chunk is an empty one.
func (p *Pages) chunk() *chunk {
	switch {
	case p == nil || !p.keep:
		return new(chunk)
	case p.chunksUsed < len(p.chunks):
		ch := p.chunks[p.chunksUsed]
		p.chunksUsed++
		*ch = chunk{}
		return ch
	case p.chunksUsed == chunksKept:
		return new(chunk)
	}
	p.chunks = append(p.chunks, new(chunk))
	p.chunksUsed++
	return p.chunks[p.chunksUsed-1]
}

// take is a page of undefined content. A nil Pages has pages, too, one at a time.
func (p *Pages) take() *page {
	if p == nil {
		return new(page)
	}
	if len(p.rest) == 0 {
		p.rest = p.slab()[:]
	}
	pg := &p.rest[0]
	p.rest = p.rest[1:]
	return pg
}

func (p *Pages) slab() *slab {
	if p.used < len(p.slabs) {
		p.used++
		return p.slabs[p.used-1]
	}
	s := new(slab)
	if p.keep && p.used < slabsKept {
		p.slabs = append(p.slabs, s)
		p.used++
	}
	return s
}
