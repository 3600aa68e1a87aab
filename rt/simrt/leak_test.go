package simrt_test

import (
	"runtime"
	"testing"
	"time"

	"fleece/rt/simrt"
)

// crowd ends with tasks in every state: not started, asleep, waiting, queueing
// on a lock, calling, killed.
func crowd(w *simrt.World) {
	driver := w.NewProcess("driver")
	mu := driver.NewMutex("mu")
	cond := driver.NewCond("cond", mu)
	driver.Go("waits", func() { mu.Lock(); defer mu.Unlock(); cond.Wait() })
	driver.Go("times out", func() { mu.Lock(); defer mu.Unlock(); cond.WaitUntil(driver.Now().Add(time.Hour)) })
	driver.Go("sleeps", func() { driver.Sleep(time.Hour) })
	w.Spec().Go("calls", func() { _ = driver.Call("call", func() { driver.Sleep(time.Hour) }) })
	victim := w.NewProcess("victim")
	victim.Go("dies", func() { victim.Sleep(time.Hour) })
	w.Spec().Sleep(ms)
	victim.Kill()
	w.Spec().Go("queues", func() { mu.Lock(); defer mu.Unlock() })
	mu.Lock()
	w.Spec().Go("never runs", func() {})
}

func TestRun_LeaksNoGoroutine(t *testing.T) {
	for _, c := range []struct {
		name   string
		b      simrt.Backend
		worlds int
	}{{"coro", simrt.Coro, 100_000}, {"baton", simrt.Baton, 10_000}} {
		t.Run(c.name, func(t *testing.T) {
			worlds := c.worlds
			if testing.Short() || raceEnabled {
				worlds /= 50
			}
			before := runtime.NumGoroutine()
			pool := simrt.NewPool(c.b)
			most := 0
			for i := range worlds {
				o := simrt.Options{Pool: pool, Chooser: &uniform{s: uint64(i)}}
				mustPass(t, simrt.Run(o, crowd))
				most = max(most, runtime.NumGoroutine())
			}
			if most > before+16 {
				t.Errorf("%d goroutines at most, %d before", most, before)
			}
			pool.Close()
			// A goroutine ends a moment after it said so; on a busy host that is long.
			for end := time.Now().Add(10 * time.Second); time.Now().Before(end); runtime.Gosched() {
				if runtime.NumGoroutine() <= before {
					return
				}
			}
			t.Fatalf("%d goroutines after Close, %d before", runtime.NumGoroutine(), before)
		})
	}
}
