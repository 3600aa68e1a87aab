package sim

import (
	"syscall"
	"time"
)

// syncMode is MirrorSyncMode as far as a backup has it.
type syncMode string

const (
	syncFull        syncMode = "full"
	syncTop         syncMode = "top"
	syncNone        syncMode = "none"
	syncIncremental syncMode = "incremental"
	syncBitmap      syncMode = "bitmap"
)

// backup is the work of a backup job.
type backup struct {
	job     *job
	copy    *blockCopy
	filter  *node
	source  *node // the node that the filter was put over; bitmaps stay there
	target  *node
	mode    syncMode
	bitmap  *bitmap // nil without one
	bitMode string  // "on-success", "never", "always"

	onSource, onTarget string // error policies
	limit              int64  // speed as given
	begun              bool   // a pump has worked on it
	over               bool   // resumed with nothing it can copy: it ends, and is not paused again
	overText           string // why, if it could not
	wasData            bool   // the last chunk was read from the source
	more               bool   // and another was to follow it
	// loads is set when the job was resumed and reads a table of its source before it
	// waits for its speed limit.
	loads bool
	// throttled is set when a chunk has waited for a throttle group.
	throttled bool
}

func (b *backup) idle() bool                       { return b.copy.background() == 0 }
func (b *backup) progress() (current, total int64) { return b.copy.progress() }
func (b *backup) speed() int64                     { return b.limit }

func (b *backup) setSpeed(speed int64) {
	b.limit = speed
	b.copy.rate.set(speed)
}

// throttleSleepMax is the longest speed delay that is a progress timer; a longer
// one is a stall that must not draw the clock, and fires when nothing else can run.
const throttleSleepMax = 2 * time.Second

// step starts what may start, then finishes the oldest chunk.
func (b *backup) step(gen int) bool {
	c, m := b.copy, b.job.m
	b.begun, b.loads = true, false
	if b.mode == syncNone {
		return false // copies for guest writes only, until cancelled
	}
	delay, err := b.fill()
	if err != nil {
		c.failure, c.readFail = err, true
	}
	if c.background() == 0 {
		return b.between(gen, delay)
	}
	k := b.oldest()
	if m.drains == 0 && k.due.After(m.p.Now()) {
		b.throttled = true
		b.job.cond.WaitUntil(k.due)
		return gen == b.job.gen
	}
	m.pass(c.duration(k))
	if gen != b.job.gen {
		return false
	}
	b.finishChunk(k)
	return true
}

// look asks for the status of the next chunk, as QEMU does before it waits.
func (c *blockCopy) look() error {
	r, ok := c.bits.bits.next(0)
	if !ok {
		return nil
	}
	lo := r.lo << c.bits.shift
	_, _, err := c.status(lo, lo+c.cluster)
	return err
}

// duration is how long a chunk's I/O takes.
func (c *blockCopy) duration(k chunk) time.Duration {
	if k.zeroes {
		return chunkTimeZero
	}
	return c.m.opts.ChunkTime * time.Duration(k.hi-k.lo) / copyChunkBytes
}

func (b *backup) oldest() chunk {
	for _, k := range b.copy.inflight {
		if !k.guest {
			return k
		}
	}
	return chunk{}
}

func (b *backup) finishChunk(k chunk) {
	c := b.copy
	b.wasData = !k.zeroes
	isRead, err := c.complete(k)
	b.job.m.inflight--
	if err != nil && c.failure == nil {
		c.failure, c.readFail = err, isRead
	}
}

// fill starts chunks as far as pause, errors, speed and workers allow; delay is
// how long the speed limit holds the next one back.
func (b *backup) fill() (delay time.Duration, err error) {
	c, j := b.copy, b.job
	for n := c.background(); n < c.workers; n++ {
		if j.pauseCount > 0 || j.cancelled || c.failure != nil || c.bits.bits.count == 0 {
			return 0, nil
		}
		if delay := c.rate.delay(j.m.p.Now(), 0); delay > 0 {
			return delay, c.look()
		}
		k, ok, err := c.claim(0, c.bits.count()+c.length, false)
		if err != nil || !ok {
			return 0, err
		}
		j.m.inflight++
		b.more = c.bits.bits.count > 0
		c.rate.delay(j.m.p.Now(), k.hi-k.lo)
	}
	return 0, nil
}

// between decides what comes when nothing is in flight.
func (b *backup) between(gen int, delay time.Duration) bool {
	c, j := b.copy, b.job
	switch {
	case j.joined:
		return false // whoever waits for the job ends it
	case j.settlePause():
		return false
	case j.cancelled:
		j.end("")
		return false
	case c.failure != nil && b.sleeps():
		// The background copy waits for its speed limit before it looks at what became
		// of a write that took a read first; whatever wakes it begins it anew.
		c.failure = nil
		j.cond.WaitUntil(j.m.p.Now().Add(c.rate.delay(j.m.p.Now(), 0)))
		return gen == j.gen
	case c.failure != nil:
		return b.failed()
	case c.bits.bits.count == 0 && len(c.inflight) > 0:
		j.m.io.Wait() // the guest copies the last of it
		return gen == j.gen
	case c.bits.bits.count == 0:
		j.end("")
		return false
	case delay > throttleSleepMax:
		j.cond.WaitUntil(j.m.p.Now().Add(delay))
		return gen == j.gen
	}
	j.m.pass(delay)
	return gen == j.gen
}

// sleeps reports whether a failed write will not be seen before the speed limit lets the
// next chunk go.
func (b *backup) sleeps() bool {
	c := b.copy
	return !c.readFail && b.wasData && b.more && c.rate.delay(b.job.m.p.Now(), 0) > throttleSleepMax
}

// failed applies the error policy.
func (b *backup) failed() bool {
	c, policy := b.copy, b.onTarget
	if c.readFail {
		policy = b.onSource
	}
	err := c.failure
	c.failure = nil
	return b.job.failed(c.readFail, policy, err)
}

// failsAtOnce reports whether the next write is refused before the copy waits for anything:
// the first chunk is known to be zero, and the target has bitmaps that are read-only.
func (b *backup) failsAtOnce() bool {
	c := b.copy
	r, ok := c.bits.bits.next(0)
	lo := r.lo << c.bits.shift
	if !ok || b.mode == syncNone || !c.target.bitmaps.frozen() || c.rate.delay(b.job.m.p.Now(), 0) > 0 || c.source().isCold(lo) {
		return false
	}
	zero, n, err := c.status(lo, lo+c.cluster)
	return err == nil && zero && n == c.cluster
}

// failAtOnce fails where a job goes on, before those that go on after it.
func (b *backup) failAtOnce() {
	b.begun = true
	switch b.job.tellError(false, b.onTarget, syscall.EPERM) {
	case "report":
		b.over, b.overText = true, errText(syscall.EPERM)
	case "stop":
		b.job.stopOnError()
	}
}

// mustLoad reports whether the next chunk's status is not in the cache, and the chunk has to
// wait.
func (b *backup) mustLoad() bool {
	c := b.copy
	r, ok := c.bits.bits.next(0)
	return ok && b.mode != syncNone && c.rate.delay(b.job.m.p.Now(), 0) > throttleSleepMax && c.source().isCold(r.lo<<c.bits.shift)
}

// isDone reports whether nothing is left to copy: the guest may have copied the rest.
func (b *backup) isDone() bool {
	return b.mode != syncNone && b.copy.bits.bits.count == 0 && len(b.copy.inflight) == 0 && b.copy.failure == nil
}

// runEmpty ends a job at once that has nothing to read: always for one without
// work, usually for one that only writes zeroes (§0.2).
func (b *backup) runEmpty() {
	c := b.copy
	if b.over || b.mode == syncNone || b.limit > 0 && c.bits.bits.count > 0 {
		return
	}
	if c.bits.bits.count > 0 && !c.isZero() {
		return
	}
	for !b.job.cancelled && b.job.pauseCount == 0 {
		if _, err := b.fill(); err != nil {
			c.failure, c.readFail = err, true
		}
		if b.idle() {
			break
		}
		b.finishChunk(b.oldest())
	}
	if c.failure == nil && b.job.pauseCount == 0 {
		b.job.gen++
		b.job.end("")
	}
}

// isZero reports whether all that is to copy reads as zero by its status.
func (c *blockCopy) isZero() bool {
	for r, ok := c.bits.bits.next(0); ok; r, ok = c.bits.bits.next(r.hi) {
		if zero, err := c.source().isZero(r.lo<<c.bits.shift, min(r.hi<<c.bits.shift, c.length)); err != nil || !zero {
			return false
		}
	}
	return true
}

// finished gives back bitmap, filter and target (§3.7, §5.9).
func (b *backup) finished(failed bool) {
	b.endBitmap(failed)
	b.dropFilter()
}

func (b *backup) endBitmap(failed bool) {
	if b.bitmap == nil {
		return
	}
	list := &b.source.bitmaps
	take := (!failed || b.bitMode == "always") && b.bitMode != "never"
	if !take {
		list.reclaim(b.bitmap)
	} else {
		s := list.abdicate(b.bitmap)
		if failed {
			s.mergeFrom(b.copy.bits) // what was not copied is still dirty
		}
	}
	b.bitmap = nil
}

// dropFilter takes the filter out of the graph when no request is inside it.
func (b *backup) dropFilter() {
	m := b.job.m
	section := m.drain(b.filter) // other jobs above it show this
	defer section.end()
	b.copy.closed = true
	b.job.dropEdges()
	m.removeFilter(b.filter)
	m.unhold()
	b.source.bitmaps.release(b.copy.bits)
}
