package oracle

import (
	"testing"

	"pgregory.net/rapid"
)

// The model: all sets of writes are tried, and each rule is applied as it is
// written in the package's doc, sector by sector.

const (
	modelSectors   = 6
	modelWritesMax = 7
)

// shown is what each sector of each disk shows: nil for zeroes.
type shown [][]*Write

// world is a random history with its instant and what was read.
type world struct {
	h     *History
	at    *Instant
	shown shown
	dirty [][]bool // per disk and sector, if bitmaps were read
	until *Instant
}

// drawHistory makes writes of two disks that overlap each other and the call.
func drawHistory(t *rapid.T) *world {
	h := New()
	w := &world{h: h}
	for _, name := range []string{"vda", "vdb"} {
		h.AddDisk(name, modelSectors*SectorSize)
	}
	var open []*Write
	steps := rapid.IntRange(3, 20).Draw(t, "steps")
	call := rapid.IntRange(0, steps-1).Draw(t, "call at")
	back := rapid.IntRange(call, steps+3).Draw(t, "back at")
	for i := range steps {
		switch i {
		case call:
			w.at = h.Begin()
		case back:
			w.at.Returned()
		}
		kind := rapid.IntRange(0, 9).Draw(t, "step")
		if kind < 5 && len(h.writes) < modelWritesMax {
			d := h.disks[rapid.IntRange(0, 1).Draw(t, "disk")]
			off := rapid.Int64Range(0, modelSectors-1).Draw(t, "sector")
			n := rapid.Int64Range(1, min(3, modelSectors-off)).Draw(t, "sectors")
			open = append(open, d.Issue(off*SectorSize, n*SectorSize))
		} else if len(open) > 0 {
			j := rapid.IntRange(0, len(open)-1).Draw(t, "which")
			if kind == 9 {
				open[j].Fail()
			} else {
				open[j].Ack()
			}
			open = append(open[:j], open[j+1:]...)
		}
	}
	w.until = instant(h)
	return w
}

type set uint

func (s set) has(w *Write) bool { return s>>(w.Seq-1)&1 != 0 }

// legal is the definition of a legal cut.
func (w *world) legal(s set) bool {
	for _, v := range w.h.writes {
		if w.at.has(v) && !s.has(v) || w.at.lacks(v) && s.has(v) {
			return false
		}
		for _, u := range w.h.writes {
			if u.before(v) && s.has(v) && !s.has(u) {
				return false
			}
		}
	}
	return true
}

// may is the definition of what a sector may show under a cut.
func (w *world) may(s set, d *Disk, sector int, show *Write) bool {
	from := int64(sector) * SectorSize
	if show != nil && (!s.has(show) || show.Disk != d || !show.covers(from, from+SectorSize)) {
		return false
	}
	for _, v := range d.writes {
		if s.has(v) && v.covers(from, from+SectorSize) && !v.failed && (show == nil || show.before(v)) {
			return false
		}
	}
	return true
}

// mayDirty is the definition of what a granule of one sector may be.
func (w *world) mayDirty(s set, d *Disk, sector int, dirty bool) bool {
	from := int64(sector) * SectorSize
	some := false
	for _, v := range d.writes {
		if !v.covers(from, from+SectorSize) {
			continue
		}
		if !dirty && w.until.has(v) && !s.has(v) {
			return false
		}
		some = some || !s.has(v) || v.failed
	}
	return !dirty || some
}

// explained tries all cuts.
func (w *world) explained() bool {
	for s := range set(1) << len(w.h.writes) {
		if w.legal(s) && w.explains(s) {
			return true
		}
	}
	return false
}

func (w *world) explains(s set) bool {
	for i, d := range w.h.disks {
		for sector := range modelSectors {
			if !w.may(s, d, sector, w.shown[i][sector]) {
				return false
			}
			if w.dirty != nil && !w.mayDirty(s, d, sector, w.dirty[i][sector]) {
				return false
			}
		}
	}
	return true
}

// drawEvidence draws what is read: by a legal cut, and then perhaps changed.
func (w *world) drawEvidence(t *rapid.T) {
	var cuts []set
	for s := range set(1) << len(w.h.writes) {
		if w.legal(s) {
			cuts = append(cuts, s)
		}
	}
	s := rapid.SampledFrom(cuts).Draw(t, "cut")
	if rapid.Bool().Draw(t, "with bitmaps") {
		w.dirty = [][]bool{make([]bool, modelSectors), make([]bool, modelSectors)}
	}
	for i, d := range w.h.disks {
		w.shown = append(w.shown, make([]*Write, modelSectors))
		for sector := range modelSectors {
			var may []*Write
			for _, v := range append([]*Write{nil}, d.writes...) {
				if w.may(s, d, sector, v) {
					may = append(may, v)
				}
			}
			w.shown[i][sector] = rapid.SampledFrom(may).Draw(t, "shows")
			if w.dirty != nil {
				w.dirty[i][sector] = !w.mayDirty(s, d, sector, false)
			}
		}
	}
}

// mutate changes up to three things of what is read.
func (w *world) mutate(t *rapid.T) {
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		i, sector := rapid.IntRange(0, 1).Draw(t, "disk"), rapid.IntRange(0, modelSectors-1).Draw(t, "sector")
		if w.dirty != nil && rapid.Bool().Draw(t, "bitmap") {
			w.dirty[i][sector] = !w.dirty[i][sector]
			continue
		}
		show := rapid.SampledFrom(append([]*Write{nil}, w.h.disks[i].writes...)).Draw(t, "other")
		from := int64(sector) * SectorSize
		if show == nil || show.covers(from, from+SectorSize) {
			w.shown[i][sector] = show
		}
	}
}

func (w *world) evidence() Evidence {
	var e Evidence
	for i, d := range w.h.disks {
		img := newImage(d.Size)
		for sector, show := range w.shown[i] {
			if from := int64(sector) * SectorSize; show != nil {
				img.put(show.Data()[from-show.Offset:][:SectorSize], from)
			}
		}
		e.Images = append(e.Images, DiskImage{Disk: d, Image: img})
		if w.dirty != nil {
			var offsets []int64
			for sector, dirty := range w.dirty[i] {
				if dirty {
					offsets = append(offsets, int64(sector)*SectorSize)
				}
			}
			e.Bitmaps = append(e.Bitmaps, DiskBitmap{
				Disk: d, Granularity: SectorSize, Dirty: Granules(offsets, SectorSize), Until: w.until,
			})
		}
	}
	return e
}

func TestCheck_AcceptsWhatALegalCutExplains(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawHistory(t)
		w.drawEvidence(t)
		if f, err := w.h.Check(w.at, w.evidence()); f != nil || err != nil {
			t.Fatalf("refused: %v, %v", f, err)
		}
	})
}

func TestCheck_AgreesWithTryingAllCuts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawHistory(t)
		w.drawEvidence(t)
		w.mutate(t)
		f, err := w.h.Check(w.at, w.evidence())
		if err != nil {
			t.Fatal(err)
		}
		if want := w.explained(); want != (f == nil) {
			t.Fatalf("some cut explains it: %v; the oracle says: %v", want, f)
		}
	})
}

func BenchmarkCheck_SimulatedCycle(b *testing.B) {
	h := New()
	d := h.AddDisk("vda", 1<<30)
	img := newImage(d.Size)
	for i := range int64(20) {
		img.apply(wrote(d, i*i*70000/512*512, 4096))
	}
	at := instant(h)
	flat := flatImage{img}
	b.ReportAllocs()
	for b.Loop() {
		if f, _ := h.Check(at, image(d, flat)); f != nil {
			b.Fatal(f)
		}
	}
}

// flatImage reads block by block, for speed.
type flatImage struct{ *memImage }

func (f flatImage) ReadAt(p []byte, off int64) (int, error) {
	for done := 0; done < len(p); {
		at := off + int64(done)
		done += copy(p[done:], f.blocks[at/memBlock][at%memBlock:])
	}
	return len(p), nil
}

func BenchmarkCheck_LongHistory(b *testing.B) {
	h := New()
	d := h.AddDisk("vda", 1<<24)
	img := newImage(d.Size)
	for i := range int64(100000) {
		img.apply2(wrote(d, i*7919%(1<<15-8)*512, 512*(1+i%8)))
	}
	at := instant(h)
	b.ReportAllocs()
	for b.Loop() {
		if f, _ := h.Check(at, image(d, flatImage{img})); f != nil {
			b.Fatal(f)
		}
	}
}

// apply2 is apply by copying.
func (m *memImage) apply2(w *Write) {
	for p, off := w.Data(), w.Offset; len(p) > 0; {
		if m.blocks[off/memBlock] == nil {
			m.blocks[off/memBlock] = make([]byte, memBlock)
		}
		n := copy(m.blocks[off/memBlock][off%memBlock:], p)
		p, off = p[n:], off+int64(n)
	}
}
