package sim

import "slices"

// instantMax is how many clusters of a copy are looked at: more are not done at once.
const instantMax = 1 << 12

// isInstant reports whether a copy needs no I/O: it has nothing to copy, or only zeroes that
// are known by tables in memory, and are noted in such tables.
func (b *backup) isInstant() bool {
	c := b.copy
	bits := &c.bits.bits
	switch {
	case b.over || b.mode == syncNone || c.failure != nil:
		return false
	case bits.count == 0:
		return true
	case b.limit > 0 || bits.count > instantMax:
		return false
	}
	for _, r := range bits.runs {
		if r.hi<<c.bits.shift > c.length {
			return false // the rest of the disk is copied as data
		}
		for off := r.lo << c.bits.shift; off < r.hi<<c.bits.shift; off += c.cluster {
			if c.source().isCold(off) || !c.target.zeroesAtOnce(off, c.cluster) {
				return false
			}
		}
	}
	return c.isZero()
}

// zeroesAtOnce reports whether zeroes can be written to a range without I/O.
func (n *node) zeroesAtOnce(off, length int64) bool {
	switch d := n.drv.(type) {
	case *nullDriver:
		return n.kind == "null-co"
	case *qcow2Driver:
		for at := off; at < off+length; at += d.img.clusterSize() {
			if i, ok := d.img.findTable(at >> d.img.bits / d.img.perL2()); !ok || d.img.tables[i].cold {
				return false
			}
		}
		return d.img.version > 2
	}
	return false
}

// runAll lets jobs that were just started end which have nothing to read. Those that need
// no I/O are first, the youngest of them before the others: each leaves a note for the main
// loop (job_exit), which reads the latest first.
func runAll(started []*job) {
	var rest []*backup
	for _, j := range slices.Backward(started) {
		b, ok := j.work.(*backup)
		switch {
		case !ok || j.completed:
		case len(started) == 1 || b.isInstant():
			b.runEmpty()
		default:
			rest = append(rest, b)
		}
	}
	for _, b := range slices.Backward(rest) {
		if !b.job.completed {
			b.runEmpty()
		}
	}
}

// endsWithin reports whether a job ends while another one takes its filter out, of which the
// first one's filter is the child. The real binary does not survive that: it goes on with a
// filter that is no more (bdrv_replace_node_common). It lets others end meanwhile only if a
// job above is at work, which the section has to wait for.
func endsWithin(started []*job) bool {
	if len(started) < 3 {
		return false
	}
	var all []*backup
	for _, j := range started {
		if b, ok := j.work.(*backup); ok && !j.completed {
			all = append(all, b)
		}
	}
	for _, a := range all {
		if a.mode == syncTop || !a.isInstant() {
			continue
		}
		waits, goes := false, false
		for _, b := range all {
			waits = waits || b != a && b.filter.reaches(a.filter) && b.isBusy()
			goes = goes || b.filter == a.filter.filtered() && b.isInstant()
		}
		if waits && goes {
			return true
		}
	}
	return false
}

// isBusy reports whether a job that was just started has I/O to do; with sync=top it looks
// for work, at least.
func (b *backup) isBusy() bool {
	return !b.over && b.mode != syncNone && b.copy.failure == nil && (b.mode == syncTop || !b.isInstant())
}
