package qcow2_test

import (
	"errors"
	"runtime"
	"testing"

	"fleece/qcow2"
)

// seeds are valid images and some that are damaged in each of the known ways,
// a few KiB each.
func seeds(f *testing.F) {
	add := func(img *qcow2.Image, do func(m *memory)) {
		m := written(f, img)
		do(m)
		f.Add(m.b[:min(len(m.b), 20<<10)])
	}
	none := func(*memory) {}
	small := everything(9)
	small.Runs, small.Bitmaps = small.Runs[:2], small.Bitmaps[:3]
	add(small, none)
	add(&qcow2.Image{Size: 1 << 30, ClusterBits: 9, BackingFile: "/base", BackingFormat: "raw"}, none)
	add(&qcow2.Image{Size: 1 << 44, ClusterBits: 21}, none)
	add(&qcow2.Image{Size: 4 << 12, ClusterBits: 12, DataFile: "/data", DataTo: new(memory), DataFileRaw: true,
		Runs: []qcow2.Run{{Length: 4 << 12}}}, none)
	add(&qcow2.Image{Size: 5 << 12, ClusterBits: 12, Runs: []qcow2.Run{{Length: 5 << 12, Kind: qcow2.Zero}}}, none)
	for _, d := range damages {
		add(small, func(m *memory) { d.do(m, partsOf(m)) })
	}
	add(small, func(m *memory) { m.set(72, 1<<4); m.b[23] = 14 })                 // extended L2 entries
	add(small, func(m *memory) { m.set(partsOf(m).l2, 1<<62|1<<61|64) })          // a compressed cluster
	add(small, func(m *memory) { m.set(partsOf(m).table, 1) })                    // all ones
	add(small, func(m *memory) { m.b[7] = 2 })                                    // version 2
	add(small, func(m *memory) { m.set(88, 0) })                                  // bitmaps ignored
	add(small, func(m *memory) { m.b[99] = 0; m.b[23] = 21; m.b[59] = 1 })        // other counts, other clusters
	add(small, func(m *memory) { m.set(partsOf(m).l1+8, uint64(partsOf(m).l2)) }) // a shared L2 table
}

// A reader may take this much memory besides a multiple of the file: tables and
// buffers of the largest clusters.
const fuzzMemoryMax = 48 << 20

func FuzzOpen(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, image []byte) {
		if len(image) > 1<<18 {
			t.Skip("no more is learned from large files")
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		readErr := exercise(image, 1<<20)
		report, checkErr := qcow2.Check(&memory{image}, int64(len(image)))
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > fuzzMemoryMax+64*uint64(len(image)) {
			t.Errorf("%d bytes of memory for a file of %d", used, len(image))
		}
		for _, err := range []error{readErr, checkErr} {
			var e *qcow2.Error
			if err != nil && !errors.As(err, &e) {
				t.Errorf("an error without a type: %v", err)
			}
		}
		if checkErr == nil {
			sane(t, image, readErr, report)
		}
	})
}

// sane holds what an image says against itself.
func sane(t *testing.T, image []byte, readErr error, report qcow2.Report) {
	r, err := qcow2.Open(&memory{image}, int64(len(image)), qcow2.Options{})
	if err != nil || readErr != nil {
		return
	}
	next, last := int64(0), qcow2.Kind(255)
	for e, err := range r.Extents() {
		if err != nil {
			t.Fatal(err)
		}
		if e.Offset != next || e.Length <= 0 || e.Kind == last {
			t.Fatalf("extent %+v after %d %v", e, next, last)
		}
		next, last = e.End(), e.Kind
	}
	if next != r.Size() {
		t.Fatalf("extents end at %d of %d", next, r.Size())
	}
	if report.Clusters < 0 || int64(len(report.Errors)) > report.ErrorCount {
		t.Fatalf("report %+v", report)
	}
}
