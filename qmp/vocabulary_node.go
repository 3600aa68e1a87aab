package qmp

// NodeOptions describe a block node for blockdev-add, blockdev-reopen and the
// -blockdev of the command line.
type NodeOptions interface{ Options() Value }

// FileNode is a node of driver "file".
type FileNode struct {
	NodeName     string `qmp:"node-name"`
	Filename     string `qmp:"filename"` // an absolute path
	ReadOnly     Bool3  `qmp:"read-only"`
	AutoReadOnly Bool3  `qmp:"auto-read-only"`
	Discard      string `qmp:"discard"` // "ignore" or "unmap"
}

// Options gives the node's arguments.
func (n FileNode) Options() Value {
	return Dict(M("driver", Str("file")), M("filename", Str(n.Filename)), M("node-name", text(n.NodeName)),
		M("read-only", n.ReadOnly.value()), M("auto-read-only", n.AutoReadOnly.value()), M("discard", text(n.Discard)))
}

// Qcow2Node is a node of driver "qcow2".
type Qcow2Node struct {
	NodeName string `qmp:"node-name"`
	ReadOnly Bool3  `qmp:"read-only"`
	Discard  string `qmp:"discard"`
	File     string `qmp:"file"` // name of the storage node
	// DataFile is the name of the node of the image's data file; "" leaves it to the image.
	DataFile string `qmp:"data-file"`
	// Backing is absent (open what the image names), Null() (no backing), or
	// Str(node name).
	Backing Value `qmp:"backing"`
}

// Options gives the node's arguments.
func (n Qcow2Node) Options() Value {
	return Dict(M("node-name", text(n.NodeName)), M("read-only", n.ReadOnly.value()), M("discard", text(n.Discard)),
		M("driver", Str("qcow2")), M("data-file", text(n.DataFile)), M("file", Str(n.File)), M("backing", n.Backing))
}

// RawNode is a node of driver "raw".
type RawNode struct {
	NodeName string `qmp:"node-name"`
	ReadOnly Bool3  `qmp:"read-only"`
	Discard  string `qmp:"discard"`
	File     string `qmp:"file"`
}

// Options gives the node's arguments.
func (n RawNode) Options() Value {
	return Dict(M("node-name", text(n.NodeName)), M("read-only", n.ReadOnly.value()), M("discard", text(n.Discard)),
		M("driver", Str("raw")), M("file", Str(n.File)))
}

// BlockdevAdd is blockdev-add.
type BlockdevAdd struct{ Node NodeOptions }

// Command gives it as a command.
func (b BlockdevAdd) Command() Command { return Command{"blockdev-add", b.Node.Options()} }

// BlockdevDel is blockdev-del.
type BlockdevDel struct {
	NodeName string `qmp:"node-name"`
}

// Command gives it as a command.
func (b BlockdevDel) Command() Command {
	return Command{"blockdev-del", Dict(M("node-name", Str(b.NodeName)))}
}

// BlockdevReopen is blockdev-reopen: all options of each node are repeated, the
// changed ones among them. It must not be sent without nodes: QEMU 7.2 aborts.
type BlockdevReopen struct {
	Nodes []NodeOptions `qmp:"options"`
}

// Command gives it as a command.
func (b BlockdevReopen) Command() Command {
	items := make([]Value, len(b.Nodes))
	for i, n := range b.Nodes {
		items[i] = n.Options()
	}
	return Command{"blockdev-reopen", Dict(M("options", List(items...)))}
}

// CreateOptions describe an image for blockdev-create.
type CreateOptions interface{ CreateOptions() Value }

// FileCreate makes a plain file.
type FileCreate struct {
	Filename      string `qmp:"filename"`
	Size          int64  `qmp:"size"` // bytes; always sent
	Preallocation string `qmp:"preallocation"`
}

// CreateOptions gives the arguments.
func (c FileCreate) CreateOptions() Value {
	return Dict(M("driver", Str("file")), M("filename", Str(c.Filename)), M("size", Int(c.Size)),
		M("preallocation", text(c.Preallocation)))
}

// Qcow2Create formats a storage node as qcow2.
type Qcow2Create struct {
	File          string `qmp:"file"` // name of the storage node
	Size          int64  `qmp:"size"` // bytes, a multiple of 512; always sent
	Version       string `qmp:"version"`
	BackingFile   string `qmp:"backing-file"` // only stored, not opened
	BackingFormat string `qmp:"backing-fmt"`
	ClusterSize   int64  `qmp:"cluster-size"` // bytes
	ExtendedL2    Bool3  `qmp:"extended-l2"`
	Preallocation string `qmp:"preallocation"`
	LazyRefcounts Bool3  `qmp:"lazy-refcounts"`
}

// CreateOptions gives the arguments.
func (c Qcow2Create) CreateOptions() Value {
	return Dict(M("driver", Str("qcow2")), M("file", Str(c.File)), M("size", Int(c.Size)),
		M("version", text(c.Version)), M("backing-file", text(c.BackingFile)), M("backing-fmt", text(c.BackingFormat)),
		M("cluster-size", number(c.ClusterSize)), M("extended-l2", c.ExtendedL2.value()),
		M("preallocation", text(c.Preallocation)), M("lazy-refcounts", c.LazyRefcounts.value()))
}

// BlockdevCreate is blockdev-create: it starts a job that formats an image. The
// job's failure shows in query-jobs only, and it must be dismissed.
type BlockdevCreate struct {
	JobID string        `qmp:"job-id"`
	Image CreateOptions `qmp:"options"`
}

// Command gives it as a command.
func (b BlockdevCreate) Command() Command {
	return Command{"blockdev-create", Dict(M("job-id", Str(b.JobID)), M("options", b.Image.CreateOptions()))}
}

// BlockdevSnapshot is blockdev-snapshot: the overlay becomes the node's parents'
// child, the node its backing.
type BlockdevSnapshot struct {
	Node    string `qmp:"node"`
	Overlay string `qmp:"overlay"` // opened with backing null
}

func (b BlockdevSnapshot) args() Value {
	return Dict(M("node", Str(b.Node)), M("overlay", Str(b.Overlay)))
}

// Command gives it as a command.
func (b BlockdevSnapshot) Command() Command { return Command{"blockdev-snapshot", b.args()} }

// Action gives it as part of a transaction.
func (b BlockdevSnapshot) Action() Value { return action("blockdev-snapshot", b.args()) }

// BlockResize is block_resize.
type BlockResize struct {
	NodeName string `qmp:"node-name"`
	Size     int64  `qmp:"size"` // bytes; always sent
}

// Command gives it as a command.
func (b BlockResize) Command() Command {
	return Command{"block_resize", Dict(M("node-name", text(b.NodeName)), M("size", Int(b.Size)))}
}
