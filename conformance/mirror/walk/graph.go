package walk

import (
	"fmt"
	"path/filepath"
	"strings"

	"fleece/qmp"
)

// freeNode is a name that no node has, mostly.
func (w *Walker) freeNode() string {
	if w.d.In(40) {
		return one(w.d, "", "1n", strings.Repeat("n", 31), strings.Repeat("n", 32), "vd0", "a.b-c_d")
	}
	for range 10 {
		name := fmt.Sprintf("n%d", w.d.N(12))
		if w.v.find(name) == nil {
			return name
		}
	}
	return "n0"
}

// file is the options of a file node over one of the session's files.
func (w *Walker) file(f File, name qmp.Member) qmp.Value {
	path := w.setup.path(f.Name)
	if w.d.In(50) {
		path = one(w.d, w.setup.path("nosuch.img"), "/nosuchdir/x", w.setup.Dir)
	}
	return qmp.Dict(text("driver", "file"), text("filename", path), name,
		w.maybe(2, text("discard", "unmap")), w.maybe(3, flag("auto-read-only", true)), w.maybe(12, flag("read-only", true)))
}

// image is a file of the session that no node has open, mostly.
func (w *Walker) image() File {
	var free []File
	for _, f := range w.setup.spare() {
		open := false
		for _, n := range w.v.nodes {
			open = open || n.file == w.setup.path(f.Name)
		}
		if !open {
			free = append(free, f)
		}
	}
	if len(free) == 0 || w.d.In(15) {
		return one(w.d, append(w.setup.Files[:disks:disks], w.setup.spare()...)...)
	}
	return one(w.d, free...)
}

// plainFile is a storage node that no image is in: how long the file of an image is would
// show through.
func (w *Walker) plainFile() string {
	for i := range w.v.nodes {
		if n := &w.v.nodes[i]; n.driver == "file" && strings.HasSuffix(n.file, ".raw") && !n.generated() {
			return n.name
		}
	}
	return unknown
}

// format is the storage node, if an image can be made in it: what a plain file under
// another node gets is not written behind an image's back. An image was made in the file
// from then on.
func (w *Walker) format(storage string) string {
	n := w.v.find(storage)
	if n == nil {
		return storage
	}
	for i := range w.v.nodes {
		if x := &w.v.nodes[i]; x.driver == "raw" && x.file == n.file {
			return unknown
		}
	}
	if w.formatted == nil {
		w.formatted = map[string]bool{}
	}
	w.formatted[filepath.Base(n.file)] = true
	return storage
}

func driverOf(f File) string {
	if f.Version == 0 {
		return "raw"
	}
	return "qcow2"
}

// openArgs are those of blockdev-add.
func (w *Walker) openArgs() qmp.Value {
	f := w.image()
	if w.d.In(8) {
		return w.file(f, text("node-name", w.freeNode()))
	}
	file := w.file(f, w.maybe(3, text("node-name", "s"+w.freeNode())))
	if w.d.In(8) {
		file = qmp.Str(w.plainFile())
	}
	driver := driverOf(f)
	if w.d.In(40) {
		driver = one(w.d, "raw", "qcow2", "bogus")
	}
	if driver == "raw" && (f.Version > 0 || w.formatted[f.Name]) {
		driver = "qcow2" // as a plain file an image would show where its clusters lie
	}
	backing := qmp.Member{}
	if driver == "qcow2" {
		switch w.d.N(8) {
		case 0:
			backing = text("backing", w.node("qcow2", "raw"))
		case 1, 2, 3:
			backing = qmp.M("backing", qmp.Null())
		}
	}
	return qmp.Dict(text("driver", driver), qmp.M("file", file), text("node-name", w.freeNode()), backing,
		w.maybe(3, text("discard", "unmap")), w.maybe(10, flag("read-only", !w.d.In(4))), w.maybe(20, text("detect-zeroes", one(w.d, "off", "on", "unmap"))))
}

func (w *Walker) open() Step {
	if w.d.In(25) {
		return command("blockdev-add", text("driver", one(w.d, "null-co", "null-aio")), text("node-name", w.freeNode()),
			number("size", one(w.d, 4<<20, 66048, int64(0))), flag("read-zeroes", true)) // without it, it reads as what was in memory
	}
	return Step{Command: qmp.Command{Name: "blockdev-add", Args: w.openArgs()}}
}

func (w *Walker) del() Step {
	return command("blockdev-del", text("node-name", w.node()))
}

// reopen repeats the options of a node with another access mode.
func (w *Walker) reopen() Step {
	name := w.node("qcow2", "raw", "file")
	n := w.v.find(name)
	driver, file := "qcow2", unknown // the storage of another image would show what no image is
	if n != nil {
		driver = n.driver
	}
	var members []qmp.Member
	if w.d.In(30) {
		driver = one(w.d, "raw", "file", "qcow2")
	}
	members = append(members, text("driver", driver), w.maybe(30, qmp.Member{}), text("node-name", name))
	switch driver {
	case "file":
		if n != nil {
			members = append(members, text("filename", n.file))
		}
	default:
		over := 0
		for _, s := range w.v.nodes {
			if n != nil && s.driver == "file" && s.file == n.file {
				over++
				if !s.generated() {
					file = s.name
				}
			}
		}
		if over > 1 {
			file = unknown // another node over the same file may or may not get its lock
		}
		if w.d.In(20) {
			file = unknown // another node over the same file may or may not get its lock
		}
		members = append(members, text("file", file))
	}
	if driver == "qcow2" && w.d.In(3) {
		members = append(members, qmp.M("backing", one(w.d, qmp.Null(), qmp.Str(w.node("qcow2", "raw")))))
	}
	members = append(members, w.maybe(2, flag("read-only", w.d.In(2))), w.maybe(2, text("discard", "unmap")))
	return command("blockdev-reopen", qmp.M("options", qmp.List(qmp.Dict(members...))))
}

func (w *Walker) resize() Step {
	name := w.disk()
	size := int64(4 << 20)
	if n := w.v.find(name); n != nil {
		size = one(w.d, n.size, n.size+65536, n.size+512, 4<<20, -1)
	}
	return command("block_resize", text("node-name", name), number("size", size))
}

// create formats a file, or makes one.
func (w *Walker) create() Step {
	f := one(w.d, w.setup.spare()...)
	size := one(w.d, f.Size, f.Size, f.Size, 511, 1<<62)
	storage := w.node("file")
	if n := w.v.find(storage); n != nil && (n.driver == "qcow2" || n.driver == "copy-before-write") {
		storage = w.plainFile() // where clusters of an image in an image lie would be content
	}
	options := qmp.Dict(text("driver", "qcow2"), qmp.M("file", qmp.Str(w.format(storage))), number("size", size),
		w.maybe(3, number("cluster-size", one(w.d, int64(65536), 4096, 2<<20, 3))),
		w.maybe(6, text("version", one(w.d, "v3", "v2"))), w.maybe(12, flag("extended-l2", false)),
		w.maybe(12, text("backing-file", w.setup.path("d0.qcow2"))), w.maybe(12, text("backing-fmt", "qcow2")))
	if w.d.In(3) {
		path := w.setup.path(fmt.Sprintf("c%d.img", w.d.N(2)))
		if w.d.In(5) {
			path = "/nosuchdir/x"
		}
		options = qmp.Dict(text("driver", "file"), text("filename", path), number("size", one(w.d, 0, int64(1<<20))))
	}
	return command("blockdev-create", text("job-id", w.freeJob()), qmp.M("options", options))
}

func (w *Walker) snapshotArgs() qmp.Value {
	return qmp.Dict(text("node", w.disk()), text("overlay", w.node("qcow2")))
}

func (w *Walker) snapshot() Step {
	return Step{Command: qmp.Command{Name: "blockdev-snapshot", Args: w.snapshotArgs()}}
}
