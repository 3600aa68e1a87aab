package sim

import "fleece/qmp"

// queryNodes is query-named-block-nodes, newest first.
func (m *Machine) queryNodes(flat bool) qmp.Value {
	out := make([]qmp.Value, 0, len(m.nodes))
	for i := len(m.nodes) - 1; i >= 0; i-- {
		out = append(out, m.nodes[i].query(flat))
	}
	return qmp.List(out...)
}

// queryUnder is the node as a device's medium: with the device's throttling.
func (n *node) queryUnder(d *device) qmp.Value {
	v := n.explicit().describe(false, true, d.limits)
	if d.writeThrough {
		v = v.With("cache", v.Get("cache").With("writeback", qmp.Bool(false)))
	}
	if d.group != "" {
		v = v.With("group", qmp.Str(d.group))
	}
	return v
}

// query is BlockDeviceInfo. flat leaves the backing chain out, and its depth with
// it (§2.8).
func (n *node) query(flat bool) qmp.Value { return n.describe(flat, false, throttleLimits{}) }

// describe with skip looks through the filters of jobs, as query-block does.
func (n *node) describe(flat, skip bool, l throttleLimits) qmp.Value {
	file := qmp.Str(n.filename())
	depth := int64(0)
	if !flat {
		depth = n.depth(skip)
	}
	var backingFile qmp.Value
	if b := n.backing(); b != nil && !n.isFilter() {
		backingFile = qmp.Str(b.filename())
	}
	return qmp.Dict(
		qmp.M("node-name", qmp.Str(n.name)), qmp.M("drv", qmp.Str(n.kind)), qmp.M("file", file),
		qmp.M("ro", qmp.Bool(n.readOnly)), qmp.M("encrypted", qmp.Bool(false)),
		qmp.M("detect_zeroes", qmp.Str(n.options.Get("detect-zeroes").TextOr("off"))),
		qmp.M("write_threshold", qmp.Int(n.threshold)),
		qmp.M("bps", qmp.Int(l.bps)), qmp.M("bps_rd", qmp.Int(l.bpsRead)), qmp.M("bps_wr", qmp.Int(l.bpsWrite)),
		qmp.M("iops", qmp.Int(l.iops)), qmp.M("iops_rd", qmp.Int(l.iopsRead)), qmp.M("iops_wr", qmp.Int(l.iopsWrite)),
		qmp.M("cache", n.queryCache()),
		qmp.M("backing_file_depth", qmp.Int(depth)), qmp.M("backing_file", backingFile),
		qmp.M("dirty-bitmaps", n.bitmaps.query()),
		qmp.M("image", n.queryImage(file, flat, skip)))
}

// below is the node that bdrv_query_image_info goes on with: the backing file, or
// what a filter filters.
func (n *node) below() *node {
	if n.isFilter() {
		return n.filtered()
	}
	return n.backing()
}

// queryCache is what the options say of the host's cache.
func (n *node) queryCache() qmp.Value {
	cache := n.options.Get("cache")
	return qmp.Dict(qmp.M("no-flush", qmp.Bool(cache.Get("no-flush").IsTrue())),
		qmp.M("direct", qmp.Bool(cache.Get("direct").IsTrue())), qmp.M("writeback", qmp.Bool(true)))
}

// under is the next node of a query's chain.
func (n *node) under(skip bool) *node {
	b := n.below()
	if b != nil && skip {
		b = b.explicit()
	}
	return b
}

func (n *node) depth(skip bool) (depth int64) {
	for b := n.under(skip); b != nil; b = b.under(skip) {
		depth++
	}
	return depth
}

func (n *node) queryImage(file qmp.Value, flat, skip bool) qmp.Value {
	info := n.drv.info()
	var dirty, cluster, below qmp.Value
	if info.hasFlags {
		dirty = qmp.Bool(false)
	}
	if info.clusterSize > 0 {
		cluster = qmp.Int(info.clusterSize)
	}
	if b := n.under(skip); b != nil && !flat {
		below = b.queryImage(qmp.Str(b.filename()), flat, skip)
	}
	var name, full, format qmp.Value
	if img := n.image(); img != nil && img.backingFile != "" {
		name, format = qmp.Str(img.backingFile), optional(img.backingFormat)
		full = qmp.Str(backingPath(n.child("file").filename(), img.backingFile))
	}
	return qmp.Dict(
		qmp.M("backing-image", below),
		qmp.M("filename", file), qmp.M("format", qmp.Str(n.kind)), qmp.M("virtual-size", qmp.Int(n.length())),
		qmp.M("actual-size", qmp.Int(info.allocated)), qmp.M("dirty-flag", dirty),
		qmp.M("cluster-size", cluster), qmp.M("format-specific", info.specific),
		qmp.M("backing-filename", name), qmp.M("full-backing-filename", full),
		qmp.M("backing-filename-format", format))
}
