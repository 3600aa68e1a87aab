package qcow2

import (
	"encoding/binary"
	"iter"
	"math/bits"
)

// ReadBitmap collects the dirty ranges of b into dst, whose memory it uses. More
// than DirtyRangesMax ranges are an error of the class ErrLimit.
func (r *Reader) ReadBitmap(b BitmapInfo, dst []Range) ([]Range, error) {
	dst = dst[:0]
	for d, err := range r.Dirty(b) {
		if err != nil {
			return dst, err
		}
		if len(dst) == DirtyRangesMax {
			return dst, beyond("bitmap ranges", b.entryOffset, DirtyRangesMax+1, DirtyRangesMax)
		}
		dst = append(dst, d)
	}
	return dst, nil
}

// Dirty yields the dirty ranges of b, an entry of Bitmaps of this Reader, in
// order: whole granules, cut at the end of the disk, apart from each other by a
// clean granule at least. An error ends it. The bits of a bitmap in use are
// yielded as they are; QEMU does not believe them.
func (r *Reader) Dirty(b BitmapInfo) iter.Seq2[Range, error] {
	return func(yield func(Range, error) bool) {
		if b.Granularity < GranularityMin {
			yield(Range{}, badArgument("b", b.Granularity, "not an entry of Bitmaps"))
			return
		}
		s := bitScan{size: r.header.Size, granularity: b.Granularity, yield: yield}
		if err := r.scan(b, &s); err != nil {
			if !s.stopped {
				yield(Range{}, err)
			}
			return
		}
		s.end()
	}
}

// bitScan joins dirty bits to ranges.
type bitScan struct {
	size, granularity int64
	from, to          int64 // the open run, in bits; empty if equal
	yield             func(Range, error) bool
	stopped           bool
}

func (s *bitScan) add(from, to int64) {
	if from != s.to {
		s.end()
		s.from = from
	}
	s.to = to
}

// end yields the open run.
func (s *bitScan) end() {
	if s.from < s.to && !s.stopped {
		from := s.from * s.granularity
		to := s.size
		if s.to <= (s.size-1)/s.granularity { // no overflow
			to = s.to * s.granularity
		}
		s.stopped = !s.yield(Range{from, to - from}, nil)
	}
	s.from, s.to = 0, 0
}

// scan feeds all dirty bits of b to s.
func (r *Reader) scan(b BitmapInfo, s *bitScan) error {
	if b.tableOffset >= r.src.size || b.tableEntries*8 > r.src.size-b.tableOffset {
		return corrupt("bitmap_table_offset", b.entryOffset, uint64(b.tableOffset), "beyond the end of the file")
	}
	count := ceilDiv(r.header.Size, b.Granularity)
	per := 8 * r.header.ClusterSize()
	table := make([]byte, min(b.tableEntries, ceilDiv(count, per))*8)
	if err := r.src.read(table, b.tableOffset, "a bitmap table"); err != nil {
		return err
	}
	// A file cannot hold more data clusters than it has clusters.
	left := ceilDiv(r.src.size, r.header.ClusterSize())
	for i := int64(0); i*8 < int64(len(table)) && !s.stopped; i++ {
		v := binary.BigEndian.Uint64(table[i*8:])
		if v == 0 {
			continue
		}
		host, err := bitmapCluster(r.src, &r.header, v, b.tableOffset+i*8)
		if err != nil {
			return err
		}
		first := i * per
		n := min(per, count-first)
		if host == 0 {
			s.add(first, first+n)
			continue
		}
		if left--; left < 0 {
			return corrupt("bitmap table entry", b.tableOffset+i*8, v, "more clusters than the file has")
		}
		if err := r.scanCluster(host, first, n, s); err != nil {
			return err
		}
	}
	return nil
}

// bitmapCluster decodes an entry of a bitmap table that is not 0. host is 0 for
// a cluster of all ones.
func bitmapCluster(src source, h *Header, v uint64, at int64) (host int64, err error) {
	host = int64(v & offsetMask)
	switch {
	case v&bitmapReservedMask != 0, host != 0 && v&bitmapAllOnes != 0:
		return 0, corrupt("bitmap table entry", at, v, "reserved bits are set")
	case !h.aligned(host):
		return 0, corrupt("bitmap table entry", at, v, "not at the beginning of a cluster")
	case host >= src.size:
		return 0, corrupt("bitmap table entry", at, v, "beyond the end of the file")
	}
	return host, nil
}

// scanCluster reads the n bits from first on, which lie at host.
func (r *Reader) scanCluster(host, first, n int64, s *bitScan) error {
	for done := int64(0); done < n && !s.stopped; done += 8 * chunkBytes {
		some := min(n-done, 8*chunkBytes)
		r.buf = grow(r.buf, pad8(ceilDiv(some, 8)))
		if err := r.src.read(r.buf[:ceilDiv(some, 8)], host+done/8, "bitmap data"); err != nil {
			return err
		}
		clear(r.buf[ceilDiv(some, 8):])
		s.words(r.buf, first+done, some)
	}
	return nil
}

// words adds the runs of ones of n bits; bit 0 is the lowest of the first byte.
func (s *bitScan) words(p []byte, first, n int64) {
	for i := int64(0); i < n && !s.stopped; i += 64 {
		w := binary.LittleEndian.Uint64(p[i/8:])
		if n-i < 64 {
			w &= 1<<(n-i) - 1
		}
		for at := int64(0); w != 0; {
			skip := int64(bits.TrailingZeros64(w))
			w >>= skip
			ones := int64(bits.TrailingZeros64(^w))
			w >>= ones // 64 gives 0
			at += skip
			s.add(first+i+at, first+i+at+ones)
			at += ones
		}
	}
}
