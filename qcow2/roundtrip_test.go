package qcow2_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"fleece/qcow2"
)

// anImage draws an image. Its content is a few MiB at most, its disk may be large.
func anImage(t *rapid.T) *qcow2.Image {
	bits := uint(rapid.IntRange(9, 16).Draw(t, "cluster bits"))
	if rapid.IntRange(0, 9).Draw(t, "a large cluster") == 0 {
		bits = uint(rapid.IntRange(17, 21).Draw(t, "large cluster bits"))
	}
	cs := int64(1) << bits
	clusters := rapid.SampledFrom([]int64{0, 1, 40, 700, 1 << 16, 1<<34>>bits + 1000}).Draw(t, "clusters")
	img := &qcow2.Image{ClusterBits: bits, Size: clusters * cs}
	if tail := rapid.Int64Range(0, cs/512-1).Draw(t, "tail") * 512; tail > 0 {
		img.Size, clusters = img.Size+tail, clusters+1
	}
	if rapid.Bool().Draw(t, "has backing") {
		img.BackingFile = rapid.StringMatching(`/[a-z]{1,30}`).Draw(t, "backing file")
		img.BackingFormat = rapid.SampledFrom([]string{"", "raw", "qcow2"}).Draw(t, "backing format")
	}
	img.Runs = someRuns(t, img.Size, clusters, cs)
	for i := range rapid.IntRange(0, 3).Draw(t, "bitmaps") {
		if img.Size > 0 {
			img.Bitmaps = append(img.Bitmaps, aBitmap(t, i, img.Size))
		}
	}
	return img
}

func someRuns(t *rapid.T, size, clusters, cs int64) []qcow2.Run {
	var runs []qcow2.Run
	next, data := int64(0), int64(0)
	for range rapid.IntRange(0, 8).Draw(t, "runs") {
		gap := rapid.SampledFrom([]int64{0, 1, 5, 64, clusters / 3}).Draw(t, "gap")
		if next += gap; next >= clusters {
			break
		}
		n := min(rapid.SampledFrom([]int64{1, 2, 3, 70}).Draw(t, "length"), clusters-next)
		r := qcow2.Run{Offset: next * cs, Kind: rapid.SampledFrom([]qcow2.Kind{qcow2.Data, qcow2.Zero}).Draw(t, "kind")}
		r.Length = min(n*cs, size-r.Offset)
		if r.Kind == qcow2.Data && data < 4<<20 {
			r.Data = pattern(uint64(next), rapid.Int64Range(0, min(r.Length, 1<<20)).Draw(t, "bytes"))
			data += int64(len(r.Data))
			if r.Compressed = rapid.Bool().Draw(t, "compressed"); r.Compressed && rapid.Bool().Draw(t, "dull") {
				r.Data = dull(uint64(next), int64(len(r.Data)))
			}
		}
		runs = append(runs, r)
		next += n
	}
	return runs
}

func aBitmap(t *rapid.T, i int, size int64) qcow2.Bitmap {
	bits := rapid.IntRange(9, 31).Draw(t, "granularity bits")
	for size>>bits > 1<<22 {
		bits++
	}
	b := qcow2.Bitmap{
		Name:        fmt.Sprint(i, rapid.StringN(0, 20, 40).Draw(t, "name")),
		Granularity: 1 << bits,
		Auto:        rapid.Bool().Draw(t, "auto"), InUse: rapid.Bool().Draw(t, "in use"),
	}
	for next := int64(0); next < size && len(b.Dirty) < 40; {
		next += rapid.SampledFrom([]int64{0, 1, 512, 100000, size / 7}).Draw(t, "clean")
		if next >= size {
			break
		}
		n := min(rapid.SampledFrom([]int64{1, 512, 65536, 5 << 20, size / 2}).Draw(t, "dirty"), size-next)
		if n > 0 {
			b.Dirty = append(b.Dirty, qcow2.Range{Offset: next, Length: n})
		}
		next += n
		if n == 0 {
			break
		}
	}
	return b
}

// wantExtents is what the disk of img looks like.
func wantExtents(img *qcow2.Image) []qcow2.Extent {
	var list []qcow2.Extent
	add := func(to int64, kind qcow2.Kind) {
		from := int64(0)
		if n := len(list); n > 0 {
			from = list[n-1].End()
		}
		switch n := len(list); {
		case from == to:
		case n > 0 && list[n-1].Kind == kind:
			list[n-1].Length = to - list[n-1].Offset
		default:
			list = append(list, qcow2.Extent{Offset: from, Length: to - from, Kind: kind})
		}
	}
	for _, r := range img.Runs {
		add(r.Offset, qcow2.Unallocated)
		add(r.End(), r.Kind)
	}
	add(img.Size, qcow2.Unallocated)
	return list
}

// wantDirty is what the bits of b cover.
func wantDirty(b qcow2.Bitmap, size int64) []qcow2.Range {
	var list []qcow2.Range
	for _, d := range b.Dirty {
		from := d.Offset / b.Granularity * b.Granularity
		to := min((d.End()+b.Granularity-1)/b.Granularity*b.Granularity, size)
		if n := len(list); n > 0 && list[n-1].End() >= from {
			list[n-1].Length = max(to, list[n-1].End()) - list[n-1].Offset
			continue
		}
		list = append(list, qcow2.Range{Offset: from, Length: to - from})
	}
	return list
}

func gotExtents(t tb, r *qcow2.Reader) []qcow2.Extent {
	t.Helper()
	var list []qcow2.Extent
	for e, err := range r.Extents() {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

func gotBitmaps(t tb, r *qcow2.Reader) []qcow2.Bitmap {
	t.Helper()
	infos, err := r.Bitmaps()
	if err != nil {
		t.Fatal(err)
	}
	var list []qcow2.Bitmap
	for _, b := range infos {
		dirty, err := r.ReadBitmap(b, nil)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, qcow2.Bitmap{Name: b.Name, Granularity: b.Granularity, Auto: b.Auto, InUse: b.InUse, Dirty: dirty})
	}
	return list
}

// sameImage fails unless what r reads is img.
func sameImage(t tb, r *qcow2.Reader, img *qcow2.Image) {
	t.Helper()
	h := r.Header()
	if h.Size != img.Size || h.ClusterBits != img.ClusterBits || h.BackingFile != img.BackingFile || h.BackingFormat != img.BackingFormat {
		t.Fatalf("header %+v of image %+v", h, img)
	}
	if d := cmp.Diff(wantExtents(img), gotExtents(t, r)); d != "" {
		t.Fatalf("extents: %s", d)
	}
	for _, run := range img.Runs {
		sameContent(t, r, run)
	}
	want := make([]qcow2.Bitmap, len(img.Bitmaps))
	for i, b := range img.Bitmaps {
		want[i] = b
		want[i].Dirty = wantDirty(b, img.Size)
	}
	got := gotBitmaps(t, r)
	if len(want) != len(got) || len(want) > 0 && !cmp.Equal(want, got) {
		t.Fatalf("bitmaps: %s", cmp.Diff(want, got))
	}
}

// sameContent reads the run; of zeros, only the beginning and the end.
func sameContent(t tb, r *qcow2.Reader, run qcow2.Run) {
	t.Helper()
	const most = 16 << 20
	for _, off := range []int64{0, max(run.Length-most, 0)} {
		got := make([]byte, min(run.Length, most))
		n, err := r.ReadAt(got, run.Offset+off)
		if n != len(got) || err != nil && err != io.EOF {
			t.Fatalf("read %d of %d at %d: %v", n, len(got), run.Offset+off, err)
		}
		want := make([]byte, len(got))
		if off < int64(len(run.Data)) {
			copy(want, run.Data[off:])
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("content of the run at %d differs", run.Offset)
		}
		if run.Length <= most {
			break
		}
	}
}

func clean(t tb, m *memory) qcow2.Report {
	t.Helper()
	report, err := qcow2.Check(m, int64(len(m.b)))
	if err != nil {
		t.Fatal(err)
	}
	if !report.Clean() {
		t.Fatalf("not clean: %v %v", report.Errors, report.Leaks)
	}
	return report
}

func TestWhatIsWrittenIsReadBackAndClean(t *testing.T) {
	var (
		writer qcow2.Writer
		reader qcow2.Reader
		file   memory
	)
	rapid.Check(t, func(t *rapid.T) {
		img := anImage(t)
		// The writer, the reader and the file have a past.
		size, err := writer.Write(&file, img)
		if err != nil {
			t.Fatal(err)
		}
		if err := reader.Reset(&file, size, qcow2.Options{}); err != nil {
			t.Fatal(err)
		}
		sameImage(t, &reader, img)
		if report := clean(t, &file); report.ImageEnd != size {
			t.Fatalf("the image ends at %d, the file at %d", report.ImageEnd, size)
		}
		again := new(memory)
		if _, err := qcow2.Write(again, img); err != nil || !bytes.Equal(again.b, file.b) {
			t.Fatalf("written twice, the bytes differ (%v)", err)
		}
	})
}
