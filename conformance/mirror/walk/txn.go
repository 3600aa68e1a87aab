package walk

import (
	"slices"

	"fleece/qmp"
)

func action(name string, data qmp.Value) qmp.Value {
	return qmp.Dict(text("type", name), qmp.M("data", data))
}

// transaction is up to five actions.
func (w *Walker) transaction() Step {
	grouped := w.d.In(6)
	var actions []qmp.Value
	for range w.d.N(5) + w.d.N(2) {
		actions = append(actions, w.action(grouped && !w.d.In(30)))
	}
	if w.d.In(20) {
		actions = append(actions, action("abort", qmp.Dict()))
	}
	if len(w.v.jobs) > 0 && mentions(actions, "blockdev-snapshot") {
		// Taking one back over a job hangs the real binary or does not, as its job's
		// coroutine happens to be woken: a snapshot is alone then.
		actions = slices.DeleteFunc(actions, func(a qmp.Value) bool { return a.Get("type").S() != "blockdev-snapshot" })[:1]
	}
	actions = w.apart(actions)
	if always := slices.IndexFunc(actions, func(a qmp.Value) bool { return a.Get("data").Get("bitmap-mode").S() == "always" }); always >= 0 {
		actions = actions[always : always+1] // taken back after an action on the same bitmap it crashes the real binary
	}
	mode := qmp.Member{}
	if grouped || w.d.In(10) {
		name := "individual"
		if grouped {
			name = "grouped"
		}
		mode = qmp.M("properties", qmp.Dict(text("completion-mode", name)))
	}
	s := command("transaction", qmp.M("actions", qmp.List(actions...)), mode)
	if grouped && mentions(actions, "block-dirty-bitmap-enable") {
		return w.query() // crashes the real binary
	}
	return s
}

// apart leaves backups out that would write to the same plain file as another one at the
// same time.
func (w *Walker) apart(actions []qmp.Value) []qmp.Value {
	var files []string
	return slices.DeleteFunc(actions, func(a qmp.Value) bool {
		n := w.v.find(a.Get("data").Get("target").S())
		if a.Get("type").S() != "blockdev-backup" || n == nil || n.driver != "raw" && n.driver != "file" {
			return false
		}
		taken := slices.Contains(files, n.file)
		files = append(files, n.file)
		return taken
	})
}

func mentions(actions []qmp.Value, name string) bool {
	for _, a := range actions {
		if a.Get("type").S() == name {
			return true
		}
	}
	return false
}

func (w *Walker) action(jobsOnly bool) qmp.Value {
	if jobsOnly {
		return action("blockdev-backup", w.backupArgs())
	}
	switch w.d.N(16) {
	case 0, 1, 2:
		return action("block-dirty-bitmap-add", w.addBitmapArgs())
	case 3, 4:
		return action("block-dirty-bitmap-remove", w.bitmapArgs())
	case 5, 6:
		return action("block-dirty-bitmap-clear", w.bitmapArgs())
	case 7:
		return w.enable()
	case 8:
		return action("block-dirty-bitmap-disable", w.bitmapArgs())
	case 9, 10:
		return action("block-dirty-bitmap-merge", w.mergeArgs())
	case 11, 12, 13:
		return action("blockdev-backup", w.backupArgs())
	case 14:
		return action("blockdev-snapshot", w.snapshotArgs())
	}
	return action("block-dirty-bitmap-clear", w.bitmapArgs())
}

// enable names a bitmap that is there: a failing lookup crashes the real binary.
func (w *Walker) enable() qmp.Value {
	marked := w.v.marked()
	if len(marked) == 0 {
		return action("block-dirty-bitmap-add", w.addBitmapArgs())
	}
	n := one(w.d, marked...)
	return action("block-dirty-bitmap-enable", qmp.Dict(text("node", n.name), text("name", one(w.d, n.bitmaps...).name)))
}
