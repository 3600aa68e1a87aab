package sim

import (
	"errors"
	"slices"
	"syscall"

	"fleece/qmp"
)

// driver is the format or protocol of a node. Offsets and lengths are in range;
// the caller holds the machine's lock.
type driver interface {
	// read reports the content of [off, off+n) to r; what it does not report
	// reads as zero.
	read(r *reader, off, n int64) error
	// write stores segs, and zeroes between them, in [off, off+n).
	write(off, n int64, segs []segment) error
	zero(off, n int64) error
	discard(off, n int64) error
	// status tells the state of the range at off: allocated in this layer (not
	// in a backing file), reads as zero, and for how many bytes, at most n.
	status(off, n int64) (allocated, zero bool, length int64, err error)
	length() int64
	truncate(size int64) error
	flush() error
	close() error
	// info is the driver's part of ImageInfo.
	info() imageInfo
}

// imageInfo is what the drivers contribute to a node's image description.
type imageInfo struct {
	clusterSize int64 // 0: absent
	hasFlags    bool  // whether dirty-flag is shown
	allocated   int64 // actual-size
	specific    qmp.Value
}

// node is a BlockDriverState.
type node struct {
	m        *Machine
	name     string
	kind     string // the driver's name
	drv      driver
	readOnly bool
	// findZeroes is detect-zeroes: "off", "on" or "unmap".
	findZeroes string
	unmap      bool // opened with discard=unmap: discards reach the driver
	// owned is set for nodes that the monitor added; others vanish with their
	// last parent.
	owned  bool
	heirOf *node // opened inline by that parent: follows it when it is reopened
	// said is the read-only option as it was given, mode as it is in force: a child
	// without one of its own has its parent's (bs->explicit_options, bs->options).
	said, mode access
	// turning is set while it is looked at whether the node can become read-only.
	turning  bool
	children []*edge
	parents  []*edge
	bitmaps  bitmapList
	options  qmp.Value // as given to blockdev-add
	one      [1]segment
	closed   bool
	// implicit is set for filters of jobs that nobody gave a name: query-block
	// looks through them.
	implicit bool
	// jobPerms is set for the filters of jobs: what they need of their child, and
	// share, given what their parents need and share.
	jobPerms func(perm, shared permSet) (permSet, permSet)
	// inactive is set when a migration has handed the image over.
	inactive     bool
	keepsBitmaps bool  // the bitmaps of an inactive image are still in memory
	highest      int64 // end of the furthest write so far
	threshold    int64 // of block-set-write-threshold; 0 is none
	// filename, for the storage drivers
	path string
}

// edge connects a parent, a node or a user, to a child node.
type edge struct {
	role   string // "file", "backing", "target", "root", "main node"
	child  *node
	parent *node // nil for a user
	user   *user
}

// user is a parent outside of the graph: a device, a job, an export, a monitor's
// own short-lived backend.
type user struct {
	label        string // as a permission conflict shows it
	graphName    string
	job          *job
	isDevice     bool // it lets its permissions go when the image is handed over
	perm, shared permSet
}

// child returns the child in a role, or nil.
func (n *node) child(role string) *node {
	if e := n.edge(role); e != nil {
		return e.child
	}
	return nil
}

func (n *node) edge(role string) *edge {
	for _, e := range n.children {
		if e.role == role {
			return e
		}
	}
	return nil
}

// attach makes child a child of n.
func (n *node) attach(role string, child *node) *edge {
	e := &edge{role: role, child: child, parent: n}
	n.children = append(n.children, e)
	child.parents = append(child.parents, e)
	return e
}

// shownRole is what QEMU calls the child: blkdebug has another name for its own.
func (e *edge) shownRole() string {
	if e.role == "file" && e.parent != nil && e.parent.kind == "blkdebug" {
		return "image"
	}
	return e.role
}

// use makes u a parent of n.
func (n *node) use(role string, u *user) *edge {
	e := &edge{role: role, child: n, user: u}
	n.parents = append(n.parents, e)
	return e
}

// detach takes the edge away; a child that nobody owns or uses any more closes.
func (e *edge) detach() error {
	c := e.child
	if e.parent != nil {
		e.parent.children = slices.DeleteFunc(e.parent.children, func(x *edge) bool { return x == e })
	}
	c.parents = slices.DeleteFunc(c.parents, func(x *edge) bool { return x == e })
	if !c.owned && len(c.parents) == 0 {
		return c.m.closeNode(c)
	}
	return nil
}

// unlink takes the edge away and leaves the child open.
func (e *edge) unlink() {
	if e.parent != nil {
		e.parent.children = slices.DeleteFunc(e.parent.children, func(x *edge) bool { return x == e })
	}
	e.child.parents = slices.DeleteFunc(e.child.parents, func(x *edge) bool { return x == e })
}

// drop detaches the edge of a short-lived user, which does not take the node with it.
func (e *edge) drop() {
	owned := e.child.owned
	e.child.owned = true
	_ = e.detach()
	e.child.owned = owned
}

// moveTo lets the edge point to another child.
func (e *edge) moveTo(c *node) {
	e.child.parents = slices.DeleteFunc(e.child.parents, func(x *edge) bool { return x == e })
	e.child = c
	c.parents = append(c.parents, e)
}

// moveParents lets the edges of n that are wanted point to another node, the youngest
// first, as QEMU walks them: the last of them is the youngest parent there.
func (n *node) moveParents(to *node, wanted func(*edge) bool) (moved []*edge) {
	for _, e := range slices.Backward(slices.Clone(n.parents)) {
		if wanted(e) {
			e.moveTo(to)
			moved = append(moved, e)
		}
	}
	return moved
}

func (n *node) length() int64 { return n.drv.length() }

// readFull fills p from off; beyond the end is zero.
func (n *node) readFull(p []byte, off int64) error {
	r := &n.m.full
	r.reset()
	if length := min(int64(len(p)), n.length()-off); length > 0 {
		if err := n.drv.read(r, off, length); err != nil {
			clear(p)
			return err
		}
	}
	r.copyTo(p, off)
	return nil
}

// backing returns the backing node, or nil.
func (n *node) backing() *node { return n.child("backing") }

// image returns the qcow2 image of a qcow2 node, or nil.
func (n *node) image() *image {
	if d, ok := n.drv.(*qcow2Driver); ok {
		return d.img
	}
	return nil
}

// clusterSize is the granule of the format, 0 if it has none (§3.2).
func (n *node) clusterSize() int64 { return n.drv.info().clusterSize }

// isFilter reports whether the node only passes its file child on
// (BlockDriver.is_filter).
func (n *node) isFilter() bool {
	switch n.kind {
	case "copy-before-write", "throttle", "blkdebug", "copy-on-read", "mirror_top", "commit_top", "preallocate", "compress":
		return true
	}
	return false
}

// filtered is the child that a node passes requests on to at the same offset: that of
// a filter and of raw. It is nil for others.
func (n *node) filtered() *node {
	switch {
	case n.kind == "mirror_top", n.kind == "commit_top":
		return n.child("backing")
	case n.kind == "raw" && !n.isWindow(), n.isFilter():
		return n.child("file")
	}
	return nil
}

// explicit skips the filters that jobs put there without being asked for a name.
func (n *node) explicit() *node {
	for n.implicit && n.filtered() != nil {
		n = n.filtered()
	}
	return n
}

// cow is the driver of a copy-before-write node, or nil.
func (n *node) cow() *filterDriver {
	d, _ := n.drv.(*filterDriver)
	return d
}

// ioError is a message with strerror's text, as QEMU puts it behind a colon.
func ioError(what string, err error) *qmp.ReplyError {
	return qmp.Generic(what + ": " + errText(err))
}

// errnoOf is the system error that a job or device sees.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return syscall.EIO
}

// isStorage reports whether the node opens something of the host.
func (n *node) isStorage() bool { return n.kind == "file" || n.kind == "host_device" }
