package qcow2_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"fleece/qcow2"
)

// readWhole opens the image at a path with its data file, checks it, and reads the disk.
func readWhole(t *testing.T, path, data string) []byte {
	t.Helper()
	var files [2]*os.File
	for i, p := range [2]string{path, data} {
		f, err := os.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		files[i] = f
	}
	info, err := files[0].Stat()
	if err != nil {
		t.Fatal(err)
	}
	report, err := qcow2.Check(files[0], info.Size())
	if err != nil || !report.Clean() {
		t.Errorf("check: %v %v %v", report.Errors, report.Leaks, err)
	}
	r, err := qcow2.Open(files[0], info.Size(), qcow2.Options{Data: files[1]})
	if err != nil {
		t.Fatal(err)
	}
	if h := r.Header(); !h.ExternalData() || h.DataFile != data {
		t.Errorf("the data file is %q by the header, want %q", h.DataFile, data)
	}
	p := make([]byte, r.Size())
	if _, err := r.ReadAt(p, 0); err != nil {
		t.Fatal(err)
	}
	return p
}

// converted is the disk as qemu-img reads it.
func converted(t *testing.T, path string) []byte {
	t.Helper()
	raw := filepath.Join(t.TempDir(), "raw")
	tool(t, "qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, raw)
	p, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAnImageOfQemuWithADataFileIsReadAsQemuReadsIt(t *testing.T) {
	needTool(t, "qemu-img", "qemu-io")
	for _, raw := range []string{"off", "on"} {
		data := filepath.Join(t.TempDir(), "data")
		path := foreign(t, "data_file="+data+",data_file_raw="+raw, "12583424",
			"write -P 1 0 64k", "write -P 2 3M 300k", "write -z 3200k 64k", "write -P 3 12582912 512", "discard 64k 64k")
		if !bytes.Equal(readWhole(t, path, data), converted(t, path)) {
			t.Errorf("data_file_raw=%s: qemu-img convert has other content", raw)
		}
	}
}

func TestAnImageWithADataFileIsWrittenSoThatQemuReadsIt(t *testing.T) {
	needTool(t, "qemu-img")
	dir := t.TempDir()
	path, data := filepath.Join(dir, "image"), filepath.Join(dir, "data")
	var files [2]*os.File
	for i, p := range [2]string{path, data} {
		f, err := os.Create(p)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	_, err := qcow2.Write(files[0], &qcow2.Image{
		Size: 4<<20 + 512, DataFile: data, DataTo: files[1],
		Runs: []qcow2.Run{
			{Offset: 0, Length: 65536, Data: bytes.Repeat([]byte{1}, 65536)}, {Offset: 1 << 20, Length: 65536, Kind: qcow2.Zero},
			{Offset: 4 << 20, Length: 512, Data: []byte("end")},
		},
		Bitmaps: []qcow2.Bitmap{{Name: "cp", Granularity: 65536, Auto: true, Dirty: []qcow2.Range{{Offset: 0, Length: 65536}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c := askCheck(t, path); c.Errors+c.Corruptions+c.Leaks > 0 || c.Allocated != 2 {
		t.Errorf("qemu-img check: %+v", c)
	}
	if !bytes.Equal(readWhole(t, path, data), converted(t, path)) {
		t.Error("qemu-img convert has other content")
	}
}

func TestDataOfAnImageWithADataFileCannotBeReadWithoutIt(t *testing.T) {
	data := new(memory)
	m := written(t, &qcow2.Image{Size: 1 << 20, DataFile: "data", DataTo: data, DataFileRaw: true,
		Runs: []qcow2.Run{{Offset: 0, Length: 1 << 20, Data: []byte("x")}}})
	r := opened(t, m)
	if !r.Header().DataFileRaw() {
		t.Error("the header does not say that the data file is raw")
	}
	var p [1]byte
	var e *qcow2.Error
	if _, err := r.ReadAt(p[:], 0); !errors.As(err, &e) || !errors.Is(err, qcow2.ErrArgument) {
		t.Errorf("reading gives %v", err)
	}
	entry := m.get(m.get(40)) & 0x00fffffffffffe00
	m.b[entry+8+5] = 5 // the second cluster is elsewhere
	if report, err := qcow2.Check(m, int64(len(m.b))); err != nil || report.ErrorCount != 1 {
		t.Errorf("check finds %v %v", report.Errors, err)
	}
	if err := r.Reset(m, int64(len(m.b)), qcow2.Options{Data: data}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAt(p[:], 65536); !errors.Is(err, qcow2.ErrCorrupt) {
		t.Errorf("reading a cluster that is elsewhere gives %v", err)
	}
}
