package sim

import (
	"math/bits"

	"fleece/qmp"
)

// rootNode is qmp_get_root_bs: a node on top, with no other node above it.
func (m *Machine) rootNode(name string) (*node, *qmp.ReplyError) {
	n, err := m.lookup(name)
	if err != nil {
		return nil, err
	}
	for _, e := range n.parents {
		if e.parent != nil || e.user.job != nil {
			return nil, qmp.Generic("Need a root block node")
		}
	}
	return n, nil
}

// jobOptions are what all block jobs take.
type jobOptions struct {
	id                        string
	filterName                qmp.Value // absent: QEMU makes one up
	speed                     int64
	autoFinalize, autoDismiss bool
}

func parseJob(a qmp.Value) jobOptions {
	o := jobOptions{id: a.Get("job-id").S(), filterName: a.Get("filter-node-name"), autoFinalize: true, autoDismiss: true}
	o.speed, _ = a.Get("speed").Int64()
	if v := a.Get("auto-finalize"); v.Present() {
		o.autoFinalize = v.IsTrue()
	}
	if v := a.Get("auto-dismiss"); v.Present() {
		o.autoDismiss = v.IsTrue()
	}
	return o
}

// newBlockJob registers a job; a negative speed is found when it exists ({17}).
func (m *Machine) newBlockJob(o jobOptions, kind string) (*job, *qmp.ReplyError) {
	j, err := m.newJob(o.id, kind)
	if err != nil {
		return nil, err
	}
	if o.speed < 0 {
		j.dismiss()
		return nil, qmp.Generic("Parameter 'speed' expects a non-negative value")
	}
	j.blockJob, j.autoFinalize, j.autoDismiss = true, o.autoFinalize, o.autoDismiss
	return j, nil
}

// startBlockJob lets the job run: what needs no I/O happens before the reply.
func (m *Machine) startBlockJob(j *job, empty bool) {
	j.set(jobRunning)
	if empty {
		for j.active() && j.working() && j.work.step(j.gen) {
		}
		return
	}
	j.pump()
}

// blockdevMirror starts a mirror; the order of the checks is blockdev_mirror_common's
// and mirror_start_job's.
func (m *Machine) blockdevMirror(a qmp.Value) *qmp.ReplyError {
	source, err := m.rootNode(a.Get("device").S())
	if err != nil {
		return err
	}
	target, err := m.lookup(a.Get("target").S())
	if err != nil {
		return err
	}
	w := &mirror{
		source: source, target: target, mode: syncMode(a.Get("sync").S()), buffer: mirrorBufferDefault,
		replaces: a.Get("replaces").S(),
		onSource: a.Get("on-source-error").TextOr("report"), onTarget: a.Get("on-target-error").TextOr("report"),
	}
	w.zeroTarget = w.mode == syncFull
	w.blocking = a.Get("copy-mode").S() == "write-blocking"
	granularity, _ := a.Get("granularity").Int64()
	switch {
	case granularity != 0 && (granularity < mirrorGranularityLo || granularity > mirrorGranularityHi):
		return qmp.Generic("Parameter 'granularity' expects a value in range [512B, 64MB]")
	case bits.OnesCount64(uint64(granularity)) > 1:
		return qmp.Generic("Parameter 'granularity' expects a power of 2")
	}
	if err := source.blocked(); err != nil {
		return err
	}
	if err := target.blocked(); err != nil {
		return err
	}
	if w.mode == syncTop && source.backing() != nil {
		w.base = source.backing()
	}
	if err := w.checkReplaces(m); err != nil {
		return err
	}
	if w.mode == syncBitmap || w.mode == syncIncremental {
		return qmp.Generic("Sync mode '" + string(w.mode) + "' not supported")
	}
	if n, ok := a.Get("buf-size").Int64(); ok && n < 0 {
		return qmp.Generic("Invalid parameter 'buf-size'")
	} else if ok && n > 0 {
		w.buffer = n
	}
	if granularity == 0 {
		granularity = target.defaultGranularity()
	}
	return m.startMirror(w, parseJob(a), "mirror", granularity)
}

// checkReplaces looks at the node that a completed mirror takes the place of.
func (w *mirror) checkReplaces(m *Machine) *qmp.ReplyError {
	if w.replaces == "" {
		return nil
	}
	n := m.node(w.replaces)
	switch {
	case n == nil:
		return qmp.Generic("Failed to find node with node-name='" + w.replaces + "'")
	case n != w.source && !w.source.reachesBy(n):
		return qmp.Generic("Cannot replace '" + n.name + "' by a node mirrored from '" + w.source.name +
			"', because it cannot be guaranteed that doing so would not lead to an abrupt change of visible data")
	case n.length() != w.source.length():
		return qmp.Generic("cannot replace image with a mirror image of different size")
	}
	return nil
}

// reachesBy reports whether x shows what n shows: it is n under filters.
func (n *node) reachesBy(x *node) bool {
	for ; n != nil; n = n.filtered() {
		if n == x {
			return true
		}
	}
	return false
}

// startMirror inserts the filter and starts the job.
func (m *Machine) startMirror(w *mirror, o jobOptions, kind string, granularity int64) *qmp.ReplyError {
	if w.source.skipFilters() == w.target.skipFilters() {
		return qmp.Generic("Can't mirror node into itself")
	}
	top, err := m.insertJobFilter("mirror_top", "backing", w.source, o.filterName)
	if err != nil {
		return err
	}
	w.top = top
	top.jobPerms = func(perm, shared permSet) (permSet, permSet) {
		if w.isCommit {
			return perm &^ permRead, shared | permWrite
		}
		return perm, shared
	}
	fail := func(err *qmp.ReplyError) *qmp.ReplyError {
		m.removeFilter(top)
		return err
	}
	j, err := m.newBlockJob(o, kind)
	if err != nil {
		return fail(err)
	}
	shared := permUnchanged
	if w.isCommit {
		shared |= permRead | permWrite
	}
	w.backend = w.target.use("root", &user{label: "an unnamed block device", perm: permWrite, shared: shared})
	const sourceShared = permRead | permUnchanged | permWrite
	j.work, w.job = w, j
	j.use("main node", top, permRead, sourceShared)
	j.use("source", w.source, 0, sourceShared)
	j.use("target", w.target, 0, permAll)
	err = w.target.conflictBelow()
	if err == nil {
		err = top.conflictBelow()
	}
	if err != nil {
		j.dropEdges()
		w.backend.drop()
		j.dismiss()
		return fail(err)
	}
	if w.isCommit {
		for x := w.source.below(); x != nil && x != w.target; x = x.below() {
			j.use("intermediate node", x, 0, permUnchanged|permWrite)
		}
	}
	w.dirty = newBitmap("", granularity, w.source.length())
	w.dirty.notify = w.wake
	w.source.bitmaps.insert(w.dirty)
	w.setSpeed(o.speed)
	m.startBlockJob(j, w.mode == syncNone || w.source.length() == 0 || o.speed == 0 && w.source.isNull() && w.target.isNull())
	return nil
}

// skipFilters is the node that filters stand for.
func (n *node) skipFilters() *node {
	for n.isFilter() && n.filtered() != nil {
		n = n.filtered()
	}
	return n
}

// isNull reports whether what is read and written is nothing, so that nothing waits for it.
func (n *node) isNull() bool {
	n = n.skipFilters()
	_, ok := n.drv.(*nullDriver)
	return ok && n.kind == "null-co"
}

// insertJobFilter puts a filter of a job above a node; its child has the role that the
// driver gives it.
func (m *Machine) insertJobFilter(kind, role string, below *node, name qmp.Value) (*node, *qmp.ReplyError) {
	n := &node{m: m, kind: kind, name: name.S(), owned: true, readOnly: kind == "commit_top", implicit: !name.Present()}
	if !name.Present() {
		n.name = m.generateName()
	} else if err := m.checkName(n.name); err != nil {
		return nil, err
	}
	n.drv = &passDriver{n}
	below.moveParents(n, func(e *edge) bool { return e.user == nil || e.user.job == nil })
	n.attach(role, below)
	m.insert(n)
	return n, nil
}
