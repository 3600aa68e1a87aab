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
	actions = w.apart(actions)
	mode := qmp.Member{}
	if grouped || w.d.In(10) {
		name := "individual"
		if grouped {
			name = "grouped"
		}
		mode = qmp.M("properties", qmp.Dict(text("completion-mode", name)))
	}
	return command("transaction", qmp.M("actions", qmp.List(actions...)), mode)
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
		return action("block-dirty-bitmap-enable", w.bitmapArgs())
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
