package realrt

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"fleece/rt"
)

// mutex is a sync.Mutex that knows a task which died with it.
type mutex struct {
	p    *process
	name string
	mu   sync.Mutex
	// holder is the goroutine that has the lock; 0 for none, and always for
	// the kernel's locks.
	holder atomic.Uint64
	// owing is the task that took the lock again to die. Protected by mu.
	owing *task
}

// NewMutex makes a lock.
func (p *process) NewMutex(name string) rt.Mutex { return &mutex{p: p, name: name} }

// Lock takes the lock.
func (m *mutex) Lock() {
	m.mu.Lock()
	if m.p != m.p.w.kernel {
		m.holder.Store(goroutineID())
	}
}

// Unlock releases the lock. In a dead process it does nothing for a task that has
// not got it: one that died while it had let the lock go runs a deferred Unlock
// that was meant for the time after.
func (m *mutex) Unlock() {
	if m.p != m.p.w.kernel {
		if !m.p.Alive() && m.holder.Load() != goroutineID() {
			return
		}
		m.holder.Store(0)
	}
	if t := m.owing; t != nil {
		m.owing = nil
		t.owed = slices.DeleteFunc(t.owed, func(o *mutex) bool { return o == m })
	}
	m.mu.Unlock()
}

// cond is a condition variable with deadlines.
type cond struct {
	p    *process
	name string
	m    *mutex

	mu sync.Mutex // protects q
	q  []*waiter  // longest first
}

// waiter is one that waits; woken is closed by Signal or Broadcast after it was
// taken out of the queue.
type waiter struct{ woken chan struct{} }

// NewCond makes a condition over m.
func (p *process) NewCond(name string, m rt.Mutex) rt.Cond {
	own, ok := m.(*mutex)
	if !ok {
		panic("realrt: condition " + name + " over a lock that NewMutex of this package did not make")
	}
	return &cond{p: p, name: name, m: own}
}

// Wait blocks until woken.
func (c *cond) Wait() { c.wait(nil) }

// WaitUntil blocks until woken, true, or until the deadline passed, false.
func (c *cond) WaitUntil(deadline time.Time) bool {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	return c.wait(timer.C)
}

func (c *cond) wait(deadline <-chan time.Time) bool {
	w := &waiter{woken: make(chan struct{})}
	c.mu.Lock()
	c.q = append(c.q, w)
	c.mu.Unlock()
	c.m.Unlock()
	woken := true
	select {
	case <-w.woken:
	case <-deadline:
		woken = !c.remove(w)
	case <-c.p.dead:
		c.remove(w)
	}
	c.m.Lock()
	select {
	case <-c.p.dead:
		c.die()
	default:
	}
	return woken
}

// remove takes w out of the queue; false if it was woken already.
func (c *cond) remove(w *waiter) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.q, w)
	if i < 0 {
		return false
	}
	c.q = slices.Delete(c.q, i, i+1)
	return true
}

// die ends the task, which holds the lock.
func (c *cond) die() {
	if t := c.p.w.task(goroutineID()); t != nil {
		c.m.owing = t
		t.owed = append(t.owed, c.m)
	}
	runtime.Goexit()
}

// Signal wakes the longest waiter.
func (c *cond) Signal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.q) > 0 {
		close(c.q[0].woken)
		c.q = slices.Delete(c.q, 0, 1)
	}
}

// Broadcast wakes all waiters.
func (c *cond) Broadcast() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.q {
		close(w.woken)
	}
	c.q = nil
}
