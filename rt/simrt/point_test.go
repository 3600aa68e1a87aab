package simrt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fleece/rt"
	"fleece/rt/simrt"
)

// inspector checks each point that it sees and then chooses at random.
type inspector struct {
	uniform
	t      *testing.T
	seen   map[simrt.Address]bool
	clocks int
}

func (c *inspector) Pick(p *simrt.Point) int {
	a := p.Address()
	if a.Hash() != p.AddressHash() {
		c.t.Errorf("address %+v has two hashes", a)
	}
	if c.seen[a] {
		c.t.Errorf("address %+v came twice", a)
	}
	c.seen[a] = true
	if a.Op == "clock" {
		c.clocks++
	}
	for i := range p.Len() {
		name, k := simrt.ParseTaskLabel(p.TaskLabel(i))
		if key := p.TaskKey(i); p.TaskID(i) != simrt.ClockID && key != simrt.TaskKey(name, k) {
			c.t.Errorf("option %s has key %#x", p.TaskLabel(i), key)
		}
	}
	return c.uniform.Pick(p)
}

func (c *inspector) Data(p *simrt.Point, label string, n int) int {
	if a := p.Address(); a.Op != "choose" || a.Object != label || a.Hash() != p.AddressHash() {
		c.t.Errorf("data choice %s at %+v", label, a)
	}
	return c.uniform.Data(p, label, n)
}

// mixture has tasks of one name, and timers, locks and choices.
func mixture(w *simrt.World) {
	spec := w.Spec()
	mu := spec.NewMutex("mu")
	cond := spec.NewCond("cond", mu)
	left := 4
	for i := range 4 {
		spec.Go("twin", func() {
			for range 3 {
				spec.Sleep(time.Duration(1+spec.Choose("latency", 3)+i) * ms)
				mu.Lock()
				cond.WaitUntil(spec.Now().Add(ms))
				mu.Unlock()
			}
			mu.Lock()
			left--
			cond.Broadcast()
			mu.Unlock()
		})
	}
	mu.Lock()
	for left > 0 {
		cond.Wait()
	}
	mu.Unlock()
}

func TestPoint_HasAnAddressThatComesOnceInARun(t *testing.T) {
	clocks := 0
	for seed := range 200 {
		c := &inspector{uniform: uniform{s: uint64(seed)}, t: t, seen: make(map[simrt.Address]bool)}
		mustPass(t, simrt.Run(simrt.Options{Chooser: c}, mixture))
		clocks += c.clocks
	}
	if clocks == 0 {
		t.Fatal("no choice came right after the clock moved: the test shows nothing")
	}
}

func TestPoint_ShowsWhatEachTaskWouldDo(t *testing.T) {
	var got []string
	keys := make(map[string]uint64)
	watch := steer(func(p *simrt.Point) string {
		if p.Address().Op != "probe" {
			if p.Address().Op == "go" {
				return p.Address().Object
			}
			return "main"
		}
		for i := range p.Len() {
			op, object := p.Pending(i)
			got = append(got, fmt.Sprintf("%s: %s %s", p.TaskLabel(i), op, object))
			keys[p.TaskLabel(i)] = p.ObjectKey(i)
		}
		return ""
	})
	mustPass(t, simrt.Run(simrt.Options{Chooser: watch}, func(w *simrt.World) {
		spec := w.Spec()
		a, b := spec.NewMutex("job"), spec.NewMutex("job")
		spec.Go("locks a", func() { touch(a) })
		spec.Go("locks b", func() { touch(b) })
		spec.Go("sleeps", func() { spec.Sleep(ms) })
		spec.Go("writes", func() { rt.Point(spec, "write", "/disk") })
		spec.Go("also locks b", func() { touch(b) })
		probe(w)
	}))
	want := []string{
		"main: probe ", "locks a: lock job", "locks b: lock job", "writes: write /disk", "also locks b: lock job", "clock: clock ",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got %s", strings.Join(got, "; "))
	}
	if keys["locks a"] == keys["locks b"] || keys["locks b"] != keys["also locks b"] || keys["clock"] != 0 {
		t.Fatalf("object keys %v", keys)
	}
}

func TestPoint_DoesNotOfferATaskThatWantsAHeldLock(t *testing.T) {
	watch := steer(func(p *simrt.Point) string {
		for i := range p.Len() {
			if p.Address().Op == "probe" && p.TaskLabel(i) == "wants" {
				t.Error("offered")
			}
		}
		return ""
	})
	r := mustPass(t, simrt.Run(simrt.Options{Chooser: watch}, func(w *simrt.World) {
		mu := w.Spec().NewMutex("mu")
		w.Spec().Go("wants", func() { touch(mu) })
		mu.Lock()
		w.Spec().Sleep(ms)
		probe(w)
		mu.Unlock()
	}))
	if r.Points == 0 {
		t.Fatal("no point")
	}
}

func TestListener_GetsWhatTheLogKeeps(t *testing.T) {
	var heard []simrt.Entry
	o := simrt.Options{KeepLog: true, Listener: func(e simrt.Entry) { heard = append(heard, e) }}
	r := mustPass(t, simrt.Run(o, func(w *simrt.World) {
		w.Spec().Note("hello", 42)
		w.Spec().Choose("fault", 2)
		w.NewProcess("driver").Kill()
		w.Spec().Sleep(ms)
	}))
	var kinds []simrt.EntryKind
	for _, e := range r.Log {
		kinds = append(kinds, e.Kind)
		if e.Kind == simrt.EntryNote && (e.Op != "hello" || e.Args[0] != 42 || e.Task != "main") {
			t.Errorf("note is %+v", e)
		}
	}
	want := []simrt.EntryKind{
		simrt.EntryNote, simrt.EntryChoose, simrt.EntryRun, simrt.EntryKill, simrt.EntryClock, simrt.EntryRun,
	}
	if !slices.Equal(kinds, want) || len(heard) != len(r.Log) {
		t.Fatalf("kinds %v, heard %d", kinds, len(heard))
	}
}
