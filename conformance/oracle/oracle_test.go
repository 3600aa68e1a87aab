package oracle

import (
	"io"
	"strings"
	"testing"
)

// memImage is an image in memory for tests: blocks of 64 KiB by index. A block
// that is not there is unallocated, an empty one is zero.
type memImage struct {
	size   int64
	blocks map[int64][]byte
}

const memBlock = 64 << 10

func newImage(size int64) *memImage { return &memImage{size, make(map[int64][]byte)} }

func (m *memImage) Size() int64 { return m.size }

func (m *memImage) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		at := off + int64(i)
		if at >= m.size {
			return i, io.EOF
		}
		p[i] = m.blocks[at/memBlock][at%memBlock]
	}
	return len(p), nil
}

func (m *memImage) Next(off int64) (int64, Kind, error) {
	index := off / memBlock
	kind, next := m.kind(index), int64(1<<62)
	for i := range m.blocks { // the nearest block of another kind
		if i > index && i < next {
			next = i
		}
	}
	if kind != Unallocated {
		next = index + 1
	}
	if next == 1<<62 {
		return m.size - off, kind, nil
	}
	return next*memBlock - off, kind, nil
}

func (m *memImage) kind(index int64) Kind {
	b, ok := m.blocks[index]
	switch {
	case !ok:
		return Unallocated
	case b == nil:
		return Zero
	}
	return Data
}

func (m *memImage) put(p []byte, off int64) {
	for i, v := range p {
		at := off + int64(i)
		if m.blocks[at/memBlock] == nil {
			m.blocks[at/memBlock] = make([]byte, memBlock)
		}
		m.blocks[at/memBlock][at%memBlock] = v
	}
}

func (m *memImage) apply(writes ...*Write) *memImage {
	for _, w := range writes {
		m.put(w.Data(), w.Offset)
	}
	return m
}

// wrote is a write that is acknowledged at once.
func wrote(d *Disk, off, length int64) *Write {
	w := d.Issue(off, length)
	w.Ack()
	return w
}

func instant(h *History) *Instant {
	at := h.Begin()
	at.Returned()
	return at
}

func accepts(t *testing.T, h *History, at *Instant, e Evidence) {
	t.Helper()
	if f, err := h.Check(at, e); f != nil || err != nil {
		t.Fatalf("not accepted: %v, %v", f, err)
	}
}

func refuses(t *testing.T, h *History, at *Instant, e Evidence, offset int64, text string) {
	t.Helper()
	f, err := h.Check(at, e)
	if err != nil || f == nil {
		t.Fatalf("not refused: %v", err)
	}
	if f.Offset != offset || !strings.Contains(f.String(), text) {
		t.Fatalf("refused at %d (want %d) without %q:\n%s", f.Offset, offset, text, f)
	}
}

func image(d *Disk, img Image) Evidence {
	return Evidence{Images: []DiskImage{{Disk: d, Image: img}}}
}

func TestImage_WithAWriteBeforeAndOneDuringTheCallIsAccepted(t *testing.T) {
	h := New()
	d := h.AddDisk("vda", 1<<20)
	early := wrote(d, 4096, 8192)
	at := h.Begin()
	during := wrote(d, 0, 512)
	at.Returned()
	wrote(d, 8192, 512)
	accepts(t, h, at, image(d, newImage(d.Size).apply(early)))
	accepts(t, h, at, image(d, newImage(d.Size).apply(early, during)))
}

func TestImage_ThatIsWrongIsRefusedWithTheReason(t *testing.T) {
	h := New()
	d := h.AddDisk("vda", 16<<40+512)
	const far = 16<<40 - 4096
	old := wrote(d, far, 4096)
	base := wrote(d, far, 4096)
	at := h.Begin()
	first := wrote(d, 0, 512)
	second := wrote(d, 1<<33, 1024)
	at.Returned()
	late := wrote(d, far+512, 512)
	lateElsewhere := wrote(d, 1<<35, 512)
	good := func() *memImage { return newImage(d.Size).apply(base) }
	accepts(t, h, at, image(d, good().apply(first, second)))
	for _, c := range []struct {
		name   string
		img    *memImage
		offset int64
		text   string
	}{
		{"a lost write", newImage(d.Size), far, "the image lacks write 2, which was acknowledged before the call"},
		{"a stale write", newImage(d.Size).apply(old), far, "shows write 1, which write 2 had replaced"},
		{"a late write over another", good().apply(late), far + 512, "shows write 5, which was issued after the call had returned"},
		{"a late write in an empty place", good().apply(lateElsewhere), 1 << 35, "shows write 6, which was issued after"},
		{"a later write without an earlier one", good().apply(second), 1 << 33, "write 3 was acknowledged before write 4 was issued"},
	} {
		t.Run(c.name, func(t *testing.T) { refuses(t, h, at, image(d, c.img), c.offset, c.text) })
	}
	t.Run("half a write", func(t *testing.T) {
		img := good().apply(first)
		img.put(second.Data()[:512], second.Offset)
		refuses(t, h, at, image(d, img), 1<<33, "one write is in one part of the evidence and not in another")
	})
	t.Run("a torn sector", func(t *testing.T) {
		img := good()
		img.put(old.Data()[100:512], far+100)
		refuses(t, h, at, image(d, img), far, "a torn sector: it begins with the stamp of write 2")
	})
	t.Run("a sector at the wrong place", func(t *testing.T) {
		img := good()
		img.put(base.Data()[:512], far+1024)
		refuses(t, h, at, image(d, img), far+1024, "the stamp of write 2")
	})
	t.Run("bytes of nobody", func(t *testing.T) {
		img := good()
		img.put([]byte{0xAA}, 5<<30+700)
		refuses(t, h, at, image(d, img), 5<<30+512, "bytes that nobody wrote there")
	})
	t.Run("another size", func(t *testing.T) {
		refuses(t, h, at, image(d, newImage(d.Size-512)), 0, "bytes long")
	})
}

func TestDisks_OfOneBackupShareTheInstant(t *testing.T) {
	h := New()
	a, b := h.AddDisk("vda", 1<<20), h.AddDisk("vdb", 1<<20)
	at := h.Begin()
	onA := wrote(a, 0, 512)
	onB := wrote(b, 0, 512)
	at.Returned()
	both := func(x, y *memImage) Evidence {
		return Evidence{Images: []DiskImage{{Disk: a, Image: x}, {Disk: b, Image: y}}}
	}
	empty := func() *memImage { return newImage(1 << 20) }
	accepts(t, h, at, both(empty(), empty()))
	accepts(t, h, at, both(empty().apply(onA), empty()))
	accepts(t, h, at, both(empty().apply(onA), empty().apply(onB)))
	refuses(t, h, at, both(empty(), empty().apply(onB)), 0, "no single instant")
}

func TestFailedWrite_MayShowInPartOrNotAtAll(t *testing.T) {
	h := New()
	d := h.AddDisk("vda", 1<<20)
	base := wrote(d, 0, 4096)
	w := d.Issue(0, 2048)
	w.Fail()
	at := instant(h)
	late := d.Issue(8192, 512)
	late.Fail()
	img := newImage(d.Size).apply(base)
	accepts(t, h, at, image(d, img))
	img.put(w.Data()[512:1024], 512)
	accepts(t, h, at, image(d, img))
	refuses(t, h, at, image(d, img.apply(late)), 8192, "issued after the call had returned")
}

func TestUnalignedWritesAndTails_AreJudgedByTheByte(t *testing.T) {
	h := New()
	d := h.AddDisk("vda", memBlock+777)
	base := wrote(d, 0, memBlock+777)
	patch := wrote(d, 700, 1500)
	tail := wrote(d, memBlock+700, 77)
	at := instant(h)
	late := wrote(d, 900, 600)
	img := newImage(d.Size).apply(base, patch, tail)
	accepts(t, h, at, image(d, img))
	refuses(t, h, at, image(d, newImage(d.Size).apply(base, patch)), memBlock+700, "which write 3 had replaced")
	refuses(t, h, at, image(d, newImage(d.Size).apply(base, tail)), 700, "which write 2 had replaced")
	if f, _ := h.Check(at, image(d, img.apply(late))); f == nil {
		t.Fatal("an unaligned late write was accepted")
	}
}

func TestSparse_RefusesDataWhereNothingWasWritten(t *testing.T) {
	h := New()
	d := h.AddDisk("vda", 1<<20)
	w := wrote(d, 100<<10, 512)
	at := instant(h)
	img := newImage(d.Size).apply(w)
	e := Evidence{Images: []DiskImage{{Disk: d, Image: img, Sparse: memBlock}}}
	accepts(t, h, at, e)
	img.put(make([]byte, 1), 512<<10)
	refuses(t, h, at, e, 512<<10, "I14")
	e.Images[0].Sparse = 0
	accepts(t, h, at, e)
}

func TestSparse_LetsTheRestOfADiskBeData(t *testing.T) {
	h := New()
	d := h.AddDisk("vda", 2*memBlock+512)
	w := wrote(d, 0, 512)
	at := instant(h)
	img := newImage(d.Size).apply(w)
	img.put(make([]byte, 1), 2*memBlock)
	accepts(t, h, at, Evidence{Images: []DiskImage{{Disk: d, Image: img, Sparse: memBlock}}})
	img.put(make([]byte, 1), memBlock)
	refuses(t, h, at, Evidence{Images: []DiskImage{{Disk: d, Image: img, Sparse: memBlock}}}, memBlock, "I14")
}

func TestBitmap_HoldsWhatWasWrittenSinceAndNothingElse(t *testing.T) {
	h := New()
	d := h.AddDisk("vda", 1<<20)
	wrote(d, 0, 512)
	at := h.Begin()
	free := wrote(d, memBlock, 512)
	at.Returned()
	wrote(d, 3*memBlock-512, 1024)
	frozen := instant(h)
	wrote(d, 8*memBlock, 512)
	bitmap := func(until *Instant, granules ...int64) Evidence {
		for i := range granules {
			granules[i] *= memBlock
		}
		return Evidence{Bitmaps: []DiskBitmap{{Disk: d, Granularity: memBlock, Dirty: Granules(granules, memBlock), Until: until}}}
	}
	accepts(t, h, at, bitmap(nil, 2, 3, 8))
	accepts(t, h, at, bitmap(nil, 1, 3, 2, 8))
	accepts(t, h, at, bitmap(frozen, 2, 3))
	refuses(t, h, at, bitmap(frozen, 2, 3, 8), 8*memBlock, "nothing was written there since")
	refuses(t, h, at, bitmap(nil, 2, 3), 8*memBlock, "it was written since")
	refuses(t, h, at, bitmap(nil, 2, 8), 3*memBlock, "it was written since")
	refuses(t, h, at, bitmap(nil, 0, 2, 3, 8), 0, "nothing was written there since")

	e := bitmap(nil, 2, 3, 8)
	e.Images = []DiskImage{{Disk: d, Image: newImage(d.Size).apply(d.writes[0])}}
	refuses(t, h, at, e, memBlock, "one write is in one part of the evidence and not in another")
	e = bitmap(nil, 1, 2, 3, 8)
	e.Images = []DiskImage{{Disk: d, Image: newImage(d.Size).apply(d.writes[0], free)}}
	refuses(t, h, at, e, memBlock, "nothing was written there since")
}

func TestBitmap_ReadWhileAWriteIsUnderWayMayHaveItOrNot(t *testing.T) {
	h := New()
	d := h.AddDisk("vda", 1<<20)
	at := instant(h)
	d.Issue(0, 512)
	for _, dirty := range [][]Range{nil, {{0, memBlock}}} {
		accepts(t, h, at, Evidence{Bitmaps: []DiskBitmap{{Disk: d, Granularity: memBlock, Dirty: dirty}}})
	}
}

func TestBitmap_MayNotHoldAWriteThatAnotherDiskProvesToBeOlder(t *testing.T) {
	h := New()
	a, b := h.AddDisk("vda", 1<<20), h.AddDisk("vdb", 1<<20)
	at := h.Begin()
	wrote(a, memBlock, 512)
	second := wrote(b, 0, 512)
	at.Returned()
	e := Evidence{Bitmaps: []DiskBitmap{{Disk: a, Granularity: memBlock, Dirty: []Range{{memBlock, memBlock}}}}}
	accepts(t, h, at, e)
	e.Images = []DiskImage{{Disk: b, Image: newImage(b.Size)}}
	accepts(t, h, at, e)
	e.Images[0].Image = newImage(b.Size).apply(second)
	refuses(t, h, at, e, memBlock, "nothing was written there since")
}
