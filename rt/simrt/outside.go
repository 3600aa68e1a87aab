package simrt

import "time"

// Outside stands for what a world meets that is not part of it: the wall clock and
// sockets, or a record of both. A world with one is paced: its clock moves and its
// inputs come when Outside says so, and only when no task can run. The run is then
// a pure function of the code, of the choices, and of what Outside answered.
//
// A paced world may run for ever, so it keeps nothing per step: its points have
// no addresses and its Result no deviations, time-outs race with nothing, and the
// clock is never beside a runnable task among a Chooser's options.
type Outside interface {
	// Idle is called on the world's goroutine when no task can run. Times count
	// from the begin of the world. next is the earliest timer, negative if none
	// is set. If came is false the clock moves to next, for which Idle has waited
	// as it sees fit; without a timer the run fails as KindDeadlock. If came is
	// true the clock moves to at, which lies in [now,next], and the task in
	// World.Await goes on; this needs listening, which says that there is one.
	Idle(now, next time.Duration, listening bool) (at time.Duration, came bool)
}

// OutsideKey stands for Options.Outside in the hash, as a task's key does.
const OutsideKey uint64 = 0x6f757473696465

// Await blocks the task until Outside.Idle answers that something came. One task
// at a time may wait so, in a world with an Outside.
func (w *World) Await() {
	t := w.actor()
	if t == nil || w.opts.Outside == nil {
		panic("simrt: Await outside of a paced world")
	}
	t.mustLive()
	assertf(w.awaits == nil, "waits for the outside beside another", t)
	w.awaits = t
	w.block(t, w.ops.await, w.ops.none, 0)
}

// idle lets the outside act; false if nothing can ever happen again.
func (w *World) idle() bool {
	now, next := time.Duration(w.now), time.Duration(-1)
	if len(w.timers) > 0 {
		next = time.Duration(w.timers[0].at)
	}
	at, came := w.opts.Outside.Idle(now, next, w.awaits != nil)
	if !came {
		if next >= 0 {
			w.advance(false)
		}
		return next >= 0
	}
	t := w.awaits
	if t == nil || at < now || next >= 0 && at > next {
		panic("simrt: Outside.Idle gave what nobody waits for, or not in time")
	}
	w.awaits = nil
	w.now = int64(at)
	w.h = mix(w.h, OutsideKey^uint64(at))
	w.wake(t)
	return true
}
