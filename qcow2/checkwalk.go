package qcow2

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// Reserved bits of entries, by QEMU's masks (block/qcow2.h).
const (
	l1ReservedMask       = 0x7f000000000001ff
	l2ReservedMask       = 0x3f000000000001fe
	refTableReservedMask = 0x1ff
)

// walkL1 visits every L2 table once, in order of their offsets.
func (c *Checker) walkL1() (err error) {
	h := &c.header
	if c.l1, c.buf, err = readL1(c.src, h, h.l1Entries, c.l1[:0], c.buf); err != nil {
		return c.note(err)
	}
	slices.SortFunc(c.l1, func(a, b l1Entry) int { return cmp.Compare(a.offset(), b.offset()) })
	last := int64(0)
	for _, e := range c.l1 {
		at := h.l1Offset + e.index*8
		if e.value&l1ReservedMask != 0 {
			c.fault(at, 8, "reserved bits are set in an L1 entry")
		}
		if e.offset() == 0 {
			continue
		}
		if err := checkL2Offset(c.src, h, e); err != nil {
			if err := c.note(err); err != nil {
				return err
			}
			continue
		}
		c.use(e.offset(), h.ClusterSize(), useL2.copied(e.value))
		if e.offset() == last {
			c.fault(at, 8, "an L1 entry refers to the L2 table of another one")
			continue
		}
		last = e.offset()
		if err := c.walkL2(e); err != nil {
			return err
		}
	}
	return nil
}

// walkL2 visits the entries of one table that are not zero.
func (c *Checker) walkL2(e l1Entry) error {
	h, offset := &c.header, e.offset()
	step := int(h.l2EntryBytes())
	for done := int64(0); done < h.ClusterSize(); done += int64(len(c.buf)) {
		c.buf = grow(c.buf, min(h.ClusterSize()-done, chunkBytes))
		if err := c.src.read(c.buf, offset+done, "an L2 table"); err != nil {
			return err
		}
		for i := nextNonZero(c.buf, 0); i < len(c.buf); i = nextNonZero(c.buf, i+step) {
			i -= i % step // an extended entry whose bitmap alone is not zero
			if v := binary.BigEndian.Uint64(c.buf[i:]); v != 0 {
				c.walkEntry(v, offset+done+int64(i), (e.index*h.l2Entries()+(done+int64(i))/int64(step))<<h.ClusterBits)
			}
		}
	}
	return nil
}

// walkEntry counts what the L2 entry of the cluster at a guest offset refers to.
func (c *Checker) walkEntry(v uint64, at, guest int64) {
	h := &c.header
	if h.ExternalData() {
		c.walkExternal(v, at, guest)
		return
	}
	if v&flagCompressed != 0 {
		if v&flagCopied != 0 {
			c.fault(at, 8, "a compressed cluster has the copied flag")
		}
		offset, length := compressedAt(h, v)
		// The last sector may be beyond the end: its length is not known better.
		if beyond := offset + length - c.src.size; beyond > 0 && beyond < length {
			length -= beyond
		}
		c.report.Clusters++
		c.use(offset, length, useCompressed)
		return
	}
	if v&l2ReservedMask != 0 {
		c.fault(at, 8, "reserved bits are set in an L2 entry")
	}
	if v&flagZero != 0 && h.Version < 3 {
		c.fault(at, 8, "a zero cluster in version 2")
	}
	host := int64(v & offsetMask)
	if host == 0 {
		return
	}
	if !h.aligned(host) {
		c.fault(at, 8, "the data is not at the beginning of a cluster")
	}
	if v&flagZero == 0 || h.ExtendedL2() {
		c.report.Clusters++
	}
	c.use(host, h.ClusterSize(), useData.copied(v))
}

// walkExternal looks at an entry of an image with a data file, of which no cluster has a
// refcount.
func (c *Checker) walkExternal(v uint64, at, guest int64) {
	host := int64(v & offsetMask)
	switch {
	case v&flagCompressed != 0:
		c.fault(at, 8, "a compressed cluster in an image with a data file")
	case v&l2ReservedMask != 0:
		c.fault(at, 8, "reserved bits are set in an L2 entry")
	case host != 0 && host != guest:
		c.fault(at, 8, "the offset in the data file is not that in the disk")
	case v&flagZero == 0 && v&flagCopied != 0:
		c.report.Clusters++
	}
}

// walkBitmaps visits directory, tables and their entries. Each table once, in
// order of offsets: tables that overlap are a fault.
func (c *Checker) walkBitmaps() (err error) {
	h := &c.header
	if h.BitmapCount == 0 {
		return nil
	}
	c.use(h.bitmapDirOffset, h.bitmapDirBytes, useBitmapDir)
	if c.list, err = readDirectory(c.src, h, c.list[:0]); err != nil {
		return err
	}
	slices.SortFunc(c.list, func(a, b BitmapInfo) int { return cmp.Compare(a.tableOffset, b.tableOffset) })
	end := int64(0)
	for i := range c.list {
		b := &c.list[i]
		c.use(b.tableOffset, b.tableEntries*8, useBitmapTable)
		if b.tableOffset < end {
			c.fault(b.tableOffset, b.tableEntries*8, "two bitmap tables overlap")
			continue
		}
		end = b.tableOffset + b.tableEntries*8
		if err := c.walkBitmapTable(b); err != nil {
			return err
		}
	}
	return nil
}

func (c *Checker) walkBitmapTable(b *BitmapInfo) error {
	length := min(b.tableEntries*8, pad8(max(c.src.size-b.tableOffset, 0)))
	for done := int64(0); done < length; done += int64(len(c.buf)) {
		c.buf = grow(c.buf, min(length-done, chunkBytes))
		if err := c.src.read(c.buf, b.tableOffset+done, "a bitmap table"); err != nil {
			return err
		}
		for i := nextNonZero(c.buf, 0); i < len(c.buf); i = nextNonZero(c.buf, i+8) {
			v := binary.BigEndian.Uint64(c.buf[i:])
			host, err := bitmapCluster(c.src, &c.header, v, b.tableOffset+done+int64(i))
			if err != nil {
				if err := c.note(err); err != nil {
					return err
				}
				continue
			}
			if host != 0 {
				c.use(host, c.header.ClusterSize(), useBitmapData)
			}
		}
	}
	return nil
}

// walkRefTable counts the refcount blocks, and keeps where they are.
func (c *Checker) walkRefTable() error {
	h := &c.header
	c.counts.reset(h)
	length := min(h.refTableClusters<<h.ClusterBits, pad8(max(c.src.size-h.refTableOffset, 0)))
	for done := int64(0); done < length; done += int64(len(c.buf)) {
		c.buf = grow(c.buf, min(length-done, chunkBytes))
		if err := c.src.read(c.buf, h.refTableOffset+done, "the refcount table"); err != nil {
			return err
		}
		for i := nextNonZero(c.buf, 0); i < len(c.buf); i = nextNonZero(c.buf, i+8) {
			c.walkRefBlock(binary.BigEndian.Uint64(c.buf[i:]), (done+int64(i))/8)
		}
	}
	return nil
}

func (c *Checker) walkRefBlock(v uint64, index int64) {
	h := &c.header
	at := h.refTableOffset + index*8
	offset := int64(v &^ refTableReservedMask)
	switch {
	case v&refTableReservedMask != 0 || offset <= 0:
		c.fault(at, 8, "reserved bits are set in an entry of the refcount table")
	case !h.aligned(offset):
		c.fault(at, 8, "a refcount block is not at the beginning of a cluster")
	case offset >= c.src.size:
		c.fault(at, 8, "a refcount block is beyond the end of the file")
	default:
		c.use(offset, h.ClusterSize(), useRefBlock)
		c.counts.blocks = append(c.counts.blocks, l1Entry{index, v})
	}
}
