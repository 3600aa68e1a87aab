package driver_test

import (
	"testing"

	"fleece/rt/simrt"
	"fleece/virt"
)

// BenchmarkCycle is a whole world: define, start, one backup of two disks with a
// checkpoint, its end, and the end of the machine.
func BenchmarkCycle(b *testing.B) {
	pool := simrt.NewPool(simrt.Coro)
	defer pool.Close()
	b.ReportAllocs()
	for range b.N {
		runWorld(b, simrt.Options{Pool: pool}, func(w *world) {
			w.boot()
			id, err := w.begin()
			w.must(err)
			w.await("the event", func() bool { return len(w.completions()) == 1 })
			_, err = w.dom.BackupEnd(id, 0)
			w.must(err)
		})
	}
}

// BenchmarkBackups is many backups in one world: what the driver and the simulator
// cost per backup, without the world around.
func BenchmarkBackups(b *testing.B) {
	b.ReportAllocs()
	runWorld(b, simrt.Options{StepLimit: 1 << 40}, func(w *world) {
		w.boot()
		h := w.kernel.View(w.Spec())
		for b.Loop() {
			_, err := w.dom.BackupBegin(virt.XML(twoTargets), nil, 0)
			w.must(err)
			w.awaitIdle()
			_, err = w.dom.BackupEnd(0, 0)
			w.must(err)
			w.must(h.Remove("/t/a"))
			w.must(h.Remove("/t/b"))
			w.events, w.commands = nil, nil
		}
	})
}
