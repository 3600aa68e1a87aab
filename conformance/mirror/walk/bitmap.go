package walk

import (
	"strings"

	"fleece/qmp"
)

func (w *Walker) addBitmapArgs() qmp.Value {
	name := w.bitmapName()
	if w.d.In(30) {
		name = one(w.d, "", strings.Repeat("n", 1024), strings.Repeat("n", 1023), "with space/ü", "7")
	}
	node := w.disk()
	if w.d.In(40) {
		node = w.node("qcow2", "raw", "null-co", "copy-before-write")
	}
	if n := w.v.find(node); n != nil && n.driver == "file" {
		node = "d0" // below an image it would tell when QEMU writes metadata
	}
	return qmp.Dict(text("node", node), text("name", name),
		w.maybe(3, number("granularity", one(w.d, int64(512), 4096, 65536, 65536, 1<<20, 1<<31, 0, 3, 256))),
		w.maybe(2, flag("persistent", !w.d.In(5))), w.maybe(4, flag("disabled", !w.d.In(4))))
}

func (w *Walker) addBitmap() Step {
	return Step{Command: qmp.Command{Name: "block-dirty-bitmap-add", Args: w.addBitmapArgs()}}
}

func (w *Walker) bitmapArgs() qmp.Value {
	node, name := w.bitmap()
	return qmp.Dict(text("node", node), text("name", name))
}

func (w *Walker) useBitmap() Step {
	verb := one(w.d, "remove", "clear", "clear", "enable", "enable", "disable")
	return Step{Command: qmp.Command{Name: "block-dirty-bitmap-" + verb, Args: w.bitmapArgs()}}
}

func (w *Walker) mergeArgs() qmp.Value {
	node, target := w.bitmap()
	var sources []qmp.Value
	for range 1 + w.d.N(3) { // an empty list crashes the real binary
		from, name := w.bitmap()
		if from == node && !w.d.In(3) {
			sources = append(sources, qmp.Str(name))
		} else {
			sources = append(sources, qmp.Dict(text("node", from), text("name", name)))
		}
	}
	return qmp.Dict(text("node", node), text("target", target), qmp.M("bitmaps", qmp.List(sources...)))
}

func (w *Walker) merge() Step {
	return Step{Command: qmp.Command{Name: "block-dirty-bitmap-merge", Args: w.mergeArgs()}}
}
