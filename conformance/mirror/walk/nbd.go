package walk

import (
	"fmt"

	"fleece/qmp"
)

// server starts and stops the NBD server. No client connects: half a handshake
// makes the stop hang for ever.
func (w *Walker) server() Step {
	if w.d.In(5) {
		return command("nbd-server-stop")
	}
	path := w.setup.path("n.sock")
	if w.d.In(20) {
		path = "/nosuchdir/s"
	}
	addr := qmp.Dict(text("type", "unix"), qmp.M("data", qmp.Dict(text("path", path))))
	return command("nbd-server-start", qmp.M("addr", addr), w.maybe(30, text("tls-creds", unknown)), w.maybe(10, number("max-connections", int64(w.d.N(3)))))
}

func (w *Walker) export() Step {
	id := fmt.Sprintf("e%d", w.d.N(4))
	node := w.node("qcow2", "raw", "copy-before-write")
	if w.d.In(30) {
		id = one(w.d, "", "1e", "e e")
	}
	if w.d.In(8) {
		return command("nbd-server-add", text("device", node), w.maybe(2, text("name", id)), w.maybe(3, flag("writable", true)))
	}
	bitmaps := qmp.Member{}
	if w.d.In(3) {
		var list []qmp.Value
		for range 1 + w.d.N(2) {
			from, name := w.bitmap()
			if w.d.In(2) {
				node = from
				list = append(list, qmp.Str(name))
			} else {
				list = append(list, qmp.Dict(text("node", from), text("name", name)))
			}
		}
		bitmaps = qmp.M("bitmaps", qmp.List(list...))
	}
	return command("block-export-add", text("type", "nbd"), text("id", id), text("node-name", node),
		w.maybe(2, text("name", one(w.d, "", "x", "y", "z"))), w.maybe(3, flag("writable", w.d.In(2))), bitmaps)
}

func (w *Walker) unexport() Step {
	id := fmt.Sprintf("e%d", w.d.N(4))
	if len(w.v.exports) > 0 && !w.d.In(10) {
		id = one(w.d, w.v.exports...)
	}
	if w.d.In(5) {
		return command("nbd-server-remove", text("name", id), w.maybe(2, text("mode", one(w.d, "safe", "hard"))))
	}
	return command("block-export-del", text("id", id), w.maybe(3, text("mode", one(w.d, "safe", "hard"))))
}
