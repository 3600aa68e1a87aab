package sim

import "fleece/qmp"

// commitRange is what a block-commit is about.
type commitRange struct{ active, top, base *node }

// blockCommit merges layers into the base below them; the order of the checks is
// qmp_block_commit's. Committing the active layer is a mirror that gets ready.
func (m *Machine) blockCommit(a qmp.Value) *qmp.ReplyError {
	r, err := m.commitRange(a)
	if err != nil {
		return err
	}
	for x := r.top; x != nil && x != r.base.below(); x = x.below() {
		if err := x.busy(); err != nil {
			return err
		}
	}
	if r.top == r.base {
		return qmp.Generic("cannot commit an image into itself")
	}
	o := parseJob(a)
	if r.top.skipFilters() == r.active.skipFilters() {
		if a.Get("backing-file").Present() {
			return qmp.Generic("'backing-file' specified, but 'top' is the active layer")
		}
		return m.commitActive(r, o, a.Get("on-error").TextOr("report"))
	}
	return m.commitBelow(r, o, a)
}

func (m *Machine) commitRange(a qmp.Value) (r commitRange, err *qmp.ReplyError) {
	device := a.Get("device").S()
	if m.node(device) == nil {
		return r, &qmp.ReplyError{Class: qmp.DeviceNotFound, Desc: "Device '" + device + "' not found"}
	}
	if r.active, err = m.rootNode(device); err != nil {
		return r, err
	}
	if err = r.active.busy(); err != nil {
		return r, err
	}
	if r.top, err = m.chainMember(r.active, r.active, a, "top", "Top image file "); err != nil {
		return r, err
	}
	if r.base, err = m.chainMember(r.top, r.top.bottom(), a, "base", "Can't find '"); err != nil {
		return r, err
	}
	if r.base == nil {
		err = qmp.Generic("There is no backimg image")
	}
	return r, err
}

// bottom is the last layer of a chain.
func (n *node) bottom() *node {
	for n.below() != nil {
		n = n.below()
	}
	return n
}

// chainMember finds a layer of from's chain by node name or file name.
func (m *Machine) chainMember(from, or *node, a qmp.Value, what, missing string) (*node, *qmp.ReplyError) {
	byName, byFile := a.Get(what+"-node"), a.Get(what)
	switch {
	case byName.Present() && byFile.Present():
		return nil, qmp.Generic("'" + what + "-node' and '" + what + "' are mutually exclusive")
	case byName.Present():
		n := m.node(byName.S())
		if n == nil {
			return nil, qmp.Generic("Cannot find device='' nor node-name='" + byName.S() + "'")
		}
		if !from.inChain(n) {
			return nil, qmp.Generic("'" + byName.S() + "' is not in this backing file chain")
		}
		return n, nil
	case !byFile.Present():
		return or, nil
	}
	for x := from; x != nil; x = x.below() {
		if x.filename() == byFile.S() {
			return x, nil
		}
	}
	if what == "top" {
		return nil, qmp.Generic(missing + byFile.S() + " not found")
	}
	return nil, qmp.Generic(missing + byFile.S() + "' in the backing chain")
}

// inChain reports whether x is n or below it in its backing chain.
func (n *node) inChain(x *node) bool {
	for ; n != nil; n = n.below() {
		if n == x {
			return true
		}
	}
	return false
}

// commitActive follows the guest into the base until it is completed.
func (m *Machine) commitActive(r commitRange, o jobOptions, onError string) *qmp.ReplyError {
	w := &mirror{
		source: r.active, target: r.base, base: r.base, mode: syncTop, buffer: mirrorBufferDefault,
		isCommit: true, onSource: onError, onTarget: onError,
	}
	wasReadOnly := r.base.readOnly
	if wasReadOnly {
		if err := m.setReadOnly(r.base, false); err != nil {
			return err
		}
	}
	err := m.startMirror(w, o, "commit", r.base.defaultGranularity())
	if err != nil && wasReadOnly {
		_ = m.setReadOnly(r.base, true)
	}
	return err
}

// commitBelow merges layers that nobody writes to.
func (m *Machine) commitBelow(r commitRange, o jobOptions, a qmp.Value) *qmp.ReplyError {
	overlay := r.active
	for overlay.below() != r.top {
		overlay = overlay.below()
	}
	if err := overlay.busy(); err != nil {
		return err
	}
	j, err := m.newBlockJob(o, "commit")
	if err != nil {
		return err
	}
	wasReadOnly := r.base.readOnly
	if wasReadOnly {
		if err := m.setReadOnly(r.base, false); err != nil {
			j.dismiss()
			return err
		}
	}
	filter, err := m.insertJobFilter("commit_top", "backing", r.top, o.filterName)
	if err != nil {
		j.dismiss()
		return err
	}
	filter.jobPerms = func(_, _ permSet) (permSet, permSet) { return 0, permAll }
	w := &chainCopy{
		job: j, filter: filter, top: r.top, base: r.base, length: r.top.length(), onError: a.Get("on-error").TextOr("report"),
	}
	w.undo = func() {
		if wasReadOnly {
			_ = m.setReadOnly(r.base, true)
		}
	}
	w.conclude = func() {
		overlay.rebase(r.base, a.Get("backing-file").TextOr(r.base.filename()))
		w.undo()
	}
	j.work = w
	j.use("main node", r.active, 0, permAll)
	for x := r.top; x != r.base; x = x.below() {
		j.use("intermediate node", x, 0, permUnchanged|permWrite)
	}
	j.use("base", r.base, 0, permAll)
	w.backends = append(w.backends,
		r.base.use("root", &user{label: "an unnamed block device", perm: permRead | permWrite, shared: permReadShare}),
		r.top.use("root", &user{label: "an unnamed block device", shared: permAll}))
	if err := r.base.conflictBelow(); err != nil { // such as a data file that is read-only
		w.finished(true)
		j.dismiss()
		return err
	}
	w.setSpeed(o.speed)
	m.startBlockJob(j, false)
	return nil
}
