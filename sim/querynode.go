package sim

import (
	"bytes"

	"fleece/qmp"
)

// queryNodes is query-named-block-nodes, newest first.
func (m *Machine) queryNodes(flat bool) qmp.Value {
	out := make([]qmp.Value, 0, len(m.nodes))
	for i := len(m.nodes) - 1; i >= 0; i-- {
		out = append(out, m.nodes[i].query(flat))
	}
	return qmp.List(out...)
}

// query is BlockDeviceInfo. flat leaves the backing chain out, and its depth with
// it (§2.8).
func (n *node) query(flat bool) qmp.Value {
	file := qmp.Str(n.filename())
	depth := int64(0)
	if !flat {
		depth = n.depth()
	}
	var backingFile qmp.Value
	if b := n.backing(); b != nil {
		backingFile = qmp.Str(b.filename())
	}
	zero := qmp.Int(0)
	return qmp.Dict(
		qmp.M("node-name", qmp.Str(n.name)), qmp.M("drv", qmp.Str(n.kind)), qmp.M("file", file),
		qmp.M("ro", qmp.Bool(n.readOnly)), qmp.M("encrypted", qmp.Bool(false)),
		qmp.M("detect_zeroes", qmp.Str("off")), qmp.M("write_threshold", zero),
		qmp.M("bps", zero), qmp.M("bps_rd", zero), qmp.M("bps_wr", zero),
		qmp.M("iops", zero), qmp.M("iops_rd", zero), qmp.M("iops_wr", zero),
		qmp.M("cache", qmp.Dict(qmp.M("no-flush", qmp.Bool(false)), qmp.M("direct", qmp.Bool(false)), qmp.M("writeback", qmp.Bool(true)))),
		qmp.M("backing_file_depth", qmp.Int(depth)), qmp.M("backing_file", backingFile),
		qmp.M("dirty-bitmaps", n.bitmaps.query()),
		qmp.M("image", n.queryImage(file, flat)))
}

// below is the node that bdrv_query_image_info goes on with: the backing file, or
// what a filter filters.
func (n *node) below() *node {
	if n.isFilter() {
		return n.child("file")
	}
	return n.backing()
}

func (n *node) depth() (depth int64) {
	for b := n.below(); b != nil; b = b.below() {
		depth++
	}
	return depth
}

func (n *node) queryImage(file qmp.Value, flat bool) qmp.Value {
	info := n.drv.info()
	var dirty, cluster, below qmp.Value
	if info.hasFlags {
		dirty = qmp.Bool(false)
	}
	if info.clusterSize > 0 {
		cluster = qmp.Int(info.clusterSize)
	}
	if b := n.below(); b != nil && !flat {
		below = b.queryImage(qmp.Str(b.filename()), flat)
	}
	var name, full, format qmp.Value
	if img := n.image(); img != nil && img.backingFile != "" {
		name, format = qmp.Str(img.backingFile), optional(img.backingFormat)
		full = qmp.Str(backingPath(n.filename(), img.backingFile))
	} else if b := n.backing(); b != nil {
		name, full = qmp.Str(b.filename()), qmp.Str(b.filename())
	}
	return qmp.Dict(
		qmp.M("backing-image", below),
		qmp.M("filename", file), qmp.M("format", qmp.Str(n.kind)), qmp.M("virtual-size", qmp.Int(n.length())),
		qmp.M("actual-size", qmp.Int(info.allocated)), qmp.M("dirty-flag", dirty),
		qmp.M("cluster-size", cluster), qmp.M("format-specific", info.specific),
		qmp.M("backing-filename", name), qmp.M("full-backing-filename", full),
		qmp.M("backing-filename-format", format))
}

// filename is what QEMU shows for a node: the plain path where the options say no
// more than it, and else a json: pseudo name.
func (n *node) filename() string {
	switch n.kind {
	case "file", "host_device":
		return n.path
	case "copy-before-write":
		return n.child("file").filename()
	}
	if file := n.child("file"); file != nil && n.plainName(file) {
		return file.filename()
	}
	var out bytes.Buffer
	out.WriteString("json:")
	n.writeOptions(&out)
	return out.String()
}

// plainName reports whether the storage's name alone leads to this node.
func (n *node) plainName(file *node) bool {
	if !file.isStorage() || n.kind == "blkdebug" {
		return false
	}
	img, backing := n.image(), n.backing()
	if img == nil || backing == nil {
		return true
	}
	return img.backingFile != "" && backingPath(file.path, img.backingFile) == backing.filename()
}

// writeOptions writes the options with their names sorted, as QEMU prints them.
func (n *node) writeOptions(out *bytes.Buffer) {
	out.WriteByte('{')
	if b := n.backing(); b != nil {
		out.WriteString(`"backing": `)
		b.writeOptions(out)
		out.WriteString(", ")
	}
	out.WriteString(`"driver": "` + n.kind + `"`)
	if file := n.child("file"); file != nil {
		role := "file"
		if n.kind == "blkdebug" {
			role = "image"
		}
		out.WriteString(`, "` + role + `": `)
		file.writeOptions(out)
	}
	if n.isStorage() {
		out.WriteString(`, "filename": ` + qmp.Str(n.path).String())
	}
	if v := n.options.Get("size"); v.Present() && n.kind == "null-co" {
		size, _ := v.Int64()
		out.WriteString(`, "size": ` + itoa(size))
	}
	out.WriteByte('}')
}
