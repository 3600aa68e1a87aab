package simrt

import (
	"slices"

	"fleece/rt"
)

// mutex is a lock. Tasks that want it stand in q; while it is free they are
// runnable as well, and whoever is chosen takes it.
type mutex struct {
	w    *World
	name *name
	key  uint64
	own  *task
	q    []*task
}

// Lock is a choice point before the lock is taken.
func (m *mutex) Lock() {
	w := m.w
	t := w.actor()
	if t == nil || t.unwinding() {
		return
	}
	switch {
	case m.own == nil && t.quiet:
	case m.own == nil:
		w.arrive(t, w.ops.lock, m.name, m.key)
		w.choose(t, true)
		if w.next != t {
			m.q = append(m.q, t)
			t.wants = m
			t.park()
		}
	default:
		m.q = append(m.q, t)
		t.wants = m
		if m.own == t {
			w.selfDeadlock(t)
		}
		w.block(t, w.ops.lock, m.name, m.key)
	}
	m.take(t)
}

// take gives the free lock to t; the others that want it can no longer run.
func (m *mutex) take(t *task) {
	assertf(m.own == nil, "took a held lock", t)
	if t.wants != nil {
		m.leave(t)
	}
	m.own = t
	t.held++
	for _, u := range m.q {
		m.w.unqueue(u)
		u.state = stateBlocked
	}
}

// Unlock makes those that want the lock runnable; it is no choice point.
func (m *mutex) Unlock() {
	t := m.w.actor()
	if t == nil || t.unwinding() {
		return
	}
	if m.own != t {
		panic("unlock of " + m.name.s + ", which " + t.label() + " does not hold")
	}
	m.release()
}

func (m *mutex) release() {
	m.own.held--
	m.own = nil
	for _, u := range m.q {
		m.w.wake(u)
	}
}

// rejoin makes t, which was blocked, want the lock again after a wait.
func (m *mutex) rejoin(t *task) {
	t.op, t.obj, t.objKey = m.w.ops.relock, m.name, m.key
	t.wants = m
	m.q = append(m.q, t)
	if m.own == nil {
		m.w.wake(t)
	}
}

func (m *mutex) leave(t *task) {
	i := slices.Index(m.q, t)
	assertf(i >= 0, "not in the queue of its lock", t)
	m.q = slices.Delete(m.q, i, i+1)
	t.wants = nil
}

// leaf is a lock for bodies that reach no choice point: in a serial world it
// only checks that they do not.
type leaf struct {
	name string
	held bool
}

var _ rt.LeafMutexer = (*process)(nil)

// Lock asserts that no other body is inside.
func (l *leaf) Lock() {
	if l.held {
		panic("simrt: leaf lock " + l.name + " is held: its body passed a choice point")
	}
	l.held = true
}

// Unlock ends the body.
func (l *leaf) Unlock() { l.held = false }
