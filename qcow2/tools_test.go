package qcow2_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lima-vm/go-qcow2reader"

	"fleece/qcow2"
)

// needTool skips where a tool is not installed, but not in CI.
func needTool(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed, and CI must have it (Debian: qemu-utils)", name)
		}
		t.Skipf("%s is not installed: nothing to compare with (Debian: qemu-utils)", name)
	}
}

// tool runs a command that must succeed and returns what it prints.
func tool(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).Output()
	if err != nil {
		var text []byte
		if e, ok := err.(*exec.ExitError); ok {
			text = e.Stderr
		}
		t.Fatalf("%q: %v\n%s%s", args, err, out, text)
	}
	return out
}

// answer runs a command that prints JSON, with a status that may not be 0.
func answer(t *testing.T, to any, args ...string) {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).Output()
	if err := json.Unmarshal(out, to); err != nil {
		t.Fatalf("%q printed no JSON: %v: %s", args, err, out)
	}
	if _, status := err.(*exec.ExitError); err != nil && !status {
		t.Fatal(err)
	}
}

// qemuCheck is what qemu-img check counts.
type qemuCheck struct {
	Errors      int64 `json:"check-errors"`
	Corruptions int64 `json:"corruptions"`
	Leaks       int64 `json:"leaks"`
	ImageEnd    int64 `json:"image-end-offset"`
	Allocated   int64 `json:"allocated-clusters"`
}

func askCheck(t *testing.T, path string) (c qemuCheck) {
	t.Helper()
	answer(t, &c, "qemu-img", "check", "--output=json", "-f", "qcow2", path)
	return c
}

// everything is an image with all that the writer knows, for a cluster size.
func everything(bits uint) *qcow2.Image {
	cs := int64(1) << bits
	size := 70*cs + 512
	return &qcow2.Image{
		Size: size, ClusterBits: bits,
		Runs: []qcow2.Run{
			{Offset: 0, Length: cs, Data: pattern(1, cs)},
			{Offset: 3 * cs, Length: 2 * cs, Kind: qcow2.Zero},
			{Offset: 5 * cs, Length: 5 * cs, Data: pattern(2, 3*cs-7)},
			{Offset: 63 * cs, Length: 2 * cs, Data: pattern(3, 2*cs)},
			{Offset: 70 * cs, Length: 512, Data: pattern(4, 512)},
		},
		Bitmaps: []qcow2.Bitmap{
			{Name: "auto", Granularity: 512, Auto: true, Dirty: []qcow2.Range{{Offset: 1000, Length: 20000}, {Offset: size - 1, Length: 1}}},
			{Name: "disabled, all", Granularity: 65536, Dirty: []qcow2.Range{{Offset: 0, Length: size}}},
			{Name: "clean", Granularity: 1 << 31, Auto: true},
			{Name: "fine, all", Granularity: 512, Auto: true, Dirty: []qcow2.Range{{Offset: 0, Length: size}}},
		},
	}
}

// compressedToo is everything with compressed runs: some that become smaller, some
// that do not, and one that ends with the disk.
func compressedToo(bits uint) *qcow2.Image {
	img, cs := everything(bits), int64(1)<<bits
	last := img.Runs[len(img.Runs)-1]
	last.Data, last.Compressed = dull(4, 512), true
	img.Runs = append(img.Runs[:3],
		qcow2.Run{Offset: 20 * cs, Length: 6 * cs, Data: dull(5, 5*cs+100), Compressed: true},
		qcow2.Run{Offset: 40 * cs, Length: 2 * cs, Data: pattern(6, 2*cs), Compressed: true},
		img.Runs[3], last)
	return img
}

// raw is the content of a small image.
func raw(img *qcow2.Image) []byte {
	p := make([]byte, img.Size)
	for _, r := range img.Runs {
		copy(p[r.Offset:r.End()], r.Data)
	}
	return p
}

// eachClusterSize runs f for 512 bytes to 2 MiB.
func eachClusterSize(t *testing.T, f func(t *testing.T, bits uint)) {
	for bits := uint(qcow2.ClusterBitsMin); bits <= qcow2.ClusterBitsMax; bits++ {
		t.Run(fmt.Sprintf("clusters of %d bytes", 1<<bits), func(t *testing.T) {
			t.Parallel()
			f(t, bits)
		})
	}
}

func TestQemuImgFindsWrittenImagesCleanAndEqual(t *testing.T) {
	needTool(t, "qemu-img")
	eachClusterSize(t, func(t *testing.T, bits uint) {
		img := compressedToo(bits)
		m := written(t, img)
		ours := clean(t, m)
		path := stored(t, m, "ours.qcow2")
		if c := askCheck(t, path); c.Errors+c.Corruptions+c.Leaks != 0 || c.ImageEnd != ours.ImageEnd || c.Allocated != ours.Clusters {
			t.Errorf("qemu-img check: %+v, ours %+v", c, ours)
		}
		want := filepath.Join(t.TempDir(), "want.raw")
		if err := os.WriteFile(want, raw(img), 0o600); err != nil {
			t.Fatal(err)
		}
		tool(t, "qemu-img", "compare", "-f", "qcow2", "-F", "raw", path, want)
		if d := cmp.Diff(wantExtents(img), askMap(t, path)); d != "" {
			t.Errorf("qemu-img map: %s", d)
		}
	})
}

// askMap is the disk as qemu-img sees it.
func askMap(t *testing.T, path string) (list []qcow2.Extent) {
	t.Helper()
	var ranges []struct {
		Start, Length       int64
		Depth               int
		Present, Zero, Data bool
	}
	answer(t, &ranges, "qemu-img", "map", "--output=json", "-f", "qcow2", path)
	for _, r := range ranges {
		e := qcow2.Extent{Offset: r.Start, Length: r.Length, Kind: qcow2.Unallocated}
		if r.Data {
			e.Kind = qcow2.Data
		} else if r.Present && r.Zero {
			e.Kind = qcow2.Zero
		}
		if n := len(list); n > 0 && list[n-1].Kind == e.Kind {
			list[n-1].Length += e.Length // it tells where the file has a seam
			continue
		}
		list = append(list, e)
	}
	return list
}

func TestQemuImgInfoShowsHeaderAndBitmaps(t *testing.T) {
	needTool(t, "qemu-img")
	base := stored(t, &memory{make([]byte, 1<<20)}, "base")
	img := &qcow2.Image{
		Size: 6 << 30, ClusterBits: 12, BackingFile: base, BackingFormat: "raw",
		Runs: []qcow2.Run{{Offset: 5 << 30, Length: 4096, Data: pattern(5, 4096)}},
		Bitmaps: []qcow2.Bitmap{
			{Name: "a", Granularity: 512, Auto: true, InUse: true},
			{Name: "b", Granularity: 1 << 20},
			{Name: "c", Granularity: 1 << 31, Auto: true},
		},
	}
	path := stored(t, written(t, img), "ours.qcow2")
	var info struct {
		Size    int64  `json:"virtual-size"`
		Cluster int64  `json:"cluster-size"`
		Backing string `json:"backing-filename"`
		Format  string `json:"backing-filename-format"`
		Special struct {
			Data struct {
				Compat       string
				RefcountBits int `json:"refcount-bits"`
				Bitmaps      []struct {
					Flags       []string
					Name        string
					Granularity int64
				}
			}
		} `json:"format-specific"`
	}
	answer(t, &info, "qemu-img", "info", "--output=json", "-f", "qcow2", path)
	if got, want := fmt.Sprint(info), "{6442450944 4096 "+base+" raw {{1.1 16 [{[in-use auto] a 512} {[] b 1048576} {[auto] c 2147483648}]}}}"; got != want {
		t.Errorf("qemu-img info: %s, want %s", got, want)
	}
	if c := askCheck(t, path); c.Errors+c.Corruptions+c.Leaks != 0 {
		t.Errorf("qemu-img check: %+v", c)
	}
}

func TestBitmapsSurviveACopyByQemuImg(t *testing.T) {
	needTool(t, "qemu-img")
	eachClusterSize(t, func(t *testing.T, bits uint) {
		img := everything(bits)
		path := stored(t, written(t, img), "ours.qcow2")
		theirs := filepath.Join(t.TempDir(), "theirs.qcow2")
		tool(t, "qemu-img", "convert", "--bitmaps", "-f", "qcow2", "-O", "qcow2", "-o", fmt.Sprintf("cluster_size=%d", 1<<bits), path, theirs)
		want := img.Bitmaps
		for i := range want {
			want[i].Dirty = wantDirty(want[i], img.Size)
		}
		r := openPath(t, theirs)
		byName := map[string]qcow2.Bitmap{}
		for _, b := range gotBitmaps(t, r) {
			byName[b.Name] = b
		}
		for _, b := range want {
			if d := cmp.Diff(b, byName[b.Name]); d != "" {
				t.Errorf("bitmap %q: %s", b.Name, d)
			}
		}
		cleanPath(t, theirs)
	})
}

// openPath opens a file, and closes it after the test.
func openPath(t testing.TB, path string) *qcow2.Reader {
	t.Helper()
	f, size := file(t, path)
	r, err := qcow2.Open(f, size, qcow2.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func file(t testing.TB, path string) (*os.File, int64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return f, info.Size()
}

func cleanPath(t testing.TB, path string) {
	t.Helper()
	f, size := file(t, path)
	report, err := qcow2.Check(f, size)
	if err != nil || !report.Clean() {
		t.Fatalf("check of %s: %v %v %v", filepath.Base(path), err, report.Errors, report.Leaks)
	}
}

func content(t testing.TB, r io.ReaderAt, size int64) []byte {
	t.Helper()
	p, err := io.ReadAll(io.NewSectionReader(r, 0, size))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Compressed clusters are left to qemu-img: this reader takes the end of a stream, where
// it comes with the last bytes, for an error.
func TestASecondReaderReadsTheSameContent(t *testing.T) {
	eachClusterSize(t, func(t *testing.T, bits uint) {
		img := everything(bits)
		other, err := qcow2reader.Open(written(t, img))
		if err != nil {
			t.Fatal(err)
		}
		if other.Size() != img.Size || !bytes.Equal(content(t, other, img.Size), raw(img)) {
			t.Error("go-qcow2reader reads another content")
		}
	})
}
