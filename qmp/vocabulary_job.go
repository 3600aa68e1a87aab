package qmp

// BlockdevBackup is blockdev-backup: copy a node's content at this moment.
type BlockdevBackup struct {
	Device         string `qmp:"device"` // the source node
	JobID          string `qmp:"job-id"`
	Target         string `qmp:"target"`      // the target node
	Sync           string `qmp:"sync"`        // "full", "top", "none", "incremental" or "bitmap"
	Bitmap         string `qmp:"bitmap"`      // with incremental and bitmap
	BitmapMode     string `qmp:"bitmap-mode"` // "on-success", "never" or "always"
	Speed          int64  `qmp:"speed"`       // bytes per second; 0 is unlimited
	OnSourceError  string `qmp:"on-source-error"`
	OnTargetError  string `qmp:"on-target-error"`
	FilterNodeName string `qmp:"filter-node-name"`
	Compress       Bool3  `qmp:"compress"`
	AutoFinalize   Bool3  `qmp:"auto-finalize"`
	AutoDismiss    Bool3  `qmp:"auto-dismiss"`
}

func (b BlockdevBackup) args() Value {
	return Dict(M("device", Str(b.Device)), M("job-id", text(b.JobID)), M("target", Str(b.Target)),
		M("sync", Str(b.Sync)), M("bitmap", text(b.Bitmap)), M("bitmap-mode", text(b.BitmapMode)),
		M("speed", number(b.Speed)), M("on-source-error", text(b.OnSourceError)),
		M("on-target-error", text(b.OnTargetError)), M("filter-node-name", text(b.FilterNodeName)),
		M("compress", b.Compress.value()), M("auto-finalize", b.AutoFinalize.value()),
		M("auto-dismiss", b.AutoDismiss.value()))
}

// Command gives it as a command.
func (b BlockdevBackup) Command() Command { return Command{"blockdev-backup", b.args()} }

// Action gives it as part of a transaction.
func (b BlockdevBackup) Action() Value { return action("blockdev-backup", b.args()) }

// BlockJobCancel is block-job-cancel; unknown jobs are DeviceNotActive.
type BlockJobCancel struct {
	Device string `qmp:"device"` // the job's id
	Force  Bool3  `qmp:"force"`
}

// Command gives it as a command.
func (b BlockJobCancel) Command() Command {
	return Command{"block-job-cancel", Dict(M("device", Str(b.Device)), M("force", b.Force.value()))}
}

// BlockSetWriteThreshold is block-set-write-threshold: one event when a write to the
// node passes that offset; 0 takes it back.
type BlockSetWriteThreshold struct {
	NodeName  string `qmp:"node-name"`
	Threshold uint64 `qmp:"write-threshold"` // bytes; always sent
}

// Command gives it as a command.
func (b BlockSetWriteThreshold) Command() Command {
	return Command{"block-set-write-threshold", Dict(M("node-name", Str(b.NodeName)), M("write-threshold", Uint(b.Threshold)))}
}

// BlockJobSetSpeed is block-job-set-speed.
type BlockJobSetSpeed struct {
	Device string `qmp:"device"`
	Speed  int64  `qmp:"speed"` // bytes per second, 0 is unlimited; always sent
}

// Command gives it as a command.
func (b BlockJobSetSpeed) Command() Command {
	return Command{"block-job-set-speed", Dict(M("device", Str(b.Device)), M("speed", Int(b.Speed)))}
}

func jobCommand(name, id string) Command { return Command{name, Dict(M("id", Str(id)))} }

// JobDismiss is job-dismiss: a concluded job goes away.
type JobDismiss struct {
	ID string `qmp:"id"`
}

// Command gives it as a command.
func (j JobDismiss) Command() Command { return jobCommand("job-dismiss", j.ID) }

// JobCancel is job-cancel, which forces.
type JobCancel struct {
	ID string `qmp:"id"`
}

// Command gives it as a command.
func (j JobCancel) Command() Command { return jobCommand("job-cancel", j.ID) }

// JobPause is job-pause.
type JobPause struct {
	ID string `qmp:"id"`
}

// Command gives it as a command.
func (j JobPause) Command() Command { return jobCommand("job-pause", j.ID) }

// JobResume is job-resume.
type JobResume struct {
	ID string `qmp:"id"`
}

// Command gives it as a command.
func (j JobResume) Command() Command { return jobCommand("job-resume", j.ID) }

// JobFinalize is job-finalize: a pending job concludes.
type JobFinalize struct {
	ID string `qmp:"id"`
}

// Command gives it as a command.
func (j JobFinalize) Command() Command { return jobCommand("job-finalize", j.ID) }

// JobComplete is job-complete: a ready job comes to its end.
type JobComplete struct {
	ID string `qmp:"id"`
}

// Command gives it as a command.
func (j JobComplete) Command() Command { return jobCommand("job-complete", j.ID) }
