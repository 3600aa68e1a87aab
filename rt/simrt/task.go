package simrt

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// unwound is the sentinel that ends a task from within a primitive.
type unwound struct{}

// unwindOpsMax is how many primitives a dead task may still call, without
// effect, from its deferred functions. Beyond it each one ends the task again:
// code that recovered the sentinel does not survive.
const unwindOpsMax = 1000

type taskState uint8

const (
	stateRunnable taskState = iota // in the run queue, or running
	stateBlocked
	stateDone
)

// task is one simulated goroutine.
type task struct {
	w    *World
	p    *process
	name *name
	k    uint32 // how-manieth task of its name in this world, from 1
	id   int32  // creation order in this world
	key  uint64 // stable identity, from name and k
	f    func()
	co   *worker // nil before the first step and after the last

	state taskState
	dead  bool // its process was killed or the world ended: it must unwind
	quiet bool // runs hooks of Kill: its primitives are no choice points
	left  bool // by runtime.Goexit
	after int  // primitives called since dead

	// The pending operation: what it does when it is chosen next.
	op, obj *name
	objKey  uint64 // identity of the object, 0 for none
	nth     uint32 // of (task, op, obj)
	counts  counter

	wants    *mutex // stands in the queue of this mutex
	cond     *cond  // stands in the queue of this condition
	callee   *task  // waits in Process.Call for this one
	caller   *task  // waits in Process.Call for us
	killed   bool   // the callee was killed
	held     int    // locks
	timedOut bool

	// The timer, if heapAt is not 0.
	at     int64
	seq    uint64
	heapAt int // 1 + index in World.timers
	class  timerClass
}

// label is the task as traces name it.
func (t *task) label() string { return TaskLabel(t.name.s, int(t.k)) }

// run is the whole life of a task on its worker.
func (t *task) run(k *worker) {
	returned := false
	defer func() {
		v := recover()
		if v == nil && !returned {
			t.leave(k)
			return
		}
		if _, ok := v.(unwound); v != nil && !ok {
			t.panicked(v)
		}
		t.state = stateDone
	}()
	if !t.dead {
		t.f()
	}
	returned = true
}

// leave handles runtime.Goexit, which would otherwise end the goroutine that runs
// the world: the task ends here, and its worker stays in this deferred function
// until it is discarded.
func (t *task) leave(k *worker) {
	t.left = true
	if !t.dead {
		t.w.fail(&Failure{
			Kind: KindPanic, Place: "runtime.Goexit", Task: t.label(),
			Detail: t.label() + " left by runtime.Goexit (a testing function called in a task?)",
			Stack:  string(debug.Stack()),
		})
	}
	t.state = stateDone
	k.yield(struct{}{})
}

// panicked records a panic; one of a task that unwinds is noise.
func (t *task) panicked(v any) {
	if t.dead {
		return
	}
	t.w.fail(&Failure{
		Kind: KindPanic, Place: panicPlace(), Task: t.label(),
		Detail: fmt.Sprint(v), Stack: string(debug.Stack()),
	})
}

// panicPlace is the function that panicked, seen from a deferred function.
func panicPlace() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	panicking := false
	for {
		f, more := frames.Next()
		inRuntime := strings.HasPrefix(f.Function, "runtime.")
		if panicking && !inRuntime {
			return f.Function
		}
		panicking = panicking || f.Function == "runtime.gopanic"
		if !more {
			return "unknown"
		}
	}
}

// unwinding says whether the primitive that was called must have no effect. It
// ends the task if it goes on for too long after its death.
func (t *task) unwinding() bool {
	if !t.dead {
		return false
	}
	t.after++
	if t.after > unwindOpsMax {
		panic(unwound{})
	}
	return true
}

// mustLive ends a dead task: for primitives that would block.
func (t *task) mustLive() {
	if t.dead {
		panic(unwound{})
	}
}

// park gives control to the world until the task is chosen, or must unwind. On
// the hottest paths it is written out: each frame between a primitive and the
// switch is one more mispredicted return.
func (t *task) park() {
	t.co.yield(struct{}{})
	if t.dead {
		t.end()
	}
}

// end unwinds a task that was parked.
//
//go:noinline
func (t *task) end() {
	t.w.keepStack(t)
	panic(unwound{})
}
