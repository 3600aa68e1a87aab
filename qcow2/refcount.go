package qcow2

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// refcounts reads the stored refcounts in ascending order of clusters.
type refcounts struct {
	bits     int       // of one refcount
	perBlock int64     // refcounts in one block
	blocks   []l1Entry // entries of the refcount table that are not zero, by index
	next     int       // in blocks
	loaded   int64     // index of the block in raw; -1 for none
	raw      []byte
}

func (r *refcounts) reset(h *Header) {
	*r = refcounts{
		bits: h.RefcountBits, perBlock: h.ClusterSize() * 8 / int64(h.RefcountBits),
		blocks: r.blocks[:0], raw: r.raw, loaded: -1,
	}
}

// block loads the block that counts cluster, as far as clusters below end are
// counted there, and reports whether there is one.
func (r *refcounts) block(src source, h *Header, cluster, end int64) (bool, error) {
	index := cluster / r.perBlock
	if r.loaded == index {
		return true, nil
	}
	for r.next < len(r.blocks) && r.blocks[r.next].index < index {
		r.next++
	}
	if r.next == len(r.blocks) || r.blocks[r.next].index != index {
		return false, nil
	}
	bytes := ceilDiv(min(end-index*r.perBlock, r.perBlock)*int64(r.bits), 8)
	r.raw = grow(r.raw, min(pad8(bytes), h.ClusterSize()))
	r.loaded = -1
	if err := src.read(r.raw, int64(r.blocks[r.next].value&^refTableReservedMask), "a refcount block"); err != nil {
		return false, err
	}
	r.loaded = index
	return true, nil
}

// get is the refcount of a cluster that the loaded block counts.
func (r *refcounts) get(cluster int64) uint64 {
	i := cluster - r.loaded*r.perBlock
	switch r.bits {
	case 8:
		return uint64(r.raw[i])
	case 16:
		return uint64(binary.BigEndian.Uint16(r.raw[i*2:]))
	case 32:
		return uint64(binary.BigEndian.Uint32(r.raw[i*4:]))
	case 64:
		return binary.BigEndian.Uint64(r.raw[i*8:])
	}
	// 1, 2 or 4 bits: the first one of a byte is the lowest.
	bit := i * int64(r.bits)
	return uint64(r.raw[bit/8]>>(bit%8)) & (1<<r.bits - 1)
}

// sharedBlocks notes blocks that are used twice in the table, and drops them:
// one file's blocks are read once.
func (c *Checker) sharedBlocks() {
	r := &c.counts
	ascending := func(a, b l1Entry) int { return cmp.Compare(a.offset(), b.offset()) }
	if slices.IsSortedFunc(r.blocks, ascending) {
		r.blocks = c.dropShared(r.blocks)
		return
	}
	slices.SortStableFunc(r.blocks, ascending)
	r.blocks = c.dropShared(r.blocks)
	slices.SortFunc(r.blocks, func(a, b l1Entry) int { return cmp.Compare(a.index, b.index) })
}

func (c *Checker) dropShared(blocks []l1Entry) []l1Entry {
	kept := blocks[:0]
	for _, b := range blocks {
		if n := len(kept); n > 0 && kept[n-1].offset() == b.offset() {
			c.fault(c.header.refTableOffset+b.index*8, 8, "a refcount block is used twice")
			continue
		}
		kept = append(kept, b)
	}
	return kept
}

// compare holds the stored refcounts against the references.
func (c *Checker) compare() error {
	c.sharedBlocks()
	clusters := ceilDiv(c.src.size, c.header.ClusterSize())
	return c.refs.each(clusters, func(s span) error {
		if s.uses > 0 {
			c.report.ImageEnd = s.to << c.header.ClusterBits
		}
		if s.uses > 1 && s.compressed < s.uses {
			c.faultSpan(s, fmt.Sprintf("used %d times", s.uses))
		}
		return c.compareSpan(s, clusters)
	})
}

func (c *Checker) faultSpan(s span, what string) {
	c.fault(s.from<<c.header.ClusterBits, (s.to-s.from)<<c.header.ClusterBits, what)
}

// compareSpan notes runs of clusters whose refcount is wrong in the same way.
func (c *Checker) compareSpan(s span, end int64) error {
	wrong := s
	wrong.to = s.from
	var stored uint64 // of the clusters of wrong
	for cluster := s.from; cluster < s.to; {
		there, err := c.counts.block(c.src, &c.header, cluster, end)
		if err != nil {
			return err
		}
		stop := min(s.to, (cluster/c.counts.perBlock+1)*c.counts.perBlock)
		if !there && s.uses == 0 {
			cluster = stop
			continue
		}
		for ; cluster < stop; cluster++ {
			v := uint64(0)
			if there {
				v = c.counts.get(cluster)
			}
			if right(s, v) {
				continue
			}
			if wrong.to != cluster || v != stored {
				c.mismatch(wrong, stored)
				wrong.from, stored = cluster, v
			}
			wrong.to = cluster + 1
		}
	}
	c.mismatch(wrong, stored)
	return nil
}

// right reports whether a refcount is what the uses of a cluster demand.
func right(s span, stored uint64) bool {
	return stored == uint64(s.uses) && rightFlag(s, stored)
}

// rightFlag: the copied flag stands for a stored refcount of exactly 1.
func rightFlag(s span, stored uint64) bool {
	if stored == 1 {
		return s.plain == 0
	}
	return s.copied == 0
}

func (c *Checker) mismatch(s span, stored uint64) {
	offset, length := s.from<<c.header.ClusterBits, (s.to-s.from)<<c.header.ClusterBits
	if length == 0 {
		return
	}
	if uses := uint64(s.uses); stored > uses {
		c.leak(offset, length, fmt.Sprintf("refcount %d, used %d times", stored, uses))
	} else if stored < uses {
		c.fault(offset, length, fmt.Sprintf("refcount %d, used %d times", stored, uses))
	}
	if !rightFlag(s, stored) {
		c.fault(offset, length, fmt.Sprintf("the copied flag is wrong for refcount %d", stored))
	}
}
