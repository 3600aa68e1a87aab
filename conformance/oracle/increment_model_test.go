package oracle

import (
	"testing"

	"pgregory.net/rapid"
)

// sectorImage is an increment of which each sector is held or not.
type sectorImage struct {
	held []bool
	data []byte
}

func (m sectorImage) Size() int64 { return int64(len(m.data)) }

func (m sectorImage) ReadAt(p []byte, off int64) (int, error) { return copy(p, m.data[off:]), nil }

func (m sectorImage) Next(off int64) (int64, Kind, error) {
	if m.held[off/SectorSize] {
		return SectorSize, Data, nil
	}
	return SectorSize, Unallocated, nil
}

// increments is a world in which increments were made.
type increments struct {
	*world
	since *Instant
	held  [][]bool // per disk and sector
}

// explains is the definition: what is held is what the cut shows, and what is not
// held has no write of the cut that surely came after the first instant.
func (w *increments) explains(s set) bool {
	for i, d := range w.h.disks {
		for sector := range modelSectors {
			if w.held[i][sector] {
				if !w.may(s, d, sector, w.shown[i][sector]) {
					return false
				}
			} else if w.changed(s, d, sector) {
				return false
			}
		}
	}
	return true
}

func (w *increments) changed(s set, d *Disk, sector int) bool {
	from := int64(sector) * SectorSize
	for _, v := range d.writes {
		if s.has(v) && !v.failed && w.since.lacks(v) && v.covers(from, from+SectorSize) {
			return true
		}
	}
	return false
}

func (w *increments) explained() bool {
	for s := range set(1) << len(w.h.writes) {
		if w.legal(s) && w.explains(s) {
			return true
		}
	}
	return false
}

func (w *increments) evidence() Evidence {
	var e Evidence
	for i, d := range w.h.disks {
		img := sectorImage{held: w.held[i], data: make([]byte, d.Size)}
		for sector, show := range w.shown[i] {
			if from := int64(sector) * SectorSize; show != nil {
				copy(img.data[from:from+SectorSize], show.Data()[from-show.Offset:])
			}
		}
		e.Images = append(e.Images, DiskImage{Disk: d, Image: img, Since: w.since, OnlyAllocated: true})
	}
	return e
}

// drawIncrements makes increments by a legal cut: a sector is held if the cut has a
// write there since the first instant, and sometimes else.
func drawIncrements(t *rapid.T) *increments {
	w := &increments{world: drawHistory(t)}
	w.drawEvidence(t)
	issued := rapid.Uint64Range(0, w.at.issued-1).Draw(t, "since issued")
	w.since = &Instant{h: w.h, issued: issued, returned: rapid.Uint64Range(issued, w.at.issued-1).Draw(t, "since returned")}
	for range w.h.disks {
		held := make([]bool, modelSectors)
		for sector := range held {
			held[sector] = rapid.Bool().Draw(t, "held")
		}
		w.held = append(w.held, held)
	}
	return w
}

func TestCheck_OfIncrementsAgreesWithTryingAllCuts(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w := drawIncrements(t)
		w.mutate(t)
		f, err := w.h.Check(w.at, w.evidence())
		if err != nil {
			t.Fatal(err)
		}
		if want := w.explained(); want != (f == nil) {
			t.Fatalf("explained: %v, but the finding is %v", want, f)
		} else if want {
			accepted++
		} else {
			refused++
		}
	})
	if accepted == 0 || refused == 0 {
		t.Errorf("%d accepted, %d refused: one of them was never tried", accepted, refused)
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
}
