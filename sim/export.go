package sim

import (
	"slices"

	"fleece/qmp"
)

// export is an NBD export. What clients see of it is in nbdexport.go.
type export struct {
	id, kind          string
	name, description string
	writable, depth   bool
	size              int64 // bytes, whole sectors (§6.2)
	edge              *edge
	bitmaps           []*bitmap
	// requests of clients are under way; closing tells that it goes when they
	// have ended.
	requests int
	closing  bool
	gone     bool
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
		return true, m.exportRemove(cmd.Args.Get("id").S(), cmd.Args.Get("mode").S())
	case "nbd-server-add":
		return true, m.nbdAdd(cmd.Args)
	case "nbd-server-remove":
		name := cmd.Args.Get("name").S()
		if x := m.findExport(name); x != nil && x.kind != "nbd" {
			return true, qmp.Generic("Block export '" + name + "' is not an NBD export")
		}
		return true, m.exportRemove(name, cmd.Args.Get("mode").S())
	}
	return false, nil
}

// nbdAdd is nbd-server-add: id and name are those of the device by default, and what
// is read-only is not exported as writable (§6.2).
func (m *Machine) nbdAdd(a qmp.Value) *qmp.ReplyError {
	device := a.Get("device").S()
	n, err := m.lookup(device)
	if err != nil {
		return err
	}
	name := a.Get("name").TextOr(device)
	export := qmp.Dict(qmp.M("type", qmp.Str("nbd")), qmp.M("id", qmp.Str(name)), qmp.M("node-name", qmp.Str(n.name)),
		qmp.M("name", qmp.Str(name)), qmp.M("description", a.Get("description")),
		qmp.M("writable", qmp.Bool(a.Get("writable").IsTrue() && !n.readOnly)))
	if bitmap := a.Get("bitmap"); bitmap.Present() {
		export = export.With("bitmaps", qmp.List(bitmap))
	}
	return m.exportAdd(export)
}

// exportRemove is block-export-del. A safe one is refused while a client has the
// export open; a hard one cuts the clients and returns, and the export goes when their
// requests have ended ({41}).
func (m *Machine) exportRemove(id, mode string) *qmp.ReplyError {
	x := m.findExport(id)
	switch {
	case x == nil:
		return qmp.Generic("Export '" + id + "' is not found")
	case x.closing:
		return qmp.Generic("Export '" + id + "' is already shutting down")
	case len(m.users(x)) == 0:
		m.exportDel(x)
		return nil
	case mode != "hard":
		return qmp.Generic("export '" + id + "' still in use")
	}
	x.closing = true
	for _, s := range m.users(x) {
		_ = s.conn.Close()
	}
	m.afterReply = append(m.afterReply, func() { m.exportIdle(x) })
	return nil
}

// exportIdle removes an export that is to go when nothing of it is under way.
func (m *Machine) exportIdle(x *export) {
	if x.closing && x.requests == 0 && !x.gone {
		m.exportDel(x)
	}
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
	if thread, ok := a.Get("iothread").Text(); ok {
		if o := m.object(thread); o == nil || o.kind != "iothread" {
			return qmp.Generic("iothread \"" + thread + "\" not found")
		}
	}
	x := &export{
		id: id, kind: a.Get("type").S(), name: a.Get("name").TextOr(nodeName), description: a.Get("description").S(),
		writable: writable, depth: a.Get("allocation-depth").IsTrue(),
		size: (n.length() + sectorSize - 1) &^ (sectorSize - 1),
	}
	u := &user{label: "an unnamed block device", perm: permRead, shared: permAll}
	if writable {
		u.perm |= permWrite
	}
	x.edge = n.use("root", u)
	err := n.conflictBelow()
	if err == nil {
		if err = m.exportReady(x, n, a, writable); err != nil {
			m.noise(n) // the backend was there, and goes again
		}
	}
	if err != nil {
		x.edge.drop()
		return err
	}
	for _, b := range x.bitmaps {
		b.busy = true
	}
	m.exports = append(m.exports, x)
	return nil
}

func (m *Machine) exportReady(x *export, n *node, a qmp.Value, writable bool) *qmp.ReplyError {
	if x.kind != "nbd" {
		return m.exportOther(x)
	}
	x.edge.user.shared &^= permResize
	const nameMax = 4096
	switch {
	case m.nbd == nil:
		return qmp.Generic("NBD server not running")
	case len(x.name) > nameMax:
		return qmp.Generic("export name '" + x.name + "' too long")
	case len(x.description) > nameMax:
		return qmp.Generic("description '" + x.description + "' too long")
	}
	for _, o := range m.exports {
		if o.name == x.name && o.kind == "nbd" {
			return qmp.Generic("NBD server already has export named '" + x.name + "'")
		}
	}
	if err := n.conflictBelow(); err != nil {
		return err // who may resize the node
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

// exportOther makes an export that is none of NBD: only that it is there matters here.
func (m *Machine) exportOther(x *export) *qmp.ReplyError {
	if x.kind != "vhost-user-blk" {
		return qmp.Generic("Exports of type '" + x.kind + "' are not simulated")
	}
	return nil
}

// exportBitmap searches the node, then down filters and backing chain (§6.2).
func (m *Machine) exportBitmap(n *node, ref qmp.Value, writable bool) (*bitmap, *qmp.ReplyError) {
	var b *bitmap
	name, plain := ref.Text()
	if plain {
		x := n
		for ; x != nil; x = x.below() {
			if b = x.bitmaps.find(name); b != nil {
				break
			}
		}
		switch {
		case b == nil:
			return nil, qmp.Generic("Bitmap '" + name + "' is not found")
		case !writable && !b.disabled && !x.readOnly:
			return nil, qmp.Generic("Enabled bitmap '" + b.name + "' incompatible with readonly export")
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
	return b, nil
}

// exportDel removes an export and cuts its clients. Letting its backend go drains the node, which shows
// on jobs above and below it as two pairs (§5.6).
func (m *Machine) exportDel(x *export) {
	for _, s := range m.users(x) {
		_ = s.conn.Close()
	}
	m.noise(x.edge.child)
	for _, b := range x.bitmaps {
		b.busy = false
	}
	_ = x.edge.detach()
	x.gone = true
	m.exports = slices.DeleteFunc(m.exports, func(y *export) bool { return x == y })
	m.emit("BLOCK_EXPORT_DELETED", qmp.Dict(qmp.M("id", qmp.Str(x.id))))
}

// noise is what jobs above and below a node show when a backend lets it go.
func (m *Machine) noise(n *node) { m.pairs(n, 2) }

// deleteExports removes all, the oldest first.
func (m *Machine) deleteExports() {
	for len(m.exports) > 0 {
		m.exportDel(m.exports[0])
	}
}

// deleteNBD removes the exports of the server that stops.
func (m *Machine) deleteNBD() {
	for i := 0; i < len(m.exports); {
		if x := m.exports[i]; x.kind == "nbd" {
			m.exportDel(x)
			i = 0
			continue
		}
		i++
	}
}

// queryExports shows the newest first.
func (m *Machine) queryExports() qmp.Value {
	var out []qmp.Value
	for i := len(m.exports) - 1; i >= 0; i-- {
		x := m.exports[i]
		out = append(out, qmp.Dict(qmp.M("id", qmp.Str(x.id)), qmp.M("type", qmp.Str(x.kind)),
			qmp.M("node-name", qmp.Str(x.edge.child.name)), qmp.M("shutting-down", qmp.Bool(x.closing))))
	}
	return qmp.List(out...)
}
