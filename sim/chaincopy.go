package sim

import (
	"time"
)

// chainChunkBytes is what commit and stream copy at a time.
const chainChunkBytes = 512 << 10

// chainCopy is the work of jobs that shorten a backing chain: a stream brings what
// lower layers have up into the top, a commit of intermediate layers takes it down
// into the base.
type chainCopy struct {
	job    *job
	filter *node
	top    *node // of a stream: where the data goes
	base   *node // of a commit: where the data goes; layers from it on are not read
	// isStream tells the direction.
	isStream bool
	onError  string
	length   int64
	offset   int64
	backends []*edge
	hurry    bool
	inflight bool
	rate     rateLimit
	limit    int64
	// conclude changes the graph when all is copied; undo is for the other case.
	conclude, undo func()
}

func (w *chainCopy) idle() bool   { return !w.inflight }
func (w *chainCopy) speed() int64 { return w.limit }
func (w *chainCopy) resumed()     { w.hurry = true }
func (w *chainCopy) setSpeed(n int64) {
	w.limit = n
	w.rate.set(n)
}
func (w *chainCopy) progress() (current, total int64) { return w.offset, w.length }

// step looks at one chunk and copies it if that is needed.
func (w *chainCopy) step(gen int) bool {
	j := w.job
	switch {
	case j.settlePause():
		return false
	case j.cancelled:
		j.end("")
		return false
	case w.offset >= w.length:
		j.end("")
		return false
	}
	if delay := w.rate.delay(j.m.p.Now(), 0); delay > 0 && !w.hurry {
		return j.wait(gen, delay)
	}
	return w.chunk(true) && gen == j.gen
}

// catchUp does the chunk that a job has begun when it resumed, if the next pause comes
// before it could run.
func (w *chainCopy) catchUp() {
	if w.hurry && w.offset < w.length {
		w.chunk(false)
	}
}

// chunk does the next chunk, over time or at once.
func (w *chainCopy) chunk(takesTime bool) bool {
	j := w.job
	w.hurry = false
	copied, n, err := w.needed()
	if err == nil && copied {
		w.inflight = true
		j.m.inflight++
		if takesTime {
			j.m.pass(j.m.opts.ChunkTime * time.Duration(n) / copyChunkBytes)
		}
		err = w.copy(n)
		w.inflight = false
		j.m.inflight--
		j.m.io.Broadcast()
	}
	if err != nil {
		return j.failed(true, w.onError, err)
	}
	w.offset += n
	if copied {
		w.rate.delay(j.m.p.Now(), n)
	}
	return true
}

// needed tells whether the next chunk is to copy, and its length.
func (w *chainCopy) needed() (bool, int64, error) {
	n := min(w.length-w.offset, chainChunkBytes)
	if !w.isStream {
		return w.top.allocatedAbove(w.base, w.offset, n)
	}
	allocated, n, err := w.top.allocatedAbove(w.top.below(), w.offset, n)
	if allocated || err != nil {
		return false, n, err
	}
	return w.top.below().allocatedAbove(w.base, w.offset, n)
}

// copy moves the chunk. A stream changes nothing that a guest sees, and marks no
// bitmaps (§3.4).
func (w *chainCopy) copy(n int64) error {
	r := &w.job.m.chunks
	if err := r.read(w.top, w.offset, n); err != nil {
		return err
	}
	if w.isStream {
		return w.top.drv.write(w.offset, n, r.segs)
	}
	return w.base.writeSegments(w.offset, n, r.segs)
}

func (w *chainCopy) finished(failed bool) {
	m := w.job.m
	if w.isStream {
		m.pairs(w.filter, 3) // of the chain that changes, the filter and the backend
	}
	section := m.drain(w.filter)
	defer section.end()
	w.job.dropEdges()
	for _, e := range w.backends {
		e.drop()
	}
	m.removeFilter(w.filter)
	if failed {
		w.undo()
		return
	}
	w.conclude()
}

// rebase gives a node another backing file, in memory and in its header.
func (n *node) rebase(backing *node, name string) {
	if e := n.edge("backing"); e != nil {
		if backing != nil {
			old := e.child
			e.moveTo(backing)
			if !old.owned && len(old.parents) == 0 {
				_ = n.m.closeNode(old)
			}
		} else {
			_ = e.detach()
		}
	} else if backing != nil {
		n.attach("backing", backing)
	}
	img := n.image()
	if img == nil {
		return
	}
	img.backingFile, img.backingFormat = name, ""
	if backing != nil {
		img.backingFormat = backing.kind
	}
	img.headerDirty = true
	if !n.readOnly {
		_ = img.flush()
	}
}
