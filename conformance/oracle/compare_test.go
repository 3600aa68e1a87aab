package oracle

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// fakeImage tells bytes and, by unit, what kind they are of.
type fakeImage struct {
	content []byte
	kinds   []Kind // of units of fakeUnit bytes
	refuses int64  // an offset that cannot be read; -1: none
}

const fakeUnit = 1000

func (f fakeImage) Size() int64 { return int64(len(f.content)) }

func (f fakeImage) Next(off int64) (int64, Kind, error) {
	i := off / fakeUnit
	to := i + 1
	for int(to) < len(f.kinds) && f.kinds[to] == f.kinds[i] {
		to++
	}
	return to*fakeUnit - off, f.kinds[i], nil // may be beyond the end
}

var errFake = errors.New("unreadable")

func (f fakeImage) ReadAt(p []byte, off int64) (int, error) {
	if f.refuses >= off && f.refuses < off+int64(len(p)) {
		return 0, errFake
	}
	return copy(p, f.content[off:]), nil
}

func drawImage(t *rapid.T, size int) fakeImage {
	f := fakeImage{content: make([]byte, size), refuses: -1}
	for at := 0; at < size; at += fakeUnit {
		kind := rapid.SampledFrom([]Kind{Data, Data, Zero, Unallocated}).Draw(t, "kind")
		f.kinds = append(f.kinds, kind)
		if kind == Data {
			f.content[at] = rapid.SampledFrom([]byte{0, 0, 1}).Draw(t, "byte")
		}
	}
	return f
}

// What Compare finds is what a look at every byte finds.
func TestCompare_FindsTheFirstByteThatDiffers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(0, 9*fakeUnit).Draw(t, "size")
		a, b := drawImage(t, size), drawImage(t, size)
		d, err := Compare(a, b)
		if err != nil {
			t.Fatal(err)
		}
		at := -1
		for i := range size {
			if a.content[i] != b.content[i] {
				at = i
				break
			}
		}
		switch {
		case at < 0 && d != nil:
			t.Fatalf("alike, and Compare says: %s", d)
		case at >= 0 && (d == nil || d.Offset != int64(at) || d.A != a.content[at] || d.B != b.content[at]):
			t.Fatalf("they differ at %d, and Compare says %v", at, d)
		}
	})
}

func TestCompare_FindsADifferenceBehindManyChunks(t *testing.T) {
	size := 3*compareChunk + 17
	a := fakeImage{content: bytes.Repeat([]byte{7}, size), kinds: make([]Kind, size/fakeUnit+1), refuses: -1}
	for i := range a.kinds {
		a.kinds[i] = Data
	}
	b := a
	b.content = bytes.Clone(a.content)
	if d, err := Compare(a, b); d != nil || err != nil {
		t.Fatalf("got %v, %v", d, err)
	}
	b.content[size-1] = 8
	if d, err := Compare(a, b); err != nil || d == nil || d.String() != "the bytes at offset 786448 differ: 0x07 and 0x08" {
		t.Errorf("got %v, %v", d, err)
	}
}

func TestCompare_SizesThatDifferAreADifference(t *testing.T) {
	d, err := Compare(fakeImage{content: make([]byte, 3)}, fakeImage{content: make([]byte, 2)})
	if err != nil || d == nil || d.String() != "the sizes differ: 3 and 2 bytes" {
		t.Errorf("got %v, %v", d, err)
	}
}

func TestCompare_TellsWhatCannotBeRead(t *testing.T) {
	a := fakeImage{content: make([]byte, 10), kinds: []Kind{Data}, refuses: 5}
	for _, pair := range [][2]fakeImage{{a, {content: make([]byte, 10), kinds: []Kind{Zero}}}, {{content: make([]byte, 10), kinds: []Kind{Data}, refuses: -1}, a}} {
		if _, err := Compare(pair[0], pair[1]); !errors.Is(err, errFake) {
			t.Errorf("got %v", err)
		}
	}
}
