package oracle

import (
	"fmt"
	"sort"
)

// cut collects what the evidence says about each free write: one that is in some
// legal cuts and not in others. Then it finds out whether a legal cut fits.
type cut struct {
	h    *History
	at   *Instant
	free []*Write // by sequence number
	// Per free write: where it was first seen to be in, or out.
	in, out []place
}

// place is where something was seen. One without disk says nothing.
type place struct {
	disk           *Disk
	offset, length int64
	shows          *Write // nil: never written, or a clean granule
	clean          bool   // it is a granule of a bitmap
	missing        bool   // it is not held by an increment
}

// String says what was seen.
func (p place) String() string {
	switch {
	case p.clean:
		return fmt.Sprintf("%s at %d: the granule is clean in the checkpoint's bitmap", p.disk.Name, p.offset)
	case p.missing:
		return fmt.Sprintf("%s at %d: not held by the increment", p.disk.Name, p.offset)
	case p.shows != nil:
		return fmt.Sprintf("%s at %d: the stamp of write %d", p.disk.Name, p.offset, p.shows.Seq)
	}
	return fmt.Sprintf("%s at %d: zeroes, as if never written", p.disk.Name, p.offset)
}

func newCut(h *History, at *Instant) *cut {
	c := &cut{h: h, at: at}
	for _, w := range h.writes {
		if !at.has(w) && !at.lacks(w) {
			c.free = append(c.free, w)
		}
	}
	c.in, c.out = make([]place, len(c.free)), make([]place, len(c.free))
	return c
}

// index is the place of a free write; -1 for any other.
func (c *cut) index(w *Write) int {
	i := sort.Search(len(c.free), func(i int) bool { return c.free[i].Seq >= w.Seq })
	if i < len(c.free) && c.free[i] == w {
		return i
	}
	return -1
}

// mustIn notes that the evidence shows w before the instant.
func (c *cut) mustIn(w *Write, p place) {
	if i := c.index(w); i >= 0 && c.in[i].disk == nil {
		c.in[i] = p
	}
}

// mustOut notes that the evidence shows the state without w. A failed write may
// have had no effect, so its absence says nothing.
func (c *cut) mustOut(w *Write, p place) {
	if i := c.index(w); i >= 0 && !w.failed && c.out[i].disk == nil {
		c.out[i] = p
	}
}

// judge returns nil if a legal cut fits what was noted.
func (c *cut) judge() *Finding {
	lastIn, firstOut := -1, -1 // the in issued last, the out acknowledged first
	for i, w := range c.free {
		in, out := c.in[i].disk != nil, c.out[i].disk != nil
		if in && out {
			return c.both(i)
		}
		if in && (lastIn < 0 || w.issued > c.free[lastIn].issued) {
			lastIn = i
		}
		if out && (firstOut < 0 || w.acked < c.free[firstOut].acked) {
			firstOut = i
		}
	}
	if lastIn >= 0 && firstOut >= 0 && c.free[firstOut].before(c.free[lastIn]) {
		return c.torn(firstOut, lastIn)
	}
	return nil
}

// smallest tells whether a write is in the smallest legal cut that fits. It is
// called after judge found no contradiction.
func (c *cut) smallest() (has func(w *Write) bool) {
	last := c.at.issued
	for i, w := range c.free {
		if c.in[i].disk != nil {
			last = max(last, w.issued)
		}
	}
	return func(w *Write) bool {
		if w.acked < last {
			return true
		}
		i := c.index(w)
		return i >= 0 && c.in[i].disk != nil
	}
}

func (c *cut) both(i int) *Finding {
	in, out := c.in[i], c.out[i]
	return &Finding{
		Disk: in.disk.Name, Offset: in.offset, Length: in.length,
		Problem: "one write is in one part of the evidence and not in another",
		Lines:   []string{c.free[i].String(), c.interval(), "in:  " + in.String(), "out: " + out.String()},
	}
}

func (c *cut) torn(earlier, later int) *Finding {
	in, out := c.in[later], c.out[earlier]
	return &Finding{
		Disk: in.disk.Name, Offset: in.offset, Length: in.length,
		Problem: "no single instant: a later write is there and an earlier one is not",
		Lines: []string{
			"missing: " + c.free[earlier].String(), "  " + out.String(),
			"there:   " + c.free[later].String(), "  " + in.String(),
			fmt.Sprintf("write %d was acknowledged before write %d was issued", c.free[earlier].Seq, c.free[later].Seq),
			c.interval(),
		},
	}
}

func (c *cut) interval() string {
	if c.at.returned == never {
		return fmt.Sprintf("the call was made at %d and has not returned", c.at.issued)
	}
	return fmt.Sprintf("the call was made at %d and returned at %d", c.at.issued, c.at.returned)
}
