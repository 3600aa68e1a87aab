package simrt

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"fleece/rt"
)

// epoch is the time at which each world begins: 2000-01-01 00:00:00 UTC.
const epoch = 946684800

// World is one simulated world; it implements rt.World. It is made by Run.
type World struct {
	opts   Options
	pool   *Pool
	names  *names
	ops    *ops
	spec   *process
	kernel *process

	tasks int32   // made so far
	live  []*task // those that are not done, in order of creation
	// runq holds the tasks that could go on, longest runnable first, without
	// the running one.
	runq []*task
	cur  *task // the running task; nil when the world does not run
	next *task // whom to resume; nil ends the run
	reap []*task

	timers   []*task // heap by (at, class, seq)
	timerSeq uint64
	now      int64 // virtual nanoseconds
	begin    time.Time
	awaits   *task // is in Await

	pt       Point
	h        uint64
	steps    int
	points   int
	limit    int
	clockN   counter // how often the clock woke whom
	devs     []deviation
	mutexes  []*mutex
	objects  uint64 // locks and conditions made so far
	failure  *Failure
	over     bool // main ended
	ended    bool // all is unwound
	watched  bool // somebody wants entries
	log      []Entry
	stacks   strings.Builder
	mainTask *task
}

var _ rt.World = (*World)(nil)

// NewProcess makes a live process.
func (w *World) NewProcess(name string) rt.Process { return w.newProcess(name) }

// Kernel is the Runtime of what outlives every process.
func (w *World) Kernel() rt.Runtime { return w.kernel }

// Spec is the process in which main runs.
func (w *World) Spec() rt.Process { return w.spec }

// Now is the virtual time.
func (w *World) Now() time.Time { return w.begin.Add(time.Duration(w.now)) }

// Steps is the number of scheduling decisions so far.
func (w *World) Steps() int { return w.steps }

// Points is the number of choices so far that had more than one option.
func (w *World) Points() int { return w.points }

// Fail ends the run with a failure of that kind, KindCheck as a rule, at the
// calling function. It does not return. The first failure of a run counts; the
// failure of a task that is being unwound does not.
func (w *World) Fail(kind, detail string) {
	place := "unknown"
	if pc, _, _, ok := runtime.Caller(1); ok {
		place = runtime.FuncForPC(pc).Name()
	}
	w.FailWith(Failure{Kind: kind, Detail: detail, Place: place})
}

// FailWith is Fail for callers that know the place better. Task and Stack are
// filled in if empty.
func (w *World) FailWith(f Failure) {
	t := w.cur
	if t == nil {
		panic("simrt: World.Fail called while the world does not run: " + f.Detail)
	}
	if t.dead {
		panic(unwound{})
	}
	if f.Task == "" {
		f.Task = t.label()
	}
	if f.Stack == "" {
		f.Stack = string(debug.Stack())
	}
	w.fail(&f)
	w.next = nil
	t.park()
}

func (w *World) fail(f *Failure) {
	if w.failure == nil {
		w.failure = f
	}
}

// finished says that nothing more may run but the unwinding.
func (w *World) finished() bool { return w.over || w.failure != nil }

// actor is the running task; nil after the world ended, when primitives are
// without effect so that what the world left can be looked at.
func (w *World) actor() *task {
	if w.cur == nil && !w.ended {
		panic("simrt: used from outside its tasks while it runs")
	}
	return w.cur
}

// keepStack notes where a task waited when the run failed.
func (w *World) keepStack(t *task) {
	f := w.failure
	if f == nil || !w.opts.KeepLog || f.Kind != KindDeadlock && f.Kind != KindSteps {
		return
	}
	fmt.Fprintf(&w.stacks, "task %s:\n%s\n", t.label(), debug.Stack())
}

func (w *World) emit(e Entry) {
	e.Step, e.At = w.steps, time.Duration(w.now)
	if w.opts.Listener != nil {
		w.opts.Listener(e)
	}
	if w.opts.KeepLog {
		w.log = append(w.log, e)
	}
}

// object numbers a lock or condition: its identity in this world.
func (w *World) object(n *name) uint64 {
	w.objects++
	return mix(n.hash, w.objects)
}

// assertf panics when an invariant of the world is broken.
func assertf(ok bool, what string, t *task) {
	if !ok {
		panic("simrt: broken invariant: " + what + ": task " + t.label())
	}
}
