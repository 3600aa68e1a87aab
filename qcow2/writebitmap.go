package qcow2

import "math/bits"

// bitmapPlace is what a bitmap takes in the file, in clusters.
type bitmapPlace struct{ tableClusters, dataClusters int64 }

// granules walks the dirty bits of a bitmap as runs [from, to), apart from each
// other by at least one clean bit.
type granules struct {
	dirty []Range
	size  int64 // of one granule, bytes
	next  int
}

func (g *granules) run() (from, to int64, ok bool) {
	if g.next == len(g.dirty) {
		return 0, 0, false
	}
	from, to = g.bits(g.next)
	for g.next++; g.next < len(g.dirty); g.next++ {
		f, t := g.bits(g.next)
		if f > to {
			break
		}
		to = t
	}
	return from, to, true
}

func (g *granules) bits(i int) (from, to int64) {
	return g.dirty[i].Offset / g.size, ceilDiv(g.dirty[i].End(), g.size)
}

// pieces cuts the runs of a bitmap at the clusters of its data. Pieces of a whole
// cluster are all ones, and need no data.
type pieces struct {
	granules
	per      int64 // bits in one cluster
	from, to int64 // what is left of the run
}

func dirtyPieces(b *Bitmap, bits uint) pieces {
	return pieces{granules: granules{dirty: b.Dirty, size: b.Granularity}, per: 8 << bits}
}

// piece returns the next piece, and the cluster of the bitmap in which it is.
func (p *pieces) piece() (cluster, from, to int64, ok bool) {
	if p.from == p.to {
		if p.from, p.to, ok = p.run(); !ok {
			return 0, 0, 0, false
		}
	}
	cluster, from = p.from/p.per, p.from
	to = min(p.to, (cluster+1)*p.per)
	p.from = to
	return cluster, from, to, true
}

// measureBitmap counts the clusters of b's table and data.
func measureBitmap(b *Bitmap, size int64, bits uint) (place bitmapPlace) {
	bytes := ceilDiv(ceilDiv(size, b.Granularity), 8)
	place.tableClusters = ceilDiv(ceilDiv(bytes, 1<<bits)*8, 1<<bits)
	p := dirtyPieces(b, bits)
	last := int64(-1)
	for cluster, from, to, ok := p.piece(); ok; cluster, from, to, ok = p.piece() {
		if to-from < p.per && cluster != last {
			place.dataClusters++
			last = cluster
		}
	}
	return place
}

// bitmaps puts directory, tables and bits.
func (w *Writer) bitmaps(img *Image) {
	l := &w.layout
	w.out.at(l.offset(l.dir))
	table := l.bitmaps
	for i := range img.Bitmaps {
		w.directoryEntry(&img.Bitmaps[i], img.Size, table)
		table += w.places[i].tableClusters + w.places[i].dataClusters
	}
	table = l.bitmaps
	for i := range img.Bitmaps {
		b := &img.Bitmaps[i]
		w.bitmapTable(b, l.offset(table), table+w.places[i].tableClusters)
		w.bitmapData(b, table+w.places[i].tableClusters)
		table += w.places[i].tableClusters + w.places[i].dataClusters
	}
}

func (w *Writer) directoryEntry(b *Bitmap, size, table int64) {
	flags := uint32(0)
	if b.InUse {
		flags |= bitmapInUse
	}
	if b.Auto {
		flags |= bitmapAuto
	}
	bytes := ceilDiv(ceilDiv(size, b.Granularity), 8)
	w.out.put64(uint64(w.layout.offset(table)))
	w.out.put32(uint32(w.layout.clusters(bytes)))
	w.out.put32(flags)
	w.out.put8(bitmapTypeDirty)
	w.out.put8(byte(bits.TrailingZeros64(uint64(b.Granularity))))
	w.out.put16(uint16(len(b.Name)))
	w.out.put32(0) // extra_data_size
	w.out.putText(b.Name)
	w.out.fill(0, pad8(int64(len(b.Name)))-int64(len(b.Name)))
}

// bitmapTable puts the entries; data is the cluster of the first bits.
func (w *Writer) bitmapTable(b *Bitmap, offset, data int64) {
	p := dirtyPieces(b, w.layout.bits)
	last := int64(-1)
	for cluster, from, to, ok := p.piece(); ok; cluster, from, to, ok = p.piece() {
		if cluster == last {
			continue
		}
		last = cluster
		w.out.at(offset + cluster*8)
		if to-from == p.per {
			w.out.put64(bitmapAllOnes)
			continue
		}
		w.out.put64(uint64(w.layout.offset(data)))
		data++
	}
}

// bitmapData puts the bits of all clusters that are not alike.
func (w *Writer) bitmapData(b *Bitmap, data int64) {
	p := dirtyPieces(b, w.layout.bits)
	last, base := int64(-1), w.layout.offset(data-1)
	var open byteBits
	for cluster, from, to, ok := p.piece(); ok; cluster, from, to, ok = p.piece() {
		if to-from == p.per {
			continue
		}
		if cluster != last {
			last = cluster
			base += 1 << w.layout.bits
		}
		open.add(&w.out, base, from-cluster*p.per, to-cluster*p.per)
	}
	open.put(&w.out)
}

// byteBits is the byte of a bitmap in which the last run ended.
type byteBits struct {
	offset int64
	value  byte
}

func (o *byteBits) put(s *stream) {
	if o.value != 0 {
		s.at(o.offset)
		s.put8(o.value)
	}
	o.value = 0
}

// add sets the bits [from, to) of the cluster at base; bit 0 is the lowest.
func (o *byteBits) add(s *stream, base, from, to int64) {
	o.set(s, base+from/8, byte(0xff<<(from%8))&mask(to-from/8*8))
	if whole := to/8 - from/8 - 1; whole > 0 {
		o.put(s)
		s.at(base + from/8 + 1)
		s.fill(0xff, whole)
	}
	if to/8 > from/8 && to%8 != 0 {
		o.set(s, base+to/8, mask(to%8))
	}
}

// mask has the lowest n bits, all with n ≥ 8.
func mask(n int64) byte { return byte(1<<min(n, 8) - 1) }

func (o *byteBits) set(s *stream, offset int64, value byte) {
	if offset != o.offset {
		o.put(s)
	}
	o.offset = offset
	o.value |= value
}
