package virt

// DomainState is virDomainState.
type DomainState int

// The states, as released.
const (
	DOMAIN_NOSTATE     DomainState = 0
	DOMAIN_RUNNING     DomainState = 1
	DOMAIN_BLOCKED     DomainState = 2
	DOMAIN_PAUSED      DomainState = 3
	DOMAIN_SHUTDOWN    DomainState = 4
	DOMAIN_SHUTOFF     DomainState = 5
	DOMAIN_CRASHED     DomainState = 6
	DOMAIN_PMSUSPENDED DomainState = 7
)

// DomainJobType is virDomainJobType.
type DomainJobType int

// The job types.
const (
	DOMAIN_JOB_NONE      DomainJobType = 0
	DOMAIN_JOB_BOUNDED   DomainJobType = 1
	DOMAIN_JOB_UNBOUNDED DomainJobType = 2
	DOMAIN_JOB_COMPLETED DomainJobType = 3
	DOMAIN_JOB_FAILED    DomainJobType = 4
	DOMAIN_JOB_CANCELLED DomainJobType = 5
)

// DomainJobOperation is virDomainJobOperation.
type DomainJobOperation int

// The job operations.
const (
	DOMAIN_JOB_OPERATION_UNKNOWN         DomainJobOperation = 0
	DOMAIN_JOB_OPERATION_START           DomainJobOperation = 1
	DOMAIN_JOB_OPERATION_SAVE            DomainJobOperation = 2
	DOMAIN_JOB_OPERATION_RESTORE         DomainJobOperation = 3
	DOMAIN_JOB_OPERATION_MIGRATION_IN    DomainJobOperation = 4
	DOMAIN_JOB_OPERATION_MIGRATION_OUT   DomainJobOperation = 5
	DOMAIN_JOB_OPERATION_SNAPSHOT        DomainJobOperation = 6
	DOMAIN_JOB_OPERATION_SNAPSHOT_REVERT DomainJobOperation = 7
	DOMAIN_JOB_OPERATION_DUMP            DomainJobOperation = 8
	DOMAIN_JOB_OPERATION_BACKUP          DomainJobOperation = 9
	DOMAIN_JOB_OPERATION_SNAPSHOT_DELETE DomainJobOperation = 10
)

// String is virsh's text for people.
func (o DomainJobOperation) String() string {
	texts := [...]string{
		"Unknown", "Start", "Save", "Restore", "Incoming migration", "Outgoing migration",
		"Snapshot", "Snapshot revert", "Dump", "Backup", "Snapshot delete",
	}
	if o < 0 || int(o) >= len(texts) {
		return texts[0]
	}
	return texts[o]
}

// BlockJobType is virDomainBlockJobType.
type BlockJobType int

// The block job types. BACKUP has no <mirror> spelling.
const (
	DOMAIN_BLOCK_JOB_TYPE_UNKNOWN       BlockJobType = 0
	DOMAIN_BLOCK_JOB_TYPE_PULL          BlockJobType = 1
	DOMAIN_BLOCK_JOB_TYPE_COPY          BlockJobType = 2
	DOMAIN_BLOCK_JOB_TYPE_COMMIT        BlockJobType = 3
	DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT BlockJobType = 4
	DOMAIN_BLOCK_JOB_TYPE_BACKUP        BlockJobType = 5
)

// String is virsh's text for people.
func (b BlockJobType) String() string {
	texts := [...]string{"Unknown job", "Block Pull", "Block Copy", "Block Commit", "Active Block Commit", "Backup"}
	if b < 0 || int(b) >= len(texts) {
		return texts[0]
	}
	return texts[b]
}

// BlockJobStatus is virConnectDomainEventBlockJobStatus.
type BlockJobStatus int

// The statuses of a block job event.
const (
	DOMAIN_BLOCK_JOB_COMPLETED BlockJobStatus = 0
	DOMAIN_BLOCK_JOB_FAILED    BlockJobStatus = 1
	DOMAIN_BLOCK_JOB_CANCELED  BlockJobStatus = 2
	DOMAIN_BLOCK_JOB_READY     BlockJobStatus = 3
)

// LifecycleEventType is virDomainEventType.
type LifecycleEventType int

// The lifecycle events that occur.
const (
	DOMAIN_EVENT_DEFINED   LifecycleEventType = 0
	DOMAIN_EVENT_UNDEFINED LifecycleEventType = 1
	DOMAIN_EVENT_STARTED   LifecycleEventType = 2
	DOMAIN_EVENT_SUSPENDED LifecycleEventType = 3
	DOMAIN_EVENT_RESUMED   LifecycleEventType = 4
	DOMAIN_EVENT_STOPPED   LifecycleEventType = 5
)

// Details of DOMAIN_EVENT_STOPPED.
const (
	DOMAIN_EVENT_STOPPED_SHUTDOWN      = 0
	DOMAIN_EVENT_STOPPED_DESTROYED     = 1
	DOMAIN_EVENT_STOPPED_CRASHED       = 2
	DOMAIN_EVENT_STOPPED_MIGRATED      = 3
	DOMAIN_EVENT_STOPPED_SAVED         = 4
	DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT = 6
)
