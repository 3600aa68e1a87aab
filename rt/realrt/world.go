package realrt

import (
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"fleece/rt"
)

// World implements rt.World. Make it with NewWorld.
type World struct {
	kernel  *process
	onNote  func(process, kind string, args []any)
	onPanic func(task string, value any, stack []byte)

	mu    sync.Mutex // protects what follows
	tasks map[uint64]*task
	procs []*process
	// ended is closed and replaced whenever a task ends.
	ended chan struct{}
}

// task is a goroutine of a process.
type task struct {
	p    *process
	name string
	// owed are the locks that the task took again when it noticed its death and
	// that no deferred function unlocked yet. Only its goroutine uses it.
	owed []*mutex
}

var _ rt.World = (*World)(nil)

// Option changes a new World.
type Option func(*World)

// OnNote gives each note to f, which may be called by many goroutines at once.
func OnNote(f func(process, kind string, args []any)) Option {
	return func(w *World) { w.onNote = f }
}

// OnPanic gives panics of tasks to f, in the goroutine that panicked, whose task
// then ends. Without it a panic ends the program, as usual.
func OnPanic(f func(task string, value any, stack []byte)) Option {
	return func(w *World) { w.onPanic = f }
}

// NewWorld makes a world without processes.
func NewWorld(options ...Option) *World {
	w := &World{tasks: make(map[uint64]*task), ended: make(chan struct{})}
	for _, o := range options {
		o(w)
	}
	w.kernel = newProcess(w, "kernel")
	return w
}

// NewProcess makes a live process.
func (w *World) NewProcess(name string) rt.Process {
	p := newProcess(w, name)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.procs = append(w.procs, p)
	return p
}

// Kernel is the Runtime of what outlives every process.
func (w *World) Kernel() rt.Runtime { return w.kernel }

// Wait waits up to d for all tasks to end and names those still running, as
// "process/task", sorted.
func (w *World) Wait(d time.Duration) []string {
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	for {
		running, ended := w.running()
		if len(running) == 0 {
			return nil
		}
		select {
		case <-ended:
		case <-deadline.C:
			running, _ = w.running()
			return running
		}
	}
}

// Shutdown kills all processes, in order of creation, and then does as Wait. It
// must not be called by a task.
func (w *World) Shutdown(d time.Duration) []string {
	w.mu.Lock()
	procs := slices.Clone(w.procs)
	w.mu.Unlock()
	for _, p := range procs {
		p.Kill()
	}
	return w.Wait(d)
}

// running names the tasks, and gives the channel that the next end of one closes.
func (w *World) running() ([]string, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var names []string
	for _, t := range w.tasks {
		names = append(names, t.p.name+"/"+t.name)
	}
	slices.Sort(names)
	return names, w.ended
}

// start runs f as a task. It is entered before start returns, so that Wait
// cannot miss it.
func (w *World) start(p *process, name string, f, atEnd func()) {
	entered := make(chan struct{})
	go func() {
		id := goroutineID()
		w.mu.Lock()
		w.tasks[id] = &task{p: p, name: name}
		w.mu.Unlock()
		close(entered)
		defer w.leave(id, atEnd)
		f()
	}()
	<-entered
}

// leave is the last that a task does, however it ends. A listener of panics may
// kill the task's own process, which ends the goroutine there and then: what
// must happen is deferred.
func (w *World) leave(id uint64, atEnd func()) {
	defer w.gone(id, atEnd)
	if w.onPanic != nil {
		if v := recover(); v != nil {
			w.onPanic(w.taskName(id), v, debug.Stack())
		}
	}
}

// gone releases what the task still owes and takes it off the list.
func (w *World) gone(id uint64, atEnd func()) {
	t := w.task(id)
	for len(t.owed) > 0 {
		t.owed[0].Unlock()
	}
	if atEnd != nil {
		atEnd()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.tasks, id)
	close(w.ended)
	w.ended = make(chan struct{})
}

func (w *World) taskName(id uint64) string {
	if t := w.task(id); t != nil {
		return t.p.name + "/" + t.name
	}
	return "unknown"
}

// task is the task of that goroutine; nil if it is none of this world.
func (w *World) task(id uint64) *task {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tasks[id]
}
