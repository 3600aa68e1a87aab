package qcow2

import (
	"encoding/binary"
	"slices"
)

// l1Entry is one entry of the L1 table that is not zero.
type l1Entry struct {
	index int64
	value uint64
}

func (e l1Entry) offset() int64 { return int64(e.value & offsetMask) }

// readL1 appends the entries that are not zero to list, which is sorted by index.
// The table is read in pieces and only as far as the file goes, so that memory
// follows what is allocated.
func readL1(src source, h *Header, entries int64, list []l1Entry, buf []byte) ([]l1Entry, []byte, error) {
	if entries > 0 && h.l1Offset >= src.size {
		return list, buf, corrupt("l1_table_offset", 40, uint64(h.l1Offset), "beyond the end of the file")
	}
	bytes := min(entries*8, pad8(src.size-h.l1Offset))
	for done := int64(0); done < bytes; {
		buf = grow(buf, min(bytes-done, chunkBytes))
		if err := src.read(buf, h.l1Offset+done, "the L1 table"); err != nil {
			return list, buf, err
		}
		for i := nextNonZero(buf, 0); i < len(buf); i = nextNonZero(buf, i+8) {
			list = append(list, l1Entry{(done + int64(i)) / 8, binary.BigEndian.Uint64(buf[i:])})
		}
		done += int64(len(buf))
	}
	return list, buf, nil
}

// checkL1 refuses L2 tables that are not where one can be, or that are used
// twice: so a walk of all tables costs no more than the file is large.
func checkL1(src source, h *Header, list []l1Entry) error {
	ascending := true
	for i, e := range list {
		if err := checkL2Offset(src, h, e); err != nil {
			return err
		}
		ascending = ascending && (i == 0 || list[i-1].offset() < e.offset())
	}
	if ascending {
		return nil
	}
	offsets := make([]int64, 0, len(list))
	for _, e := range list {
		if e.offset() != 0 {
			offsets = append(offsets, e.offset())
		}
	}
	slices.Sort(offsets)
	for i := 1; i < len(offsets); i++ {
		if offsets[i] == offsets[i-1] {
			return corrupt("l1_table", h.l1Offset, uint64(offsets[i]), "two entries share this L2 table")
		}
	}
	return nil
}

func checkL2Offset(src source, h *Header, e l1Entry) error {
	at := h.l1Offset + e.index*8
	if !h.aligned(e.offset()) {
		return corrupt("L1 table entry", at, e.value, "the L2 table is not at the beginning of a cluster")
	}
	if e.offset() >= src.size {
		return corrupt("L1 table entry", at, e.value, "the L2 table is beyond the end of the file")
	}
	return nil
}

// l2Table is one L2 table, as far as the virtual size needs it.
type l2Table struct {
	index  int64 // in L1; -1 when nothing is loaded
	offset int64 // in the file
	raw    []byte
}

// load reads the table of e.
func (t *l2Table) load(src source, h *Header, e l1Entry) error {
	if t.index == e.index {
		return nil
	}
	t.index = -1
	clusters := ceilDiv(h.Size, h.ClusterSize()) - e.index*h.l2Entries()
	t.raw = grow(t.raw, min(clusters, h.l2Entries())*h.l2EntryBytes())
	if err := src.read(t.raw, e.offset(), "an L2 table"); err != nil {
		return err
	}
	t.index, t.offset = e.index, e.offset()
	return nil
}

// unit is the smallest piece that has a mapping of its own: a cluster, or a
// subcluster with extended L2 entries.
type unit struct {
	kind       Kind
	host       int64  // offset in the file with kind Data, unless compressed
	compressed uint64 // the cluster's descriptor, or 0
}

// standard decodes the entry of cluster i.
func (t *l2Table) standard(src source, h *Header, i int64) (unit, error) {
	v := binary.BigEndian.Uint64(t.raw[i*8:])
	if v == 0 {
		return unit{kind: Unallocated}, nil
	}
	at := t.offset + i*8
	if v&flagCompressed != 0 {
		return unit{compressed: v}, checkCompressed(h, at, v)
	}
	if v&flagZero != 0 {
		if h.Version < 3 {
			return unit{}, corrupt("L2 table entry", at, v, "a zero cluster in version 2")
		}
		return unit{kind: Zero}, nil
	}
	host := int64(v & offsetMask)
	if host == 0 && (!h.ExternalData() || v&flagCopied == 0) {
		return unit{kind: Unallocated}, nil
	}
	return unit{host: host}, t.checkHost(src, h, host, i, at, v)
}

// extended decodes the entry of subcluster i.
func (t *l2Table) extended(src source, h *Header, i int64) (unit, error) {
	c, bit := i/subclusters, uint(i%subclusters)
	at := t.offset + c*16
	v, bitmap := binary.BigEndian.Uint64(t.raw[c*16:]), binary.BigEndian.Uint64(t.raw[c*16+8:])
	if v&flagCompressed != 0 {
		if bitmap != 0 {
			return unit{}, corrupt("L2 subcluster bitmap", at+8, bitmap, "not zero for a compressed cluster")
		}
		return unit{compressed: v}, checkCompressed(h, at, v)
	}
	if both := uint32(bitmap) & uint32(bitmap>>32); both != 0 {
		return unit{}, corrupt("L2 subcluster bitmap", at+8, bitmap, "a subcluster is both allocated and zero")
	}
	if bitmap>>(32+bit)&1 != 0 {
		return unit{kind: Zero}, nil
	}
	if bitmap>>bit&1 == 0 {
		return unit{kind: Unallocated}, nil
	}
	host := int64(v & offsetMask)
	if host == 0 && !h.ExternalData() {
		return unit{}, corrupt("L2 table entry", at, v, "subclusters are allocated, but no cluster")
	}
	return unit{host: host + int64(bit)*h.ClusterSize()/subclusters}, t.checkHost(src, h, host, c, at, v)
}

// checkHost refuses where cluster i of the table cannot be: with a data file it has to be
// where the guest has it.
func (t *l2Table) checkHost(src source, h *Header, host, i, at int64, v uint64) error {
	if h.ExternalData() {
		return checkExternal((t.index*h.l2Entries()+i)<<h.ClusterBits, host, at, v)
	}
	if !h.aligned(host) {
		return corrupt("L2 table entry", at, v, "the data is not at the beginning of a cluster")
	}
	if host >= src.size {
		return corrupt("L2 table entry", at, v, "the data is beyond the end of the file")
	}
	return nil
}

// checkExternal refuses a host offset in a data file that is not the guest's
// (qcow2_get_host_offset).
func checkExternal(guest, host, at int64, v uint64) error {
	if host != guest {
		return corrupt("L2 table entry", at, v, "the offset in the data file is not that in the disk")
	}
	return nil
}

// checkCompressed refuses a compressed cluster where there is a data file.
func checkCompressed(h *Header, at int64, v uint64) error {
	if h.ExternalData() {
		return corrupt("L2 table entry", at, v, "a compressed cluster in an image with a data file")
	}
	return nil
}
