package qmp

// BlockStream is block-stream: a node takes over what is in the images below it.
type BlockStream struct {
	JobID        string `qmp:"job-id"`
	Device       string `qmp:"device"`    // the node
	BaseNode     string `qmp:"base-node"` // the highest image that stays below; "" for none
	Speed        int64  `qmp:"speed"`     // bytes per second; 0 is unlimited
	BackingFile  string `qmp:"backing-file"`
	AutoFinalize Bool3  `qmp:"auto-finalize"`
	AutoDismiss  Bool3  `qmp:"auto-dismiss"`
}

// Command gives it as a command.
func (b BlockStream) Command() Command {
	return Command{"block-stream", Dict(M("device", Str(b.Device)), M("job-id", text(b.JobID)), M("speed", number(b.Speed)),
		M("base-node", text(b.BaseNode)), M("backing-file", text(b.BackingFile)), M("auto-finalize", b.AutoFinalize.value()),
		M("auto-dismiss", b.AutoDismiss.value()))}
}

// BlockCommit is block-commit: an image takes over what is in those above it.
type BlockCommit struct {
	JobID        string `qmp:"job-id"`
	Device       string `qmp:"device"`   // the disk's top node
	TopNode      string `qmp:"top-node"` // the highest image that is emptied
	BaseNode     string `qmp:"base-node"`
	Speed        int64  `qmp:"speed"`        // bytes per second; 0 is unlimited
	BackingFile  string `qmp:"backing-file"` // what the image above top names from then on
	AutoFinalize Bool3  `qmp:"auto-finalize"`
	AutoDismiss  Bool3  `qmp:"auto-dismiss"`
}

// Command gives it as a command.
func (b BlockCommit) Command() Command {
	return Command{"block-commit", Dict(M("device", Str(b.Device)), M("job-id", text(b.JobID)), M("speed", number(b.Speed)),
		M("top-node", text(b.TopNode)), M("base-node", text(b.BaseNode)), M("backing-file", text(b.BackingFile)),
		M("auto-finalize", b.AutoFinalize.value()), M("auto-dismiss", b.AutoDismiss.value()))}
}

// BlockdevMirror is blockdev-mirror: a target is kept the same as a node.
type BlockdevMirror struct {
	JobID        string `qmp:"job-id"`
	Device       string `qmp:"device"`
	Target       string `qmp:"target"`
	Sync         string `qmp:"sync"`        // "full" or "top"
	Speed        int64  `qmp:"speed"`       // bytes per second; 0 is unlimited
	Granularity  int64  `qmp:"granularity"` // bytes; 0 is QEMU's choice
	BufSize      int64  `qmp:"buf-size"`    // bytes; 0 is QEMU's choice
	CopyMode     string `qmp:"copy-mode"`   // "background" or "write-blocking"
	AutoFinalize Bool3  `qmp:"auto-finalize"`
	AutoDismiss  Bool3  `qmp:"auto-dismiss"`
}

// Command gives it as a command.
func (b BlockdevMirror) Command() Command {
	return Command{"blockdev-mirror", Dict(M("job-id", text(b.JobID)), M("device", Str(b.Device)), M("target", Str(b.Target)),
		M("speed", number(b.Speed)), M("granularity", number(b.Granularity)), M("buf-size", number(b.BufSize)),
		M("sync", Str(b.Sync)), M("copy-mode", text(b.CopyMode)), M("auto-finalize", b.AutoFinalize.value()),
		M("auto-dismiss", b.AutoDismiss.value()))}
}
