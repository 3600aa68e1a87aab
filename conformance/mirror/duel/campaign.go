package duel

import (
	"fmt"
	"sync"

	"fleece/conformance/mirror/coverage"
)

// Campaign runs many sessions, several at a time.
type Campaign struct {
	Binary, TempDir string
	Steps           int    // of all sessions together, at least
	Seed            uint64 // of the first session; the others follow
	SessionSteps    int    // 0: SessionSteps
	Workers         int
	// Found gets each session that differs, shrunk. It is called by one goroutine
	// at a time.
	Found func(whole, shrunk Session)
	// First ends the campaign at the first session that differs, which is not shrunk; the
	// steps after the difference do not count.
	First bool
	// Coverage, if set, counts the outcomes.
	Coverage *coverage.Count
}

// Totals are what a campaign did.
type Totals struct{ Steps, Sessions, Divergences int }

// Run runs the campaign. Sessions begin in the order of their seeds.
func (c *Campaign) Run() (t Totals, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := c.Seed
	for range max(c.Workers, 1) {
		d, e := New(c.Binary, c.TempDir)
		if e != nil {
			err = e
			break
		}
		wg.Go(func() {
			for {
				mu.Lock()
				seed, done := next, t.Steps >= c.Steps || c.First && t.Divergences > 0
				next++
				mu.Unlock()
				if done {
					break
				}
				c.session(d, seed, &mu, &t)
			}
			if e := d.Close(); e != nil {
				mu.Lock()
				err = fmt.Errorf("end a QEMU: %w", e)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return t, err
}

func (c *Campaign) session(d *Duel, seed uint64, mu *sync.Mutex, t *Totals) {
	n := c.SessionSteps
	if n == 0 {
		n = SessionSteps
	}
	whole := d.Session(seed, n)
	var shrunk Session
	if whole.Difference != nil && !c.First {
		shrunk = d.Shrink(whole)
	}
	mu.Lock()
	defer mu.Unlock()
	steps := whole.Steps
	if c.First && whole.Difference != nil && whole.Difference.Step >= 0 {
		steps = whole.Difference.Step + 1
	}
	t.Steps += steps
	t.Sessions++
	if c.Coverage != nil {
		whole.count(c.Coverage)
	}
	if whole.Difference != nil {
		t.Divergences++
		c.Found(whole, shrunk)
	}
}
