package qmp

// BitmapAdd is block-dirty-bitmap-add: a new bitmap on a node.
type BitmapAdd struct {
	Node        string `qmp:"node"`
	Name        string `qmp:"name"`
	Granularity int64  `qmp:"granularity"` // bytes, a power of two; 0 is QEMU's default
	Persistent  Bool3  `qmp:"persistent"`
	Disabled    Bool3  `qmp:"disabled"`
}

func (b BitmapAdd) args() Value {
	return Dict(M("node", Str(b.Node)), M("name", Str(b.Name)), M("persistent", b.Persistent.value()),
		M("disabled", b.Disabled.value()), M("granularity", number(b.Granularity)))
}

// Command gives it as a command.
func (b BitmapAdd) Command() Command { return Command{"block-dirty-bitmap-add", b.args()} }

// Action gives it as part of a transaction.
func (b BitmapAdd) Action() Value { return action("block-dirty-bitmap-add", b.args()) }

// Bitmap names a bitmap of a node.
type Bitmap struct {
	Node string `qmp:"node"`
	Name string `qmp:"name"`
}

func (b Bitmap) args() Value { return Dict(M("node", Str(b.Node)), M("name", Str(b.Name))) }

// source is a BlockDirtyBitmapOrStr: without Node the name alone.
func (b Bitmap) source() Value {
	if b.Node == "" {
		return Str(b.Name)
	}
	return b.args()
}

func bitmapSources(bitmaps []Bitmap) Value {
	items := make([]Value, len(bitmaps))
	for i, b := range bitmaps {
		items[i] = b.source()
	}
	return List(items...)
}

// BitmapRemove is block-dirty-bitmap-remove.
type BitmapRemove Bitmap

// Command gives it as a command.
func (b BitmapRemove) Command() Command {
	return Command{"block-dirty-bitmap-remove", Bitmap(b).args()}
}

// Action gives it as part of a transaction.
func (b BitmapRemove) Action() Value { return action("block-dirty-bitmap-remove", Bitmap(b).args()) }

// BitmapClear is block-dirty-bitmap-clear: no bit is set afterwards.
type BitmapClear Bitmap

// Command gives it as a command.
func (b BitmapClear) Command() Command { return Command{"block-dirty-bitmap-clear", Bitmap(b).args()} }

// Action gives it as part of a transaction.
func (b BitmapClear) Action() Value { return action("block-dirty-bitmap-clear", Bitmap(b).args()) }

// BitmapEnable is block-dirty-bitmap-enable: writes are recorded.
//
// Never put it into a transaction without having seen busy:false: when it fails
// there, QEMU 7.2 crashes or silently disables the bitmap.
type BitmapEnable Bitmap

// Command gives it as a command.
func (b BitmapEnable) Command() Command {
	return Command{"block-dirty-bitmap-enable", Bitmap(b).args()}
}

// Action gives it as part of a transaction.
func (b BitmapEnable) Action() Value { return action("block-dirty-bitmap-enable", Bitmap(b).args()) }

// BitmapDisable is block-dirty-bitmap-disable: writes are not recorded.
type BitmapDisable Bitmap

// Command gives it as a command.
func (b BitmapDisable) Command() Command {
	return Command{"block-dirty-bitmap-disable", Bitmap(b).args()}
}

// Action gives it as part of a transaction.
func (b BitmapDisable) Action() Value { return action("block-dirty-bitmap-disable", Bitmap(b).args()) }

// BitmapMerge is block-dirty-bitmap-merge: the bits of the sources are set in the
// target too. Sources without a node are looked up in Node. It must not be sent
// without sources: QEMU 7.2 crashes.
type BitmapMerge struct {
	Node    string   `qmp:"node"`
	Target  string   `qmp:"target"`
	Sources []Bitmap `qmp:"bitmaps"`
}

func (b BitmapMerge) args() Value {
	return Dict(M("node", Str(b.Node)), M("target", Str(b.Target)), M("bitmaps", bitmapSources(b.Sources)))
}

// Command gives it as a command.
func (b BitmapMerge) Command() Command { return Command{"block-dirty-bitmap-merge", b.args()} }

// Action gives it as part of a transaction.
func (b BitmapMerge) Action() Value { return action("block-dirty-bitmap-merge", b.args()) }
