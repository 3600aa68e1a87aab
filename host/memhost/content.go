package memhost

import "github.com/tidwall/btree"

// Geometry of a file's content. A page is the unit of allocation, of capacity
// and of what a crash keeps or loses; a chunk is the unit of the index.
const (
	pageSize    = 4096 // bytes, as tmpfs and ext4 have it
	chunkPages  = 16
	chunkSize   = pageSize * chunkPages // 64 KiB: one qcow2 cluster
	fileSizeMax = 1 << 60               // bytes; beyond it is EFBIG
)

type page [pageSize]byte

// chunk is 64 KiB of a file. A nil page is a hole.
type chunk struct {
	pages [chunkPages]*page
	// used counts the pages that are not nil.
	used int
	// dirty has bit i set if page i was changed since the last sync. A page
	// whose bit is clear is never changed in place: it is what a crash keeps.
	dirty uint16
	// old holds, for each dirty page, what was there at the last sync. It is
	// nil as long as all of that was holes.
	old *[chunkPages]*page
}

// content is the sparse content of one file. Its cost follows what was
// written, never the size.
type content struct {
	size   int64
	chunks btree.Map[int64, *chunk]
	// last is the chunk that was used last: most accesses are neighbours.
	last      *chunk
	lastIndex int64
	// dirty lists the chunks with a dirty page, each once.
	dirty []*chunk
	// syncedSize is the size at the last sync.
	syncedSize int64
	pages      int64 // pages that are not nil
}

func (c *content) chunkAt(index int64) *chunk {
	if c.last != nil && c.lastIndex == index {
		return c.last
	}
	ch, ok := c.chunks.Get(index)
	if !ok {
		return nil
	}
	c.last, c.lastIndex = ch, index
	return ch
}

func (c *content) makeChunk(index int64, m *mount) *chunk {
	if ch := c.chunkAt(index); ch != nil {
		return ch
	}
	ch := m.pages.chunk()
	c.chunks.Set(index, ch)
	c.last, c.lastIndex = ch, index
	return ch
}

// read fills p from off; the caller has limited it to the size.
func (c *content) read(p []byte, off int64) {
	for len(p) > 0 {
		index, in := off/chunkSize, int(off%chunkSize)
		n := min(len(p), chunkSize-in)
		if ch := c.chunkAt(index); ch == nil {
			clear(p[:n])
		} else {
			ch.read(p[:n], in)
		}
		p, off = p[n:], off+int64(n)
	}
}

func (ch *chunk) read(p []byte, in int) {
	for len(p) > 0 {
		i, at := in/pageSize, in%pageSize
		n := min(len(p), pageSize-at)
		if pg := ch.pages[i]; pg == nil {
			clear(p[:n])
		} else {
			copy(p[:n], pg[at:])
		}
		p, in = p[n:], in+n
	}
}

// write stores p at off and takes new pages from m. It returns how many bytes
// were stored before m was full.
func (c *content) write(p []byte, off int64, m *mount) int {
	done := 0
	for done < len(p) {
		index, in := off/chunkSize, int(off%chunkSize)
		n := min(len(p)-done, chunkSize-in)
		ch := c.makeChunk(index, m)
		stored := c.writeChunk(ch, p[done:done+n], in, m)
		done, off = done+stored, off+int64(stored)
		if stored < n {
			break
		}
	}
	if done > 0 {
		c.size = max(c.size, off)
	}
	return done
}

func (c *content) writeChunk(ch *chunk, p []byte, in int, m *mount) int {
	done := 0
	for done < len(p) {
		i, at := in/pageSize, in%pageSize
		n := min(len(p)-done, pageSize-at)
		if ch.pages[i] == nil && !m.take() {
			break
		}
		if n == pageSize && ch.mustReplace(i) {
			pg := m.pages.take()
			copy(pg[:], p[done:])
			c.replace(ch, i, pg)
		} else {
			copy(c.writable(ch, i, m)[at:at+n], p[done:])
		}
		done, in = done+n, in+n
	}
	return done
}

// mustReplace reports whether page i cannot be written in place.
func (ch *chunk) mustReplace(i int) bool {
	return ch.pages[i] == nil || ch.dirty&(1<<i) == 0
}

// writable returns page i ready to be changed in place, with its content.
func (c *content) writable(ch *chunk, i int, m *mount) *page {
	if !ch.mustReplace(i) {
		return ch.pages[i]
	}
	pg := m.pages.take()
	if old := ch.pages[i]; old != nil {
		*pg = *old
	} else {
		clear(pg[:])
	}
	c.replace(ch, i, pg)
	return pg
}

// replace puts pg (nil: a hole) in the place of page i and keeps what was
// synced there.
func (c *content) replace(ch *chunk, i int, pg *page) {
	if ch.dirty&(1<<i) == 0 {
		if ch.dirty == 0 {
			c.dirty = append(c.dirty, ch)
		}
		ch.dirty |= 1 << i
		if was := ch.pages[i]; was != nil {
			if ch.old == nil {
				ch.old = new([chunkPages]*page)
			}
			ch.old[i] = was
		}
	}
	change := 0
	if pg != nil {
		change++
	}
	if ch.pages[i] != nil {
		change--
	}
	ch.used += change
	c.pages += int64(change)
	ch.pages[i] = pg
}

// punch makes [off, end) read as zero and gives whole pages back to m.
func (c *content) punch(off, end int64, m *mount) {
	var touched []int64
	c.chunks.Ascend(off/chunkSize, func(index int64, _ *chunk) bool {
		if index*chunkSize >= end {
			return false
		}
		touched = append(touched, index)
		return true
	})
	for _, index := range touched {
		ch, base := c.chunkAt(index), index*chunkSize
		if ch.used == 0 {
			continue
		}
		c.punchChunk(ch, max(off-base, 0), min(end-base, chunkSize), m)
	}
}

func (c *content) punchChunk(ch *chunk, from, to int64, m *mount) {
	for i := int(from / pageSize); int64(i)*pageSize < to; i++ {
		if ch.pages[i] == nil {
			continue
		}
		start := int64(i) * pageSize
		lo, hi := max(from-start, 0), min(to-start, pageSize)
		if lo == 0 && hi == pageSize {
			c.replace(ch, i, nil)
			m.give(1)
		} else {
			clear(c.writable(ch, i, m)[lo:hi])
		}
	}
}

func (c *content) truncate(size int64, m *mount) {
	if size < c.size {
		// To the end of the last page: what lies beyond the size is zero.
		c.punch(size, (c.size+pageSize-1)/pageSize*pageSize, m)
	}
	c.size = size
}

// nextData finds the first run of pages at or after off, cut to the size.
func (c *content) nextData(off int64) (start, end int64, ok bool) {
	start = -1
	c.chunks.Ascend(off/chunkSize, func(index int64, ch *chunk) bool {
		base := index * chunkSize
		if start >= 0 && base > end {
			return false
		}
		for i := range chunkPages {
			lo, hi := base+int64(i)*pageSize, base+int64(i+1)*pageSize
			switch {
			case hi <= off:
			case ch.pages[i] != nil && start < 0:
				start, end = max(lo, off), hi
			case ch.pages[i] != nil:
				end = hi
			case start >= 0:
				return false
			}
		}
		return true
	})
	if start < 0 || start >= c.size {
		return 0, 0, false
	}
	return start, min(end, c.size), true
}

// sync makes the present content what a crash keeps.
func (c *content) sync() {
	for _, ch := range c.dirty {
		ch.dirty, ch.old = 0, nil
	}
	clear(c.dirty)
	c.dirty = c.dirty[:0]
	c.syncedSize = c.size
}
