package sim

import (
	"slices"

	"fleece/qmp"
)

// makeReadOnly stores what is in memory; persistent bitmaps stay with the node and
// cannot be changed any more (§0.5, §3.6).
func (n *node) makeReadOnly() {
	if n.readOnly {
		return
	}
	if n.image() != nil {
		_ = n.freezeBitmaps()
	}
	n.readOnly = true
	for _, c := range n.heirs() {
		c.makeReadOnly()
	}
}

// heirs are the children that take over the access mode of their parent: those opened
// with it and without a mode of their own.
func (n *node) heirs() (all []*node) {
	for _, e := range n.children {
		if e.child.heirOf == n && !e.child.ownMode && !n.options.Get(e.role).Get("read-only").Present() {
			all = append(all, e.child)
		}
	}
	return all
}

// makeWritable takes the bitmaps into use again; on disk they are marked so at once
// (§3.5).
func (n *node) makeWritable() error {
	for _, c := range n.heirs() {
		if err := c.makeWritable(); err != nil {
			return err
		}
	}
	return n.takeIntoUse()
}

// takeIntoUse is makeWritable without the children.
func (n *node) takeIntoUse() error {
	if d, ok := n.drv.(*fileDriver); ok && n.readOnly {
		if err := d.reopenWritable(); err != nil {
			return err
		}
	}
	n.readOnly = false
	if n.image() == nil {
		return nil
	}
	if n.hasTwin() {
		return nil // QEMU complains on its standard error, and goes on
	}
	for _, b := range n.bitmaps.list {
		b.readonly = false
	}
	return n.markInUse()
}

// freezeBitmaps stores the bitmaps of a node that is to be read-only. QEMU does so
// before it knows whether the reopening will succeed, and takes nothing back if it does
// not: the bitmaps stay read-only, and writes fail (seen with the real binary).
func (n *node) freezeBitmaps() error {
	if err := n.drv.close(); err != nil {
		return err
	}
	for _, b := range n.bitmaps.list {
		b.readonly = b.readonly || b.persistent && !b.inconsistent
	}
	return nil
}

// thaw takes the bitmaps into use again.
func (n *node) thaw() *qmp.ReplyError {
	for _, b := range n.bitmaps.list {
		b.readonly = false
	}
	if err := n.markInUse(); err != nil {
		return ioError("Could not reopen", err)
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

// setReadOnly is what jobs do to a layer that they write to.
func (m *Machine) setReadOnly(n *node, readOnly bool) *qmp.ReplyError {
	if readOnly {
		n.makeReadOnly()
		return nil
	}
	if err := n.makeWritable(); err != nil {
		return ioError("Could not reopen", err)
	}
	return nil
}

// reopening is one node of a blockdev-reopen: what it will be, and what it was.
type reopening struct {
	n        *node
	options  qmp.Value
	readOnly bool
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
	var queue []*reopening
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
		r := &reopening{n: n, options: options, readOnly: options.Get("read-only").IsTrue()}
		r.sections.begin(n)
		queue = append(queue, r)
	}
	return reopenAll(queue)
}

// reopenAll prepares every node, looks at the permissions of what would be, and
// commits.
func reopenAll(queue []*reopening) *qmp.ReplyError {
	var done []*reopening
	undo := func() {
		for _, r := range slices.Backward(done) {
			r.swap(true)
			r.goBack()
		}
	}
	for _, r := range queue {
		if err := r.prepare(); err != nil {
			r.goBack()
			undo()
			return err
		}
		r.swap(false)
		done = append(done, r)
	}
	for _, r := range queue {
		if err := r.conflict(); err != nil {
			undo()
			return err
		}
	}
	for _, r := range queue {
		if err := r.commit(); err != nil {
			return err
		}
	}
	return nil
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
	if !n.canReopen() {
		return qmp.Generic("Block format '" + n.kind + "' used by node '" + n.name + "' does not support reopening files")
	}
	if n.kind == "file" && !r.options.Get("filename").Present() {
		return qmp.Generic("Option 'filename' cannot be reset to its default value")
	}
	if group, ok := r.options.Get("throttle-group").Text(); ok && n.kind == "throttle" {
		if o := n.m.object(group); o == nil || o.kind != "throttle-group" {
			return qmp.Generic("Throttle group '" + group + "' does not exist")
		}
	}
	if r.readOnly && n.readOnly && n.image() != nil && n.hasUnstored() {
		return qmp.Generic("No write access")
	}
	if r.readOnly && !n.readOnly && n.image() != nil {
		if err := n.freezeBitmaps(); err != nil {
			return ioError("Could not store bitmaps", err)
		}
	}
	backing := r.options.Get("backing")
	if img := n.image(); img != nil && !backing.Present() && (n.backing() != nil || img.backingFile != "") {
		return qmp.Generic("backing is missing for '" + n.name + "'")
	}
	if err := r.child("backing", backing); err != nil {
		return err
	}
	if err := r.child("file", r.options.Get("file")); err != nil {
		return err
	}
	return r.unchanged()
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
			return qmp.Generic("Making '" + to.name + "' a " + role + " child of '" + r.n.name + "' would create a cycle")
		}
	case qmp.KindDict:
		return r.inline(role, old, ref)
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

// inline compares the options of a child that was opened with its parent; others
// cannot be described.
func (r *reopening) inline(role string, old *node, ref qmp.Value) *qmp.ReplyError {
	if old == nil || old.owned {
		return cannotChange(role + ".driver")
	}
	for _, option := range ref.Members() {
		if v := old.options.Get(option.Name); v.Present() && !v.Equal(option.Value) {
			return cannotChange(option.Name)
		}
	}
	return nil
}

// unchanged refuses new values of options that a driver cannot change.
func (r *reopening) unchanged() *qmp.ReplyError {
	if r.options.Get("driver").S() != r.n.kind {
		return cannotChange("driver")
	}
	var fixed []string
	switch r.n.kind {
	case "file":
		fixed = []string{"filename"}
	case "null-co", "null-aio":
		fixed = []string{"size", "read-zeroes", "latency-ns"}
	}
	for _, name := range fixed {
		if v := r.options.Get(name); v.Present() && !v.Equal(r.n.options.Get(name)) {
			return cannotChange(name)
		}
	}
	return nil
}

// swap makes the prepared graph the current one, or takes it back.
func (r *reopening) swap(back bool) {
	r.n.readOnly, r.readOnly = r.readOnly, r.n.readOnly
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

// conflict looks at what the node and its new children would be.
func (r *reopening) conflict() *qmp.ReplyError {
	if r.options.Get("read-only").Present() {
		for _, c := range r.n.heirs() {
			was := c.readOnly
			c.readOnly = r.n.readOnly
			defer func() { c.readOnly = was }()
		}
	}
	if err := r.n.mayBeReadOnly(); err != nil {
		return err
	}
	if r.readOnly != r.n.readOnly && r.options.Get("read-only").Present() {
		for _, c := range r.n.heirs() {
			if err := c.mayBeReadOnly(); err != nil {
				return err
			}
		}
	}
	return r.n.conflictBelow()
}

func (n *node) mayBeReadOnly() *qmp.ReplyError {
	if perm, _ := n.cumulative(); n.readOnly && perm&permWrite != 0 {
		return qmp.Generic("Read-only block node '" + n.name + "' cannot support read-write users")
	}
	return nil
}

// commit does what cannot be taken back: images are written out or taken into use.
func (r *reopening) commit() *qmp.ReplyError {
	n := r.n
	for _, m := range r.moves {
		if m.old != nil && !m.old.owned && len(m.old.parents) == 0 {
			_ = n.m.closeNode(m.old)
		}
	}
	n.ownMode = r.options.Get("read-only").Present()
	was := r.readOnly                               // swapped
	if d := r.options.Get("discard"); d.Present() { // without it, it stays (seen with the real binary)
		n.unmap = d.S() == "unmap"
	}
	n.options = n.options.With("detect-zeroes", r.options.Get("detect-zeroes"))
	n.findZeroes = n.options.Get("detect-zeroes").TextOr("off")
	if n.kind == "throttle" && r.options.Get("throttle-group").Present() {
		n.options = n.options.With("throttle-group", r.options.Get("throttle-group"))
	}
	if was == n.readOnly {
		if !was && n.image() != nil && n.bitmaps.frozen() {
			return n.thaw() // what a failed reopening had left
		}
		return nil
	}
	n.readOnly = was
	if was {
		use := n.takeIntoUse // children take over what is said, not a default
		if r.options.Get("read-only").Present() {
			use = n.makeWritable
		}
		if err := use(); err != nil {
			return ioError("Could not reopen", err)
		}
		return nil
	}
	n.makeReadOnly()
	return nil
}
