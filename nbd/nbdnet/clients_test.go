package nbdnet_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fleece/nbd"
	"fleece/nbd/nbdnet"
	"fleece/nbd/nbdtest"
)

const (
	mib  = 1 << 20
	size = 8*mib + 1536
)

// disk is 8 MiB and three sectors with data at the start, the middle and the end.
func disk() *nbdtest.Disk {
	d := nbdtest.New("e", size)
	d.Text = "a disk for tests"
	d.Fill(0, 200<<10)
	d.Fill(4*mib+nbdtest.Granularity, nbdtest.Granularity)
	d.Fill(8*mib, 1536)
	d.Bitmaps = []string{"b0"}
	d.Dirty("b0", 4*mib+nbdtest.Granularity, nbdtest.Granularity)
	return d
}

// listen serves on a unix socket until the test ends.
func listen(t *testing.T, o nbdnet.Options) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nbd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := nbdnet.Listen(l, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return path
}

// tool runs a program that nobody here wrote; the test is skipped without it.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed, which is a failure in CI", name)
		}
		t.Skipf("%s is not installed", name)
	}
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func uri(socket string) string { return "nbd+unix:///e?socket=" + socket }

func TestListener_NbdinfoListsAndDescribesTheExport(t *testing.T) {
	socket := listen(t, nbdnet.Options{Source: nbd.Exports{disk()}})
	out := tool(t, "nbdinfo", "--list", "nbd+unix://?socket="+socket)
	for _, want := range []string{
		`export="e":`, "description: a disk for tests", "export-size: 8390144", "is_read_only: true",
		"can_multi_conn: true", "can_df: true", "base:allocation", "qemu:dirty-bitmap:b0",
		"block_size_minimum: 1", "block_size_preferred: 4096", "block_size_maximum: 33554432",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func fields(text string) (rows []string) {
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		rows = append(rows, strings.Join(strings.Fields(line), " "))
	}
	return rows
}

func TestListener_NbdinfoMapsAllocationAndDirtyBitmap(t *testing.T) {
	socket := listen(t, nbdnet.Options{Source: nbd.Exports{disk()}})
	want := []string{"0 262144 0 data", "262144 3997696 3 hole,zero", "4259840 65536 0 data", "4325376 4063232 3 hole,zero", "8388608 1536 0 data"}
	if diff := cmp.Diff(want, fields(tool(t, "nbdinfo", "--map", uri(socket)))); diff != "" {
		t.Error(diff)
	}
	want = []string{"0 4259840 0 clean", "4259840 65536 1 dirty", "4325376 4064768 0 clean"}
	if diff := cmp.Diff(want, fields(tool(t, "nbdinfo", "--map=qemu:dirty-bitmap:b0", uri(socket)))); diff != "" {
		t.Error(diff)
	}
}

func TestListener_NbdcopyAndQemuImgReadEveryByte(t *testing.T) {
	d := disk()
	socket := listen(t, nbdnet.Options{Source: nbd.Exports{d}})
	dir := t.TempDir()
	copied, converted := filepath.Join(dir, "copied"), filepath.Join(dir, "converted")
	tool(t, "nbdcopy", uri(socket), copied)
	tool(t, "qemu-img", "convert", "-f", "raw", "-O", "raw", uri(socket), converted)
	for _, path := range []string{copied, converted} {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, d.Content()) {
			t.Errorf("%s differs from the disk", filepath.Base(path))
		}
	}
	if out := tool(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", uri(socket), copied); !strings.Contains(out, "identical") {
		t.Error(out)
	}
	out := tool(t, "qemu-img", "map", "--output=json", "-f", "raw", uri(socket))
	if !strings.Contains(out, `"start": 4259840, "length": 65536, "depth": 0, "present": true, "zero": false, "data": true`) {
		t.Errorf("qemu-img map:\n%s", out)
	}
}

func TestListener_NbdcopyWritesEveryByte(t *testing.T) {
	from, to := disk(), nbdtest.New("e", size)
	to.Writable = true
	tool(t, "nbdcopy", uri(listen(t, nbdnet.Options{Source: nbd.Exports{from}})), uri(listen(t, nbdnet.Options{Source: nbd.Exports{to}})))
	if !bytes.Equal(from.Content(), to.Content()) {
		t.Error("the copy differs")
	}
}
