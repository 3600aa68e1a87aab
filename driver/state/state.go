// Package state is what a driver must remember of a domain over its own death:
// the run, the counters, and the backup with the fate of each of its disks; and
// the compact text in which it is stored.
//
// It is not the definition of the domain nor its checkpoints, which have files of
// their own.
//
// The property it keeps: Parse(Append(s)) is s, and a text that was cut off or
// altered in its frame is refused.
package state

// Phase says how far a backup has come. A stored phase tells a restarted driver
// what may exist.
type Phase uint8

// The phases, in order.
const (
	// Intent: target files may exist, made by us and still empty.
	Intent Phase = iota
	// Created: target files exist; their nodes, the transaction, and the metadata
	// of the checkpoint may exist too. Jobs in QEMU tell that the transaction was
	// executed.
	Created
	// Running: Begin has returned, or is about to.
	Running
	// Done: all is cleaned up; the job waits for BackupEnd.
	Done
)

// DiskState is the fate of one disk of a backup.
type DiskState uint8

// The states, in libvirt's words.
const (
	DiskRunning DiskState = iota
	DiskComplete
	DiskFailed
	DiskCancelled
)

// Domain is the stored state.
type Domain struct {
	RunID     int  // of the running or last run; 0 if there was none
	NextNode  int  // first free number of block nodes
	NextJob   int  // first free job id
	Transient bool // was undefined while it ran
	// Frozen says that a call has the guest's file systems frozen, or may have.
	Frozen bool
	Backup *Backup
	// Current is the name of the current snapshot, "" if there is none.
	Current  string
	Snapshot *Snapshot // being made, or made and not yet in all definitions
	// Leaving is a save or a migration that is under way; nil if there is none.
	Leaving *Leaving
	// BlockJobs are the jobs that change the chains of disks, at most one per disk.
	BlockJobs []*BlockJob
}

// Leaving is a save of the domain's memory, or its migration.
type Leaving struct {
	Path   string // of the file of a save; "" for a migration
	Resume bool   // the guest ran
	// Complete says that the file of a save has all: the machine must go, and the file
	// must stay.
	Complete bool
}

// SnapshotPhase says how far a snapshot has come.
type SnapshotPhase uint8

// The phases, in order.
const (
	// SnapshotIntent: overlays may exist, made by us and still empty.
	SnapshotIntent SnapshotPhase = iota
	// SnapshotCreated: the files of overlays that we make exist; their nodes and the
	// metadata may exist too.
	SnapshotCreated
	// SnapshotReady: the overlays are formatted and all metadata is written; the
	// transaction may have been executed.
	SnapshotReady
)

// Snapshot is a snapshot that is being made.
type Snapshot struct {
	Name       string
	Phase      SnapshotPhase
	Metadata   bool   // the snapshot is remembered
	Checkpoint string // remembered with it; "" for none
	Disks      []*Overlay
}

// Overlay is the new image of a disk.
type Overlay struct {
	Name  string // target
	Below string // path of the image that it is laid over
	Type  string // "file" or "block"
	Path  string
	Node  int  // number of the overlay's nodes
	Made  bool // the file is ours to delete
}

// Backup is a backup job.
type Backup struct {
	ID         int
	Phase      Phase
	XML        string // the aligned document
	Checkpoint string // made in the same call; "" for none
	NoMetadata bool   // the checkpoint is not remembered
	Reuse      bool   // REUSE_EXTERNAL: the files are not ours
	StartedMS  int64  // milliseconds since the Epoch
	ElapsedMS  int64  // of a finished job
	Result     int    // virDomainJobType of a finished job
	Error      string // first error of any disk
	Disks      []*Disk
}

// Disk is a disk that takes part.
type Disk struct {
	Name    string // target
	Node    int    // number of the target's nodes
	Source  string // name of the disk's own top node
	Job     string // id of the job in QEMU
	Bitmap  string // temporary bitmap on Source; "" for none
	Made    bool   // the file is ours to delete
	State   DiskState
	Cleaned bool // job, nodes and bitmap are gone from QEMU
	Current int64
	Total   int64
}
