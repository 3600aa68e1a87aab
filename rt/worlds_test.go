package rt_test

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"fleece/rt"
	"fleece/rt/realrt"
	"fleece/rt/simrt"
)

// join is how long a real world may take to end its tasks.
const join = 10 * time.Second

// inWorlds runs body, which reports what went wrong, as a task of a process
// "spec" of each kind of world. What both must do alike is tested here.
func inWorlds(t *testing.T, body func(w rt.World, spec rt.Process) string) {
	t.Helper()
	sim := func(b simrt.Backend) func(t *testing.T) {
		return func(t *testing.T) {
			var wrong string
			r := simrt.Run(simrt.Options{Backend: b}, func(w *simrt.World) { wrong = body(w, w.Spec()) })
			if r.Failure != nil {
				t.Fatalf("%s: %s\n%s", r.Failure.Kind, r.Failure.Detail, r.Failure.Stack)
			}
			if wrong != "" {
				t.Fatal(wrong)
			}
		}
	}
	t.Run("simulated on coroutines", sim(simrt.Coro))
	t.Run("simulated on goroutines", sim(simrt.Baton))
	t.Run("real", func(t *testing.T) {
		w := realrt.NewWorld()
		spec := w.NewProcess("spec")
		var wrong string
		if err := spec.Call("main", func() { wrong = body(w, spec) }); err != nil {
			t.Fatal(err)
		}
		if left := w.Shutdown(join); len(left) > 0 {
			t.Fatalf("still running: %v", left)
		}
		if wrong != "" {
			t.Fatal(wrong)
		}
	})
}

// flag is a condition with its state, in the kernel so that every process may use it.
type flag struct {
	mu   rt.Mutex
	cond rt.Cond
	n    int
}

func newFlag(w rt.World, name string) *flag {
	mu := w.Kernel().NewMutex(name + ".lock")
	return &flag{mu: mu, cond: w.Kernel().NewCond(name, mu)}
}

func (f *flag) add() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	f.cond.Broadcast()
}

func (f *flag) await(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.n < n {
		f.cond.Wait()
	}
}

func TestCall_ReturnsWhenTheFunctionDid(t *testing.T) {
	inWorlds(t, func(w rt.World, _ rt.Process) string {
		ran := false
		if err := w.NewProcess("driver").Call("begin", func() { ran = true }); err != nil || !ran {
			return "the call did not run"
		}
		return ""
	})
}

func TestCall_GetsErrKilledWhenTheProcessDies(t *testing.T) {
	inWorlds(t, func(w rt.World, spec rt.Process) string {
		driver := w.NewProcess("driver")
		mu := driver.NewMutex("domLock")
		cond := driver.NewCond("reply", mu)
		inside, done := newFlag(w, "inside"), newFlag(w, "done")
		var err error
		spec.Go("caller", func() {
			err = driver.Call("begin", func() {
				mu.Lock()
				defer mu.Unlock()
				inside.add()
				for {
					cond.Wait()
				}
			})
			done.add()
		})
		inside.await(1)
		driver.Kill()
		done.await(1)
		if !errors.Is(err, rt.ErrKilled) {
			return "the caller did not get ErrKilled"
		}
		if driver.Alive() || !errors.Is(driver.Call("again", func() {}), rt.ErrKilled) {
			return "the process lives on"
		}
		return ""
	})
}

func TestKill_RunsHooksFirstInOrderAndThenTheDeferredFunctions(t *testing.T) {
	inWorlds(t, func(w rt.World, _ rt.Process) string {
		driver := w.NewProcess("driver")
		inside, unwound := newFlag(w, "inside"), make([]string, 0, 4)
		var ended atomic.Bool
		driver.OnKill(func() { unwound = append(unwound, "first") })
		driver.OnKill(func() { unwound = append(unwound, "never") })()
		driver.OnKill(func() {
			if ended.Load() {
				unwound = append(unwound, "too late")
			}
			unwound = append(unwound, "second")
		})
		driver.Go("loop", func() {
			defer ended.Store(true)
			inside.add()
			driver.Sleep(time.Hour)
			inside.add()
		})
		inside.await(1)
		driver.Kill()
		driver.Kill()
		if !slices.Equal(unwound, []string{"first", "second"}) {
			return "hooks ran wrongly"
		}
		late := false
		driver.OnKill(func() { late = true })
		if !late {
			return "a hook of a dead process did not run at once"
		}
		return ""
	})
}

func TestKill_OfItselfEndsTheTask(t *testing.T) {
	inWorlds(t, func(w rt.World, _ rt.Process) string {
		driver := w.NewProcess("driver")
		after := false
		err := driver.Call("abort", func() {
			driver.Kill()
			after = true
		})
		if !errors.Is(err, rt.ErrKilled) || after {
			return "the task went on after its own death"
		}
		return ""
	})
}

func TestGo_OfADeadProcessStartsNothing(t *testing.T) {
	inWorlds(t, func(w rt.World, _ rt.Process) string {
		driver := w.NewProcess("driver")
		driver.Kill()
		var ran atomic.Bool
		driver.Go("zombie", func() { ran.Store(true) })
		w.NewProcess("other").Sleep(time.Millisecond)
		if ran.Load() {
			return "a task of a dead process ran"
		}
		return ""
	})
}

func TestWaitUntil_TellsAWakeUpFromADeadline(t *testing.T) {
	inWorlds(t, func(w rt.World, spec rt.Process) string {
		mu := spec.NewMutex("mu")
		cond := spec.NewCond("cond", mu)
		mu.Lock()
		defer mu.Unlock()
		if cond.WaitUntil(spec.Now().Add(time.Millisecond)) {
			return "woken by nobody"
		}
		ready := false
		spec.Go("waker", func() {
			mu.Lock()
			ready = true
			cond.Signal()
			mu.Unlock()
		})
		for !ready {
			if !cond.WaitUntil(spec.Now().Add(time.Hour)) {
				return "the deadline passed"
			}
		}
		return ""
	})
}

func TestSignal_WakesOneAndBroadcastAll(t *testing.T) {
	inWorlds(t, func(w rt.World, spec rt.Process) string {
		mu := spec.NewMutex("mu")
		cond := spec.NewCond("cond", mu)
		waiting, tickets := newFlag(w, "waiting"), 0
		gone := newFlag(w, "gone")
		for range 4 {
			spec.Go("waiter", func() {
				mu.Lock()
				defer mu.Unlock()
				waiting.add()
				for tickets == 0 {
					cond.Wait()
				}
				tickets--
				gone.add()
			})
		}
		waiting.await(4)
		mu.Lock()
		tickets = 1
		cond.Signal()
		mu.Unlock()
		gone.await(1)
		mu.Lock()
		tickets = 3
		cond.Broadcast()
		mu.Unlock()
		gone.await(4)
		return ""
	})
}

func TestKill_FreesALockWhoseHolderDiedWithoutDeferredUnlock(t *testing.T) {
	inWorlds(t, func(w rt.World, _ rt.Process) string {
		driver := w.NewProcess("driver")
		mu := driver.NewMutex("domLock")
		cond := driver.NewCond("reply", mu)
		inside := newFlag(w, "inside")
		for range 3 {
			driver.Go("holder", func() {
				mu.Lock()
				inside.add()
				for {
					cond.Wait()
				}
			})
		}
		inside.await(3)
		driver.Kill()
		mu.Lock() // by a task of another process
		defer mu.Unlock()
		return ""
	})
}

func TestPointAndLeafMutex_WorkInEveryWorld(t *testing.T) {
	inWorlds(t, func(w rt.World, spec rt.Process) string {
		mu := rt.NewLeafMutex(w.Kernel(), "files")
		rt.Point(spec, "write", "/disk.qcow2")
		mu.Lock()
		n := spec.Choose("fault", 1)
		mu.Unlock()
		if n != 0 {
			return "a choice of one is not 0"
		}
		return ""
	})
}
