package simrt_test

import (
	"strings"
	"testing"

	"fleece/rt/simrt"
)

// abba has two tasks that take two locks in opposite order.
func abba(w *simrt.World) {
	driver := w.NewProcess("driver")
	dom, cp := driver.NewMutex("domLock"), driver.NewMutex("cpLock")
	j := newJoin(w)
	driver.Go("backup", func() {
		dom.Lock()
		touch(cp)
		dom.Unlock()
		j.done()
	})
	driver.Go("events", func() {
		cp.Lock()
		touch(dom)
		cp.Unlock()
		j.done()
	})
	j.await(2)
}

func TestDeadlock_NamesTheCycleOfLocks(t *testing.T) {
	backends(t, func(t *testing.T, b simrt.Backend) {
		mustPass(t, simrt.Run(simrt.Options{Backend: b}, abba))
		inversion := steer(func(p *simrt.Point) string {
			if a := p.Address(); a.Task == "backup" && a.Object == "cpLock" {
				return "events"
			}
			return ""
		})
		f := mustFail(t, simrt.Options{Backend: b, Chooser: inversion, KeepLog: true}, simrt.KindDeadlock, abba)
		want := "backup waits for cpLock held by events; events waits for domLock held by backup"
		if f.Detail != want {
			t.Fatalf("got  %s\nwant %s", f.Detail, want)
		}
		if f.Place != "cpLock,domLock" {
			t.Fatalf("place is %s", f.Place)
		}
		if !strings.Contains(f.Stack, "task backup:") || !strings.Contains(f.Stack, "simrt_test.abba.func2") {
			t.Fatalf("the stacks of both tasks are missing:\n%s", f.Stack)
		}
	})
}

func TestDeadlock_FollowsTheChainFromMainWhenThereIsNoCycle(t *testing.T) {
	f := mustFail(t, simrt.Options{}, simrt.KindDeadlock, func(w *simrt.World) {
		driver := w.NewProcess("driver")
		mu := driver.NewMutex("domLock")
		reply := driver.NewCond("reply", mu)
		driver.Go("idle", func() {
			mu.Lock()
			reply.Wait()
		})
		_ = driver.Call("begin", func() {
			mu.Lock()
			reply.Wait()
		})
	})
	want := "main waits for call begin; begin waits for reply; idle waits for reply"
	if f.Detail != want || f.Place != "reply" {
		t.Fatalf("got %s at %s", f.Detail, f.Place)
	}
}

func TestDeadlock_NamesALockWhoseHolderEnded(t *testing.T) {
	f := mustFail(t, simrt.Options{Chooser: prefer("forgetful")}, simrt.KindDeadlock, func(w *simrt.World) {
		mu := w.Spec().NewMutex("domLock")
		w.Spec().Go("forgetful", mu.Lock)
		mu.Lock()
	})
	if f.Detail != "main waits for domLock held by forgetful, which ended" {
		t.Fatalf("got %s", f.Detail)
	}
}

func TestDeadlock_OfATaskThatLocksTwice(t *testing.T) {
	f := mustFail(t, simrt.Options{}, simrt.KindDeadlock, func(w *simrt.World) {
		mu := w.Spec().NewMutex("domLock")
		w.Spec().Go("sleeper", func() { w.Spec().Sleep(ms) })
		mu.Lock()
		mu.Lock()
	})
	if f.Detail != "main waits for domLock held by main" {
		t.Fatalf("got %s", f.Detail)
	}
}
