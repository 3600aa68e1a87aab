package realrt_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"fleece/rt"
	"fleece/rt/realrt"
)

const join = 10 * time.Second

// noLeak checks that the test leaves no goroutine behind.
func noLeak(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		// A goroutine ends a moment after its task; on a busy host that is long.
		for end := time.Now().Add(join); time.Now().Before(end); runtime.Gosched() {
			if runtime.NumGoroutine() <= before {
				return
			}
		}
		t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
	})
}

func TestShutdown_NamesTheTasksThatStillRun(t *testing.T) {
	noLeak(t)
	w := realrt.NewWorld()
	release := make(chan struct{})
	p := w.NewProcess("driver")
	p.Go("stuck", func() { <-release })
	p.Go("sleeper", func() { p.Sleep(time.Hour) })
	w.Kernel().Go("io", func() { <-release })
	if left := w.Wait(0); len(left) != 3 {
		t.Fatalf("running: %v", left)
	}
	for {
		left := w.Shutdown(time.Millisecond)
		if slices.Equal(left, []string{"driver/stuck", "kernel/io"}) {
			break
		}
		if !slices.Contains(left, "driver/stuck") {
			t.Fatalf("running: %v", left)
		}
	}
	close(release)
	if left := w.Wait(join); left != nil {
		t.Fatalf("running: %v", left)
	}
}

func TestOnPanic_GetsThePanicOfATaskAndTheTaskEnds(t *testing.T) {
	noLeak(t)
	got := make(chan string, 1)
	w := realrt.NewWorld(realrt.OnPanic(func(task string, v any, stack []byte) {
		got <- fmt.Sprintf("%s: %v (stack: %v)", task, v, len(stack) > 0)
	}))
	p := w.NewProcess("driver")
	if err := p.Call("begin", func() { panic("broken") }); err == nil {
		t.Error("the call that panicked succeeded")
	}
	if s := <-got; s != "driver/begin: broken (stack: true)" {
		t.Error(s)
	}
	if left := w.Shutdown(join); left != nil {
		t.Errorf("running: %v", left)
	}
}

func TestOnNote_GetsNotes(t *testing.T) {
	var got string
	w := realrt.NewWorld(realrt.OnNote(func(p, kind string, args []any) { got = fmt.Sprint(p, kind, args) }))
	w.NewProcess("driver").Note("job", 1, "two")
	realrt.NewWorld().Kernel().Note("nobody listens")
	if got != "driverjob[1 two]" {
		t.Error(got)
	}
}

func TestKill_EndsTasksInEveryPrimitive(t *testing.T) {
	noLeak(t)
	w := realrt.NewWorld()
	p := w.NewProcess("driver")
	mu := p.NewMutex("domLock")
	cond := p.NewCond("reply", mu)
	var deferred sync.WaitGroup
	state := 0 // protected by mu: the race detector watches the deferred functions
	task := func(name string, f func()) {
		deferred.Add(1)
		p.Go(name, func() {
			defer deferred.Done()
			f()
			t.Errorf("%s went on", name)
		})
	}
	locked := func(f func()) func() {
		return func() {
			mu.Lock()
			defer mu.Unlock()
			defer func() { state++ }()
			for {
				f()
			}
		}
	}
	for range 4 {
		task("waits", locked(cond.Wait))
		task("waits for an hour", locked(func() { cond.WaitUntil(time.Now().Add(time.Hour)) }))
		task("times out all the time", locked(func() { cond.WaitUntil(time.Now()) }))
		task("never unlocks", func() { mu.Lock(); cond.Wait() })
		task("sleeps", func() { p.Sleep(time.Hour) })
		task("sleeps not at all", func() {
			for {
				p.Sleep(0)
			}
		})
	}
	p.Kill()
	deferred.Wait()
	if left := w.Wait(join); left != nil {
		t.Fatalf("running: %v", left)
	}
	mu.Lock()
	defer mu.Unlock()
	if state > 12 {
		t.Errorf("deferred functions ran %d times", state)
	}
}

func TestKill_ByManyAtOnceRunsHooksOnce(t *testing.T) {
	noLeak(t)
	w := realrt.NewWorld()
	for range 50 {
		p := w.NewProcess("driver")
		var mu sync.Mutex
		hooks := 0
		p.OnKill(func() { mu.Lock(); hooks++; mu.Unlock() })
		var killers sync.WaitGroup
		for range 4 {
			killers.Go(p.Kill)
		}
		killers.Wait()
		mu.Lock()
		if hooks != 1 {
			t.Errorf("hooks ran %d times", hooks)
		}
		mu.Unlock()
	}
}

func TestSignal_IsNotLostToAWaiterThatTimesOut(t *testing.T) {
	noLeak(t)
	w := realrt.NewWorld()
	p := w.NewProcess("driver")
	mu := p.NewMutex("mu")
	cond := p.NewCond("tickets", mu)
	const tickets = 2000
	given, taken := 0, 0
	for i := range 4 {
		p.Go("taker", func() {
			mu.Lock()
			defer mu.Unlock()
			for taken < tickets {
				if given > taken {
					taken++
					continue
				}
				cond.WaitUntil(p.Now().Add(time.Duration(i) * time.Microsecond))
			}
			cond.Broadcast()
		})
	}
	for range tickets {
		mu.Lock()
		given++
		cond.Signal()
		mu.Unlock()
	}
	if left := w.Wait(join); left != nil {
		t.Fatalf("running: %v", left)
	}
}

var _ rt.World = (*realrt.World)(nil)

func TestATaskThatDiesWhileItHasLetALockGoDoesNotUnlockItInItsDeferredCode(t *testing.T) {
	w := realrt.NewWorld()
	p := w.NewProcess("driver")
	outer, inner := p.NewMutex("outer"), p.NewMutex("inner")
	cond := p.NewCond("inner", inner)
	waiting := make(chan struct{})
	p.Go("task", func() {
		outer.Lock()
		defer outer.Unlock()
		outer.Unlock() // let go around the wait, as around a monitor command
		inner.Lock()
		close(waiting)
		cond.Wait()
		inner.Unlock()
		outer.Lock()
	})
	<-waiting
	p.Kill()
	if left := w.Wait(time.Second); len(left) > 0 {
		t.Fatal(left)
	}
}
