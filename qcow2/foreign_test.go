package qcow2_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fleece/qcow2"
)

// foreign makes an image with qemu-img create and qemu-io.
func foreign(t *testing.T, options, size string, commands ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "foreign.qcow2")
	create := []string{"qemu-img", "create", "-q", "-f", "qcow2"}
	if options != "" {
		create = append(create, "-o", options)
	}
	tool(t, append(create, path, size)...)
	write(t, path, commands...)
	return path
}

func write(t *testing.T, path string, commands ...string) {
	t.Helper()
	for _, c := range commands {
		out, err := exec.Command("qemu-io", "-f", "qcow2", "-c", c, path).CombinedOutput()
		if err != nil || bytes.Contains(out, []byte("failed")) {
			t.Fatalf("qemu-io %q: %v %s", c, err, out)
		}
	}
}

// someWrites are data, zero and compressed clusters, at the edges of clusters and not.
var someWrites = []string{
	"write -P 0x11 0 1M", "write -P 0x22 3M 300k", "write -z 5M 1M", "write -P 0x44 5200k 4k",
	"write -c -P 0x33 8M 64k", "write -c -P 0x55 8256k 64k", "write -P 0x66 11M 512",
}

func TestImagesOfQemuAreReadAsQemuReadsThem(t *testing.T) {
	needTool(t, "qemu-img", "qemu-io")
	small := []string{"write -c -P 0x77 9M 512", someWrites[0], someWrites[1], someWrites[2], someWrites[3]}
	subclusters := append([]string{"write -c -P 0x77 9M 16k"}, small[1:]...)
	// Compressed clusters cannot share host clusters, or are larger, or find
	// their clusters allocated.
	plain := []string{someWrites[0], someWrites[1], someWrites[3], someWrites[6]}
	for _, c := range []struct {
		name, options string
		writes        []string
	}{
		{"default", "", someWrites},
		{"clusters of 512 bytes", "cluster_size=512", small},
		{"clusters of 2 MiB", "cluster_size=2M", plain},
		{"version 2", "compat=0.10", someWrites},
		{"lazy refcounts", "lazy_refcounts=on", someWrites},
		{"refcounts of 1 bit", "refcount_bits=1", plain},
		{"refcounts of 2 bits", "refcount_bits=2", someWrites},
		{"refcounts of 4 bits", "refcount_bits=4", someWrites},
		{"refcounts of 8 bits", "refcount_bits=8", someWrites},
		{"refcounts of 32 bits", "refcount_bits=32", someWrites},
		{"refcounts of 64 bits", "refcount_bits=64", someWrites},
		{"extended L2 entries", "extended_l2=on,cluster_size=64k", someWrites},
		{"extended L2 entries, small clusters", "extended_l2=on,cluster_size=16k", subclusters},
		{"metadata preallocated", "preallocation=metadata", plain},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := foreign(t, c.options, "12M", c.writes...)
			sameAsQemu(t, path)
			cleanPath(t, path)
		})
	}
}

// sameAsQemu compares content and extents.
func sameAsQemu(t *testing.T, path string) {
	t.Helper()
	want := filepath.Join(t.TempDir(), "want.raw")
	tool(t, "qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, want)
	wantBytes, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	r := openPath(t, path)
	if !bytes.Equal(content(t, r, r.Size()), wantBytes) {
		t.Error("the content differs")
	}
	if d := cmp.Diff(askMap(t, path), gotExtents(t, r)); d != "" {
		t.Errorf("the extents differ: %s", d)
	}
}

func TestTheBackingImageIsReadOnlyWhenItIsGiven(t *testing.T) {
	needTool(t, "qemu-img", "qemu-io")
	base := foreign(t, "", "4M", "write -P 0x11 0 4M")
	top := foreign(t, "backing_fmt=qcow2,backing_file="+base, "6M", "write -P 0x22 1M 64k", "write -z 2M 64k")
	alone := openPath(t, top)
	if h := alone.Header(); h.BackingFile != base || h.BackingFormat != "qcow2" {
		t.Errorf("backing file %q, format %q", h.BackingFile, h.BackingFormat)
	}
	wantExtents := []qcow2.Extent{
		{Offset: 0, Length: 1 << 20, Kind: qcow2.Unallocated},
		{Offset: 1 << 20, Length: 65536, Kind: qcow2.Data},
		{Offset: 1<<20 + 65536, Length: 1<<20 - 65536, Kind: qcow2.Unallocated},
		{Offset: 2 << 20, Length: 65536, Kind: qcow2.Zero},
		{Offset: 2<<20 + 65536, Length: 4<<20 - 65536, Kind: qcow2.Unallocated},
	}
	if d := cmp.Diff(wantExtents, gotExtents(t, alone)); d != "" {
		t.Error(d)
	}
	want := make([]byte, 6<<20)
	copy(want[1<<20:], bytes.Repeat([]byte{0x22}, 65536))
	if !bytes.Equal(content(t, alone, alone.Size()), want) {
		t.Error("alone, it reads something of the backing file")
	}
	f, size := file(t, top)
	chain, err := qcow2.Open(f, size, qcow2.Options{Backing: openPath(t, base)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 << 20 {
		if want[i] == 0 && (i < 2<<20 || i >= 2<<20+65536) {
			want[i] = 0x11
		}
	}
	if !bytes.Equal(content(t, chain, chain.Size()), want) {
		t.Error("with its backing image, it reads another content")
	}
}

func TestBitmapsOfQemuAreRead(t *testing.T) {
	needTool(t, "qemu-img", "qemu-io")
	for _, options := range []string{"", "cluster_size=512", "cluster_size=2M"} {
		path := foreign(t, options, "12M")
		tool(t, "qemu-img", "bitmap", "--add", "-g", "4k", path, "fine")
		tool(t, "qemu-img", "bitmap", "--add", "-g", "1M", path, "coarse")
		write(t, path, "write -P 1 64k 64k", "write -P 1 12287k 1k")
		tool(t, "qemu-img", "bitmap", "--disable", path, "coarse")
		write(t, path, "write -P 1 6M 512")
		want := []qcow2.Bitmap{
			{Name: "fine", Granularity: 4096, Auto: true, Dirty: []qcow2.Range{
				{Offset: 65536, Length: 65536}, {Offset: 6 << 20, Length: 4096}, {Offset: 12<<20 - 4096, Length: 4096}}},
			{Name: "coarse", Granularity: 1 << 20, Dirty: []qcow2.Range{{Offset: 0, Length: 1 << 20}, {Offset: 11 << 20, Length: 1 << 20}}},
		}
		got := gotBitmaps(t, openPath(t, path))
		if len(got) == 2 && got[0].Name == "coarse" {
			got[0], got[1] = got[1], got[0] // QEMU turns the order at every open
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", options, d)
		}
		cleanPath(t, path)
	}
}

func TestWhatCannotBeInterpretedIsRefused(t *testing.T) {
	needTool(t, "qemu-img")
	for _, c := range []struct{ name, options, field string }{
		{"zstd", "compression_type=zstd", "incompatible_features"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, size := file(t, foreign(t, c.options, "1M"))
			_, err := qcow2.Open(f, size, qcow2.Options{})
			var e *qcow2.Error
			if !errors.As(err, &e) || !errors.Is(err, qcow2.ErrUnsupported) || e.Field != c.field {
				t.Errorf("Open: %v", err)
			}
		})
	}
}

func TestAnImageWithInternalSnapshotsIsReadButNotChecked(t *testing.T) {
	needTool(t, "qemu-img", "qemu-io")
	path := foreign(t, "", "12M", someWrites...)
	tool(t, "qemu-img", "snapshot", "-c", "one", path)
	write(t, path, "write -P 0x99 512k 1M")
	sameAsQemu(t, path)
	f, size := file(t, path)
	if _, err := qcow2.Check(f, size); !errors.Is(err, qcow2.ErrUnsupported) {
		t.Errorf("Check: %v", err)
	}
}
