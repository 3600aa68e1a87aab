package simrt

import (
	"math/bits"
	"testing"

	"pgregory.net/rapid"
)

func TestTaskLabel_ComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z#0-9]{0,14}`).Draw(t, "name")
		k := rapid.IntRange(1, 999_999_999).Draw(t, "k")
		gotName, gotK := ParseTaskLabel(TaskLabel(name, k))
		if gotName != name || gotK != k {
			t.Fatalf("%q %d became %q and then %q %d", name, k, TaskLabel(name, k), gotName, gotK)
		}
	})
	if TaskLabel("events", 1) != "events" || TaskLabel("events", 2) != "events#2" {
		t.Fatal("labels of the first and second task")
	}
}

func TestCounter_CountsAsAMapDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c counter
		want := make(map[uint64]uint32)
		for range 2 {
			for range rapid.IntRange(0, 200).Draw(t, "steps") {
				key := rapid.Uint64Range(1, 40).Draw(t, "key") << rapid.SampledFrom([]int{0, 32}).Draw(t, "shift")
				want[key]++
				if got := c.next(key); got != want[key] {
					t.Fatalf("key %d counted %d, want %d", key, got, want[key])
				}
			}
			c.reset()
			clear(want)
		}
	})
}

// TestHash_IsAsDocumented folds by hand what the package documentation says.
func TestHash_IsAsDocumented(t *testing.T) {
	locked := false
	r := Run(Options{}, func(w *World) {
		mu := w.Spec().NewMutex("mu")
		mu.Lock()
		locked = true
		mu.Unlock()
		w.Spec().Choose("fault", 2)
		w.Spec().Sleep(5)
	})
	fnv := func(s string) uint64 {
		h := uint64(14695981039346656037)
		for _, c := range []byte(s) {
			h = (h ^ uint64(c)) * 1099511628211
		}
		return h
	}
	fold := func(h, word uint64) uint64 {
		h = (h ^ word) * 1099511628211
		return h ^ h>>29
	}
	step := func(op, object string) uint64 {
		return fold(fnv("main"), 1) ^ bits.RotateLeft64(fnv(op), 17) ^ bits.RotateLeft64(fnv(object), 34)
	}
	want := uint64(14695981039346656037)
	var value uint64 // of the choice
	for _, word := range []uint64{
		step("lock", "mu"),
		step("choose", "fault") ^ (value+1)*0x9e3779b97f4a7c15,
		0x636c6f636b ^ 5,
		step("wake", ""),
	} {
		want = fold(want, word)
	}
	if r.Hash != want || !locked {
		t.Fatalf("hash %#x, by hand %#x", r.Hash, want)
	}
}
