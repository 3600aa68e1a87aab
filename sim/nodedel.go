package sim

import (
	"slices"

	"fleece/qmp"
)

// closeNode closes a node and lets its children go; what QEMU has in memory
// reaches the file here (§0.10).
func (m *Machine) closeNode(n *node) error {
	if n.closed {
		return nil
	}
	n.closed = true
	err := n.drv.close()
	m.nodes = slices.DeleteFunc(m.nodes, func(x *node) bool { return x == n })
	for len(n.children) > 0 {
		if e := n.children[0].detach(); err == nil {
			err = e
		}
	}
	return err
}

// blockdevDel removes a node of the monitor; the checks are in §2.3's order.
func (m *Machine) blockdevDel(args qmp.Value) *qmp.ReplyError {
	name := args.Get("node-name").S()
	n := m.node(name)
	if n == nil {
		return qmp.Generic("Failed to find node with node-name='" + name + "'")
	}
	for _, e := range n.parents {
		if e.user != nil && e.user.job == nil {
			return qmp.Generic("Node " + name + " is in use")
		}
	}
	if err := n.blocked(); err != nil {
		return err
	}
	if !n.owned {
		return qmp.Generic("Node " + name + " is not owned by the monitor")
	}
	if len(n.parents) > 0 {
		return qmp.Generic("Block device " + name + " is in use")
	}
	for _, b := range n.bitmaps.list {
		if b.busy { // an export of another node has it: an assertion of the real binary
			return m.die("Bitmap '" + b.name + "' is currently in use by another operation and cannot be used")
		}
	}
	if err := m.closeNode(n); err != nil && !m.p.Alive() {
		return qmp.Generic(errText(err))
	}
	return nil
}

// blocked is the operation blocker of a node: a job has it, or it is the backing
// file of another.
func (n *node) blocked() *qmp.ReplyError {
	for _, e := range slices.Backward(n.parents) { // the youngest blocks first
		switch {
		case e.user != nil && e.user.job != nil:
			return busyWithJob(n, e.user.job)
		case e.parent != nil && e.role == "backing":
			return qmp.Generic("Node '" + n.name + "' is busy: node is used as backing hd of '" + e.parent.name + "'")
		}
	}
	return nil
}

func busyWithJob(n *node, j *job) *qmp.ReplyError {
	return qmp.Generic("Node '" + n.name + "' is busy: block device is in use by block job: " + j.kind)
}
