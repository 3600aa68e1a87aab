package simrt_test

import (
	"errors"
	"testing"
	"time"

	"fleece/rt"
	"fleece/rt/simrt"
)

// check fails the world unless ok.
func check(w *simrt.World, ok bool, what string) {
	if !ok {
		w.Fail(simrt.KindCheck, what)
	}
}

func TestKill_FreesKernelLocksAndLeavesKernelQueues(t *testing.T) {
	backends(t, func(t *testing.T, b simrt.Backend) {
		mustPass(t, simrt.Run(simrt.Options{Backend: b, Chooser: prefer("victim")}, func(w *simrt.World) {
			k := w.Kernel()
			held, queue := k.NewMutex("held"), k.NewMutex("queue")
			cond := k.NewCond("cond", queue)
			driver := w.NewProcess("driver")
			driver.Go("victim", func() { // waits first in the queue
				queue.Lock()
				cond.Wait()
				w.Fail(simrt.KindCheck, "a dead task took a wake-up")
			})
			driver.Go("victim", func() {
				held.Lock()
				driver.Sleep(time.Hour)
				w.Fail(simrt.KindCheck, "a dead task woke")
			})
			woken := false
			j := newJoin(w)
			w.Spec().Go("alive", func() {
				queue.Lock()
				for !woken {
					cond.Wait()
				}
				queue.Unlock()
				j.done()
			})
			w.Spec().Sleep(ms)
			driver.Kill()
			touch(held)
			queue.Lock()
			woken = true
			cond.Signal()
			queue.Unlock()
			j.await(1)
		}))
	})
}

func TestKill_VoidsTheTimersOfTheDead(t *testing.T) {
	r := mustPass(t, simrt.Run(simrt.Options{}, func(w *simrt.World) {
		driver := w.NewProcess("driver")
		mu := driver.NewMutex("mu")
		cond := driver.NewCond("cond", mu)
		driver.Go("waiter", func() {
			mu.Lock()
			cond.WaitUntil(driver.Now().Add(time.Second))
		})
		driver.Go("sleeper", func() { driver.Sleep(2 * time.Second) })
		w.Spec().Sleep(ms)
		driver.Kill()
		w.Spec().Sleep(ms)
	}))
	if r.Elapsed != 2*ms {
		t.Fatalf("elapsed %v", r.Elapsed)
	}
}

func TestKill_RunsDeferredFunctionsWithoutEffect(t *testing.T) {
	backends(t, func(t *testing.T, b simrt.Backend) {
		deferred := 0
		mustPass(t, simrt.Run(simrt.Options{Backend: b}, func(w *simrt.World) {
			driver, other := w.NewProcess("driver"), w.NewProcess("other")
			mu := w.Kernel().NewMutex("mu")
			cond := w.Kernel().NewCond("cond", mu)
			driver.Go("victim", func() {
				defer func() { deferred++ }()
				defer func() { driver.Sleep(ms); w.Fail(simrt.KindCheck, "slept") }()
				defer func() {
					mu.Lock()
					cond.Broadcast()
					driver.Go("zombie", func() { w.Fail(simrt.KindCheck, "ran") })
					other.Go("zombie", func() { w.Fail(simrt.KindCheck, "ran elsewhere") })
					other.Kill()
					check(w, errors.Is(other.Call("zombie", func() {}), rt.ErrKilled), "called")
					check(w, driver.Choose("fault", 2) == 0, "chose")
					rt.Point(driver, "write", "file")
					mu.Unlock()
					deferred++
				}()
				driver.Sleep(time.Hour)
			})
			w.Spec().Sleep(ms)
			mu.Lock() // held by a live task while the dead one unlocks
			driver.Kill()
			w.Spec().Go("intruder", func() {
				mu.Lock()
				check(w, deferred == 3, "a dead task unlocked for another")
				mu.Unlock()
			})
			w.Spec().Sleep(ms)
			deferred++
			mu.Unlock()
			w.Spec().Sleep(ms)
			check(w, other.Alive(), "killed by a dead task")
		}))
		if deferred != 3 {
			t.Fatalf("deferred functions ran %d times", deferred)
		}
	})
}

func TestKill_CannotBeRecoveredFrom(t *testing.T) {
	backends(t, func(t *testing.T, b simrt.Backend) {
		mustPass(t, simrt.Run(simrt.Options{Backend: b}, func(w *simrt.World) {
			driver := w.NewProcess("driver")
			mu := driver.NewMutex("mu")
			stubborn := func(f func()) {
				defer func() { _ = recover() }()
				f()
			}
			driver.Go("waits again", func() {
				stubborn(func() { driver.Sleep(time.Hour) })
				driver.Sleep(time.Hour)
				w.Fail(simrt.KindCheck, "survived")
			})
			driver.Go("spins", func() {
				stubborn(func() { driver.Sleep(time.Hour) })
				for {
					touch(mu)
				}
			})
			w.Spec().Sleep(ms)
			driver.Kill()
		}))
	})
}

func TestKill_OfTheCallerLetsTheCalleeGoOn(t *testing.T) {
	mustPass(t, simrt.Run(simrt.Options{}, func(w *simrt.World) {
		client, driver := w.NewProcess("client"), w.NewProcess("driver")
		j := newJoin(w)
		client.Go("caller", func() {
			_ = driver.Call("begin", func() {
				driver.Sleep(2 * ms)
				j.done()
			})
			w.Fail(simrt.KindCheck, "a dead caller went on")
		})
		w.Spec().Sleep(ms)
		client.Kill()
		j.await(1)
	}))
}

func TestKill_InTheMiddleOfAChainOfCalls(t *testing.T) {
	backends(t, func(t *testing.T, b simrt.Backend) {
		mustPass(t, simrt.Run(simrt.Options{Backend: b}, func(w *simrt.World) {
			spec, driver, qemu := w.Spec(), w.NewProcess("driver"), w.NewProcess("qemu")
			j := newJoin(w)
			reached := false
			spec.Go("caller", func() {
				err := driver.Call("begin", func() {
					_ = qemu.Call("query-block", func() {
						qemu.Sleep(2 * ms)
						reached = true
					})
					w.Fail(simrt.KindCheck, "the killed driver went on")
				})
				check(w, errors.Is(err, rt.ErrKilled), "no ErrKilled")
				check(w, !reached, "the caller waited for the callee's callee")
				j.done()
			})
			spec.Sleep(ms)
			driver.Kill()
			j.await(1)
			spec.Sleep(2 * ms)
			check(w, reached, "QEMU stopped with the driver")
		}))
	})
}

func TestKill_HooksMayLockWhatALiveTaskHolds(t *testing.T) {
	mustPass(t, simrt.Run(simrt.Options{Chooser: prefer("holder")}, func(w *simrt.World) {
		driver := w.NewProcess("driver")
		mu := w.Kernel().NewMutex("pipe")
		fenced := false
		driver.OnKill(func() {
			mu.Lock()
			fenced = true
			mu.Unlock()
		})
		driver.Go("loop", func() {
			defer func() { check(w, fenced, "unwound before it was fenced") }()
			driver.Sleep(time.Hour)
		})
		w.Spec().Go("holder", func() {
			mu.Lock()
			w.Spec().Sleep(2 * ms)
			mu.Unlock()
		})
		w.Spec().Sleep(ms)
		driver.Kill()
		check(w, fenced, "not fenced")
	}))
}

func TestKill_OfMainsProcessFailsTheRun(t *testing.T) {
	mustFail(t, simrt.Options{}, simrt.KindKilled, func(w *simrt.World) { w.Spec().Kill() })
	mustFail(t, simrt.Options{}, simrt.KindKilled, func(w *simrt.World) {
		w.NewProcess("other").Go("killer", w.Spec().Kill)
		w.Spec().Sleep(ms)
	})
}
