package oracle

import "fmt"

// cut collects what the evidence says about each write and finds out whether a
// legal cut exists.
type cut struct {
	h  *History
	at *Instant
	// Per write, by sequence number minus one: where it was first seen to be in
	// or out. A place with a nil disk says nothing.
	in, out []place
}

// place is where something was seen.
type place struct {
	disk           *Disk
	offset, length int64
	seen           string // what was seen there
}

func newCut(h *History, at *Instant) *cut {
	return &cut{h: h, at: at, in: make([]place, len(h.writes)), out: make([]place, len(h.writes))}
}

// mustIn notes that the evidence shows w before the instant.
func (c *cut) mustIn(w *Write, p place) {
	if c.in[w.Seq-1].disk == nil {
		c.in[w.Seq-1] = p
	}
}

// mustOut notes that the evidence shows the state without w. A failed write may
// have had no effect, so its absence says nothing.
func (c *cut) mustOut(w *Write, p place) {
	if !w.failed && c.out[w.Seq-1].disk == nil {
		c.out[w.Seq-1] = p
	}
}

// judge returns nil if a legal cut exists.
func (c *cut) judge() *Finding {
	var lastIn, firstOut *Write // the in issued last, the out acknowledged first
	for i, w := range c.h.writes {
		in, out := c.in[i].disk != nil, c.out[i].disk != nil
		if in && out {
			return c.both(w)
		}
		if in && w.issued > c.at.returned {
			return c.alone(w, c.in[i], "shows a write that was issued after the call had returned")
		}
		if out && w.acked < c.at.issued {
			return c.alone(w, c.out[i], "lacks a write that was acknowledged before the call")
		}
		if in && (lastIn == nil || w.issued > lastIn.issued) {
			lastIn = w
		}
		if out && (firstOut == nil || w.acked < firstOut.acked) {
			firstOut = w
		}
	}
	if lastIn != nil && firstOut != nil && firstOut.before(lastIn) {
		return c.torn(firstOut, lastIn)
	}
	return nil
}

// smallest marks the writes of the smallest legal cut. It is called after judge
// found no contradiction.
func (c *cut) smallest() []bool {
	var last uint64
	for i, w := range c.h.writes {
		if c.in[i].disk != nil {
			last = max(last, w.issued)
		}
	}
	last = max(last, c.at.issued)
	set := make([]bool, len(c.h.writes))
	for i, w := range c.h.writes {
		set[i] = c.in[i].disk != nil || w.acked < last
	}
	return set
}

func (c *cut) alone(w *Write, p place, problem string) *Finding {
	return &Finding{
		Disk: p.disk.Name, Offset: p.offset, Length: p.length, Problem: p.seen + ": it " + problem,
		Lines: append([]string{w.String(), c.interval()}, p.disk.sectorHistory(p.offset, p.length)...),
	}
}

func (c *cut) both(w *Write) *Finding {
	in, out := c.in[w.Seq-1], c.out[w.Seq-1]
	return &Finding{
		Disk: in.disk.Name, Offset: in.offset, Length: in.length,
		Problem: "one write is in one part of the evidence and not in another",
		Lines: []string{
			w.String(), c.interval(),
			fmt.Sprintf("in:  %s at %d: %s", in.disk.Name, in.offset, in.seen),
			fmt.Sprintf("out: %s at %d: %s", out.disk.Name, out.offset, out.seen),
		},
	}
}

func (c *cut) torn(earlier, later *Write) *Finding {
	in, out := c.in[later.Seq-1], c.out[earlier.Seq-1]
	return &Finding{
		Disk: in.disk.Name, Offset: in.offset, Length: in.length,
		Problem: "no single instant: a later write is there and an earlier one is not",
		Lines: []string{
			"missing: " + earlier.String(),
			fmt.Sprintf("  %s at %d: %s", out.disk.Name, out.offset, out.seen),
			"there:   " + later.String(),
			fmt.Sprintf("  %s at %d: %s", in.disk.Name, in.offset, in.seen),
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
