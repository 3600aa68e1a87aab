package qmp

// Job is an entry of query-jobs: every job there is, newest first.
type Job struct {
	ID      string
	Type    string // "backup", "create", …
	Status  string // "running", "concluded", …
	Current int64  // progress in bytes for block jobs
	Total   int64
	Error   string // why a concluded job failed; "" if it did not
}

// Jobs reads the result of query-jobs.
func Jobs(result Value) ([]Job, error) {
	return each("query-jobs", result, func(r *viewer, v Value) Job {
		return Job{
			ID: r.text(v, "id"), Type: r.text(v, "type"), Status: r.text(v, "status"),
			Current: r.int(v, "current-progress"), Total: r.int(v, "total-progress"),
			Error: r.optText(v, "error"),
		}
	})
}

// BlockJob is an entry of query-block-jobs.
type BlockJob struct {
	Type         string
	Device       string // the job's id
	Len          int64  // bytes
	Offset       int64  // bytes
	Speed        int64  // bytes per second, 0 is unlimited
	Busy         bool   // false while throttled, paused, or idle
	Paused       bool   // by the user or by an error
	Ready        bool
	IOStatus     string // "ok", "failed" or "nospace"
	Status       string
	AutoFinalize bool
	AutoDismiss  bool
	Error        string
}

// BlockJobs reads the result of query-block-jobs.
func BlockJobs(result Value) ([]BlockJob, error) {
	return each("query-block-jobs", result, func(r *viewer, v Value) BlockJob {
		return BlockJob{
			Type: r.text(v, "type"), Device: r.text(v, "device"),
			Len: r.int(v, "len"), Offset: r.int(v, "offset"), Speed: r.int(v, "speed"),
			Busy: r.bool(v, "busy"), Paused: r.bool(v, "paused"), Ready: r.bool(v, "ready"),
			IOStatus: r.text(v, "io-status"), Status: r.text(v, "status"),
			AutoFinalize: r.bool(v, "auto-finalize"), AutoDismiss: r.bool(v, "auto-dismiss"),
			Error: r.optText(v, "error"),
		}
	})
}

// DirtyBitmap is an entry of a node's dirty-bitmaps.
type DirtyBitmap struct {
	Name         string // "" for the anonymous ones of a running backup: skip them
	Granularity  int64  // bytes
	Count        int64  // bytes: set bits times granularity, may exceed the image
	Recording    bool
	Busy         bool
	Persistent   bool
	Inconsistent bool
}

// NamedNode is an entry of query-named-block-nodes, and what a device has
// inserted.
type NamedNode struct {
	NodeName       string
	Driver         string
	File           string
	ReadOnly       bool
	BackingFile    string // "" if none
	VirtualSize    int64  // bytes
	ActualSize     int64  // bytes on the host
	ClusterSize    int64  // bytes, 0 if the format has none
	WriteThreshold int64  // bytes, 0 if none is set
	DataFile       bool   // the content of a qcow2 image is in another file
	Bitmaps        []DirtyBitmap
}

// Bitmap finds a bitmap of the node by name.
func (n *NamedNode) Bitmap(name string) (DirtyBitmap, bool) {
	for i := range n.Bitmaps {
		if n.Bitmaps[i].Name == name {
			return n.Bitmaps[i], true
		}
	}
	return DirtyBitmap{}, false
}

// NamedNodes reads the result of query-named-block-nodes, newest node first.
func NamedNodes(result Value) ([]NamedNode, error) {
	return each("query-named-block-nodes", result, namedNode)
}

func namedNode(r *viewer, v Value) NamedNode {
	image := v.Get("image")
	n := NamedNode{
		NodeName: r.optText(v, "node-name"), Driver: r.text(v, "drv"), File: r.text(v, "file"),
		ReadOnly: r.bool(v, "ro"), BackingFile: r.optText(v, "backing_file"),
		VirtualSize: r.int(image, "virtual-size"), ActualSize: r.optInt(image, "actual-size"),
		ClusterSize: r.optInt(image, "cluster-size"), WriteThreshold: r.int(v, "write_threshold"),
		DataFile: image.Get("format-specific").Get("data").Get("data-file-raw").Present(), // others do not show it
	}
	if items := v.Get("dirty-bitmaps").Items(); len(items) > 0 {
		n.Bitmaps = make([]DirtyBitmap, len(items))
		for i := range items {
			n.Bitmaps[i] = dirtyBitmap(r, items[i])
		}
	}
	return n
}

func dirtyBitmap(r *viewer, v Value) DirtyBitmap {
	return DirtyBitmap{
		Name: r.optText(v, "name"), Granularity: r.int(v, "granularity"), Count: r.int(v, "count"),
		Recording: r.bool(v, "recording"), Busy: r.bool(v, "busy"),
		Persistent: r.bool(v, "persistent"), Inconsistent: r.optBool(v, "inconsistent"),
	}
}

// BlockDevice is an entry of query-block, in the order the devices were made.
type BlockDevice struct {
	Device   string // "" for devices of -blockdev
	QDev     string // the device's id or object path
	IOStatus string // "" if werror and rerror only report
	Inserted *NamedNode
}

// BlockDevices reads the result of query-block.
func BlockDevices(result Value) ([]BlockDevice, error) {
	return each("query-block", result, func(r *viewer, v Value) BlockDevice {
		d := BlockDevice{
			Device: r.text(v, "device"), QDev: r.optText(v, "qdev"), IOStatus: r.optText(v, "io-status"),
		}
		if inserted := v.Get("inserted"); inserted.Present() {
			n := namedNode(r, inserted)
			d.Inserted = &n
		}
		return d
	})
}

// BlockExport is an entry of query-block-exports, newest first.
type BlockExport struct {
	ID           string
	Type         string
	NodeName     string // of the filter, while a backup runs on the node
	ShuttingDown bool
}

// BlockExports reads the result of query-block-exports.
func BlockExports(result Value) ([]BlockExport, error) {
	return each("query-block-exports", result, func(r *viewer, v Value) BlockExport {
		return BlockExport{
			ID: r.text(v, "id"), Type: r.text(v, "type"), NodeName: r.text(v, "node-name"),
			ShuttingDown: r.bool(v, "shutting-down"),
		}
	})
}

// Status is the result of query-status.
type Status struct {
	Status  string // "prelaunch", "running", "paused", "io-error", …
	Running bool
}

// RunStatus reads the result of query-status.
func RunStatus(result Value) (Status, error) {
	r := viewer{what: "query-status"}
	s := Status{Status: r.text(result, "status"), Running: r.bool(result, "running")}
	return s, r.err
}
