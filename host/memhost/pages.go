package memhost

// Sizes of page memory.
const (
	slabPages = 64 // one allocation
	slabsKept = 32 // of a Pages that is used again: 8 MiB
)

type slab [slabPages]page

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
