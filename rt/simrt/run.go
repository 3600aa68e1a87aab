package simrt

import (
	"slices"
	"time"
)

// Run runs main as the first task, "main", of the first process, "spec", until
// it returns or the world fails; then it unwinds all other tasks. All of it
// happens on the calling goroutine and on its pool's coroutines.
func Run(opts Options, main func(w *World)) Result {
	pool := opts.Pool
	if pool == nil {
		pool = NewPool(opts.Backend)
		defer pool.Close()
	}
	w := newWorld(opts, pool)
	w.mainTask = w.spawn(w.spec, w.names.get("main"), func() { main(w) })
	w.runq = w.runq[:0]
	w.next = w.mainTask
	w.loop()
	w.end()
	return w.result()
}

func newWorld(opts Options, pool *Pool) *World {
	pool.begin()
	s := &pool.scratch
	w := &World{
		opts: opts, pool: pool, names: pool.names, ops: &pool.names.ops,
		h: hashOffset, limit: opts.StepLimit,
		runq: s.runq[:0], live: s.live[:0], timers: s.timers[:0], devs: s.devs[:0],
		mutexes: s.mutexes[:0],
		watched: opts.KeepLog || opts.Listener != nil,
	}
	if w.limit <= 0 {
		w.limit = StepLimitDefault
	}
	if w.opts.Chooser == nil {
		w.opts.Chooser = plain{}
	}
	w.begin = opts.Begin
	if w.begin.IsZero() {
		w.begin = time.Unix(epoch, 0)
	}
	w.begin = w.begin.Round(0).UTC() // without the monotonic clock of the host
	w.names.capped = opts.Outside != nil
	w.pt.w = w
	w.kernel = w.newProcess("kernel")
	w.spec = w.newProcess("spec")
	return w
}

// loop resumes whoever was chosen. Choices are made in the tasks, so that a task
// that is chosen again goes on without a switch.
func (w *World) loop() {
	for w.next != nil && !w.finished() {
		t := w.next
		w.next, w.cur = nil, t
		if t.co == nil {
			t.start()
		}
		t.co.next() // not in a function of its own: see task.park
		if t.state == stateDone {
			w.retire(t)
		}
		if len(w.reap) > 0 {
			w.unwindReaped()
		}
		if t.state == stateDone && !w.finished() {
			w.cur = t
			w.exit(t)
			w.recycle(t)
		}
	}
	w.cur = nil
}

// start gives t a coroutine.
func (t *task) start() {
	t.co = t.w.pool.worker()
	t.co.t = t
}

// retire takes a task that is done off the lists.
func (w *World) retire(t *task) {
	if t.co != nil {
		if t.left {
			t.co.discard()
		} else {
			w.pool.putWorker(t.co)
		}
		t.co = nil
	}
	t.f = nil
	i := slices.Index(w.live, t)
	w.live = slices.Delete(w.live, i, i+1)
	if t == w.mainTask {
		if t.dead && !w.finished() {
			w.fail(&Failure{Kind: KindKilled, Detail: "the process of main was killed", Place: w.spec.name.s, Task: t.label()})
		}
		w.over = true
	}
}

// exit lets the caller of an ended task go on, and chooses who is next.
func (w *World) exit(t *task) {
	if c := t.caller; c != nil {
		t.caller, c.callee = nil, nil
		w.wake(c)
	}
	w.arrive(t, w.ops.exit, w.ops.none, 0)
	w.choose(t, false)
}

// unwindReaped ends the tasks of killed processes.
func (w *World) unwindReaped() {
	for i := 0; i < len(w.reap); i++ {
		w.unwind(w.reap[i])
	}
	w.reap = w.reap[:0]
}

// unwind ends a dead task: its deferred functions run, its primitives have no
// effect.
func (w *World) unwind(t *task) {
	if t.state == stateDone {
		return
	}
	if t.co == nil { // never ran
		t.state = stateDone
		w.retire(t)
		return
	}
	w.cur = t
	t.co.next()
	assertf(t.state == stateDone, "parked while it unwinds", t)
	w.retire(t)
	w.recycle(t)
}

// end unwinds what is left, in order of creation, and gives the memory back.
func (w *World) end() {
	for _, t := range w.live {
		t.dead = true
	}
	w.over = true
	for len(w.live) > 0 {
		w.unwind(w.live[0])
	}
	w.cur, w.ended = nil, true
}

// recycle gives a task that is done to the pool, unless somebody may still look
// at it.
func (w *World) recycle(t *task) {
	if t.held == 0 && t != w.mainTask {
		w.pool.putTask(t)
	}
}

func (w *World) result() Result {
	r := Result{
		Failure: w.failure, Hash: w.h, Points: w.points, Steps: w.steps,
		Deviated: len(w.devs), Elapsed: time.Duration(w.now), Log: w.log,
	}
	if r.Failure != nil && w.stacks.Len() > 0 {
		r.Failure.Stack = w.stacks.String()
	}
	if r.Failure != nil || w.opts.KeepTrace {
		r.Deviations = make([]Deviation, len(w.devs))
		for i := range w.devs {
			r.Deviations[i] = w.names.export(&w.devs[i])
		}
	}
	w.giveBack()
	return r
}

// giveBack leaves the memory to the next world of the pool.
func (w *World) giveBack() {
	// Tasks that were not recycled, and locks, lead to the whole world.
	clear(w.runq[:cap(w.runq)])
	clear(w.live[:cap(w.live)])
	clear(w.timers[:cap(w.timers)])
	clear(w.mutexes)
	w.pool.scratch = scratch{
		runq: w.runq, live: w.live, timers: w.timers, devs: w.devs, mutexes: w.mutexes,
	}
	w.runq, w.live, w.timers, w.devs, w.mutexes = nil, nil, nil, nil, nil
}
