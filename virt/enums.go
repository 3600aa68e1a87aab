package virt

// DomainBackupBeginFlags are the flags of BackupBegin: the seed's two, and
// REUSE_EXTERNAL as an extension, since libvirt's released value of it collides
// with NO_METADATA (contract row 3).
type DomainBackupBeginFlags uint32

// Flags of BackupBegin.
const (
	DOMAIN_BACKUP_BEGIN_NO_METADATA    DomainBackupBeginFlags = 1 << 0
	DOMAIN_BACKUP_BEGIN_QUIESCE        DomainBackupBeginFlags = 1 << 1
	DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL DomainBackupBeginFlags = 1 << 16
)

// DomainBackupEndFlags are the flags of BackupEnd.
type DomainBackupEndFlags uint32

// DOMAIN_BACKUP_END_ABORT abandons a push that still copies.
const DOMAIN_BACKUP_END_ABORT DomainBackupEndFlags = 1 << 0

// DomainCheckpointCreateFlags are the flags of CreateCheckpointXML.
type DomainCheckpointCreateFlags uint32

// Flags of CreateCheckpointXML, as released.
const (
	DOMAIN_CHECKPOINT_CREATE_REDEFINE          DomainCheckpointCreateFlags = 1 << 0
	DOMAIN_CHECKPOINT_CREATE_QUIESCE           DomainCheckpointCreateFlags = 1 << 1
	DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE DomainCheckpointCreateFlags = 1 << 2
)

// DomainCheckpointXMLFlags are the flags of a checkpoint's GetXMLDesc.
type DomainCheckpointXMLFlags uint32

// Flags of a checkpoint's GetXMLDesc.
const (
	DOMAIN_CHECKPOINT_XML_SECURE    DomainCheckpointXMLFlags = 1 << 0
	DOMAIN_CHECKPOINT_XML_NO_DOMAIN DomainCheckpointXMLFlags = 1 << 1
	DOMAIN_CHECKPOINT_XML_SIZE      DomainCheckpointXMLFlags = 1 << 2
)

// DomainCheckpointListFlags filter lists of checkpoints. Bit 0 restricts to roots
// on the domain's call and extends to all descendants on the checkpoint's.
type DomainCheckpointListFlags uint32

// Flags of checkpoint lists.
const (
	DOMAIN_CHECKPOINT_LIST_ROOTS       DomainCheckpointListFlags = 1 << 0
	DOMAIN_CHECKPOINT_LIST_DESCENDANTS DomainCheckpointListFlags = 1 << 0
	DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL DomainCheckpointListFlags = 1 << 1
	DOMAIN_CHECKPOINT_LIST_LEAVES      DomainCheckpointListFlags = 1 << 2
	DOMAIN_CHECKPOINT_LIST_NO_LEAVES   DomainCheckpointListFlags = 1 << 3
)

// DomainCheckpointDeleteFlags are the flags of a checkpoint's Delete.
type DomainCheckpointDeleteFlags uint32

// Flags of a checkpoint's Delete.
const (
	DOMAIN_CHECKPOINT_DELETE_CHILDREN      DomainCheckpointDeleteFlags = 1 << 0
	DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY DomainCheckpointDeleteFlags = 1 << 1
	DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY DomainCheckpointDeleteFlags = 1 << 2
)

// DomainSnapshotCreateFlags are the flags of SnapshotCreateXML and
// SnapshotCreateXML2.
type DomainSnapshotCreateFlags uint32

// Flags of SnapshotCreateXML.
const (
	DOMAIN_SNAPSHOT_CREATE_REDEFINE    DomainSnapshotCreateFlags = 1 << 0
	DOMAIN_SNAPSHOT_CREATE_CURRENT     DomainSnapshotCreateFlags = 1 << 1
	DOMAIN_SNAPSHOT_CREATE_NO_METADATA DomainSnapshotCreateFlags = 1 << 2
	DOMAIN_SNAPSHOT_CREATE_HALT        DomainSnapshotCreateFlags = 1 << 3
	DOMAIN_SNAPSHOT_CREATE_DISK_ONLY   DomainSnapshotCreateFlags = 1 << 4
	DOMAIN_SNAPSHOT_CREATE_REUSE_EXT   DomainSnapshotCreateFlags = 1 << 5
	DOMAIN_SNAPSHOT_CREATE_QUIESCE     DomainSnapshotCreateFlags = 1 << 6
	DOMAIN_SNAPSHOT_CREATE_ATOMIC      DomainSnapshotCreateFlags = 1 << 7
	DOMAIN_SNAPSHOT_CREATE_LIVE        DomainSnapshotCreateFlags = 1 << 8
	DOMAIN_SNAPSHOT_CREATE_VALIDATE    DomainSnapshotCreateFlags = 1 << 9
)

// DomainGetJobStatsFlags are the flags of GetJobStats.
type DomainGetJobStatsFlags uint32

// Flags of GetJobStats.
const (
	DOMAIN_JOB_STATS_COMPLETED      DomainGetJobStatsFlags = 1 << 0
	DOMAIN_JOB_STATS_KEEP_COMPLETED DomainGetJobStatsFlags = 1 << 1
)

// ListAllDomainsFlags filter ListAllDomains; both of a group together are no filter.
type ListAllDomainsFlags uint32

// Filters of ListAllDomains.
const (
	CONNECT_LIST_DOMAINS_ACTIVE         ListAllDomainsFlags = 1 << 0
	CONNECT_LIST_DOMAINS_INACTIVE       ListAllDomainsFlags = 1 << 1
	CONNECT_LIST_DOMAINS_HAS_CHECKPOINT ListAllDomainsFlags = 1 << 14
	CONNECT_LIST_DOMAINS_NO_CHECKPOINT  ListAllDomainsFlags = 1 << 15
)

// DomainUndefineFlags are the flags of Undefine.
type DomainUndefineFlags uint32

// DOMAIN_UNDEFINE_CHECKPOINTS_METADATA removes the metadata of checkpoints too.
const DOMAIN_UNDEFINE_CHECKPOINTS_METADATA DomainUndefineFlags = 1 << 4

// DomainXMLFlags are the flags of a domain's GetXMLDesc.
type DomainXMLFlags uint32

// Flags of a domain's GetXMLDesc.
const (
	DOMAIN_XML_SECURE   DomainXMLFlags = 1 << 0
	DOMAIN_XML_INACTIVE DomainXMLFlags = 1 << 1
)

// DomainState is virDomainState.
type DomainState int

// The states that occur.
const (
	DOMAIN_NOSTATE DomainState = 0
	DOMAIN_RUNNING DomainState = 1
	DOMAIN_PAUSED  DomainState = 3
	DOMAIN_SHUTOFF DomainState = 5
	DOMAIN_CRASHED DomainState = 6
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
)

// String is virsh's text for people.
func (o DomainJobOperation) String() string {
	texts := [...]string{
		"Unknown", "Start", "Save", "Restore", "Incoming migration", "Outgoing migration",
		"Snapshot", "Snapshot revert", "Dump", "Backup",
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
	DOMAIN_EVENT_STOPPED_SHUTDOWN  = 0
	DOMAIN_EVENT_STOPPED_DESTROYED = 1
	DOMAIN_EVENT_STOPPED_CRASHED   = 2
)
