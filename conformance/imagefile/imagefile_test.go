package imagefile

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fleece/qcow2"
)

// content is bytes of a disk that has data, zeroes and data again.
func content(size int) []byte {
	p := make([]byte, size)
	for i := range p {
		if i < size/4 || i > size-5000 {
			p[i] = byte(i>>8) | 1
		}
	}
	return p
}

func write(t *testing.T, dir, name string, p []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, p, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// image writes a qcow2 image of data, over a backing file if that is not "".
func image(t *testing.T, dir, name string, size int64, data map[int64][]byte, backing, format string) string {
	t.Helper()
	img := &qcow2.Image{Size: size, BackingFile: backing, BackingFormat: format}
	for off, p := range data {
		img.Runs = append(img.Runs, qcow2.Run{Offset: off, Length: int64(len(p)), Kind: qcow2.Data, Data: p})
	}
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := qcow2.Write(f, img); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func TestOpen_RefusesWhatItCannotJudge(t *testing.T) {
	dir := t.TempDir()
	raw := write(t, dir, "raw", content(1<<20))
	for _, c := range []struct{ name, path, format, want string }{
		{"no file", filepath.Join(dir, "none"), "", "no such file"},
		{"an unknown format", raw, "vmdk", "there are qcow2 and raw"},
		{"what is no qcow2", raw, "qcow2", "raw: "},
		{"a backing file without a format", image(t, dir, "over", 1<<20, nil, "raw", ""), "", "names no format of its backing file"},
		{"a chain that bites its tail", image(t, dir, "loop", 1<<20, nil, "loop", "qcow2"), "", "a chain of more than 200 images"},
		{"a backing file that is away", image(t, dir, "alone", 1<<20, nil, "gone", "raw"), "", "gone: no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Open(c.path, c.format); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestCompare_ReadsThroughAChain(t *testing.T) {
	dir := t.TempDir()
	const size = 40 << 20
	want := content(size)
	flat := write(t, dir, "flat", want)
	base := bytes.Clone(want)
	clear(base[65536:131072])
	write(t, dir, "base", base)
	image(t, dir, "middle", size, map[int64][]byte{0: want[:65536]}, "base", "raw")
	top := image(t, dir, "top", size, map[int64][]byte{65536: want[65536:131072]}, "middle", "qcow2")
	if d, err := Compare([2]string{flat, top}, [2]string{}); d != nil || err != nil {
		t.Fatalf("got %v, %v", d, err)
	}
	for _, off := range []int{size - 1, 17<<20 + 3, 70000} { // each is before the one already there
		base[off] ^= 0xff
		want[off] ^= 0x55
		write(t, dir, "flat", want)
		write(t, dir, "base", base)
		d, err := Compare([2]string{flat, top}, [2]string{"raw", "qcow2"})
		if err != nil || d == nil || d.Offset != int64(off) {
			t.Errorf("a difference at %d: got %v, %v", off, d, err)
		}
	}
}

// The name of a data file is for the working directory, as QEMU takes it.
func TestCompare_ReadsDataFiles(t *testing.T) {
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("qemu-img is not installed")
	}
	dir := t.TempDir()
	want := content(3 << 20)
	raw := write(t, dir, "raw", want)
	made, data := filepath.Join(dir, "made"), filepath.Join(dir, "data")
	if out, err := exec.Command("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-o", "data_file="+data, raw, made).CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	over := image(t, dir, "over", 3<<20, nil, made, "qcow2")
	for _, path := range []string{made, over} {
		if d, err := Compare([2]string{raw, path}, [2]string{}); d != nil || err != nil {
			t.Errorf("%s: got %v, %v", path, d, err)
		}
	}
	want[5] ^= 1
	write(t, dir, "raw", want)
	if d, err := Compare([2]string{raw, over}, [2]string{}); err != nil || d == nil || d.Offset != 5 {
		t.Errorf("got %v, %v", d, err)
	}
	if err := os.Remove(data); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(made, "qcow2"); err == nil || !strings.Contains(err.Error(), "its data file: open "+data) {
		t.Errorf("without the data file: %v", err)
	}
}

func TestOpen_ReadsWhatQEMUWrote(t *testing.T) {
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("qemu-img is not installed")
	}
	dir := t.TempDir()
	raw := write(t, dir, "raw", content(3<<20))
	for _, options := range [][]string{{}, {"-c"}, {"-o", "cluster_size=2M"}, {"-o", "cluster_size=512"}} {
		made := filepath.Join(dir, "qcow2")
		args := append(append([]string{"convert", "-f", "raw", "-O", "qcow2"}, options...), raw, made)
		if out, err := exec.Command("qemu-img", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if d, err := Compare([2]string{raw, made}, [2]string{}); d != nil || err != nil {
			t.Errorf("%v: got %v, %v", options, d, err)
		}
	}
}

func TestNext_OfARawFileSkipsHoles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sparse")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const at = 1 << 40
	if _, err := f.WriteAt([]byte{1}, at); err != nil {
		t.Skip("the file system has no sparse files of this size:", err)
	}
	m, err := Open(path, "raw")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	steps, p := 0, make([]byte, 1)
	for off := int64(0); off < m.Size(); steps++ {
		length, _, err := m.Next(off)
		if err != nil || length <= 0 || steps > 4 {
			t.Fatalf("step %d at %d: %d bytes, %v", steps, off, length, err)
		}
		off += length
	}
	if _, err := m.ReadAt(p, at); err != nil && err != io.EOF || p[0] != 1 {
		t.Errorf("read %v, %v", p, err)
	}
}
