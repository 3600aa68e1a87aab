package sim

import (
	"slices"

	"fleece/qmp"
)

// filename is what QEMU shows for a node (bdrv_refresh_filename): the plain path
// where the options say no more than it, and else a json: pseudo name.
func (n *node) filename() string {
	switch n.kind {
	case "copy-before-write", "mirror_top", "commit_top":
		return n.filtered().filename() // their drivers copy it, a json: one too
	case "snapshot-access":
		return n.child("file").filename()
	}
	if name := n.exactFilename(); name != "" {
		return name
	}
	return "json:" + qmp.QDictOrder(n.fullOptions()).String()
}

// exactFilename is the plain name that leads to this node, "" if there is none.
func (n *node) exactFilename() string {
	switch n.kind {
	case "file", "host_device", "nbd":
		return n.path
	case "copy-before-write", "mirror_top", "commit_top":
		return n.filtered().exactFilename()
	case "snapshot-access":
		return n.child("file").exactFilename()
	}
	if n.implicit {
		return n.filtered().exactFilename()
	}
	if n.kind == "blkdebug" {
		name := n.filtered().exactFilename()
		if name == "" || slices.ContainsFunc(n.strongOptions(), func(o qmp.Member) bool { return o.Name != "config" }) {
			return ""
		}
		return "blkdebug:" + n.options.Get("config").S() + ":" + name
	}
	if _, isNull := n.drv.(*nullDriver); isNull && len(n.strongOptions()) == 0 {
		return n.kind + "://"
	}
	file := n.child("file")
	if file == nil || !n.plainName(file) {
		return ""
	}
	return file.exactFilename()
}

// plainName reports whether the storage's name alone leads to this node.
func (n *node) plainName(file *node) bool {
	if !file.isStorage() && file.kind != "nbd" || len(n.strongOptions()) > 0 {
		return false
	}
	img, backing := n.image(), n.backing()
	if img == nil {
		return true
	}
	if backing == nil {
		return img.backingFile == "" || !n.overridesBacking()
	}
	return n.exactBacking(backing)
}

// overridesBacking reports that the options keep the image from its backing file.
func (n *node) overridesBacking() bool {
	return n.options.Get("backing").Kind() == qmp.KindNull
}

// strongOptions are the options that change what a node contains
// (BlockDriver.strong_runtime_opts).
func (n *node) strongOptions() []qmp.Member {
	var names []string
	switch n.kind {
	case "null-co", "null-aio":
		names = []string{"size", "read-zeroes"}
	case "raw":
		names = []string{"offset", "size"}
	case "throttle":
		names = []string{"throttle-group"}
	case "blkdebug":
		names = []string{"config", "align", "max-transfer", "opt-write-zero", "max-write-zero", "opt-discard", "max-discard"}
	}
	var out []qmp.Member
	for i, rule := range slices.Backward(n.options.Get("inject-error").Items()) {
		for _, option := range slices.Backward(rule.Members()) { // a QDict shows the newest first
			out = append(out, qmp.M("inject-error."+itoa(int64(i))+"."+option.Name, option.Value))
		}
	}
	for _, name := range names {
		if v := n.options.Get(name); v.Present() {
			out = append(out, qmp.M(name, v))
		}
	}
	return out
}

// fullOptions describe the node with everything below it.
func (n *node) fullOptions() qmp.Value {
	if n.implicit {
		return n.filtered().fullOptions()
	}
	members := n.strongOptions()
	switch n.kind {
	case "file", "host_device":
		members = append(members, qmp.M("filename", qmp.Str(n.path)))
	}
	for _, e := range n.children {
		role := e.role
		switch {
		case role == "backing" && n.image() != nil && n.exactBacking(e.child):
			continue
		case role == "file" && n.kind == "blkdebug":
			role = "image"
		}
		members = append(members, qmp.M(role, e.child.fullOptions()))
	}
	if n.backing() == nil && n.image() != nil && n.image().backingFile != "" {
		members = append(members, qmp.M("backing", qmp.Null()))
	}
	members = append(members, qmp.M("driver", qmp.Str(n.kind)))
	return qmp.Dict(members...)
}

// exactBacking reports whether the image's header leads to its backing node.
func (n *node) exactBacking(backing *node) bool {
	img, file := n.image(), n.child("file")
	name := img.backingFile
	if !n.options.Get("backing").Present() {
		name = backingPath(file.filename(), name) // what was opened by the name in the header
	}
	return img.backingFile != "" && name == backing.filename()
}
