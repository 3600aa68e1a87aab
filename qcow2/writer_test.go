package qcow2_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"fleece/qcow2"
)

func TestAnImageThatCannotBeIsRefusedBeforeTheFileIsTouched(t *testing.T) {
	const cs = 65536
	run := func(r ...qcow2.Run) *qcow2.Image { return &qcow2.Image{Size: 10*cs + 512, Runs: r} }
	bitmap := func(b ...qcow2.Bitmap) *qcow2.Image { return &qcow2.Image{Size: 10*cs + 512, Bitmaps: b} }
	many := make([]qcow2.Bitmap, 20)
	for i := range many {
		many[i] = qcow2.Bitmap{Name: fmt.Sprint(i % 19), Granularity: 512}
	}
	for _, c := range []struct {
		field string
		img   *qcow2.Image
	}{
		{"ClusterBits", &qcow2.Image{ClusterBits: 8}},
		{"ClusterBits", &qcow2.Image{ClusterBits: 22}},
		{"Size", &qcow2.Image{Size: 1000}},
		{"Size", &qcow2.Image{Size: -512}},
		{"Size", &qcow2.Image{Size: 128<<30 + 512, ClusterBits: 9}},
		{"Size", &qcow2.Image{Size: 1<<63 - 512}},
		{"BackingFile", &qcow2.Image{BackingFile: strings.Repeat("x", 1024)}},
		{"BackingFile", &qcow2.Image{BackingFile: strings.Repeat("x", 450), ClusterBits: 9}},
		{"BackingFormat", &qcow2.Image{BackingFile: "x", BackingFormat: strings.Repeat("x", 16)}},
		{"BackingFormat", &qcow2.Image{BackingFormat: "raw"}},
		{"Runs.Kind", run(qcow2.Run{Length: cs, Kind: qcow2.Unallocated})},
		{"Runs.Offset", run(qcow2.Run{Offset: 512, Length: cs})},
		{"Runs.Offset", run(qcow2.Run{Length: 2 * cs}, qcow2.Run{Offset: cs, Length: cs})},
		{"Runs.Offset", run(qcow2.Run{Offset: -cs, Length: cs})},
		{"Runs.Length", run(qcow2.Run{})},
		{"Runs.Length", run(qcow2.Run{Length: 512})},
		{"Runs.Length", run(qcow2.Run{Offset: 10 * cs, Length: cs})},
		{"Runs.Length", run(qcow2.Run{Offset: 1 << 50, Length: cs})},
		{"Runs.Data", run(qcow2.Run{Length: cs, Data: make([]byte, cs+1)})},
		{"Runs.Data", run(qcow2.Run{Length: cs, Kind: qcow2.Zero, Data: make([]byte, 1)})},
		{"Bitmaps.Name", bitmap(qcow2.Bitmap{Granularity: 512})},
		{"Bitmaps.Name", bitmap(qcow2.Bitmap{Name: strings.Repeat("x", 1024), Granularity: 512})},
		{"Bitmaps.Name", bitmap(qcow2.Bitmap{Name: "a", Granularity: 512}, qcow2.Bitmap{Name: "a", Granularity: 1024})},
		{"Bitmaps.Name", bitmap(many...)},
		{"Bitmaps.Granularity", bitmap(qcow2.Bitmap{Name: "a", Granularity: 256})},
		{"Bitmaps.Granularity", bitmap(qcow2.Bitmap{Name: "a", Granularity: 1000})},
		{"Bitmaps.Granularity", bitmap(qcow2.Bitmap{Name: "a", Granularity: 1 << 32})},
		{"Bitmaps.Granularity", &qcow2.Image{Size: 16 << 40, Bitmaps: []qcow2.Bitmap{{Name: "a", Granularity: 512}}}},
		{"Bitmaps.Dirty", bitmap(qcow2.Bitmap{Name: "a", Granularity: 512, Dirty: []qcow2.Range{{Offset: 10 * cs, Length: 513}}})},
		{"Bitmaps.Dirty", bitmap(qcow2.Bitmap{Name: "a", Granularity: 512, Dirty: []qcow2.Range{{Offset: 9, Length: 9}, {Offset: 10, Length: 1}}})},
		{"Bitmaps", &qcow2.Image{Bitmaps: []qcow2.Bitmap{{Name: "a", Granularity: 512}}}},
		{"Bitmaps", &qcow2.Image{Size: 512, Bitmaps: make([]qcow2.Bitmap, 65536)}},
	} {
		m := &memory{[]byte("what was there")}
		_, err := qcow2.Write(m, c.img)
		var e *qcow2.Error
		if !errors.As(err, &e) || !errors.Is(err, qcow2.ErrArgument) || e.Field != c.field {
			t.Errorf("%s: %v", c.field, err)
		}
		if string(m.b) != "what was there" {
			t.Errorf("%s: the file was touched", c.field)
		}
	}
}

func TestTheLongestNamesAreKept(t *testing.T) {
	img := &qcow2.Image{
		Size: 512, ClusterBits: 11, BackingFile: strings.Repeat("b", 1023), BackingFormat: strings.Repeat("f", 15),
		Bitmaps: []qcow2.Bitmap{{Name: strings.Repeat("n", 1023), Granularity: 1 << 31, Dirty: []qcow2.Range{{Length: 512}}}},
	}
	m := written(t, img)
	sameImage(t, opened(t, m), img)
	clean(t, m)
}

func TestManyBitmapsAreWrittenAndRead(t *testing.T) {
	img := &qcow2.Image{Size: 1 << 20, ClusterBits: 9}
	for i := range 3000 {
		img.Bitmaps = append(img.Bitmaps, qcow2.Bitmap{
			Name: fmt.Sprint("checkpoint ", i), Granularity: 65536, Auto: i%2 == 0,
			Dirty: []qcow2.Range{{Offset: int64(i%16) << 16, Length: 65536}},
		})
	}
	m := written(t, img)
	sameImage(t, opened(t, m), img)
	clean(t, m)
}

func TestOldContentDoesNotShineThrough(t *testing.T) {
	img := &qcow2.Image{Size: 1 << 20, Runs: []qcow2.Run{{Length: 65536, Data: []byte{1}}}}
	old := &memory{bytes.Repeat([]byte{0xff}, 4<<20)}
	if _, err := qcow2.Write(old, img); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(old.b, written(t, img).b) {
		t.Error("the file depends on what was in it")
	}
}

func TestWritingAgainTakesNoMemory(t *testing.T) {
	img := aBackup()
	var w qcow2.Writer
	if n := testing.AllocsPerRun(20, func() {
		if _, err := w.Write(nowhere{}, img); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
