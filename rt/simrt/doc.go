// Package simrt is the simulated world: it runs the tasks of an rt.World one at
// a time, under a virtual clock, and lets a Chooser decide whatever is not
// determined by the code itself: who runs next, when the clock moves, and the
// value of each rt.Runtime.Choose.
//
// It is not a strategy (package explore has those) and knows nothing of what it
// runs. It shares nothing between worlds: any number of them may run in
// parallel, each on a goroutine of its own, each worker with its own Pool.
//
// The property it keeps: a run is a pure function of the code and of the
// choices. The same choices give the same Result.Hash in any process, with any
// GOMAXPROCS, on either Backend, with and without the race detector.
//
// # Choice points
//
// A task reaches a choice point before it takes a lock (op "lock"), before it
// waits on a condition ("wait"), once more when it is parked there ("park"),
// when it goes to sleep ("sleep"), right after it started a task ("go") or a
// call ("call"), before it kills a process ("kill"), before an effect that a
// seam announces with rt.Point (the seam's own op), and when it ends ("exit").
// Unlock, Signal and Broadcast are none. Choose is a point of its own kind
// ("choose"): its answer is a value, no task is switched.
//
// The options of a point are in canonical order: the running task if it can go
// on, then the others, longest runnable first, and the clock last. Option 0 is
// the plain one, so the run without deviations is the run without preemption.
// A task that wants a held lock is no option. A point with one option is no
// choice and is not shown to the Chooser.
//
// A point is addressed by its task, operation, object and the how-manieth of
// that triple it is (Address), so that a change elsewhere leaves it valid. After
// the clock moved, the next point is addressed as the clock's: object is the
// first task that it woke.
//
// # Clock
//
// Sleep is a progress timer: to advance the clock to it is an option beside the
// runnable tasks. WaitUntil is a time-out: unless Options.Racing is set it fires
// only when nothing can run. The clock always moves to the earliest timer, so it
// is not offered beside runnable tasks when that is a time-out, nor when it is
// farther away than RaceHorizon: no machine has a runnable task that slow. When
// nothing can run the earliest timer fires, whichever class it is of; of two at
// the same instant the progress timer comes first.
//
// # Paced worlds
//
// A world with Options.Outside does not jump from timer to timer: it stands still
// until the outside says that a timer is due or that an input came, which the task
// in World.Await takes in. See Outside.
//
// # Hash
//
// HashVersion 1 is folded over 64-bit words by h = (h xor word) * 1099511628211,
// then h xor= h >> 29, from 14695981039346656037. One word per scheduling
// decision, forced ones included: the task's key, xor the hash of the pending
// operation rotated left by 17, xor that of its object rotated by 34; one per
// clock advance: ClockKey xor virtual nanoseconds; one per data choice: task key,
// operation "choose", label, as above, xor value+1 times 0x9e3779b97f4a7c15; one
// per input from outside: OutsideKey xor virtual nanoseconds. A
// task's key is its name's hash folded with the how-manieth of that name it is.
// Names are hashed by FNV-1a 64. Notes, pointers and wall time are no part of it.
package simrt
