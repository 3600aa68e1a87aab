package sim

import "fleece/qmp"

// setWriteThreshold is block-set-write-threshold; 0 takes it away.
func (m *Machine) setWriteThreshold(a qmp.Value) *qmp.ReplyError {
	name := a.Get("node-name").S()
	n := m.node(name)
	if n == nil {
		return qmp.Generic("Device '" + name + "' not found")
	}
	v, _ := a.Get("write-threshold").Uint64()
	n.threshold = int64(v)
	return nil
}

// crossed says that a write went beyond the threshold, once.
func (n *node) crossed(end int64) {
	if n.threshold == 0 || end <= n.threshold {
		return
	}
	threshold := n.threshold
	n.threshold = 0
	n.m.emit("BLOCK_WRITE_THRESHOLD", qmp.Dict(qmp.M("node-name", qmp.Str(n.name)),
		qmp.M("amount-exceeded", qmp.Int(end-threshold)), qmp.M("write-threshold", qmp.Int(threshold))))
}
