package simrt

import "time"

// timerClass orders timers of one instant.
type timerClass uint8

const (
	progress timerClass = iota // Sleep
	timeout                    // WaitUntil
)

// clockOffered says whether to advance the clock is an option beside that many
// tasks.
func (w *World) clockOffered(tasks int) bool {
	if len(w.timers) == 0 {
		return false
	}
	if tasks == 0 {
		return true
	}
	t := w.timers[0]
	return w.opts.Outside == nil && (t.class == progress || w.opts.Racing) && t.at-w.now <= int64(RaceHorizon)
}

// advance moves the clock to the earliest timer and fires all of that instant
// and class.
func (w *World) advance(chosen bool) {
	first := w.timers[0]
	at, class := first.at, first.class
	w.now = at
	w.h = mix(w.h, ClockKey^uint64(w.now))
	w.pt.byClock, w.pt.woken = true, first
	if w.opts.Outside == nil {
		w.pt.clockNo = w.clockN.next(first.key | 1)
	}
	if w.watched {
		w.emit(Entry{Kind: EntryClock, Task: "clock", Op: "clock", Object: first.label(), Deviation: chosen})
	}
	for len(w.timers) > 0 && w.timers[0].at == at && w.timers[0].class == class {
		w.fire(w.timers[0])
	}
}

// fire wakes the task whose timer came.
func (w *World) fire(t *task) {
	w.dropTimer(t)
	if c := t.cond; c != nil {
		t.timedOut = true
		c.drop(t)
		c.m.rejoin(t)
		return
	}
	t.op, t.obj, t.objKey = w.ops.wake, w.ops.none, 0
	w.wake(t)
}

// setTimer sets the timer of t; one of the past fires now.
func (w *World) setTimer(t *task, at int64, class timerClass) {
	assertf(t.heapAt == 0, "has two timers", t)
	w.timerSeq++
	t.at = max(at, w.now)
	t.seq, t.class = w.timerSeq, class
	w.timers = append(w.timers, t)
	t.heapAt = len(w.timers)
	w.siftUp(len(w.timers) - 1)
}

// dropTimer voids the timer of t, if it has one.
func (w *World) dropTimer(t *task) {
	if t.heapAt == 0 {
		return
	}
	i, last := t.heapAt-1, len(w.timers)-1
	w.swapTimers(i, last)
	w.timers = w.timers[:last]
	t.heapAt = 0
	if i < last {
		w.siftDown(i)
		w.siftUp(i)
	}
}

func before(a, b *task) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	if a.class != b.class {
		return a.class < b.class
	}
	return a.seq < b.seq
}

func (w *World) swapTimers(i, j int) {
	h := w.timers
	h[i], h[j] = h[j], h[i]
	h[i].heapAt, h[j].heapAt = i+1, j+1
}

func (w *World) siftUp(i int) {
	for i > 0 {
		up := (i - 1) / 2
		if !before(w.timers[i], w.timers[up]) {
			return
		}
		w.swapTimers(i, up)
		i = up
	}
}

func (w *World) siftDown(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(w.timers); c++ {
			if before(w.timers[c], w.timers[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		w.swapTimers(i, least)
		i = least
	}
}

// nanos is a time as the world counts it.
func (w *World) nanos(t time.Time) int64 { return int64(t.Sub(w.begin)) }
