package sim

import (
	"slices"
	"strings"

	"fleece/qmp"
)

// node finds a node by name; names of devices do not count.
func (m *Machine) node(name string) *node {
	for _, n := range m.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

// lookup is bdrv_lookup_bs with the text most commands give (§2.1).
func (m *Machine) lookup(name string) (*node, *qmp.ReplyError) {
	if n := m.node(name); n != nil {
		return n, nil
	}
	return nil, qmp.Generic("Cannot find device='" + name + "' nor node-name='" + name + "'")
}

const nodeNameMax = 31 // bytes

// checkName gives the errors of a new node name; "" asks for a generated one.
func (m *Machine) checkName(name string) *qmp.ReplyError {
	switch {
	case !wellFormed(name):
		return qmp.Generic("Invalid node-name: '" + name + "'")
	case m.node(name) != nil:
		return qmp.Generic("Duplicate nodes with node-name='" + name + "'")
	case len(name) > nodeNameMax:
		return qmp.Generic("Node name too long")
	}
	return nil
}

// generateName makes a name of QEMU's shape: a counter and two digits, which are
// random there and a function of the counter here.
func (m *Machine) generateName() string {
	n := int64(m.nodeIDs)
	m.nodeIDs++
	digits := (n*37 + 11) % 100
	return "#block" + itoa(n) + itoa(digits/10) + itoa(digits%10)
}

// blockdevAdd opens the node that options describe; the schema has accepted them.
func (m *Machine) blockdevAdd(options qmp.Value) *qmp.ReplyError {
	name := options.Get("node-name")
	if !name.Present() {
		return qmp.Generic("'node-name' must be specified for the root node")
	}
	n, err := m.open(options, access{}, asRoot)
	if err != nil {
		return err
	}
	n.owned = true
	return nil
}

// open opens a node with its inline children, read-only as its parent says if it does
// not say it itself; on an error nothing is left.
func (m *Machine) open(options qmp.Value, inherited access, as opening) (*node, *qmp.ReplyError) {
	n := &node{m: m, kind: options.Get("driver").S(), options: options, owned: true}
	n.said = accessOf(options)
	n.mode = n.said.or(inherited)
	n.readOnly = n.mode.readOnly
	n.unmap = options.Get("discard").TextOr(as.discard()) == "unmap"
	n.findZeroes = options.Get("detect-zeroes").TextOr("off")
	if options.Get("force-share").IsTrue() && !n.readOnly {
		return nil, qmp.Generic("force-share=on can only be used with read-only images")
	}
	if name, ok := options.Get("node-name").Text(); ok {
		if err := m.checkName(name); err != nil {
			return nil, m.badName(n, err)
		}
		n.name = name
	} else {
		n.name = m.generateName()
	}
	if err := m.openDriver(n); err != nil {
		m.undoOpen(n)
		return nil, err
	}
	if slices.ContainsFunc(m.nodes, func(x *node) bool { return x != n && x.name == n.name }) { // a child has taken it
		m.undoOpen(n)
		return nil, qmp.Generic("Duplicate nodes with node-name='" + n.name + "'")
	}
	if err := n.conflictBelow(); err != nil {
		m.undoOpen(n)
		return nil, err
	}
	n.owned = as == asRoot
	return n, nil
}

// badName is the error of a node whose name is refused. The storage below a format or
// filter is opened before that, so that its error comes first.
func (m *Machine) badName(n *node, err *qmp.ReplyError) *qmp.ReplyError {
	ref := n.options.Get("file")
	if name, ok := ref.Text(); ok {
		c, missing := m.lookup(name)
		if missing != nil {
			return missing
		}
		m.noise(c)
	}
	if ref.Kind() == qmp.KindDict {
		c, failed := m.open(ref, n.mode, asChild)
		if failed != nil {
			return failed
		}
		_ = m.closeNode(c)
	}
	if odd := n.checkZeroes(); odd != nil {
		return odd
	}
	return err
}

// undoOpen takes a half-open node apart without writing anything.
func (m *Machine) undoOpen(n *node) {
	m.nodes = slices.DeleteFunc(m.nodes, func(x *node) bool { return x == n })
	for len(n.children) > 0 {
		_ = n.children[len(n.children)-1].detach()
	}
}

func (m *Machine) openDriver(n *node) *qmp.ReplyError {
	if !n.options.Get("file").Present() {
		if err := n.checkZeroes(); err != nil {
			return err
		}
	}
	switch n.kind {
	case "file", "host_device":
		return m.openFileNode(n)
	case "qcow2":
		return m.openQcow2(n)
	case "raw":
		return m.openRaw(n)
	case "snapshot-access":
		return m.openAccess(n)
	case "compress":
		return m.openCompress(n)
	case "preallocate":
		return m.openPass(n, "file", func() driver { return &passDriver{n} })
	case "copy-on-read":
		if name, ok := n.options.Get("bottom").Text(); ok && m.node(name) == nil {
			return qmp.Generic("Bottom node '" + name + "' not found")
		}
		n.jobPerms = copyOnReadPerms
		return m.openPass(n, "file", func() driver { return &passDriver{n} })
	case "null-co", "null-aio":
		return m.openNull(n)
	case "nbd":
		return m.openNBD(n)
	case "throttle":
		return m.openThrottle(n)
	case "copy-before-write":
		return m.openCopyBeforeWrite(n)
	case "blkdebug":
		return m.openDebug(n)
	}
	return qmp.Generic("Unknown driver '" + n.kind + "'")
}

// insert is called when the children are open: a query shows newest first, so an
// inline child after its parent.
func (m *Machine) insert(n *node) { m.nodes = append(m.nodes, n) }

func (m *Machine) openFileNode(n *node) *qmp.ReplyError {
	n.path = n.options.Get("filename").S()
	switch o := &n.options; {
	case n.path == "":
		return qmp.Generic("The '" + n.kind + "' block driver requires a file name")
	case o.Get("aio").S() == "native" && !o.Get("cache").Get("direct").IsTrue():
		return qmp.Generic("aio=native was specified, but it requires cache.direct=on, which was not specified.")
	case o.Get("pr-manager").Present():
		return qmp.Generic("No persistent reservation manager with id '" + o.Get("pr-manager").S() + "'")
	}
	if rerr := checkKind(m.host, n.kind, n.path); rerr != nil {
		return rerr
	}
	f, rerr := openFile(m.host, n.path, n.readOnly, n.options.Get("auto-read-only").IsTrue())
	if rerr != nil {
		return rerr
	}
	d, err := newFileDriver(n, f)
	if err != nil {
		_ = f.Close()
		return ioError("Could not get image size of '"+n.path+"'", err)
	}
	for _, o := range m.nodes {
		if od, ok := o.drv.(*fileDriver); ok && o.path == n.path {
			d.promised = max(d.promised, od.promised) // of tables that are in memory here
		}
	}
	n.drv = d
	m.insert(n)
	return nil
}

func (m *Machine) openNull(n *node) *qmp.ReplyError {
	size, ok := n.options.Get("size").Int64()
	if !ok {
		size = 1 << 30
	}
	if size < 0 {
		// The real binary aborts on an assertion (§11, {90}).
		return m.die("Invalid size")
	}
	n.drv = &nullDriver{size: size, zeroes: n.options.Get("read-zeroes").IsTrue()}
	m.insert(n)
	return nil
}

// checkZeroes refuses options that bdrv_open_common refuses, which runs when the
// child is open and before the driver.
func (n *node) checkZeroes() *qmp.ReplyError {
	if n.options.Get("detect-zeroes").S() == "unmap" && !n.unmap {
		return errUnmapZeroes()
	}
	return nil
}

func errUnmapZeroes() *qmp.ReplyError {
	return qmp.Generic("setting detect-zeroes to unmap is not allowed without setting discard operation to unmap")
}

// openChild attaches the child that an option names or describes.
func (m *Machine) openChild(n *node, role, option string) (*node, *qmp.ReplyError) {
	ref := n.options.Get(option)
	if name, ok := ref.Text(); ok {
		if name == n.name && option != "file" { // which is looked for before the node has its name
			return nil, wouldCycle(n, n, option)
		}
		c, err := m.lookup(name)
		if err == nil && role == "file" {
			m.noise(c) // a backend probes it
			err = n.checkZeroes()
		}
		if err != nil {
			return nil, err
		}
		e := n.attach(role, c)
		if err := c.conflictBelow(); err != nil {
			_ = e.detach()
			return nil, err
		}
		return c, nil
	}
	if cache := n.options.Get("cache"); cache.Present() && !ref.Get("cache").Present() {
		ref = ref.With("cache", cache)
	}
	if share := n.options.Get("force-share"); share.Present() && !ref.Get("force-share").Present() {
		ref = ref.With("force-share", share)
	}
	c, err := m.open(ref, n.handsDown(role), asChild)
	if err != nil {
		return nil, err
	}
	c.heirOf = n
	if role == "file" {
		err = n.checkZeroes()
	}
	e := n.attach(role, c)
	if err != nil {
		_ = e.detach()
		return nil, err
	}
	if err := c.conflictBelow(); err != nil {
		_ = e.detach()
		return nil, err
	}
	return c, nil
}

// wouldCycle is the refusal of an edge to a node that the parent is below.
func wouldCycle(parent, child *node, role string) *qmp.ReplyError {
	return qmp.Generic("Making '" + child.name + "' a " + role + " child of '" + parent.name + "' would create a cycle")
}

func (m *Machine) openPass(n *node, option string, drv func() driver) *qmp.ReplyError {
	if _, err := m.openChild(n, "file", option); err != nil {
		return err
	}
	n.drv = drv()
	m.insert(n)
	return nil
}

// openCompress opens the filter that compresses what a guest writes; here it is stored
// as it is.
func (m *Machine) openCompress(n *node) *qmp.ReplyError {
	file, err := m.openChild(n, "file", "file")
	if err != nil {
		return err
	}
	if file.image() == nil {
		return qmp.Generic("Compression is not supported for underlying format: " + file.kind)
	}
	n.drv = &passDriver{n}
	m.insert(n)
	return nil
}

func (m *Machine) openQcow2(n *node) *qmp.ReplyError {
	file, rerr := m.openChild(n, "file", "file")
	if rerr != nil {
		return rerr
	}
	img, rerr := openImage(file)
	if rerr != nil {
		return rerr
	}
	n.drv = &qcow2Driver{n: n, img: img}
	n.tune(img)
	m.insert(n)
	if rerr := m.openDataFile(n, img); rerr != nil {
		return rerr
	}
	if rerr := m.openBacking(n, img); rerr != nil {
		return rerr
	}
	if rerr := n.conflictBelow(); rerr != nil {
		return rerr
	}
	if err := n.loadBitmaps(); err != nil {
		return ioError("Could not load bitmaps", err)
	}
	return nil
}

// openBacking follows the option, or without one the image's own header.
func (m *Machine) openBacking(n *node, img *image) *qmp.ReplyError {
	ref := n.options.Get("backing")
	var c *node
	var err *qmp.ReplyError
	switch {
	case ref.Kind() == qmp.KindNull || !ref.Present() && img.backingFile == "",
		ref.Kind() == qmp.KindString && ref.S() == "": // the old way to say null
		return nil
	case ref.Kind() == qmp.KindString:
		c, err = m.lookup(ref.S())
	case ref.Kind() == qmp.KindDict:
		c, err = m.open(ref, n.handsDown("backing"), asChild)
	default:
		c, err = m.open(implicitBacking(n, img), n.handsDown("backing"), asChild)
	}
	if err != nil {
		return qmp.Generic("Could not open backing file: " + err.Desc)
	}
	if c == n {
		return wouldCycle(n, n, "backing")
	}
	if ref.Kind() != qmp.KindString {
		c.heirOf = n
	}
	n.attach("backing", c)
	return nil
}

// implicitBacking describes the backing file as the header names it.
func implicitBacking(n *node, img *image) qmp.Value {
	format := img.backingFormat
	if format == "" {
		format = "qcow2"
	}
	file := qmp.Dict(qmp.M("driver", qmp.Str("file")), qmp.M("filename", qmp.Str(backingPath(n.filename(), img.backingFile))))
	return qmp.Dict(qmp.M("driver", qmp.Str(format)), qmp.M("file", file))
}

// hasProtocol is path_has_protocol: a colon before any slash.
func hasProtocol(path string) bool {
	colon, slash := strings.IndexByte(path, ':'), strings.IndexByte(path, '/')
	return colon >= 0 && (slash < 0 || colon < slash)
}

// backingPath is relative to the image's own directory, unless it names a protocol:
// "json:", "nbd://".
func backingPath(image, backing string) string {
	if backing != "" && backing[0] == '/' || hasProtocol(backing) {
		return backing
	}
	for i := len(image) - 1; i >= 0; i-- {
		if image[i] == '/' {
			return image[:i+1] + backing
		}
	}
	return backing
}
