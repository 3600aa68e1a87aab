package sim

import "slices"

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
	s.below[at].letGo(s.own.m)
	s.below[at].moveTo(to, s.own.m)
	s.below[at].old, s.below[at].moved = old, true
}

// letGo looks at a child that leaves. If a node below it can be reached in two ways the
// drained section reached the link to it, too, from below, and ends it twice: an assertion
// of the real binary (bdrv_replace_child_noperm).
func (s *section) letGo(m *Machine) {
	if s.node != nil && s.node.hasDiamond() {
		_ = m.die("Node '" + s.node.name + "' cannot be let go: a node below it has two parents there")
	}
}

// hasDiamond reports whether a node below n can be reached in two ways.
func (n *node) hasDiamond() bool {
	seen := []*node{n}
	for i := 0; i < len(seen); i++ {
		for _, e := range seen[i].children {
			if slices.Contains(seen, e.child) {
				return true
			}
			seen = append(seen, e.child)
		}
	}
	return false
}

// goBack undoes every follow, the last first.
func (s *sections) goBack() {
	for i := len(s.below) - 1; i >= 0; i-- {
		if x := &s.below[i]; x.moved {
			x.letGo(s.own.m)
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
			x.moved = false
		}
	}
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
