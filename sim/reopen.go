package sim

import (
	"fleece/qmp"
)

// makeReadOnly stores what is in memory; persistent bitmaps stay with the node and
// cannot be changed any more (§0.5, §3.6).
func (n *node) makeReadOnly() {
	if n.readOnly {
		return
	}
	if n.image() != nil {
		_ = n.drv.close()
		for _, b := range n.bitmaps.list {
			b.readonly = b.readonly || b.persistent && !b.inconsistent
		}
	}
	n.readOnly = true
}

// makeWritable takes the bitmaps into use again; on disk they are marked so at once
// (§3.5).
func (n *node) makeWritable() error {
	n.readOnly = false
	if n.image() == nil {
		return nil
	}
	for _, b := range n.bitmaps.list {
		b.readonly = false
	}
	return n.markInUse()
}

// blockdevReopen changes options of open nodes. The whole set of options must be
// given; what is changed are read-only and backing (§2.7).
func (m *Machine) blockdevReopen(args qmp.Value) *qmp.ReplyError {
	list := args.Get("options").Items()
	if len(list) == 0 {
		// The real binary fails an assertion (§11, {90}).
		return m.die("Invalid parameter 'options'")
	}
	for _, options := range list {
		if err := m.reopen(options); err != nil {
			return err
		}
	}
	return nil
}

func (m *Machine) reopen(options qmp.Value) *qmp.ReplyError {
	name, ok := options.Get("node-name").Text()
	if !ok {
		return qmp.Generic("node-name not specified")
	}
	n := m.node(name)
	if n == nil {
		return qmp.Generic("Failed to find node with node-name='" + name + "'")
	}
	if options.Get("driver").S() != n.kind {
		return qmp.Generic("Cannot change the option 'driver'")
	}
	if file, ok := options.Get("file").Text(); ok && m.node(file) == nil {
		return qmp.Generic("Cannot find device='' nor node-name='" + file + "'")
	}
	if err := m.reopenBacking(n, options.Get("backing")); err != nil {
		return err
	}
	readOnly := options.Get("read-only").IsTrue()
	if readOnly == n.readOnly {
		return nil
	}
	if readOnly {
		if perm, _ := n.cumulative(); perm&permWrite != 0 {
			return qmp.Generic("Read-only block node '" + name + "' cannot support read-write users")
		}
		n.makeReadOnly()
		return nil
	}
	if err := n.makeWritable(); err != nil {
		return ioError("Could not reopen", err)
	}
	return n.conflictBelow()
}

func (m *Machine) reopenBacking(n *node, ref qmp.Value) *qmp.ReplyError {
	old := n.edge("backing")
	switch {
	case old == nil && !ref.Present(), n.image() == nil:
		return nil
	case !ref.Present():
		return qmp.Generic("backing is missing for '" + n.name + "'")
	}
	var to *node
	if name, ok := ref.Text(); ok {
		if to = m.node(name); to == nil {
			return qmp.Generic("Cannot find device='' nor node-name='" + name + "'")
		}
	}
	if old != nil && old.child == to {
		return nil
	}
	if old != nil {
		_ = old.detach()
	}
	if to != nil {
		n.attach("backing", to)
	}
	return nil
}

// blockResize changes the size of a node and its bitmaps.
func (m *Machine) blockResize(a qmp.Value) *qmp.ReplyError {
	n, err := m.lookup(a.Get("node-name").S())
	if err != nil {
		return err
	}
	size, _ := a.Get("size").Int64()
	if size < 0 {
		return qmp.Generic("Parameter 'size' expects a >0 size")
	}
	u := &user{label: "an unnamed block device", perm: permResize, shared: permAll}
	e := n.use("root", u)
	defer func() {
		owned := n.owned
		n.owned = true
		_ = e.detach()
		n.owned = owned
	}()
	if err := n.conflictBelow(); err != nil {
		return err
	}
	for _, b := range n.bitmaps.list {
		if err := b.check(checkDefault); err != nil && b.persistent {
			return err
		}
	}
	if err := n.drv.truncate(size); err != nil {
		return ioError("Failed to resize", err)
	}
	for _, b := range n.bitmaps.list {
		b.resize(size)
	}
	return nil
}
