package sim

import "fleece/qmp"

// blockStream copies lower layers up; the order of the checks is qmp_block_stream's.
func (m *Machine) blockStream(a qmp.Value) *qmp.ReplyError {
	top, err := m.lookup(a.Get("device").S())
	if err != nil {
		return err
	}
	base, err := m.streamBase(top, a)
	if err != nil {
		return err
	}
	for x := top; x != nil && x != base; x = x.below() {
		if err := x.busy(); err != nil {
			return err
		}
	}
	if base == nil && a.Get("backing-file").Present() {
		return qmp.Generic("backing file specified, but streaming the entire chain")
	}
	o := parseJob(a)
	filter, err := m.insertJobFilter("copy-on-read", "file", top, o.filterName)
	if err != nil {
		return qmp.Generic("Could not create node: " + err.Desc)
	}
	filter.jobPerms = copyOnReadPerms
	m.pairs(filter, 1)
	j, err := m.newBlockJob(o, "stream")
	if err != nil {
		m.removeFilter(filter)
		return err
	}
	w := &chainCopy{
		job: j, filter: filter, top: top, base: base, isStream: true, length: top.length(), onError: a.Get("on-error").TextOr("report"),
		undo: func() {},
	}
	w.conclude = func() { w.dropLayers(a.Get("backing-file")) }
	j.work = w
	j.use("main node", filter, 0, permAll)
	j.use("active node", top, 0, permReadShare|permWrite)
	for x := top.below(); x != nil && x != base; x = x.below() {
		j.use("intermediate node", x, 0, permReadShare)
	}
	w.backends = append(w.backends,
		filter.use("root", &user{label: "an unnamed block device", perm: permRead, shared: permReadShare | permWrite}))
	w.setSpeed(o.speed)
	if top.below() == base {
		w.length = 0 // nothing lies between
	}
	m.startBlockJob(j, w.length == 0)
	return nil
}

// copyOnReadPerms are what a copy-on-read filter needs of its child.
func copyOnReadPerms(perm, shared permSet) (permSet, permSet) { return perm | permUnchanged, shared }

// streamBase is the layer that a stream stops at; nil is the end of the chain.
func (m *Machine) streamBase(top *node, a qmp.Value) (*node, *qmp.ReplyError) {
	base, byNode, bottom := a.Get("base"), a.Get("base-node"), a.Get("bottom")
	switch {
	case base.Present() && byNode.Present():
		return nil, qmp.Generic("'base' and 'base-node' cannot be specified at the same time")
	case base.Present() && bottom.Present():
		return nil, qmp.Generic("'base' and 'bottom' cannot be specified at the same time")
	case byNode.Present() && bottom.Present():
		return nil, qmp.Generic("'bottom' and 'base-node' cannot be specified at the same time")
	case base.Present():
		for x := top.below(); x != nil; x = x.below() {
			if x.filename() == base.S() {
				return x, nil
			}
		}
		return nil, qmp.Generic("Can't find '" + base.S() + "' in the backing chain")
	case byNode.Present():
		n := m.node(byNode.S())
		if n == nil {
			return nil, qmp.Generic("Cannot find device='' nor node-name='" + byNode.S() + "'")
		}
		if n == top || !top.inChain(n) {
			return nil, qmp.Generic("Node '" + n.name + "' is not a backing image of '" + top.name + "'")
		}
		return n, nil
	case bottom.Present():
		n := m.node(bottom.S())
		switch {
		case n == nil:
			return nil, qmp.Generic("Cannot find device='' nor node-name='" + bottom.S() + "'")
		case !top.inChain(n):
			return nil, qmp.Generic("Node '" + n.name + "' is not in a chain starting from '" + top.name + "'")
		case n.isFilter():
			return nil, qmp.Generic("Node '" + n.name + "' is a filter, use a non-filter node as 'bottom'")
		}
		return n.below(), nil
	}
	return nil, nil
}

// dropLayers lets the top stand on the base alone.
func (w *chainCopy) dropLayers(name qmp.Value) {
	if w.top.below() == nil {
		return
	}
	text := ""
	if w.base != nil {
		text = name.TextOr(w.base.filename())
	}
	w.top.rebase(w.base, text)
}

// changeBackingFile is change-backing-file: the name in a header only.
func (m *Machine) changeBackingFile(a qmp.Value) *qmp.ReplyError {
	top, err := m.rootNode(a.Get("device").S())
	if err != nil {
		return err
	}
	name := a.Get("image-node-name").S()
	n := m.node(name)
	switch {
	case n == nil:
		return qmp.Generic("Cannot find device='' nor node-name='" + name + "'")
	case n.backing() == nil:
		return qmp.Generic("not allowing backing file change on an image without a backing file")
	case !top.inChain(n):
		return qmp.Generic("'" + top.name + "' and image file are not in the same chain")
	}
	if img := n.image(); img != nil {
		img.backingFile, img.backingFormat, img.headerDirty = a.Get("backing-file").S(), n.backing().kind, true
		if err := img.flush(); err != nil {
			return ioError("Could not change the backing file to '"+img.backingFile+"'", err)
		}
	}
	return nil
}
