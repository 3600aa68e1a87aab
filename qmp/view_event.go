package qmp

// Names of the events that backup software follows.
const (
	EventJobStatusChange    = "JOB_STATUS_CHANGE"
	EventBlockJobCompleted  = "BLOCK_JOB_COMPLETED"
	EventBlockJobCancelled  = "BLOCK_JOB_CANCELLED"
	EventBlockJobReady      = "BLOCK_JOB_READY"
	EventBlockJobPending    = "BLOCK_JOB_PENDING"
	EventBlockJobError      = "BLOCK_JOB_ERROR"
	EventBlockIOError       = "BLOCK_IO_ERROR"
	EventWriteThreshold     = "BLOCK_WRITE_THRESHOLD"
	EventBlockExportDeleted = "BLOCK_EXPORT_DELETED"
	EventStop               = "STOP"
	EventResume             = "RESUME"
	EventReset              = "RESET"
	EventPowerdown          = "POWERDOWN"
	EventShutdown           = "SHUTDOWN"
	EventDeviceDeleted      = "DEVICE_DELETED"
	EventMigration          = "MIGRATION"
)

// Job states (JobStatus in qapi/job.json).
const (
	JobUndefined = "undefined"
	JobCreated   = "created"
	JobRunning   = "running"
	JobPaused    = "paused"
	JobReady     = "ready"
	JobStandby   = "standby"
	JobWaiting   = "waiting"
	JobPending   = "pending"
	JobAborting  = "aborting"
	JobConcluded = "concluded"
	JobNull      = "null"
)

// JobStatusChange is the event of that name.
type JobStatusChange struct {
	ID     string
	Status string
}

// AsJobStatusChange reads e; ok is false if it is another event.
func AsJobStatusChange(e Event) (j JobStatusChange, ok bool) {
	if e.Name != EventJobStatusChange {
		return JobStatusChange{}, false
	}
	return JobStatusChange{ID: e.Data.Get("id").S(), Status: e.Data.Get("status").S()}, true
}

// WriteThreshold is BLOCK_WRITE_THRESHOLD: a write to a node went beyond its threshold,
// which is gone now.
type WriteThreshold struct {
	NodeName  string
	Threshold uint64 // bytes
	Exceeded  uint64 // bytes beyond it
}

// AsWriteThreshold reads e; ok is false if it is another event.
func AsWriteThreshold(e Event) (w WriteThreshold, ok bool) {
	if e.Name != EventWriteThreshold {
		return WriteThreshold{}, false
	}
	w.NodeName = e.Data.Get("node-name").S()
	w.Threshold, _ = e.Data.Get("write-threshold").Uint64()
	w.Exceeded, _ = e.Data.Get("amount-exceeded").Uint64()
	return w, true
}

// BlockJobEnd is BLOCK_JOB_COMPLETED, which failed jobs send as well, or
// BLOCK_JOB_CANCELLED. BLOCK_JOB_READY has the same data.
type BlockJobEnd struct {
	Type   string
	Device string // the job's id
	Len    int64  // bytes
	Offset int64  // bytes
	Speed  int64  // bytes per second
	Error  string // of a job that failed; never with BLOCK_JOB_CANCELLED
}

// AsBlockJobEnd reads e; ok is false if it is another event.
func AsBlockJobEnd(e Event) (b BlockJobEnd, ok bool) {
	switch e.Name {
	case EventBlockJobCompleted, EventBlockJobCancelled, EventBlockJobReady:
	default:
		return BlockJobEnd{}, false
	}
	b = BlockJobEnd{
		Type: e.Data.Get("type").S(), Device: e.Data.Get("device").S(), Error: e.Data.Get("error").S(),
	}
	b.Len, _ = e.Data.Get("len").Int64()
	b.Offset, _ = e.Data.Get("offset").Int64()
	b.Speed, _ = e.Data.Get("speed").Int64()
	return b, true
}

// BlockJobError is BLOCK_JOB_ERROR: one failed operation of a job.
type BlockJobError struct {
	Device    string // the job's id
	Operation string // "read" or "write"
	Action    string // "report", "ignore" or "stop"
}

// AsBlockJobError reads e; ok is false if it is another event.
func AsBlockJobError(e Event) (b BlockJobError, ok bool) {
	if e.Name != EventBlockJobError {
		return BlockJobError{}, false
	}
	d := e.Data
	return BlockJobError{Device: d.Get("device").S(), Operation: d.Get("operation").S(), Action: d.Get("action").S()}, true
}

// BlockIOError is BLOCK_IO_ERROR: one failed request of the guest.
type BlockIOError struct {
	Device    string
	NodeName  string
	Operation string
	Action    string
	Reason    string
	NoSpace   bool
}

// AsBlockIOError reads e; ok is false if it is another event.
func AsBlockIOError(e Event) (b BlockIOError, ok bool) {
	if e.Name != EventBlockIOError {
		return BlockIOError{}, false
	}
	d := e.Data
	return BlockIOError{
		Device: d.Get("device").S(), NodeName: d.Get("node-name").S(), Operation: d.Get("operation").S(),
		Action: d.Get("action").S(), Reason: d.Get("reason").S(), NoSpace: d.Get("nospace").IsTrue(),
	}, true
}

// AsBlockExportDeleted reads the id of BLOCK_EXPORT_DELETED; ok is false if e is
// another event.
func AsBlockExportDeleted(e Event) (id string, ok bool) {
	if e.Name != EventBlockExportDeleted {
		return "", false
	}
	return e.Data.Get("id").S(), true
}

// Shutdown is SHUTDOWN.
type Shutdown struct {
	Guest  bool   // the guest asked for it
	Reason string // "host-qmp-quit", "host-signal", …
}

// AsShutdown reads e; ok is false if it is another event.
func AsShutdown(e Event) (s Shutdown, ok bool) {
	if e.Name != EventShutdown {
		return Shutdown{}, false
	}
	return Shutdown{Guest: e.Data.Get("guest").IsTrue(), Reason: e.Data.Get("reason").S()}, true
}
