package simrt

import "slices"

// arrive makes (op, obj) the pending operation of the running task and counts it.
func (w *World) arrive(t *task, op, obj *name, objKey uint64) {
	t.op, t.obj, t.objKey = op, obj, objKey
	if w.opts.Outside == nil {
		t.nth = t.counts.next(uint64(op.id)<<32 | uint64(obj.id))
	}
}

// point is a choice point at which the running task could go on.
func (w *World) point(t *task, op, obj *name, objKey uint64) {
	if t.quiet {
		return
	}
	w.arrive(t, op, obj, objKey)
	w.choose(t, true)
	if w.next != t {
		t.co.yield(struct{}{}) // park
		if t.dead {
			t.end()
		}
	}
}

// block parks the running task until it is woken and chosen.
func (w *World) block(t *task, op, obj *name, objKey uint64) {
	t.state = stateBlocked
	w.arrive(t, op, obj, objKey)
	w.choose(t, false)
	if w.next != t {
		t.park()
	}
}

// wake makes a blocked task runnable.
func (w *World) wake(t *task) {
	assertf(t.state == stateBlocked, "woken twice", t)
	t.state = stateRunnable
	w.runq = append(w.runq, t)
}

// unqueue takes a task out of the run queue.
func (w *World) unqueue(t *task) {
	i := slices.Index(w.runq, t)
	assertf(i >= 0, "not in the run queue", t)
	w.runq = append(w.runq[:i], w.runq[i+1:]...)
}

// choose decides who runs next and sets World.next, to nil if the world failed.
// The running task t reached its pending operation; canGo says that it could go
// on with it.
func (w *World) choose(t *task, canGo bool) {
	w.pt.byClock = false
	self := 0
	if canGo {
		self = 1
	}
	for {
		tasks := self + len(w.runq)
		clock := w.clockOffered(tasks)
		n := tasks
		if clock {
			n++
		}
		w.steps++
		if tasks == 0 && w.opts.Outside != nil && w.idle() {
			continue
		}
		if n == 0 {
			w.deadlock()
			return
		}
		if w.steps > w.limit {
			w.tooManySteps(t)
			return
		}
		k := 0
		if n > 1 {
			k = w.pick(t, canGo, clock, n)
		}
		if k == tasks {
			w.advance(k > 0)
			continue
		}
		w.take(t, k, self)
		return
	}
}

// take makes option k, a task, the next to run.
func (w *World) take(t *task, k, self int) {
	u := t
	if k >= self {
		i := k - self
		u = w.runq[i]
		copy(w.runq[i:], w.runq[i+1:])
		if self == 1 {
			w.runq[len(w.runq)-1] = t
		} else {
			w.runq = w.runq[:len(w.runq)-1]
		}
	}
	w.next = u
	w.h = mix(w.h, eventWord(u.key, u.op.hash, u.obj.hash))
	if w.watched {
		w.emit(Entry{Kind: EntryRun, Task: u.label(), Op: u.op.s, Object: u.obj.s, Deviation: k != 0})
	}
}

// pick asks the chooser.
func (w *World) pick(t *task, canGo, clock bool, n int) int {
	p := &w.pt
	p.who, p.canGo, p.clock, p.n = t, canGo, clock, n
	w.points++
	k := w.opts.Chooser.Pick(p)
	if uint(k) >= uint(n) {
		panic("simrt: the chooser took an option that does not exist")
	}
	if k == 0 || w.opts.Outside != nil {
		return k
	}
	d := p.deviation()
	if u := p.option(k); u != nil {
		d.to, d.toK = u.name.id, u.k
	} else {
		d.to = w.ops.clock.id
	}
	w.devs = append(w.devs, d)
	return k
}

// data asks the chooser for a value in [0,n).
func (w *World) data(t *task, label *name, n int) int {
	w.arrive(t, w.ops.choose, label, label.hash)
	p := &w.pt
	p.who, p.canGo, p.clock, p.n, p.byClock = t, true, false, 0, false
	w.points++
	k := w.opts.Chooser.Data(p, label.s, n)
	if uint(k) >= uint(n) {
		panic("simrt: the chooser took a value that does not exist")
	}
	if k != 0 && w.opts.Outside == nil {
		d := p.deviation()
		d.toK = uint32(k)
		w.devs = append(w.devs, d)
	}
	w.h = mix(w.h, eventWord(t.key, w.ops.choose.hash, label.hash)^uint64(k+1)*golden)
	if w.watched {
		w.emit(Entry{Kind: EntryChoose, Task: t.label(), Op: "choose", Object: label.s, Value: k, Deviation: k != 0})
	}
	return k
}

func (w *World) tooManySteps(t *task) {
	w.fail(&Failure{
		Kind: KindSteps, Place: "steps", Task: t.label(),
		Detail: "step limit reached: a loop that never waits, or Options.StepLimit is too low",
	})
	w.next = nil
}
