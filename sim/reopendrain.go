package sim

// sections are the drained sections of a node that is reopened: over the node itself
// and over what is below each of its children.
type sections struct {
	n     *node
	own   drained
	below []section
}

// section is that of a child; old is the one that it was over before.
type section struct {
	drained
	node, old *node // node is nil when there is none
	moved     bool
}

// begin opens them, once.
func (s *sections) begin(n *node) {
	if s.n != nil {
		return
	}
	s.n, s.own = n, n.m.drain(n)
	for _, e := range n.children {
		s.below = append(s.below, section{drained: n.m.drainTree(e.child), node: e.child})
	}
}

// follow lets the section of a child that is replaced go over to the new one, which is
// drained with its parent as soon as it has it (bdrv_child_cb_attach). Jobs over either
// show it. Either child may be nil.
func (s *sections) follow(old, to *node) {
	if s.n == nil {
		return // the node is reopened with its parent
	}
	at := -1
	for i := range s.below {
		if old != nil && s.below[i].node == old {
			at = i
		}
	}
	if at < 0 {
		at = len(s.below)
		s.below = append(s.below, section{})
	}
	s.below[at].moveTo(to, s.own.m)
	s.below[at].old, s.below[at].moved = old, true
}

// goBack undoes every follow, the last first.
func (s *sections) goBack() {
	for i := len(s.below) - 1; i >= 0; i-- {
		if x := &s.below[i]; x.moved {
			x.moveTo(x.old, s.own.m)
			x.moved = false
			if x.node == nil {
				continue
			}
			for _, e := range s.n.children {
				if e.child == x.node {
					e.moveTo(x.node) // it is the youngest parent now
				}
			}
			if x.node.underJob() {
				_ = x.m.die("") // an assertion about drained parents that the real binary fails
			}
			x.moved = false
		}
	}
}

// underJob reports whether a job has the node, or one below it; it may have done its work.
func (n *node) underJob() bool {
	for _, j := range n.m.jobs {
		if j.usesTree(n) {
			return true
		}
	}
	return false
}

func (s *section) moveTo(to *node, m *Machine) {
	if s.node != nil {
		s.drained.end()
	}
	if s.node = to; to != nil {
		s.drained = m.drainTree(to)
	}
}

// end closes them.
func (s *sections) end() {
	if s.n == nil {
		return
	}
	for i := range s.below {
		if s.below[i].node != nil {
			s.below[i].drained.end()
		}
	}
	s.own.end()
}
