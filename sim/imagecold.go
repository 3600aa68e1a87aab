package sim

// Which tables QEMU's caches have. It shows in one thing: what has to read a table waits
// for that, and a drained section that begins meanwhile may wait for ever (§11).

// cool empties the cache, as reopening an image and resizing it do, be it to the size it has
// (qcow2_update_options).
func (img *image) cool() {
	for i := range img.tables {
		img.tables[i].cold = true
	}
	img.cold, img.refsCold = len(img.tables), true
}

// look is what the first status of an image does beside: it reads all refcounts
// (qcow2_detect_metadata_preallocation).
func (img *image) look() { img.looked, img.refsCold = true, img.refsCold && img.looked }

// warm notes that the tables of [off, off+n) are read.
func (img *image) warm(off, n int64) {
	if img.cold == 0 {
		return
	}
	perTable := img.perL2() << img.bits
	at, _ := img.findTable(off / perTable)
	for ; at < len(img.tables) && img.tables[at].index*perTable < off+n; at++ {
		if img.tables[at].cold {
			img.tables[at].cold = false
			img.cold--
		}
	}
}

// isCold reports whether the status of a node at off has to read a table.
func (n *node) isCold(off int64) bool {
	for n != nil && off < n.length() {
		img := n.image()
		if img == nil {
			n = n.filtered()
			continue
		}
		if img.refsCold && !img.looked {
			return true
		}
		if at, ok := img.findTable(off >> img.bits / img.perL2()); ok && img.tables[at].cold {
			return true
		}
		if img.clusters.at(off>>img.bits, 1).kind != mapNone {
			return false
		}
		n = n.backing()
	}
	return false
}
