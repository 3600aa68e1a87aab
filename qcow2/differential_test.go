package qcow2_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"fleece/qcow2"
)

// flipped is a small image with one bit of its metadata turned, mostly where
// something is set.
func flipped(t *testing.T, seed uint64) (m *memory, at int64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	img := everything(9)
	img.Bitmaps = img.Bitmaps[:rng.IntN(3)]
	m = written(t, img)
	end := m.get(m.get(40))&0x00fffffffffffe00 + 1024 // both L2 tables
	if len(img.Bitmaps) > 0 {
		end += 2048 // directory, tables, bits
	}
	for at = rng.Int64N(end); m.b[at] == 0 && rng.IntN(20) != 0; {
		at = rng.Int64N(end)
	}
	m.b[at] ^= 1 << rng.IntN(8)
	return m, at
}

// One bit in the metadata is judged as qemu-img judges it: refused or not, errors
// or none, so many leaks. The reader is stricter in one thing only: what lies
// beyond the end of the file, it refuses, and QEMU reads zeros.
func TestOneFlippedBitIsJudgedAsQemuImgDoes(t *testing.T) {
	needTool(t, "qemu-img")
	for seed := range uint64(80) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			m, at := flipped(t, seed)
			path := stored(t, m, "flipped.qcow2")
			out, _ := exec.Command("qemu-img", "check", "--output=json", "-f", "qcow2", path).Output()
			var theirs qemuCheck
			opens := json.Unmarshal(out, &theirs) == nil
			ours, err := qcow2.Check(m, int64(len(m.b)))
			if opens != (err == nil) {
				t.Fatalf("byte %d: qemu-img opens it: %v; ours: %v", at, opens, err)
			}
			if err == nil && ((theirs.Corruptions+theirs.Errors > 0) != (ours.ErrorCount > 0) || theirs.Leaks != ours.LeakCount) {
				t.Errorf("byte %d: qemu-img: %+v; ours: %v %v", at, theirs, ours.Errors, ours.Leaks)
			}
			if err == nil {
				sameOrRefused(t, m, path)
			}
		})
	}
}

func sameOrRefused(t *testing.T, m *memory, path string) {
	t.Helper()
	r, err := qcow2.Open(m, int64(len(m.b)), qcow2.Options{})
	var got []byte
	if err == nil {
		got, err = io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	}
	if err != nil {
		if !errors.Is(err, qcow2.ErrCorrupt) {
			t.Error(err)
		}
		return
	}
	want := filepath.Join(t.TempDir(), "want.raw")
	tool(t, "qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, want)
	if p, err := os.ReadFile(want); err != nil || !bytes.Equal(p, got) {
		t.Errorf("the content differs (%v)", err)
	}
}

func TestDrawnImagesAreCleanForQemuImg(t *testing.T) {
	needTool(t, "qemu-img")
	drawn := rapid.Custom(func(t *rapid.T) *qcow2.Image {
		img := anImage(t)
		img.BackingFile, img.BackingFormat = "", "" // check would open it
		return img
	})
	for seed := range 40 {
		img := drawn.Example(seed)
		m := written(t, img)
		path := stored(t, m, "drawn.qcow2")
		ours := clean(t, m)
		if c := askCheck(t, path); c.Errors+c.Corruptions+c.Leaks != 0 || c.Allocated != ours.Clusters || c.ImageEnd != ours.ImageEnd {
			t.Errorf("seed %d: %+v, ours %+v: %+v", seed, c, ours, img)
		}
	}
}
