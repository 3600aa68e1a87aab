package sim

import "slices"

// reserve finds n free contiguous host clusters for that many bytes; the file grows
// to the sector in which they end. used says that the clusters lie where the file
// may hold old content. The search begins where the last one ended, or at the first
// cluster freed since (alloc_clusters_noref): a gap that was too small is left behind.
func (img *image) reserve(n, bytes int64) (at int64, used bool) {
	at = img.used.nextGap(img.freeFrom)
	for {
		r, ok := img.used.next(at)
		if !ok || r.lo-at >= n {
			break
		}
		at = r.hi
	}
	img.freeFrom = at + n
	return at, img.count(at, n, bytes)
}

// count marks n host clusters as used; the file grows to the sector in which that many
// bytes end. used says that the clusters lie where the file may hold old content.
func (img *image) count(at, n, bytes int64) (used bool) {
	used = at<<img.bits < img.file.length()
	img.used.add(at, at+n)
	img.end = max(img.end, at<<img.bits+(bytes+sectorSize-1)&^(sectorSize-1))
	img.touchRefs(at, at+n)
	img.file.grow(img.end)
	return used
}

// claim takes host clusters that are free, so that they read as zero. Where the next
// search begins does not change (qcow2_alloc_clusters_at).
func (img *image) claim(at, n int64) error {
	length := img.file.length()
	if !img.count(at, n, n<<img.bits) {
		return nil
	}
	return img.clean(at, n, length)
}

// clean zeroes clusters as far as they lie in the file; it gives them back on an error.
func (img *image) clean(at, n, length int64) error {
	lo := at << img.bits
	err := img.file.zero(lo, min(n<<img.bits, length-lo))
	if err != nil {
		img.freeClusters(at, n)
	}
	return err
}

// allocClusters reserves n whole clusters that read as zero.
func (img *image) allocClusters(n int64) (int64, error) { return img.allocBytes(n << img.bits) }

// allocBytes reserves clusters that read as zero, for metadata that need not fill
// them.
func (img *image) allocBytes(bytes int64) (int64, error) {
	img.event("cluster_alloc")
	if err := img.coldRefcounts(); err != nil {
		return 0, err
	}
	n, length := img.clustersFor(bytes), img.file.length()
	at, used := img.reserve(n, bytes)
	if !used {
		return at, nil
	}
	return at, img.clean(at, n, length)
}

func (img *image) freeClusters(at, n int64) {
	img.freeFrom = min(img.freeFrom, at)
	img.used.remove(at, at+n)
	img.touchRefs(at, at+n)
}

// touchRefs notes refcounts to write at the next flush.
func (img *image) touchRefs(lo, hi int64) {
	img.refsCold = false
	if img.refDirty.hi == 0 {
		img.refDirty = run{lo, hi}
		return
	}
	img.refDirty = run{min(img.refDirty.lo, lo), max(img.refDirty.hi, hi)}
}

// findTable returns where the L2 table of an L1 index is or would be in the list.
func (img *image) findTable(index int64) (at int, ok bool) {
	lo, hi := 0, len(img.tables)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if img.tables[mid].index < index {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(img.tables) && img.tables[lo].index == index
}

// makeTable makes sure that the L2 table of an L1 index exists. A new one is
// counted, empty and linked in the file at once, as l2_allocate does it, which
// flushes both caches of metadata first; its data clusters come after it in the file.
func (img *image) makeTable(index int64) error {
	at, ok := img.findTable(index)
	if ok {
		return nil
	}
	end := img.end
	cluster, err := img.allocClusters(1)
	if err != nil {
		return err
	}
	img.tables = slices.Insert(img.tables, at, l2Table{index: index, cluster: cluster})
	if err := img.storeTable(at); err != nil {
		img.tables = slices.Delete(img.tables, at, at+1)
		img.freeClusters(cluster, 1)
		img.shrink(end)
		return err
	}
	return nil
}

// storeTable writes a new table, and before it what must not be younger.
func (img *image) storeTable(at int) error {
	if err := img.flushRefcounts(); err != nil {
		return err
	}
	img.event("l2_alloc_write")
	for i := range img.tables {
		if err := img.flushTable(&img.tables[i]); err != nil {
			return err
		}
	}
	img.event("l2_update")
	off := img.tables[at].cluster << img.bits
	if d, ok := img.file.drv.(*debugDriver); ok {
		if err := d.fail("write", off, img.clusterSize()); err != nil {
			img.file.wrote(off, img.clusterSize(), err)
			return err
		}
	}
	img.file.wrote(off, img.clusterSize(), nil) // of zeroes, as they are there
	img.file.reached(off + img.clusterSize())
	return img.linkTable(&img.tables[at])
}

// shrink takes back what was promised to the file beyond end.
func (img *image) shrink(end int64) {
	img.end = end
	img.file.promise(end)
}
