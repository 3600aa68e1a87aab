package conformance

import "fmt"

// Counter counts what a spec's handlers of events have finished: the body may not end
// before, since the driver ends with it.
type Counter struct {
	t *T
	n int // guarded by T.mu
}

// NewCounter makes a counter that is at 0.
func (t *T) NewCounter() *Counter { return &Counter{t: t} }

// Add counts one more.
func (c *Counter) Add() {
	c.t.mu.Lock()
	c.n++
	c.t.noteChange()
	c.t.mu.Unlock()
}

// Await waits until n are counted.
func (c *Counter) Await(n int) {
	c.t.Await(fmt.Sprintf("%d handlers to end", n), func() bool {
		c.t.mu.Lock()
		defer c.t.mu.Unlock()
		return c.n >= n
	})
}
