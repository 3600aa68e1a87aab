package lanes

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"fleece/conformance"
	"fleece/rt"
	"fleece/rt/realrt"
)

// shutdownPatience is how long tasks have to end when a run is over.
const shutdownPatience = 10 * time.Second

// realRun is one run on goroutines: the first failure ends it.
type realRun struct {
	world *realrt.World
	spec  rt.Process
	mu    sync.Mutex
	first *conformance.Failure
}

func newRealRun() *realRun {
	r := &realRun{}
	r.world = realrt.NewWorld(realrt.OnPanic(func(task string, value any, stack []byte) {
		r.note(conformance.Failure{Kind: "panic", Message: fmt.Sprintf("%s: %v", task, value), Stack: string(stack)})
		r.spec.Kill()
	}))
	r.spec = r.world.NewProcess("spec")
	return r
}

func (r *realRun) note(f conformance.Failure) {
	r.mu.Lock()
	if r.first == nil {
		r.first = &f
	}
	r.mu.Unlock()
}

// fail ends the run: the spec's process dies and the calling task with it.
func (r *realRun) fail(f conformance.Failure) {
	r.note(f)
	r.spec.Kill()
	runtime.Goexit()
}

// body runs the spec's body and waits for it, or for the failure that ends it.
func (r *realRun) body(f func()) {
	if err := r.spec.Call("main", f); err != nil {
		r.note(conformance.Failure{Kind: "harness", Message: "the spec's process ended: " + err.Error()})
	}
}

// end ends every process and returns the outcome.
func (r *realRun) end() conformance.Outcome {
	if left := r.world.Shutdown(shutdownPatience); len(left) > 0 {
		r.note(conformance.Failure{
			Kind: "leak", Message: "tasks that did not end: " + strings.Join(left, ", "), Stack: stacks(),
		})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return conformance.Outcome{Failure: r.first}
}

func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}
