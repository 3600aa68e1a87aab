package sim

import "fleece/qmp"

// freezeBitmaps stores the bitmaps of a node that is to be read-only. QEMU does so
// before it knows whether the reopening will succeed, and takes nothing back if it does
// not: the bitmaps stay read-only, and writes fail (seen with the real binary).
func (n *node) freezeBitmaps() *qmp.ReplyError {
	switch twin := n.twin(); {
	case twin != nil:
		return qmp.Generic("Bitmap '" + twin.name + "' already exists in the image")
	case n.readOnly && n.hasUnstored():
		return qmp.Generic("No write access")
	}
	if !n.readOnly {
		if err := n.drv.close(); err != nil {
			return ioError("Could not store bitmaps", err)
		}
	}
	for _, b := range n.bitmaps.list {
		b.readonly = b.readonly || b.persistent
	}
	return nil
}

// thaw takes the bitmaps into use again, on disk at once (§3.5). If one of them is not
// what it was when it was stored nothing happens but a complaint on the standard error of
// QEMU (qcow2_reopen_bitmaps_rw).
func (n *node) thaw() error {
	img := n.image()
	for i := range img.stored {
		s := &img.stored[i]
		b, inUse := n.bitmaps.find(s.name), s.flags&storedInUse != 0
		if b == nil || !inUse && (!b.readonly || b.inconsistent) || inUse && b.readonly && !b.inconsistent {
			return nil
		}
	}
	if err := n.markInUse(); err != nil {
		return err
	}
	for i := range img.stored {
		n.bitmaps.find(img.stored[i].name).readonly = false
	}
	return nil
}

// hasUnstored reports whether a persistent bitmap is only in memory.
func (n *node) hasUnstored() bool {
	for _, b := range n.bitmaps.list {
		if b.persistent && !b.inconsistent && !b.readonly {
			return true
		}
	}
	return false
}

// reopening is one node of a blockdev-reopen: what it will be, and what it was.
type reopening struct {
	n          *node
	options    qmp.Value // new ones
	keep       bool      // what options leave out stays
	said, mode access
	readOnly   bool
	sections
	moves []childMove
}

// childMove is a change of a child; either node may be nil.
type childMove struct {
	role     string
	old, new *node
}

// blockdevReopen changes options of open nodes: all of them, or on an error none. The
// whole set of options must be given; what is left out falls back to its default
// (§2.7).
func (m *Machine) blockdevReopen(args qmp.Value) *qmp.ReplyError {
	list := args.Get("options").Items()
	if len(list) == 0 {
		// The real binary fails an assertion (§11, {90}).
		return m.die("Invalid parameter 'options'")
	}
	var queue reopenQueue
	defer func() {
		for _, r := range queue {
			r.sections.end()
		}
	}()
	for _, options := range list {
		name, ok := options.Get("node-name").Text()
		if !ok {
			return qmp.Generic("node-name not specified")
		}
		n := m.node(name)
		if n == nil {
			return qmp.Generic("Failed to find node with node-name='" + name + "'")
		}
		queue.add(n, options, access{}, false).sections.begin(n)
	}
	return queue.run()
}

// canReopen reports whether the driver has bdrv_reopen_prepare.
func (n *node) canReopen() bool {
	switch n.kind {
	case "copy-before-write", "mirror_top", "commit_top", "copy-on-read", "snapshot-access":
		return false
	}
	return true
}

// prepare checks in the order of bdrv_reopen_prepare.
func (r *reopening) prepare() *qmp.ReplyError {
	n := r.n
	if err := r.zeroes(); err != nil {
		return err
	}
	if !n.canReopen() {
		return qmp.Generic("Block format '" + n.kind + "' used by node '" + n.name + "' does not support reopening files")
	}
	if err := r.reset(); err != nil {
		return err
	}
	if group, ok := r.options.Get("throttle-group").Text(); ok && n.kind == "throttle" {
		if o := n.m.object(group); o == nil || o.kind != "throttle-group" {
			return qmp.Generic("Throttle group '" + group + "' does not exist")
		}
	}
	if r.readOnly && n.image() != nil {
		if err := n.freezeBitmaps(); err != nil {
			return err
		}
	}
	backing := r.options.Get("backing")
	if img := n.image(); img != nil && !r.keep && !backing.Present() && (n.backing() != nil || img.backingFile != "") {
		return qmp.Generic("backing is missing for '" + n.name + "'")
	}
	if err := r.child("backing", backing); err != nil {
		return err
	}
	if err := r.child("file", r.options.Get("file")); err != nil {
		return err
	}
	if ref := r.options.Get("data-file"); ref.Kind() == qmp.KindString && (n.child("data-file") == nil || n.child("data-file").name != ref.S()) {
		return cannotChange("data-file")
	}
	return r.unchanged()
}

// zeroes refuses to find zeroes for discards that are not wanted.
func (r *reopening) zeroes() *qmp.ReplyError {
	unmap := r.n.unmap
	if d := r.options.Get("discard"); d.Present() {
		unmap = d.S() == "unmap"
	}
	if r.options.Get("detect-zeroes").S() == "unmap" && !unmap {
		return errUnmapZeroes()
	}
	return nil
}

// fixed are the options of a driver that keep their value, in the order of a QDict.
func (n *node) fixed() []string {
	switch n.kind {
	case "file", "host_device":
		return []string{"locking", "driver", "filename", "aio"}
	case "null-co", "null-aio":
		return []string{"read-zeroes", "driver", "size", "latency-ns"}
	}
	return []string{"driver"}
}

// reset refuses to let an option fall back to its default (bdrv_reset_options_allowed).
func (r *reopening) reset() *qmp.ReplyError {
	if r.keep {
		return nil
	}
	for _, name := range r.n.fixed() {
		if r.n.options.Get(name).Present() && !r.options.Get(name).Present() {
			return qmp.Generic("Option '" + name + "' cannot be reset to its default value")
		}
	}
	return nil
}

func cannotChange(name string) *qmp.ReplyError {
	return qmp.Generic("Cannot change the option '" + name + "'")
}

// child notes the change of a child that a reference asks for.
func (r *reopening) child(role string, ref qmp.Value) *qmp.ReplyError {
	if !ref.Present() {
		return nil
	}
	old := r.n.child(role)
	var to *node
	switch ref.Kind() {
	case qmp.KindString:
		if to = r.n.m.node(ref.S()); to == nil {
			return qmp.Generic("Cannot find device='' nor node-name='" + ref.S() + "'")
		}
		if to.reaches(r.n) {
			return wouldCycle(r.n, to, role)
		}
	case qmp.KindDict:
		return r.inline(role, old)
	}
	if role == "backing" && to != nil && r.n.image() == nil {
		return qmp.Generic("Driver '" + r.n.kind + "' of node '" + r.n.name + "' does not support backing files")
	}
	if old != to {
		r.moves = append(r.moves, childMove{role, old, to})
		r.follow(old, to)
	}
	return nil
}

// inline refuses to describe a child that was not opened with its parent; one that was
// is in the queue itself.
func (r *reopening) inline(role string, old *node) *qmp.ReplyError {
	if old == nil || old.heirOf != r.n {
		return cannotChange(role + ".driver")
	}
	return nil
}

// unchanged refuses new values of options that a driver cannot change.
func (r *reopening) unchanged() *qmp.ReplyError {
	for _, name := range r.n.fixed() {
		if v := r.options.Get(name); v.Present() && !v.Equal(r.n.options.Get(name)) {
			return cannotChange(name)
		}
	}
	return nil
}

// swap makes the prepared graph the current one, or takes it back.
func (r *reopening) swap(back bool) {
	r.n.readOnly, r.readOnly = r.readOnly, r.n.readOnly
	r.n.turning = !back && r.n.readOnly && !r.readOnly
	for _, m := range r.moves {
		from, to := m.old, m.new
		if back {
			from, to = to, from
		}
		switch e := r.n.edge(m.role); {
		case from == nil:
			r.n.attach(m.role, to)
		case to == nil:
			e.unlink()
		default:
			e.moveTo(to)
		}
	}
}

// commit does what cannot be taken back: images are written out or taken into use.
func (r *reopening) commit() *qmp.ReplyError {
	n := r.n
	for _, m := range r.moves {
		if m.old != nil && m.old.heirOf == n {
			m.old.heirOf = nil
		}
		if m.old != nil && !m.old.owned && len(m.old.parents) == 0 {
			_ = n.m.closeNode(m.old)
		}
	}
	n.said, n.mode, n.turning = r.said, r.mode, false
	if img := n.image(); img != nil {
		img.cool()
	}
	if d := r.options.Get("discard"); d.Present() { // without it, it stays (seen with the real binary)
		n.unmap = d.S() == "unmap"
	}
	if img := n.image(); img != nil {
		n.tune(img)
	}
	if z := r.options.Get("detect-zeroes"); z.Present() || !r.keep {
		n.options = n.options.With("detect-zeroes", z)
		n.findZeroes = z.TextOr("off")
	}
	if n.kind == "throttle" && r.options.Get("throttle-group").Present() {
		n.options = n.options.With("throttle-group", r.options.Get("throttle-group"))
	}
	if n.readOnly {
		return nil
	}
	if d, ok := n.drv.(*fileDriver); ok && r.readOnly { // swapped: it was
		if err := d.reopenWritable(); err != nil {
			return ioError("Could not reopen", err)
		}
	}
	if n.image() == nil {
		return nil
	}
	if err := n.thaw(); err != nil {
		return ioError("Could not reopen", err)
	}
	return nil
}
