package simrt

import (
	"slices"
	"time"
)

// cond is a condition variable. Its waiters stand in q, longest first.
type cond struct {
	w    *World
	name *name
	key  uint64
	m    *mutex
	q    []*task
}

// Wait blocks until woken.
func (c *cond) Wait() { c.wait(false, 0) }

// WaitUntil blocks until woken, true, or until the deadline fired, false.
func (c *cond) WaitUntil(deadline time.Time) bool { return c.wait(true, c.w.nanos(deadline)) }

func (c *cond) wait(timed bool, at int64) bool {
	w := c.w
	t := w.actor()
	if t == nil {
		panic("simrt: wait on " + c.name.s + " after the world ended")
	}
	t.mustLive()
	if c.m.own != t {
		panic("wait on " + c.name.s + " by " + t.label() + ", which does not hold " + c.m.name.s)
	}
	w.point(t, w.ops.wait, c.name, c.key)
	c.q = append(c.q, t)
	t.cond, t.timedOut = c, false
	if timed {
		w.setTimer(t, at, timeout)
	}
	c.m.release()
	w.block(t, w.ops.park, c.name, c.key)
	c.m.take(t)
	return !t.timedOut
}

// Signal wakes the longest waiter; it is no choice point.
func (c *cond) Signal() {
	if t := c.w.actor(); t == nil || t.unwinding() || len(c.q) == 0 {
		return
	}
	c.wakeFirst()
}

// Broadcast wakes all waiters; it is no choice point.
func (c *cond) Broadcast() {
	if t := c.w.actor(); t == nil || t.unwinding() {
		return
	}
	for len(c.q) > 0 {
		c.wakeFirst()
	}
}

func (c *cond) wakeFirst() {
	t := c.q[0]
	c.drop(t)
	c.w.dropTimer(t)
	c.m.rejoin(t)
}

// drop takes t out of the queue.
func (c *cond) drop(t *task) {
	i := slices.Index(c.q, t)
	assertf(i >= 0, "not in the queue of its condition", t)
	c.q = slices.Delete(c.q, i, i+1)
	t.cond = nil
}
