package oracle

import "fmt"

// increment judges a range that an increment does not hold: nothing was written
// there from the one instant to the other. A write of which nobody knows whether
// it came before the first instant says nothing here; the image over the backup
// of that instant does.
func (r *reader) increment(e Range) error {
	for _, w := range r.Disk.writes {
		if w.Offset >= e.end() || w.end() <= e.Offset || !r.Since.lacks(w) {
			continue
		}
		from, to := max(w.Offset, e.Offset), min(w.end(), e.end())
		if r.at.has(w) {
			return r.notHeld(w, Range{from, to - from})
		}
		if !r.at.lacks(w) {
			r.mustOut(w, place{disk: r.Disk, offset: from, length: to - from, missing: true})
		}
	}
	return nil
}

// notHeld is for a write between the two instants that the increment lacks.
func (r *reader) notHeld(w *Write, e Range) *Finding {
	return &Finding{
		Disk: r.Disk.Name, Offset: e.Offset, Length: e.Length,
		Problem: fmt.Sprintf("the increment does not hold what write %d wrote since the checkpoint (I7)", w.Seq),
		Lines:   append([]string{r.interval()}, r.Disk.sectorHistory(e.Offset, e.Length)...),
	}
}
