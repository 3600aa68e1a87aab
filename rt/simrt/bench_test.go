package simrt_test

import (
	"fmt"
	"iter"
	"testing"

	"fleece/rt"
	"fleece/rt/simrt"
)

// uniform takes each option with the same probability; sticky goes on with the
// running task nine times of ten.
type uniform struct {
	s      uint64
	sticky bool
}

func (u *uniform) next() uint64 {
	u.s += 0x9e3779b97f4a7c15
	z := u.s
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (u *uniform) below(n int) int { return int((u.next() >> 32) * uint64(n) >> 32) }

func (u *uniform) Pick(p *simrt.Point) int {
	if u.sticky && p.CanGo() && u.below(10) != 0 {
		return 0
	}
	return u.below(p.Len())
}

func (u *uniform) Data(_ *simrt.Point, _ string, n int) int { return u.below(n) }

// spin makes tasks that pass n points together: bare ones, or each before a lock
// that all of them want.
func spin(tasks, n int, lock bool) func(w *simrt.World) {
	return func(w *simrt.World) {
		spec := w.Spec()
		each := n / tasks
		done := 0
		mu := spec.NewMutex("mu")
		cond := spec.NewCond("done", mu)
		for range tasks {
			spec.Go("spinner", func() {
				for range each {
					if !lock {
						rt.Point(spec, "step", "thing")
						continue
					}
					touch(mu)
				}
				done++
				cond.Signal()
			})
		}
		mu.Lock()
		for done < tasks {
			cond.Wait()
		}
		mu.Unlock()
	}
}

func BenchmarkChoicePoint(b *testing.B) {
	strategies := []struct {
		name string
		make func() simrt.Chooser
	}{
		{"plain", func() simrt.Chooser { return nil }},
		{"sticky", func() simrt.Chooser { return &uniform{s: 1, sticky: true} }},
		{"uniform", func() simrt.Chooser { return &uniform{s: 1} }},
	}
	for _, backend := range []struct {
		name string
		b    simrt.Backend
	}{{"coro", simrt.Coro}, {"baton", simrt.Baton}} {
		for _, s := range strategies {
			for _, tasks := range []int{2, 8} {
				b.Run(fmt.Sprintf("%s/%s/tasks%d", backend.name, s.name, tasks), func(b *testing.B) {
					pool := simrt.NewPool(backend.b)
					defer pool.Close()
					const batch = 10000
					for i := 0; i < b.N; i += batch {
						simrt.Run(simrt.Options{Pool: pool, Chooser: s.make()}, spin(tasks, batch, false))
					}
				})
			}
		}
	}
}

func BenchmarkWorld(b *testing.B) {
	for _, backend := range []struct {
		name string
		b    simrt.Backend
	}{{"coro", simrt.Coro}, {"baton", simrt.Baton}} {
		b.Run(backend.name+"/tasks8", func(b *testing.B) {
			pool := simrt.NewPool(backend.b)
			defer pool.Close()
			b.ReportAllocs()
			for range b.N {
				simrt.Run(simrt.Options{Pool: pool}, func(w *simrt.World) {
					for range 8 {
						w.Spec().Go("task", func() {})
					}
					w.Spec().Sleep(1)
				})
			}
		})
	}
}

// BenchmarkSwitch is what iter.Pull itself takes: the floor of a choice point
// that goes on with another task.
func BenchmarkSwitch(b *testing.B) {
	next, stop := iter.Pull(func(yield func(struct{}) bool) {
		for yield(struct{}{}) {
		}
	})
	defer stop()
	for range b.N {
		next()
	}
}

func BenchmarkCall(b *testing.B) {
	pool := simrt.NewPool(simrt.Coro)
	defer pool.Close()
	b.ReportAllocs()
	simrt.Run(simrt.Options{Pool: pool, StepLimit: 1 << 40}, func(w *simrt.World) {
		driver := w.NewProcess("driver")
		for range b.N {
			if err := driver.Call("call", func() {}); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkContendedLock(b *testing.B) {
	pool := simrt.NewPool(simrt.Coro)
	defer pool.Close()
	const batch = 10000
	for i := 0; i < b.N; i += batch {
		simrt.Run(simrt.Options{Pool: pool, Chooser: &uniform{s: 1}}, spin(8, batch, true))
	}
}
