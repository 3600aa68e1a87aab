package simrt_test

import (
	"runtime"
	"strings"
	"testing"

	"fleece/rt"
	"fleece/rt/simrt"
)

func explode(mu rt.Mutex) {
	mu.Lock()
	var m []int
	m[len(m)]++
}

func TestFailure_OfAPanicHasItsFunctionAndStack(t *testing.T) {
	backends(t, func(t *testing.T, b simrt.Backend) {
		f := mustFail(t, simrt.Options{Backend: b}, simrt.KindPanic, func(w *simrt.World) {
			mu := w.Spec().NewMutex("mu")
			w.Spec().Go("bad", func() { explode(mu) })
			w.Spec().Sleep(ms)
		})
		if f.Task != "bad" || !strings.HasSuffix(f.Place, "simrt_test.explode") {
			t.Fatalf("task %s, place %s", f.Task, f.Place)
		}
		if !strings.Contains(f.Stack, "failure_test.go") || !strings.Contains(f.Detail, "index out of range") {
			t.Fatalf("%s\n%s", f.Detail, f.Stack)
		}
	})
}

func TestFailure_OfGoexitIsReportedAndDoesNotHang(t *testing.T) {
	backends(t, func(t *testing.T, b simrt.Backend) {
		pool := simrt.NewPool(b)
		defer pool.Close()
		for _, main := range []func(w *simrt.World){
			func(*simrt.World) { runtime.Goexit() },
			func(w *simrt.World) {
				w.Spec().Go("leaver", func() {
					defer w.Spec().Sleep(0)
					runtime.Goexit()
				})
				w.Spec().Sleep(ms)
			},
		} {
			f := mustFail(t, simrt.Options{Pool: pool}, simrt.KindPanic, main)
			if f.Place != "runtime.Goexit" {
				t.Fatalf("place is %s", f.Place)
			}
			mustPass(t, simrt.Run(simrt.Options{Pool: pool}, func(w *simrt.World) { w.Spec().Sleep(ms) }))
		}
	})
}

func TestFailure_OfACheckEndsTheRunAtOnce(t *testing.T) {
	backends(t, func(t *testing.T, b simrt.Backend) {
		after := false
		f := mustFail(t, simrt.Options{Backend: b}, simrt.KindCheck, func(w *simrt.World) {
			w.Spec().Go("oracle", func() {
				w.Fail(simrt.KindCheck, "image differs")
				after = true
			})
			w.Spec().Sleep(ms)
			after = true
		})
		if after || f.Detail != "image differs" || !strings.Contains(f.Place, "EndsTheRunAtOnce") {
			t.Fatalf("after is %v, failure %+v", after, f)
		}
	})
}

func TestFailure_OfALoopThatNeverEndsIsTheStepLimit(t *testing.T) {
	mustFail(t, simrt.Options{StepLimit: 1000}, simrt.KindSteps, func(w *simrt.World) {
		mu := w.Spec().NewMutex("mu")
		for {
			touch(mu)
		}
	})
	mustFail(t, simrt.Options{StepLimit: 1000}, simrt.KindSteps, func(w *simrt.World) {
		for {
			w.Spec().Sleep(ms)
		}
	})
}

func TestFailure_OfWrongUse(t *testing.T) {
	for _, c := range []struct {
		name, detail string
		main         func(w *simrt.World)
	}{
		{"unlock of a free lock", "unlock of mu, which main does not hold", func(w *simrt.World) {
			w.Spec().NewMutex("mu").Unlock()
		}},
		{"wait without the lock", "wait on c by main, which does not hold mu", func(w *simrt.World) {
			w.Spec().NewCond("c", w.Spec().NewMutex("mu")).Wait()
		}},
		{"point under a leaf lock", "leaf lock files is held", func(w *simrt.World) {
			mu := rt.NewLeafMutex(w.Kernel(), "files")
			w.Spec().Go("other", func() { mu.Lock() })
			mu.Lock()
			w.Spec().Sleep(ms)
		}},
		{"kill of the kernel", "the kernel cannot be killed", func(w *simrt.World) {
			w.Kernel().(rt.Process).Kill()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := mustFail(t, simrt.Options{}, simrt.KindPanic, c.main)
			if !strings.Contains(f.Detail, c.detail) {
				t.Fatalf("got %s", f.Detail)
			}
		})
	}
}

func TestWorld_CanBeLookedAtAfterItsEnd(t *testing.T) {
	var mu rt.Mutex
	var w *simrt.World
	mustPass(t, simrt.Run(simrt.Options{}, func(x *simrt.World) {
		w = x
		mu = w.Kernel().NewMutex("files")
		w.Spec().Go("holder", func() {
			mu.Lock()
			w.Spec().Sleep(ms)
		})
		w.Spec().Sleep(ms / 2)
	}))
	touch(mu)
	w.Spec().Go("late", func() { t.Error("ran after the end") })
	if got := w.Now().Nanosecond(); got != int(ms/2) {
		t.Fatalf("time is %d", got)
	}
}
