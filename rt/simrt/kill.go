package simrt

// Kill ends the process. The choice point is before it; from there on all of it
// is one step, unless a hook has to wait for a lock. The tasks stop and their
// locks are free BEFORE the hooks, so that no hook waits for a dead task; they
// unwind after the hooks.
func (p *process) Kill() {
	w := p.w
	t := w.actor()
	if t == nil || t.unwinding() || p.dead {
		return
	}
	if p == w.kernel {
		panic("simrt: the kernel cannot be killed")
	}
	w.point(t, w.ops.kill, p.name, p.name.hash)
	if p.dead {
		return
	}
	p.dead = true
	if w.watched {
		w.emit(Entry{Kind: EntryKill, Task: t.label(), Op: "kill", Object: p.name.s})
	}
	killed := w.freeze(p, t)
	w.freeLocks(p)
	p.runHooks(t)
	w.wakeCallers(killed)
	w.reap = append(w.reap, killed...)
	if t.p == p {
		t.dead = true
		w.failCaller(t)
		panic(unwound{})
	}
	if len(killed) > 0 { // the world unwinds them before it goes on with us
		w.next = t
		t.park()
	}
}

// freeze takes the tasks of p, but not the running one, out of all queues.
func (w *World) freeze(p *process, running *task) []*task {
	var killed []*task
	for _, u := range w.live {
		if u.p != p || u == running {
			continue
		}
		u.dead = true
		if u.state == stateRunnable {
			w.unqueue(u)
		}
		u.state = stateBlocked
		w.dropTimer(u)
		if u == w.awaits {
			w.awaits = nil
		}
		if u.wants != nil {
			u.wants.leave(u)
		}
		if u.cond != nil {
			u.cond.drop(u)
		}
		if u.callee != nil {
			u.callee.caller, u.callee = nil, nil
		}
		killed = append(killed, u)
	}
	return killed
}

// freeLocks releases what tasks of p hold.
func (w *World) freeLocks(p *process) {
	for _, m := range w.mutexes {
		if m.own != nil && m.own.p == p {
			m.release()
		}
	}
}

// runHooks fences the seams, in order of registration. A hook may take back
// others; none can come in, since the process is dead.
func (p *process) runHooks(t *task) {
	was := t.quiet
	t.quiet = true
	for len(p.hooks) > 0 {
		f := p.hooks[0].f
		p.hooks = p.hooks[1:]
		f()
	}
	t.quiet = was
}

func (w *World) wakeCallers(killed []*task) {
	for _, u := range killed {
		w.failCaller(u)
	}
}

// failCaller lets the task that waits in Call for u go on with ErrKilled.
func (w *World) failCaller(u *task) {
	c := u.caller
	if c == nil {
		return
	}
	u.caller, c.callee, c.killed = nil, nil, true
	w.wake(c)
}
