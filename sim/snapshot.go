package sim

import (
	"slices"

	"fleece/qmp"
)

// prepareSnapshot puts overlay over node: the node's parents move up, the node
// becomes its backing file and read-only at commit (§2.5).
func (m *Machine) prepareSnapshot(a *action, data qmp.Value) *qmp.ReplyError {
	base, err := m.lookup(data.Get("node").S())
	if err != nil {
		return err
	}
	section := m.drain(base)
	a.clean = func() { section.end() }
	if err := base.blocked(); err != nil {
		return err
	}
	overlay, err := m.lookup(data.Get("overlay").S())
	switch {
	case err != nil:
		return err
	case overlay.isRead():
		return qmp.Generic("The overlay is already in use")
	case overlay.isFilter():
		return qmp.Generic("Filters cannot be used as overlays")
	case overlay.backing() != nil:
		return qmp.Generic("The overlay already has a backing image")
	case overlay.image() == nil:
		return qmp.Generic("The overlay does not support backing images")
	}
	return m.stack(a, base, overlay, &section)
}

// isRead reports whether a parent relies on what the node shows; one that only writes, a
// mirror, does not mind a backing file.
func (n *node) isRead() bool {
	perm, _ := n.cumulative()
	return perm&permRead != 0
}

// stack inserts the overlay; abort takes it out again. section is over the base.
func (m *Machine) stack(a *action, base, overlay *node, section *drained) *qmp.ReplyError {
	if base.reaches(overlay) {
		return wouldCycle(overlay, base, "backing")
	}
	above := m.drain(overlay) // the backing node is drained, and so whoever is over it
	ended := false
	letGo := func() {
		if !ended {
			ended = true
			above.end()
		}
	}
	clean := a.clean
	a.clean = func() { letGo(); clean() }
	moved := base.moveParents(overlay, func(e *edge) bool { return e.parent == nil || !overlay.reaches(e.parent) })
	backing := overlay.attach("backing", base)
	goBack := func() {
		for _, e := range slices.Backward(moved) {
			e.moveTo(base)
		}
	}
	if err := overlay.conflictBelow(); err != nil {
		backing.unlink()
		goBack()
		letGo()
		return err
	}
	a.abort = func() {
		letGo()
		giveBack := m.without(overlay, backing.unlink)
		changes := m.drain(overlay) // its place in the graph changes once more
		goBack()
		giveBack()
		overlay.leaveTo(base)
		section.takeOver(&changes) // a job that writes to the base now
		changes.end()
	}
	a.commit = func() {
		section := m.drainTree(base)
		defer section.end()
		if base.canReopen() {
			_ = m.setReadOnly(base, true) // what fails is not told
		}
	}
	return nil
}

// leaveTo moves the parents that a node had before it became an overlay to the node it
// was put over: taking it out again, QEMU replaces it for all of them but jobs
// (bdrv_replace_node in external_snapshot_abort). A backup that writes to the overlay
// goes on writing to the base (seen with the real binary).
func (n *node) leaveTo(base *node) {
	for _, e := range slices.Backward(slices.Clone(n.parents)) { // as moveParents
		if e.user != nil && e.user.job != nil || e.parent != nil && base.reaches(e.parent) {
			continue
		}
		e.moveTo(base)
		var copied *blockCopy
		if e.parent != nil && e.parent.cow() != nil && e.role == "target" {
			copied = e.parent.cow().copy
		}
		switch err := base.conflictBelow(); {
		case err != nil: // unexpected there
			e.moveTo(n)
			_ = n.m.die(err.Desc)
		case copied != nil && copied.length > base.length(): // an assertion, at the first write beyond the end
			e.moveTo(n)
			_ = n.m.die("The backup would go on writing to node '" + base.name + "', which is too small")
		case copied != nil:
			copied.target = base
		}
	}
}

// prepareSnapshotSync creates the overlay's file first; a rollback leaves it (§2.6).
func (m *Machine) prepareSnapshotSync(a *action, data qmp.Value) *qmp.ReplyError {
	name := data.Get("node-name").S()
	base := m.node(name)
	if base == nil { // a device never has a name here
		return qmp.Generic("Cannot find device='" + data.Get("device").S() + "' nor node-name='" + name + "'")
	}
	section := m.drain(base)
	a.clean = func() { section.end() }
	if err := base.blocked(); err != nil {
		return err
	}
	newName, path := data.Get("snapshot-node-name"), data.Get("snapshot-file").S()
	switch {
	case !newName.Present():
		return qmp.Generic("New overlay node-name missing")
	case m.node(newName.S()) != nil:
		return qmp.Generic("New overlay node-name already in use")
	}
	if format := data.Get("format").TextOr("qcow2"); format != "qcow2" {
		if format == "raw" {
			return qmp.Generic("Backing file not supported for file format 'raw'")
		}
		return qmp.Generic("Unknown file format '" + format + "'")
	}
	if data.Get("mode").S() != "existing" {
		if err := m.createOverlay(base, path); err != nil {
			return err
		}
	}
	options := overlayOptions(newName.S(), path)
	if base.readOnly { // it has the flags of the base
		options = options.With("read-only", qmp.Bool(true))
	}
	overlay, err := m.open(options, access{}, asRoot)
	if err != nil {
		return err
	}
	overlay.owned = false
	if err := m.stack(a, base, overlay, &section); err != nil {
		_ = m.closeNode(overlay)
		return err
	}
	undo, clean := a.abort, a.clean
	a.abort = func() {
		undo()
		_ = m.closeNode(overlay)
	}
	a.clean = func() {
		clean()
		if len(overlay.parents) == 0 { // no one had the base, and the monitor does not have the overlay
			_ = m.closeNode(overlay)
		}
	}
	return nil
}

// overlayOptions open a file as an overlay without its backing file.
func overlayOptions(name, path string) qmp.Value {
	return qmp.Dict(qmp.M("driver", qmp.Str("qcow2")), qmp.M("node-name", qmp.Str(name)), qmp.M("backing", qmp.Null()),
		qmp.M("file", qmp.Dict(qmp.M("driver", qmp.Str("file")), qmp.M("filename", qmp.Str(path)))))
}

// formatNameMax is how much QEMU keeps of a backing format's name, in bytes.
const formatNameMax = 15

// createOverlay makes the image of an overlay.
func (m *Machine) createOverlay(base *node, path string) *qmp.ReplyError {
	if base.filename() == path {
		return qmp.Generic("Error: Trying to create an image with the same filename as the backing file")
	}
	if err := m.createFile(qmp.Dict(qmp.M("filename", qmp.Str(path)))); err != nil {
		return err
	}
	file, err := m.open(overlayOptions("", path).Get("file"), access{}, asRoot)
	if err != nil {
		return err
	}
	err = m.createIn(file, imageOptions{
		size: base.length(), clusterSize: 64 << 10, version: 3,
		backingFile: base.filename(), backingFormat: base.kind[:min(len(base.kind), formatNameMax)],
	})
	_ = m.closeNode(file)
	return err
}
