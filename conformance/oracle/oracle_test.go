package oracle

import "testing"

// memImage is an image in memory for tests: bytes, all of kind Data.
type memImage struct{ bytes []byte }

func (m memImage) Size() int64 { return int64(len(m.bytes)) }

func (m memImage) ReadAt(p []byte, off int64) (int, error) { return copy(p, m.bytes[off:]), nil }

func (m memImage) Next(off int64) (int64, Kind, error) { return int64(len(m.bytes)) - off, Data, nil }

func (m memImage) apply(w *Write) { copy(m.bytes[w.Offset:], w.Data()) }

func TestAnImageOfTheInstantIsAccepted(t *testing.T) {
	h := New()
	d := h.AddDisk("vda", 64<<10)
	img := memImage{make([]byte, d.Size)}
	w := d.Issue(4096, 8192)
	img.apply(w)
	w.Ack()
	at := h.Begin()
	d.Issue(0, 512).Ack()
	at.Returned()
	late := d.Issue(8192, 512)
	late.Ack()
	if f, err := h.Check(at, Evidence{Images: []DiskImage{{Disk: d, Image: img}}}); f != nil || err != nil {
		t.Fatalf("got %v, %v", f, err)
	}
	img.apply(late)
	f, err := h.Check(at, Evidence{Images: []DiskImage{{Disk: d, Image: img}}})
	if err != nil || f == nil || f.Offset != 8192 {
		t.Fatalf("a write issued after the call returned must be found at 8192: %v, %v", f, err)
	}
}
