package sim

import (
	"syscall"
	"time"
)

// How a backup copies (block/block-copy.c).
const (
	copyChunkBytes     = 1 << 20 // one task
	copyWorkersDefault = 64      // tasks in flight
	copyClusterMin     = 64 << 10
	rateSlice          = 100 * time.Millisecond
)

// How long I/O takes in virtual time.
const (
	chunkTimeDefault = time.Millisecond
	chunkTimeZero    = 100 * time.Microsecond
)

// chunk is a range being copied; its bits are clear in the copy bitmap.
type chunk struct {
	lo, hi int64     // bytes, at cluster boundaries
	guest  bool      // copied because the guest writes there
	zeroes bool      // nothing to read in it
	due    time.Time // when throttle groups let it go
}

// blockCopy copies what is set in a bitmap from the filter's source to a target.
type blockCopy struct {
	m       *Machine
	filter  *node
	target  *node
	cluster int64
	length  int64   // of the disk
	bits    *bitmap // what is still to copy: an anonymous bitmap of the source
	// doneBits of the filter is what was copied for guest writes.
	doneBits *bitmap
	inflight []chunk
	done     int64 // bytes copied, whole clusters
	maxChunk int64
	workers  int
	compress bool
	closed   bool

	rate     rateLimit
	parts    []segment
	failure  error // the first error of the background copy since its start
	readFail bool
}

// background counts the tasks of the job itself.
func (c *blockCopy) background() int {
	n := 0
	for i := range c.inflight {
		if !c.inflight[i].guest {
			n++
		}
	}
	return n
}

func (c *blockCopy) source() *node { return c.filter.child("file") }

// progress counts clusters, so that the total may exceed the disk (§5.4).
func (c *blockCopy) progress() (current, total int64) {
	total = c.done + c.bits.count()
	for _, k := range c.inflight {
		total += k.hi - k.lo
	}
	return c.done, total
}

// claim takes the next chunk at or after off and before end.
func (c *blockCopy) claim(off, end int64, guest bool) (chunk, bool, error) {
	r, ok := c.bits.bits.next(off >> c.bits.shift)
	lo, hi := r.lo<<c.bits.shift, r.hi<<c.bits.shift
	if !ok || lo >= end {
		return chunk{}, false, nil
	}
	k := chunk{lo: lo, hi: min(hi, end), guest: guest}
	zero, n, err := c.status(lo, hi)
	if err != nil {
		return k, true, err
	}
	limit := int64(copyChunkBytes)
	if c.maxChunk > 0 {
		limit = min(limit, c.maxChunk&^(c.cluster-1))
	}
	limit = max(limit, c.cluster) // a task copies one cluster at least (2 MiB clusters)
	// A task never goes on where the status changes (block_copy_block_status).
	switch {
	case n < c.cluster: // also at the end of the disk
		n, zero = c.cluster, false
	case lo+n >= c.length:
		n = hi - lo
		if tail := (c.length - lo) % limit; tail > 0 && tail < c.cluster {
			n = c.length - lo - tail // the last task would be less than a cluster
		}
	default:
		n &^= c.cluster - 1
	}
	k.hi, k.zeroes = min(k.hi, lo+n), zero
	if !zero || c.rate.speed > 0 || guest {
		// For zeroes QEMU takes one chunk after the other, too; that no time
		// passes between them cannot be seen, and a large empty disk costs
		// nothing.
		k.hi = min(k.hi, lo+limit)
	}
	c.bits.bits.remove(k.lo>>c.bits.shift, k.hi>>c.bits.shift)
	if !guest && c.target.isThrottled() {
		k.due = c.m.reserve(c.target, k.hi-k.lo)
	}
	c.inflight = append(c.inflight, k)
	return k, true, nil
}

// status is that of the source from lo on; beyond its end there is none.
func (c *blockCopy) status(lo, hi int64) (zero bool, n int64, err error) {
	n = min(hi, c.length, c.source().length()) - lo
	if n <= 0 {
		return false, 0, nil
	}
	_, zero, n, err = c.source().drv.status(lo, n)
	return zero, n, err
}

// complete copies a claimed chunk and takes it out of flight; on an error it is
// to copy again.
func (c *blockCopy) complete(k chunk) (isRead bool, err error) {
	isRead, err = c.copyRange(k)
	for i := range c.inflight {
		if c.inflight[i] == k {
			c.inflight = append(c.inflight[:i], c.inflight[i+1:]...)
			break
		}
	}
	if err != nil {
		c.bits.bits.add(k.lo>>c.bits.shift, k.hi>>c.bits.shift)
	} else {
		c.done += k.hi - k.lo
	}
	c.m.io.Broadcast()
	return isRead, err
}

// copyRange reads the chunk and writes it (§5.4).
func (c *blockCopy) copyRange(k chunk) (isRead bool, err error) {
	end := min(k.hi, c.length)
	if k.zeroes {
		return false, c.target.zero(k.lo, end-k.lo)
	}
	c.m.chunks.reset()
	if err := readShort(&c.m.chunks, c.source(), k.lo, end-k.lo); err != nil {
		return true, err
	}
	if img := c.target.image(); c.compress && img != nil && img.hasClusters(k.lo, end-k.lo) {
		return false, syscall.EIO // a compressed cluster cannot replace one
	}
	segs := c.m.chunks.segs
	// What is stored is written as data, be it zeroes.
	c.parts = cut(c.parts[:0], segs, k.lo, end-k.lo, 0)
	return false, c.target.writeSegments(k.lo, end-k.lo, c.parts)
}

// beforeWrite copies what a guest is about to overwrite. Locks are let go while
// the copy is under way.
func (c *blockCopy) beforeWrite(off, n int64) error {
	mask := c.cluster - 1
	lo, hi := off&^mask, (off+n+mask)&^mask
	copied := false
	for {
		if c.closed {
			return nil
		}
		if c.overlaps(lo, hi) {
			c.m.io.Wait()
			continue
		}
		k, ok, err := c.claim(lo, hi, true)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		copied = true
		c.m.throttle(c.target, k.hi-k.lo)
		c.m.pass(chunkTimeZero)
		if _, err := c.complete(k); err != nil {
			return err
		}
	}
	c.doneBits.mark(lo, min(hi, c.length)-lo)
	if copied {
		// Others may run between the copy and the write itself.
		c.m.mu.Unlock()
		c.m.mu.Lock()
	}
	return nil
}

func (c *blockCopy) overlaps(lo, hi int64) bool {
	for _, k := range c.inflight {
		if k.lo < hi && lo < k.hi {
			return true
		}
	}
	return false
}

// pass lets virtual time go by without the lock.
func (m *Machine) pass(d time.Duration) {
	m.mu.Unlock()
	m.p.Sleep(d)
	m.mu.Lock()
}

// rateLimit is QEMU's ratelimit.h (§5.5).
type rateLimit struct {
	speed      int64 // bytes/s; 0: no limit
	quota      int64 // bytes per slice
	start, end time.Time
	dispatched int64
}

func (r *rateLimit) set(speed int64) {
	r.speed = speed
	r.quota = max(int64(float64(speed)*rateSlice.Seconds()), 1)
}

// delay accounts for n bytes and tells how long to wait before the next.
func (r *rateLimit) delay(now time.Time, n int64) time.Duration {
	if r.speed == 0 {
		return 0
	}
	if !now.Before(r.end) { // a timer fires a little after its time, so QEMU never sees the end itself
		r.start, r.end, r.dispatched = now, now.Add(rateSlice), 0
	}
	r.dispatched += n
	if r.dispatched < r.quota {
		return 0
	}
	slices := float64(r.dispatched) / float64(r.quota)
	r.end = r.start.Add(time.Duration(min(slices*float64(rateSlice), float64(rateDelayMax))))
	return r.end.Sub(now)
}

// rateDelayMax keeps a limit of 1 byte/s within time.Duration.
const rateDelayMax = 1 << 62
