package sim

import (
	"slices"

	"fleece/qmp"
)

// export is an NBD export. What clients see of it is in nbdexport.go.
type export struct {
	id, name, description string
	writable, depth       bool
	size                  int64 // bytes, whole sectors (§6.2)
	edge                  *edge
	bitmaps               []*bitmap
	gone                  bool
}

// exportCommand executes the NBD server's commands.
func (m *Machine) exportCommand(cmd qmp.Command) (done bool, err *qmp.ReplyError) {
	switch cmd.Name {
	case "nbd-server-start":
		return true, m.nbdStart(cmd.Args)
	case "nbd-server-stop":
		return true, m.nbdStop()
	case "block-export-add":
		return true, m.exportAdd(cmd.Args)
	case "block-export-del":
		x := m.findExport(cmd.Args.Get("id").S())
		if x == nil {
			return true, qmp.Generic("Export '" + cmd.Args.Get("id").S() + "' is not found")
		}
		if cmd.Args.Get("mode").S() != "hard" && len(m.users(x)) > 0 {
			return true, qmp.Generic("export '" + x.id + "' still in use")
		}
		m.exportDel(x)
		return true, nil
	}
	return false, nil
}

func (m *Machine) findExport(id string) *export {
	for _, x := range m.exports {
		if x.id == id {
			return x
		}
	}
	return nil
}

// exportAdd checks in the order of §6.2.
func (m *Machine) exportAdd(a qmp.Value) *qmp.ReplyError {
	id, nodeName := a.Get("id").S(), a.Get("node-name").S()
	n := m.node(nodeName)
	writable := a.Get("writable").IsTrue()
	switch {
	case !wellFormed(id):
		return qmp.Generic("Invalid block export id")
	case m.findExport(id) != nil:
		return qmp.Generic("Block export id '" + id + "' is already in use")
	case n == nil:
		return qmp.Generic("Cannot find device='' nor node-name='" + nodeName + "'")
	case writable && n.readOnly:
		return qmp.Generic("Cannot export read-only node as writable")
	}
	x := &export{
		id: id, name: a.Get("name").TextOr(nodeName), description: a.Get("description").S(),
		writable: writable, depth: a.Get("allocation-depth").IsTrue(),
		size: (n.length() + sectorSize - 1) &^ (sectorSize - 1),
	}
	u := &user{label: "an unnamed block device", perm: permRead, shared: permAll}
	if writable {
		u.perm |= permWrite
	}
	x.edge = n.use("root", u)
	if err := m.exportReady(x, n, a, writable); err != nil {
		_ = x.edge.detach()
		return err
	}
	for _, b := range x.bitmaps {
		b.busy = true
	}
	m.exports = append(m.exports, x)
	return nil
}

func (m *Machine) exportReady(x *export, n *node, a qmp.Value, writable bool) *qmp.ReplyError {
	if err := n.conflictBelow(); err != nil {
		return err
	}
	const nameMax = 4096
	switch {
	case m.nbd == nil:
		return qmp.Generic("NBD server not running")
	case len(x.name) > nameMax:
		return qmp.Generic("export name '" + x.name + "' too long")
	}
	for _, o := range m.exports {
		if o.name == x.name {
			return qmp.Generic("NBD server already has export named '" + x.name + "'")
		}
	}
	for _, ref := range a.Get("bitmaps").Items() {
		b, err := m.exportBitmap(n, ref, writable)
		if err != nil {
			return err
		}
		x.bitmaps = append(x.bitmaps, b)
	}
	return nil
}

// exportBitmap searches the node, then down filters and backing chain (§6.2).
func (m *Machine) exportBitmap(n *node, ref qmp.Value, writable bool) (*bitmap, *qmp.ReplyError) {
	var b *bitmap
	name, plain := ref.Text()
	if plain {
		for x := n; x != nil && b == nil; x = x.below() {
			b = x.bitmaps.find(name)
		}
		if b == nil {
			return nil, qmp.Generic("Bitmap '" + name + "' is not found")
		}
	} else {
		var err *qmp.ReplyError
		if _, b, err = m.findBitmap(ref.Get("node").S(), ref.Get("name").S()); err != nil {
			return nil, err
		}
	}
	if err := b.check(checkAllowRO); err != nil {
		return nil, err
	}
	if plain && !writable && !b.disabled && !n.readOnly {
		return nil, qmp.Generic("Enabled bitmap '" + b.name + "' incompatible with readonly export")
	}
	return b, nil
}

// exportDel removes an export and cuts its clients. Letting its backend go drains the node, which shows
// on jobs above and below it as two pairs (§5.6).
func (m *Machine) exportDel(x *export) {
	for _, s := range m.users(x) {
		_ = s.conn.Close()
	}
	for range 2 {
		d := m.drain(x.edge.child)
		d.end()
	}
	for _, b := range x.bitmaps {
		b.busy = false
	}
	_ = x.edge.detach()
	x.gone = true
	m.exports = slices.DeleteFunc(m.exports, func(y *export) bool { return x == y })
	m.emit("BLOCK_EXPORT_DELETED", qmp.Dict(qmp.M("id", qmp.Str(x.id))))
}

// deleteExports removes all, the oldest first.
func (m *Machine) deleteExports() {
	for len(m.exports) > 0 {
		m.exportDel(m.exports[0])
	}
}

// queryExports shows the newest first.
func (m *Machine) queryExports() qmp.Value {
	var out []qmp.Value
	for i := len(m.exports) - 1; i >= 0; i-- {
		x := m.exports[i]
		out = append(out, qmp.Dict(qmp.M("id", qmp.Str(x.id)), qmp.M("type", qmp.Str("nbd")),
			qmp.M("node-name", qmp.Str(x.edge.child.name)), qmp.M("shutting-down", qmp.Bool(false))))
	}
	return qmp.List(out...)
}
