package qcow2_test

import (
	"testing"

	"fleece/qcow2"
)

// aBackup is what a small incremental backup leaves: 20 clusters of 64 KiB on a
// disk of 16 MiB, and a bitmap.
func aBackup() *qcow2.Image {
	img := &qcow2.Image{
		Size: 16 << 20, BackingFile: "/images/base.qcow2", BackingFormat: "qcow2",
		Bitmaps: []qcow2.Bitmap{{Name: "cp1", Granularity: 65536, Auto: true}},
	}
	for i := range int64(20) {
		at := i * 12 << 16
		img.Runs = append(img.Runs, qcow2.Run{Offset: at, Length: 65536, Data: pattern(uint64(i), 65536)})
		img.Bitmaps[0].Dirty = append(img.Bitmaps[0].Dirty, qcow2.Range{Offset: at, Length: 65536})
	}
	return img
}

// nowhere takes bytes and keeps none.
type nowhere struct{}

func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (nowhere) Truncate(int64) error                   { return nil }

func BenchmarkWrite(b *testing.B) {
	img := aBackup()
	for _, c := range []struct {
		name string
		to   qcow2.File
	}{{"metadata only", nowhere{}}, {"into memory", new(memory)}} {
		b.Run(c.name, func(b *testing.B) {
			var w qcow2.Writer
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.Write(c.to, img); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpenAndWalk(b *testing.B) {
	for _, c := range []struct {
		name string
		img  *qcow2.Image
	}{
		{"a backup of 16 MiB", aBackup()},
		{"an empty disk of 16 TiB", &qcow2.Image{Size: 16 << 40}},
	} {
		b.Run(c.name, func(b *testing.B) {
			m := written(b, c.img)
			var r qcow2.Reader
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Reset(m, int64(len(m.b)), qcow2.Options{}); err != nil {
					b.Fatal(err)
				}
				for _, err := range r.Extents() {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	m := written(b, aBackup())
	var c qcow2.Checker
	b.ReportAllocs()
	for b.Loop() {
		if report, err := c.Check(m, int64(len(m.b))); err != nil || !report.Clean() {
			b.Fatal(report, err)
		}
	}
}

func BenchmarkReadBitmap(b *testing.B) {
	m := written(b, aBackup())
	r := opened(b, m)
	bitmaps, err := r.Bitmaps()
	if err != nil {
		b.Fatal(err)
	}
	var dirty []qcow2.Range
	b.ReportAllocs()
	for b.Loop() {
		if dirty, err = r.ReadBitmap(bitmaps[0], dirty); err != nil || len(dirty) != 20 {
			b.Fatal(len(dirty), err)
		}
	}
}
