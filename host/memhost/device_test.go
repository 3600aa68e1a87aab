package memhost_test

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"

	"fleece/host"
	"fleece/host/memhost"
	"fleece/rt/realrt"
)

func TestDevice_HasAFixedSizeAndKeepsWhatIsWritten(t *testing.T) {
	w := realrt.NewWorld()
	k := memhost.New(w.Kernel(), memhost.Options{})
	if err := k.Device("/disk", 8192); err != nil {
		t.Fatal(err)
	}
	if err := k.Device("/disk", 8192); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("made twice: %v", err)
	}
	h := k.View(w.NewProcess("p"))
	info, err := h.Stat("/disk")
	if err != nil || info.Mode&fs.ModeDevice == 0 || info.Size != 0 {
		t.Errorf("stat: %+v, %v", info, err)
	}
	f, err := h.OpenFile("/disk", host.ReadWrite|host.Truncate, 0)
	if err != nil {
		t.Fatal(err)
	}
	if size, err := f.Size(); size != 8192 || err != nil {
		t.Errorf("size %d, %v", size, err)
	}
	if n, err := f.WriteAt([]byte("abcd"), 8190); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a write over the end: %d, %v", n, err)
	}
	if err := f.Truncate(0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("truncate: %v", err)
	}
	p := make([]byte, 2)
	if _, err := f.ReadAt(p, 8190); err != nil || string(p) != "ab" {
		t.Errorf("read %q, %v", p, err)
	}
	if _, err := h.OpenFile("/disk", host.ReadWrite|host.Create|host.Exclusive, 0); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("create: %v", err)
	}
}
