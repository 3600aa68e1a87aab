// Package realrt is the real world: rt.World on goroutines, sync and the wall
// clock, for lanes that talk to a real QEMU and for runs under the race
// detector.
//
// It is not a scheduler: order is the operating system's, Choose is always 0,
// and a run cannot be repeated.
//
// The property it keeps: a killed process is as dead as in a simulated world,
// except that it takes until its next Wait, WaitUntil or Sleep to notice. There
// each of its tasks takes its lock again, so that locking stays free of races,
// and ends by runtime.Goexit: deferred functions run, and the seams, fenced by
// the hooks of OnKill, give them no effect. Lock never ends a task. If such a
// task has no deferred Unlock, the lock that it waited with is released for it;
// another lock that it holds stays held, so code that waits while it holds two
// locks defers the Unlock of the outer one. Primitives of the kernel never end
// anybody: what waits there is woken by its seam's hook.
package realrt
