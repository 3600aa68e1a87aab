package sim

import "fleece/qmp"

// ioStats counts what a device has asked of its disk. The guest's requests count,
// qemu-io's do not.
type ioStats struct {
	reads, writes, flushes, unmaps    int64
	readBytes, writeBytes, unmapBytes int64
	failedReads, failedWrites         int64
}

// count notes a request.
func (s *ioStats) count(what string, length int64, failed bool) {
	if failed {
		switch what {
		case "read":
			s.failedReads++
		case "write", "write zeroes":
			s.failedWrites++
		}
		return
	}
	switch what {
	case "read":
		s.reads++
		s.readBytes += length
	case "write", "write zeroes":
		s.writes++
		s.writeBytes += length
	case "flush":
		s.flushes++
	case "discard":
		s.unmaps++
		s.unmapBytes += length
	}
}

// queryBlockStats lists devices, or with query-nodes every node.
func (m *Machine) queryBlockStats(a qmp.Value) qmp.Value {
	var out []qmp.Value
	if a.Get("query-nodes").IsTrue() {
		for _, n := range m.nodes {
			out = append(out, n.stats(false, nil))
		}
		return qmp.List(out...)
	}
	for _, d := range m.devices {
		if !d.isDisk() {
			continue
		}
		v := qmp.Dict(qmp.M("stats", d.io.query(0, true)))
		if d.root != nil {
			v = d.root.child.stats(true, &d.io)
		}
		out = append(out, v.With("device", qmp.Str("")).With("qdev", qmp.Str(d.qdev())))
	}
	return qmp.List(out...)
}

// stats is a node with what is below it. Below a device the backing chain shows too,
// and filters of jobs do not.
func (n *node) stats(ofDevice bool, io *ioStats) qmp.Value {
	if ofDevice {
		n = n.explicit()
	}
	isDevice := io != nil
	if io == nil {
		io = &ioStats{}
	}
	var parent, backing, specific qmp.Value
	if c := n.child("data-file"); c != nil { // the one child with data
		parent = c.stats(ofDevice, nil)
	} else if c := n.child("file"); c != nil {
		parent = c.stats(ofDevice, nil)
	} else if c := n.filtered(); c != nil {
		parent = c.stats(ofDevice, nil)
	}
	if b := n.below(); b != nil && ofDevice {
		backing = b.stats(true, nil)
	}
	if n.isStorage() {
		zero := qmp.Int(0)
		specific = qmp.Dict(qmp.M("driver", qmp.Str(n.kind)), qmp.M("discard-nb-ok", zero),
			qmp.M("discard-nb-failed", zero), qmp.M("discard-bytes-ok", zero))
	}
	return qmp.Dict(qmp.M("node-name", qmp.Str(n.name)), qmp.M("stats", io.query(n.highest, isDevice)),
		qmp.M("parent", parent), qmp.M("backing", backing), qmp.M("driver-specific", specific))
}

// query is BlockDeviceStats; times are not counted here.
func (s *ioStats) query(highest int64, accounts bool) qmp.Value {
	n := func(name string, v int64) qmp.Member { return qmp.M(name, qmp.Int(v)) }
	return qmp.Dict(
		n("rd_bytes", s.readBytes), n("wr_bytes", s.writeBytes), n("unmap_bytes", s.unmapBytes),
		n("rd_operations", s.reads), n("wr_operations", s.writes), n("flush_operations", s.flushes),
		n("unmap_operations", s.unmaps), n("wr_highest_offset", highest),
		n("failed_rd_operations", s.failedReads), n("failed_wr_operations", s.failedWrites),
		n("failed_flush_operations", 0), n("failed_unmap_operations", 0),
		n("invalid_rd_operations", 0), n("invalid_wr_operations", 0), n("invalid_flush_operations", 0), n("invalid_unmap_operations", 0),
		n("rd_merged", 0), n("wr_merged", 0), n("unmap_merged", 0),
		n("rd_total_time_ns", 0), n("wr_total_time_ns", 0), n("flush_total_time_ns", 0), n("unmap_total_time_ns", 0),
		qmp.M("account_invalid", qmp.Bool(accounts)), qmp.M("account_failed", qmp.Bool(accounts)), qmp.M("timed_stats", qmp.List()))
}
