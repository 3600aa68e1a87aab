package memhost_test

import (
	"testing"

	"fleece/host"
	"fleece/host/hosttest"
	"fleece/host/memhost"
	"fleece/rt/realrt"
	"fleece/rt/simrt"
)

func TestMemhost_KeepsTheContractOfHost(t *testing.T) {
	hosttest.Contract(t, func(t *testing.T) hosttest.Subject {
		world := realrt.NewWorld()
		k := memhost.New(world.Kernel(), memhost.Options{})
		must(t, k.MkdirAll("/some/dir"))
		return hosttest.Subject{Dir: "/some/dir", View: k.View, NewProcess: world.NewProcess}
	})
}

func TestMemhost_IsOneChoicePointForEachChangeAndNoneForAReading(t *testing.T) {
	r := simrt.Run(simrt.Options{}, func(w *simrt.World) {
		h := memhost.New(w.Kernel(), memhost.Options{}).View(w.Spec())
		expect := func(what string, want int, op func()) {
			before := w.Steps()
			op()
			if got := w.Steps() - before; got != want {
				t.Errorf("%s made %d steps, want %d", what, got, want)
			}
		}
		var f host.File
		expect("creating", 1, func() { f, _ = h.OpenFile("/a", host.ReadWrite|host.Create, 0o600) })
		expect("writing", 1, func() { _, _ = f.WriteAt([]byte("x"), 0) })
		expect("syncing", 1, func() { _ = f.Sync() })
		expect("renaming", 1, func() { _ = h.Rename("/a", "/b") })
		expect("making a directory", 1, func() { _ = h.Mkdir("/d", 0o700) })
		expect("unlinking", 1, func() { _ = h.Remove("/b") })
		expect("reading", 0, func() { _, _ = f.ReadAt(make([]byte, 1), 0) })
		expect("looking", 0, func() { _, _ = h.Stat("/d") })
		expect("opening", 0, func() { _, _ = h.OpenFile("/b", host.ReadOnly, 0) })
		expect("closing", 0, func() { _ = f.Close() })
	})
	if r.Failure != nil {
		t.Fatal(r.Failure)
	}
}

func TestMemhost_InASimulatedWorldFencesAKilledWriter(t *testing.T) {
	r := simrt.Run(simrt.Options{}, func(w *simrt.World) {
		k := memhost.New(w.Kernel(), memhost.Options{})
		victim := w.NewProcess("victim")
		v := k.View(victim)
		err := victim.Call("writer", func() {
			f, _ := v.OpenFile("/a", host.ReadWrite|host.Create, 0o600)
			defer func() { _ = v.Remove("/a") }() // as a rollback would
			_, _ = f.WriteAt([]byte("x"), 0)
			victim.Kill()
			_, _ = f.WriteAt([]byte("y"), 1)
		})
		if err == nil {
			t.Error("the call of a killed process succeeded")
		}
		if got := content(&quiet{}, k.View(w.Spec()), "/a"); got != "x" {
			t.Errorf("content is %q", got)
		}
	})
	if r.Failure != nil {
		t.Fatal(r.Failure)
	}
}

// quiet is a tester for tasks, in which testing.T must not end the goroutine.
type quiet struct{}

func (quiet) Helper()           {}
func (quiet) Fatal(args ...any) { panic(args) }
