// Package rt is the runtime seam: everything that code of fleece may block on,
// start, or learn from time. It is interfaces only; rt/realrt implements them
// with goroutines and the wall clock, rt/simrt with coroutines, a virtual clock
// and a scheduler whose every decision is recorded.
//
// It is not a general concurrency library: there is one vocabulary (task, mutex,
// condition, sleep) and it is libvirt's own (virCond, an object lock dropped
// around the monitor). Channels, select, sync, context, time.Now, time.Sleep,
// bare go statements, math/rand and ranging over maps are banned in whatever
// runs in a world; a lint test says so with the reason.
//
// The property it keeps: code that uses only this seam behaves, under simrt, as
// a pure function of the recorded choices.
//
// An example, libvirt's job wait in this vocabulary:
//
//	mu.Lock()
//	deadline := r.Now().Add(30 * time.Second)
//	for busy {
//		if !cond.WaitUntil(deadline) {
//			mu.Unlock()
//			return errTimeout
//		}
//	}
package rt

import (
	"errors"
	"time"
)

// ErrKilled is returned by seams (host, connections) and by Process.Call when
// the process that they act for was killed. Nothing that a dead process asks
// for has an effect.
var ErrKilled = errors.New("process was killed")

// Runtime is what one process of a world offers to the code that runs in it.
type Runtime interface {
	// Go starts f as a named task of this process. Names need not be unique;
	// they must be stable over runs, since traces address tasks by name (and
	// by the how-manieth task of that name it is).
	Go(name string, f func())
	// Now is the time of the world's clock: virtual in a simulated world.
	Now() time.Time
	// Sleep is a progress timer: it races with everything that can run.
	Sleep(d time.Duration)
	// NewMutex makes a lock. The name appears in traces and in wait chains.
	NewMutex(name string) Mutex
	// NewCond makes a condition that uses m, which must come from the same process.
	NewCond(name string, m Mutex) Cond
	// Choose returns a value in [0,n). 0 is the plain, fault-free case; the
	// real runtime always answers 0.
	Choose(label string, n int) int
	// Note writes a line into the trace; free when nobody listens.
	Note(kind string, args ...any)
}

// Mutex is a lock that is not re-entrant. The task that holds it unlocks it.
type Mutex interface {
	Lock()
	Unlock()
}

// Cond is a condition variable over the Mutex it was made with. The caller of
// Wait and WaitUntil holds the mutex, and holds it again when they return.
type Cond interface {
	Wait()
	// WaitUntil is a time-out timer: in a simulated world it fires only when
	// nothing else can run, unless the scenario is declared racing. It returns
	// false if the deadline passed before a wake-up.
	WaitUntil(deadline time.Time) bool
	Signal()
	Broadcast()
}

// Process is a unit of death: a driver, a QEMU, a client. Everything that a
// process can touch outside its own memory is fenced by Kill.
type Process interface {
	Runtime
	// Name is the name given to World.NewProcess.
	Name() string
	// Call runs f as a task of this process and blocks the calling task, which
	// may belong to another process, until f returned. If the process is dead,
	// or is killed before f returned, the result is ErrKilled and what f would
	// still have done does not happen.
	Call(name string, f func()) error
	// Kill ends the process as SIGKILL would: hooks of OnKill run first, in
	// the killing task and in order of registration, so that every seam is
	// fenced; then its tasks unwind (their deferred functions run, without any
	// effect outside), and its locks are free. Killing a dead process is a no-op.
	Kill()
	// Alive reports whether Kill was not called yet.
	Alive() bool
	// OnKill registers f to run at Kill; it runs at once if the process is dead.
	// f must not block. The returned function takes the registration back.
	OnKill(f func()) (cancel func())
}

// World holds processes, a clock, and the kernel under them.
type World interface {
	// NewProcess makes a live process.
	NewProcess(name string) Process
	// Kernel is the Runtime of what outlives every process: the host's files,
	// the sockets between processes. Tasks of any process may use its locks
	// and conditions; a task that is killed while it waits on one leaves the
	// queue, and a lock held by a killed task becomes free.
	Kernel() Runtime
}

// Pointer is what a Runtime may offer beside the rest: a place before an effect
// (a file operation, the send on a connection) at which a schedule may go on
// with another task or kill a process. A simulated world offers it.
type Pointer interface {
	Point(op, object string)
}

// Point marks the place before the effect op on object; on a Runtime that does
// not explore schedules it is nothing. Names are stable over runs, since traces
// hold them.
func Point(r Runtime, op, object string) {
	if p, ok := r.(Pointer); ok {
		p.Point(op, object)
	}
}

// LeafMutexer is what a Runtime may offer beside the rest: a lock for bodies
// that neither block nor pass a point. Where one task runs at a time such a
// lock is no choice point, and nearly free.
type LeafMutexer interface {
	NewLeafMutex(name string) Mutex
}

// NewLeafMutex makes a lock for bodies that neither block, nor pass a point, nor
// start a task while they hold it. On a Runtime without them it is a plain lock.
func NewLeafMutex(r Runtime, name string) Mutex {
	if l, ok := r.(LeafMutexer); ok {
		return l.NewLeafMutex(name)
	}
	return r.NewMutex(name)
}
