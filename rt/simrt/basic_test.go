package simrt_test

import (
	"testing"
	"time"

	"fleece/rt/simrt"
)

// backends runs a test on each of them.
func backends(t *testing.T, f func(t *testing.T, b simrt.Backend)) {
	t.Run("coro", func(t *testing.T) { f(t, simrt.Coro) })
	t.Run("baton", func(t *testing.T) { f(t, simrt.Baton) })
}

func mustPass(t *testing.T, r simrt.Result) simrt.Result {
	t.Helper()
	if r.Failure != nil {
		t.Fatalf("failed: %s: %s\n%s", r.Failure.Kind, r.Failure.Detail, r.Failure.Stack)
	}
	return r
}

func TestRun_HandsWorkFromTaskToTask(t *testing.T) {
	backends(t, func(t *testing.T, b simrt.Backend) {
		var got []int
		r := mustPass(t, simrt.Run(simrt.Options{Backend: b}, func(w *simrt.World) {
			p := w.NewProcess("worker")
			mu := w.Kernel().NewMutex("mu")
			cond := w.Kernel().NewCond("cond", mu)
			var queue []int
			p.Go("producer", func() {
				for i := range 3 {
					p.Sleep(time.Millisecond)
					mu.Lock()
					queue = append(queue, i)
					cond.Signal()
					mu.Unlock()
				}
			})
			for len(got) < 3 {
				mu.Lock()
				for len(queue) == 0 {
					cond.Wait()
				}
				got = append(got, queue...)
				queue = nil
				mu.Unlock()
			}
		}))
		if len(got) != 3 || got[2] != 2 {
			t.Fatalf("got %v", got)
		}
		if r.Elapsed != 3*time.Millisecond {
			t.Fatalf("virtual time is %v", r.Elapsed)
		}
	})
}
