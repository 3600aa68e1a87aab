package simrt

import (
	"math"
	"slices"
	"time"

	"fleece/rt"
)

// process implements rt.Process. The kernel is one that never dies.
type process struct {
	w      *World
	name   *name
	dead   bool
	hooks  []hook
	hookID int
}

type hook struct {
	id int
	f  func()
}

var (
	_ rt.Process = (*process)(nil)
	_ rt.Pointer = (*process)(nil)
)

func (w *World) newProcess(s string) *process {
	return &process{w: w, name: w.names.get(s)}
}

// Name is the name of the process.
func (p *process) Name() string { return p.name.s }

// Alive reports whether Kill was not called yet.
func (p *process) Alive() bool { return !p.dead }

// Now is the virtual time.
func (p *process) Now() time.Time { return p.w.Now() }

// NewMutex makes a lock.
func (p *process) NewMutex(name string) rt.Mutex {
	w := p.w
	n := w.names.get(name)
	m := &mutex{w: w, name: n, key: w.object(n)}
	w.mutexes = append(w.mutexes, m)
	return m
}

// NewLeafMutex makes a lock that is no choice point: see rt.NewLeafMutex.
func (p *process) NewLeafMutex(name string) rt.Mutex { return &leaf{name: name} }

// NewCond makes a condition over m.
func (p *process) NewCond(name string, m rt.Mutex) rt.Cond {
	own, ok := m.(*mutex)
	if !ok || own.w != p.w {
		panic("simrt: condition " + name + " over a lock that NewMutex of this world did not make")
	}
	n := p.w.names.get(name)
	return &cond{w: p.w, name: n, key: p.w.object(n), m: own}
}

// Go starts a task; the choice point is right after its start.
func (p *process) Go(name string, f func()) {
	w := p.w
	t := w.actor()
	if t == nil || t.unwinding() || p.dead {
		return
	}
	n := w.names.get(name)
	w.spawn(p, n, f)
	w.point(t, w.ops.spawn, n, 0)
}

// spawn makes a runnable task.
func (w *World) spawn(p *process, n *name, f func()) *task {
	if n.serial != w.pool.serial {
		n.serial, n.tasks = w.pool.serial, 0
	}
	n.tasks++
	t := w.pool.task()
	t.w, t.p, t.name, t.f = w, p, n, f
	t.k, t.id = n.tasks, w.tasks
	t.key = taskKey(n.hash, t.k)
	t.op, t.obj = w.ops.start, w.ops.none
	w.tasks++
	w.live = append(w.live, t)
	w.runq = append(w.runq, t)
	return t
}

// Sleep parks the task until the clock reached its timer. No time at all is a
// plain choice point.
func (p *process) Sleep(d time.Duration) {
	w := p.w
	t := w.actor()
	if t == nil {
		return
	}
	t.mustLive()
	if d <= 0 {
		w.point(t, w.ops.sleep, w.ops.none, 0)
		return
	}
	w.setTimer(t, w.now+min(int64(d), math.MaxInt64-w.now), progress)
	w.block(t, w.ops.sleep, w.ops.none, 0)
}

// Choose asks the chooser for a value.
func (p *process) Choose(label string, n int) int {
	t := p.w.actor()
	if n < 2 || t == nil || t.unwinding() {
		return 0
	}
	return p.w.data(t, p.w.names.get(label), n)
}

// Point is a choice point before an effect of a seam.
func (p *process) Point(op, object string) {
	w := p.w
	t := w.actor()
	if t == nil || t.unwinding() || t.quiet {
		return
	}
	o := w.names.get(object)
	w.arrive(t, w.names.get(op), o, o.hash)
	w.choose(t, true)
	if w.next != t {
		t.co.yield(struct{}{}) // park
		if t.dead {
			t.end()
		}
	}
}

// Note writes a line into the log.
func (p *process) Note(kind string, args ...any) {
	w := p.w
	if !w.watched || w.ended {
		return
	}
	e := Entry{Kind: EntryNote, Op: kind, Object: p.name.s, Args: args}
	if w.cur != nil {
		e.Task = w.cur.label()
	}
	w.emit(e)
}

// Call runs f as a task of p and waits for it.
func (p *process) Call(name string, f func()) error {
	w := p.w
	t := w.actor()
	if t == nil || t.unwinding() || p.dead {
		return rt.ErrKilled
	}
	n := w.names.get(name)
	u := w.spawn(p, n, f)
	u.caller, t.callee, t.killed = t, u, false
	w.block(t, w.ops.call, n, 0)
	if t.killed {
		return rt.ErrKilled
	}
	return nil
}

// OnKill registers f to run at Kill.
func (p *process) OnKill(f func()) (cancel func()) {
	if t := p.w.actor(); t == nil || t.unwinding() {
		return func() {}
	}
	if p.dead {
		f()
		return func() {}
	}
	p.hookID++
	id := p.hookID
	p.hooks = append(p.hooks, hook{id: id, f: f})
	return func() {
		p.hooks = slices.DeleteFunc(p.hooks, func(h hook) bool { return h.id == id })
	}
}
