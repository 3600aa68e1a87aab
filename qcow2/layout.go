package qcow2

// layout is where everything of an image lies in the file, in clusters. There
// are no gaps: every cluster up to packed has the refcount 1.
//
//	header | refcount table | refcount blocks | L1 | L2 … | bitmap directory |
//	(bitmap table | bitmap data …) … | guest data | compressed guest data
type layout struct {
	bits                               uint // log2 of the cluster size
	refTable, refBlocks, l1, l2, dir   int64
	bitmaps, data, packed, total       int64 // first clusters
	l1Entries, refBlockCount, dirBytes int64
}

// perL2 is the number of clusters that one L2 table maps.
func (l *layout) perL2() int64 { return 1 << (l.bits - 3) }

// clusters is how many clusters n bytes take.
func (l *layout) clusters(n int64) int64 { return ceilDiv(n, 1<<l.bits) }

// offset is where a cluster begins, in bytes.
func (l *layout) offset(cluster int64) int64 { return cluster << l.bits }

// plan lays out img, whose compressed runs are packed. The lengths of the bitmaps are
// measured, and kept in places.
func (l *layout) plan(img *Image, p *packer, places []bitmapPlace) ([]bitmapPlace, error) {
	*l = layout{bits: img.clusterBits()}
	l.l1Entries = ceilDiv(l.clusters(img.Size), l.perL2())
	l2Count, dataCount := l.countRuns(img.Runs)
	if dataCount += p.plain(); img.DataFile != "" {
		dataCount = 0
	}
	packedCount := l.clusters(int64(p.out.Len()))
	bitmapCount := int64(0) // clusters
	places = places[:0]
	for i := range img.Bitmaps {
		place := measureBitmap(&img.Bitmaps[i], img.Size, l.bits)
		places = append(places, place)
		bitmapCount += place.tableClusters + place.dataClusters
		l.dirBytes += pad8(bitmapEntryBytes + int64(len(img.Bitmaps[i].Name)))
	}
	if l.dirBytes > BitmapDirBytesMax {
		return places, badArgument("Bitmaps", l.dirBytes, "the bitmap directory would take more than 65535 KiB")
	}
	rest := 1 + l.clusters(l.l1Entries*8) + l2Count + l.clusters(l.dirBytes) + bitmapCount + dataCount + packedCount
	refTableCount, err := l.coverItself(rest)
	if err != nil {
		return places, err
	}
	l.refTable = 1
	l.refBlocks = l.refTable + refTableCount
	l.l1 = l.refBlocks + l.refBlockCount
	l.l2 = l.l1 + l.clusters(l.l1Entries*8)
	l.dir = l.l2 + l2Count
	l.bitmaps = l.dir + l.clusters(l.dirBytes)
	l.data = l.bitmaps + bitmapCount
	l.packed = l.data + dataCount
	l.total = l.packed + packedCount
	return places, nil
}

// coverItself finds how many refcount blocks and table clusters count rest
// clusters and themselves.
func (l *layout) coverItself(rest int64) (tables int64, err error) {
	perBlock := int64(1) << (l.bits - 1) // refcounts of 16 bits
	for blocks := int64(1); ; {
		tables = l.clusters(blocks * 8)
		if tables<<l.bits > RefcountTableBytesMax {
			return 0, badArgument("Runs", rest, "the refcount table would take more than 8 MiB")
		}
		need := ceilDiv(rest+tables+blocks, perBlock)
		if need <= blocks {
			l.refBlockCount = blocks
			return tables, nil
		}
		blocks = need
	}
}

// countRuns counts the L2 tables that the runs take, and the clusters of data that are
// not to be compressed.
func (l *layout) countRuns(runs []Run) (tables, data int64) {
	next := int64(0) // the first L1 index without a table
	for i := range runs {
		first := runs[i].Offset >> l.bits
		last := (runs[i].End() - 1) >> l.bits
		if runs[i].Kind == Data && !runs[i].Compressed {
			data += last - first + 1
		}
		from, to := max(first/l.perL2(), next), last/l.perL2()+1
		if to > from {
			tables += to - from
			next = to
		}
	}
	return tables, data
}
