package sim

import "fleece/qmp"

// access is the read-only option of a node: whether it is given, and what it says.
type access struct{ given, readOnly bool }

func accessOf(options qmp.Value) access {
	v := options.Get("read-only")
	return access{v.Present(), v.IsTrue()}
}

// or is a itself, or what stands for it if it is not given.
func (a access) or(instead access) access {
	if a.given {
		return a
	}
	return instead
}

// handsDown is what a child opened inline takes over in a role (bdrv_inherited_options).
func (n *node) handsDown(role string) access { return handDown(n.mode, role) }

func handDown(mode access, role string) access {
	if role == "backing" {
		return access{true, true}
	}
	return mode
}

// reopenQueue lists the nodes of one reopening, each parent before its children.
type reopenQueue []*reopening

func (q reopenQueue) find(n *node) *reopening {
	for _, r := range q {
		if r.n == n {
			return r
		}
	}
	return nil
}

// add queues a node with new options, and after it the children that were opened with it
// (bdrv_reopen_queue_child). keep leaves what is not said as it is.
func (q *reopenQueue) add(n *node, options qmp.Value, inherited access, keep bool) *reopening {
	r := q.find(n)
	said := accessOf(options)
	switch {
	case r != nil:
		said = said.or(r.said)
	case keep:
		said = said.or(n.said)
	}
	mode := said.or(inherited)
	if keep {
		mode = mode.or(n.mode)
	}
	if r == nil {
		r = &reopening{n: n, keep: keep}
		*q = append(*q, r)
	}
	r.said, r.mode, r.readOnly = said, mode, mode.readOnly
	if options.Present() {
		r.options = options
	}
	for _, e := range n.children {
		if e.child.heirOf == n {
			q.addChild(e, options.Get(e.role), mode, keep)
		}
	}
	return r
}

// addChild queues an inline child: with the options that ref gives it, or with its own if
// ref is its name. A child that is to be replaced stays as it is.
func (q *reopenQueue) addChild(e *edge, ref qmp.Value, mode access, keep bool) {
	switch ref.Kind() {
	case qmp.KindNull:
		return
	case qmp.KindString:
		if ref.S() != e.child.name {
			return
		}
		ref, keep = qmp.Value{}, true
	}
	if ref.Present() || keep {
		q.add(e.child, ref, handDown(mode, e.role), keep)
	}
}

// setReadOnly is what snapshots and jobs do to a layer (bdrv_reopen_set_read_only).
func (m *Machine) setReadOnly(n *node, readOnly bool) *qmp.ReplyError {
	var q reopenQueue
	q.add(n, qmp.Dict(qmp.M("read-only", qmp.Bool(readOnly))), access{}, true)
	return q.run()
}

// run prepares every node, looks at the permissions of what would be, and commits.
func (q reopenQueue) run() *qmp.ReplyError {
	var done []*reopening
	undo := func() {
		for i := len(done) - 1; i >= 0; i-- {
			done[i].swap(true)
			done[i].goBack()
		}
	}
	for _, r := range q {
		if err := r.prepare(); err != nil {
			r.goBack()
			undo()
			return err
		}
		r.swap(false)
		done = append(done, r)
	}
	for _, r := range q {
		if err := r.n.conflictBelow(); err != nil {
			undo()
			return err
		}
	}
	// Storage first: an image that is taken into use writes to it.
	var failed *qmp.ReplyError
	for i := len(q) - 1; i >= 0; i-- {
		if err := q[i].commit(); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}
