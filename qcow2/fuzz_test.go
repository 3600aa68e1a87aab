package qcow2_test

import (
	"errors"
	"runtime"
	"testing"

	"fleece/qcow2"
)

// seeds are valid images and some that are damaged in each of the known ways.
func seeds(f *testing.F) {
	for _, bits := range []uint{9, 12, 16} {
		img := everything(bits)
		if bits == 16 {
			img.Runs = img.Runs[1:2] // tables without much data
		}
		f.Add(written(f, img).b)
	}
	backed := &qcow2.Image{Size: 1 << 44, ClusterBits: 21, BackingFile: "/base", BackingFormat: "raw"}
	f.Add(written(f, backed).b[:3<<21])
	for _, bits := range []uint{9, 12} {
		for _, d := range damages {
			m := written(f, everything(bits))
			if int64(len(m.b))>>16 > 0 {
				continue // damage is made for other clusters
			}
			d.do(m, partsOf(m))
			f.Add(m.b)
		}
		m := written(f, everything(bits))
		m.set(72, 1<<4) // extended L2 entries
		f.Add(m.b)
		m = written(f, everything(bits))
		m.set(partsOf(m).l2, 1<<62|1<<50) // a compressed cluster
		f.Add(m.b)
	}
}

// A reader may take this much memory besides a multiple of the file: tables and
// buffers of the largest clusters.
const fuzzMemoryMax = 48 << 20

func FuzzOpen(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, image []byte) {
		if len(image) > 1<<20 {
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
