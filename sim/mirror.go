package sim

import (
	"time"

	"fleece/qmp"
)

// How a mirror copies (block/mirror.c).
const (
	mirrorBufferDefault = 16 << 20 // bytes that one iteration takes
	mirrorPollTime      = 100 * time.Millisecond
	mirrorGranularityLo = 512
	mirrorGranularityHi = 64 << 20
)

// mirror is the work of blockdev-mirror, and of a block-commit of the active layer:
// the target follows the source until somebody completes the job.
type mirror struct {
	job            *job
	top            *node // the filter above the source
	source, target *node
	base           *node // copy what is allocated above it; nil: all
	replaces       string
	mode           syncMode
	dirty          *bitmap // on the source: what is to copy
	backend        *edge   // of the target
	buffer         int64
	zeroTarget     bool // nothing is known of the target's content
	isCommit       bool
	blocking       bool // copy-mode write-blocking

	onSource, onTarget string
	rate               rateLimit
	limit              int64
	inflight           int64
	done               int64
	started            bool
	hurry              bool // a pause ended: do not wait for the rate
	pivot, ending      bool
}

func (w *mirror) idle() bool   { return w.inflight == 0 }
func (w *mirror) speed() int64 { return w.limit }
func (w *mirror) resumed()     { w.hurry = true }
func (w *mirror) setSpeed(n int64) {
	w.limit = n
	w.rate.set(n)
}

func (w *mirror) progress() (current, total int64) {
	if !w.started {
		return 0, w.source.length()
	}
	return w.done, w.done + w.inflight + w.dirty.count()
}

// complete lets the job end when source and target are the same.
func (w *mirror) complete(pivot bool) {
	w.pivot, w.ending = pivot, true
	w.job.kick()
}

// begin sets what is to copy. Without I/O to do the job is ready before the reply.
func (w *mirror) begin() bool {
	w.started = true
	if w.source.length() != w.target.length() && !w.isCommit {
		w.job.end("Source and target image have different sizes")
		return false
	}
	size := w.source.length()
	if w.isCommit && w.target.length() < size { // a disk that was resized over an overlay
		if err := w.target.resize(size); err != nil {
			w.job.end(errText(err))
			return false
		}
	}
	switch {
	case w.mode == syncNone:
	case w.zeroTarget && !w.target.unmap:
		w.dirty.mark(0, size)
	default:
		for off := int64(0); off < size; {
			allocated, n, err := w.source.allocatedAbove(w.base, off, size-off)
			if err != nil {
				w.job.end(errText(err))
				return false
			}
			if allocated {
				w.dirty.mark(off, n)
			}
			off += n
		}
	}
	return true
}

// step is one iteration, or the wait for something to do.
func (w *mirror) step(gen int) bool {
	j := w.job
	if !w.started && !w.begin() {
		return false
	}
	switch {
	case j.settlePause():
		return false
	case j.cancelled:
		j.end("")
		return false
	case w.dirty.bits.count == 0:
		return w.inStep(gen)
	}
	if delay := w.rate.delay(j.m.p.Now(), 0); delay > 0 && !w.hurry {
		return j.wait(gen, delay)
	}
	w.hurry = false
	return w.iterate(gen)
}

// wait lets time go by, until something changes at the latest.
func (j *job) wait(gen int, d time.Duration) bool {
	j.cond.WaitUntil(j.m.p.Now().Add(d))
	return gen == j.gen
}

// inStep is when nothing is to copy: ready, done, or idle until a guest writes.
func (w *mirror) inStep(gen int) bool {
	j := w.job
	if delay := w.rate.delay(j.m.p.Now(), 0); delay > 0 && !w.hurry && j.status == jobRunning {
		return j.wait(gen, delay)
	}
	if j.status == jobRunning {
		j.set(jobReady)
		current, total := w.progress()
		j.m.emit("BLOCK_JOB_READY", qmp.Dict(qmp.M("type", qmp.Str(j.kind)), qmp.M("device", qmp.Str(j.id)),
			qmp.M("len", qmp.Int(total)), qmp.M("offset", qmp.Int(current)), qmp.M("speed", qmp.Int(w.limit))))
	}
	if w.ending {
		j.end("")
	}
	return false
}

// iterate copies the next dirty run.
func (w *mirror) iterate(gen int) bool {
	j := w.job
	r, _ := w.dirty.bits.next(0)
	lo := r.lo << w.dirty.shift
	hi := min(r.hi<<w.dirty.shift, lo+w.roundedBuffer())
	w.dirty.bits.remove(lo>>w.dirty.shift, hi>>w.dirty.shift)
	n := hi - lo
	w.inflight = n
	j.m.inflight++
	w.rate.delay(j.m.p.Now(), n)
	j.m.pass(w.duration(lo, hi))
	isRead, err := w.copyParts(lo, hi)
	w.inflight = 0
	j.m.inflight--
	j.m.io.Broadcast()
	if err != nil {
		return w.failed(isRead, err)
	}
	return gen == j.gen
}

// roundedBuffer is the buffer in whole granules.
func (w *mirror) roundedBuffer() int64 {
	mask := w.dirty.granularity() - 1
	return (w.buffer + mask) &^ mask
}

// duration is how long the requests of a run take; what is zero is not read.
func (w *mirror) duration(lo, hi int64) time.Duration {
	for off, end := lo, min(hi, w.source.length()); off < end; {
		_, zero, n, err := w.source.drv.status(off, end-off)
		if err != nil || !zero {
			return w.job.m.opts.ChunkTime * time.Duration(hi-lo) / copyChunkBytes
		}
		off += max(n, 1)
	}
	return chunkTimeZero
}

// copyParts copies a run in the requests that QEMU makes of it. One that fails leaves its
// part dirty; the others are done all the same.
func (w *mirror) copyParts(lo, hi int64) (isRead bool, first error) {
	size := w.source.length()
	for part := max(copyChunkBytes, w.dirty.granularity()); lo < hi; lo += part {
		end := min(lo+part, hi)
		read, err := copyNodes(w.source, w.target, lo, min(end, size)-lo)
		if err == nil {
			w.done += end - lo
			continue
		}
		w.dirty.bits.add(lo>>w.dirty.shift, end>>w.dirty.shift)
		if first == nil {
			isRead, first = read, err
		}
	}
	return isRead, first
}

func (w *mirror) failed(isRead bool, err error) bool {
	policy := w.onTarget
	if isRead {
		policy = w.onSource
	}
	return w.job.failed(isRead, policy, err)
}

// copyNodes copies a range through memory; what reads as zero is written as zeroes.
func copyNodes(from, to *node, off, n int64) (isRead bool, err error) {
	r := &from.m.chunks
	for end := off + n; off < end; off += n {
		_, zero, part, err := from.drv.status(off, end-off)
		if err != nil {
			return true, err
		}
		n = max(part, 1)
		if zero {
			err = to.zeroUnmap(off, n)
		} else {
			if err := r.read(from, off, n); err != nil {
				return true, err
			}
			err = to.writeSegments(off, n, r.segs)
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// wake starts the job again when a guest has written to what was the same.
func (w *mirror) wake() {
	j := w.job
	if j.status != jobReady || !w.idle() || w.dirty.bits.count > 0 {
		return
	}
	j.gen++
	gen := j.gen
	poll := mirrorPollTime
	if w.blocking {
		poll = chunkTimeZero // the guest's write does it
	}
	j.m.p.Go("job-"+j.id, func() {
		j.m.mu.Lock()
		defer j.m.mu.Unlock()
		if j.wait(gen, poll) && j.active() && j.working() {
			j.pump()
		}
	})
}

// finished takes the filter out and, if the job was completed, puts the target in the
// source's place.
func (w *mirror) finished(failed bool) {
	m := w.job.m
	section := m.drain(w.top)
	defer section.end()
	if !failed && w.pivot {
		w.survives()
	}
	w.job.dropEdges()
	w.backend.drop()
	w.source.bitmaps.release(w.dirty)
	w.dirty.notify = nil
	m.removeFilter(w.top)
	if failed || !w.pivot {
		return // the base of a commit stays writable
	}
	w.replace()
}

// survives dies where the real binary does: writes of the guest that the section holds go
// on before the data file of a new image may be written. What comes while the section
// waits is held, too.
func (w *mirror) survives() {
	img := w.target.image()
	if img == nil || !img.data.external {
		return
	}
	m := w.job.m
	m.pass(chunkTimeZero)
	if m.heldWrites > 0 {
		_ = m.die("")
	}
}

// replace moves the parents of what is replaced to the target.
func (w *mirror) replace() {
	old := w.source
	if w.replaces != "" {
		if n := w.job.m.node(w.replaces); n != nil {
			old = n
		}
	}
	old.moveParents(w.target, func(e *edge) bool { return e.parent == nil || !w.target.reaches(e.parent) })
	if !old.owned && len(old.parents) == 0 {
		_ = w.job.m.closeNode(old)
	}
}

// allocatedAbove tells whether a layer from n down to base, which is not asked, has
// the range at off, and for how long that holds.
func (n *node) allocatedAbove(base *node, off, length int64) (bool, int64, error) {
	for x := n; x != nil && x != base; x = x.below() {
		if x.isFilter() {
			continue
		}
		if off >= x.length() { // zeroes beyond a short layer are its own, but not beyond the first
			return x != n, length, nil
		}
		allocated, _, part, err := x.drv.status(off, min(length, x.length()-off))
		if err != nil {
			return false, 0, err
		}
		length = min(length, max(part, 1))
		if allocated {
			return true, length, nil
		}
	}
	return false, length, nil
}
