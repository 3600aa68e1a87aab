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

// DomainSnapshotXMLFlags are the flags of Snapshot.GetXMLDesc.
type DomainSnapshotXMLFlags uint32

// Flags of Snapshot.GetXMLDesc.
const (
	DOMAIN_SNAPSHOT_XML_SECURE DomainSnapshotXMLFlags = 1 << 0
)

// DomainSnapshotDeleteFlags are the flags of Snapshot.Delete.
type DomainSnapshotDeleteFlags uint32

// Flags of Snapshot.Delete.
const (
	DOMAIN_SNAPSHOT_DELETE_CHILDREN      DomainSnapshotDeleteFlags = 1 << 0
	DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY DomainSnapshotDeleteFlags = 1 << 1
	DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY DomainSnapshotDeleteFlags = 1 << 2
)

// DomainSnapshotListFlags are the flags of ListAllSnapshots and of
// Snapshot.ListAllChildren. ROOTS and DESCENDANTS are the same bit.
type DomainSnapshotListFlags uint32

// Flags of the lists of snapshots.
const (
	DOMAIN_SNAPSHOT_LIST_ROOTS       DomainSnapshotListFlags = 1 << 0
	DOMAIN_SNAPSHOT_LIST_DESCENDANTS DomainSnapshotListFlags = 1 << 0
	DOMAIN_SNAPSHOT_LIST_METADATA    DomainSnapshotListFlags = 1 << 1
	DOMAIN_SNAPSHOT_LIST_LEAVES      DomainSnapshotListFlags = 1 << 2
	DOMAIN_SNAPSHOT_LIST_NO_LEAVES   DomainSnapshotListFlags = 1 << 3
	DOMAIN_SNAPSHOT_LIST_NO_METADATA DomainSnapshotListFlags = 1 << 4
	DOMAIN_SNAPSHOT_LIST_INACTIVE    DomainSnapshotListFlags = 1 << 5
	DOMAIN_SNAPSHOT_LIST_ACTIVE      DomainSnapshotListFlags = 1 << 6
	DOMAIN_SNAPSHOT_LIST_DISK_ONLY   DomainSnapshotListFlags = 1 << 7
	DOMAIN_SNAPSHOT_LIST_INTERNAL    DomainSnapshotListFlags = 1 << 8
	DOMAIN_SNAPSHOT_LIST_EXTERNAL    DomainSnapshotListFlags = 1 << 9
	DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL DomainSnapshotListFlags = 1 << 10
)

// DomainGetJobStatsFlags are the flags of GetJobStats.
type DomainGetJobStatsFlags uint32

// Flags of GetJobStats.
const (
	DOMAIN_JOB_STATS_COMPLETED      DomainGetJobStatsFlags = 1 << 0
	DOMAIN_JOB_STATS_KEEP_COMPLETED DomainGetJobStatsFlags = 1 << 1
)

// DomainAbortJobFlags are the flags of AbortJobFlags.
type DomainAbortJobFlags uint32

// DOMAIN_ABORT_JOB_POSTCOPY interrupts a migration by post-copy, and nothing else.
const DOMAIN_ABORT_JOB_POSTCOPY DomainAbortJobFlags = 1 << 0

// DomainBlockJobAbortFlags are the flags of BlockJobAbort.
type DomainBlockJobAbortFlags uint32

// Flags of BlockJobAbort, as released.
const (
	DOMAIN_BLOCK_JOB_ABORT_ASYNC DomainBlockJobAbortFlags = 1 << 0
	DOMAIN_BLOCK_JOB_ABORT_PIVOT DomainBlockJobAbortFlags = 1 << 1
)

// DomainBlockJobInfoFlags are the flags of GetBlockJobInfo.
type DomainBlockJobInfoFlags uint32

// DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES asks for bytes/s and not MiB/s.
const DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES DomainBlockJobInfoFlags = 1 << 0

// DomainBlockJobSetSpeedFlags are the flags of BlockJobSetSpeed.
type DomainBlockJobSetSpeedFlags uint32

// DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES says that the bandwidth is in bytes/s.
const DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES DomainBlockJobSetSpeedFlags = 1 << 0

// DomainBlockPullFlags are the flags of BlockPull.
type DomainBlockPullFlags uint32

// DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES says that the bandwidth is in bytes/s.
const DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES DomainBlockPullFlags = 1 << 6

// DomainBlockRebaseFlags are the flags of BlockRebase.
type DomainBlockRebaseFlags uint32

// Flags of BlockRebase, as released.
const (
	DOMAIN_BLOCK_REBASE_SHALLOW         DomainBlockRebaseFlags = 1 << 0
	DOMAIN_BLOCK_REBASE_REUSE_EXT       DomainBlockRebaseFlags = 1 << 1
	DOMAIN_BLOCK_REBASE_COPY_RAW        DomainBlockRebaseFlags = 1 << 2
	DOMAIN_BLOCK_REBASE_COPY            DomainBlockRebaseFlags = 1 << 3
	DOMAIN_BLOCK_REBASE_RELATIVE        DomainBlockRebaseFlags = 1 << 4
	DOMAIN_BLOCK_REBASE_COPY_DEV        DomainBlockRebaseFlags = 1 << 5
	DOMAIN_BLOCK_REBASE_BANDWIDTH_BYTES DomainBlockRebaseFlags = 1 << 6
)

// DomainBlockCommitFlags are the flags of BlockCommit.
type DomainBlockCommitFlags uint32

// Flags of BlockCommit, as released.
const (
	DOMAIN_BLOCK_COMMIT_SHALLOW         DomainBlockCommitFlags = 1 << 0
	DOMAIN_BLOCK_COMMIT_DELETE          DomainBlockCommitFlags = 1 << 1
	DOMAIN_BLOCK_COMMIT_ACTIVE          DomainBlockCommitFlags = 1 << 2
	DOMAIN_BLOCK_COMMIT_RELATIVE        DomainBlockCommitFlags = 1 << 3
	DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES DomainBlockCommitFlags = 1 << 4
)

// DomainBlockCopyFlags are the flags of BlockCopy.
type DomainBlockCopyFlags uint32

// Flags of BlockCopy, as released.
const (
	DOMAIN_BLOCK_COPY_SHALLOW            DomainBlockCopyFlags = 1 << 0
	DOMAIN_BLOCK_COPY_REUSE_EXT          DomainBlockCopyFlags = 1 << 1
	DOMAIN_BLOCK_COPY_TRANSIENT_JOB      DomainBlockCopyFlags = 1 << 2
	DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES DomainBlockCopyFlags = 1 << 3
)

// DomainBlockResizeFlags are the flags of BlockResize.
type DomainBlockResizeFlags uint32

// DOMAIN_BLOCK_RESIZE_BYTES says that the size is in bytes.
const DOMAIN_BLOCK_RESIZE_BYTES DomainBlockResizeFlags = 1 << 0

// DomainDeviceModifyFlags are the flags of AttachDeviceFlags and DetachDeviceFlags.
type DomainDeviceModifyFlags uint32

// Flags of AttachDeviceFlags and DetachDeviceFlags, as released. CURRENT is LIVE for a
// domain that runs and CONFIG for one that does not.
const (
	DOMAIN_DEVICE_MODIFY_CURRENT DomainDeviceModifyFlags = 0
	DOMAIN_DEVICE_MODIFY_LIVE    DomainDeviceModifyFlags = 1 << 0
	DOMAIN_DEVICE_MODIFY_CONFIG  DomainDeviceModifyFlags = 1 << 1
)

// DomainMigrateFlags are the flags of MigrateToURI.
type DomainMigrateFlags uint32

// Flags of MigrateToURI, as released, as far as they are told apart here.
const (
	MIGRATE_LIVE      DomainMigrateFlags = 1 << 0
	MIGRATE_PEER2PEER DomainMigrateFlags = 1 << 1
)

// ListAllDomainsFlags filter ListAllDomains; both of a group together are no filter.
type ListAllDomainsFlags uint32

// Filters of ListAllDomains, as released.
const (
	CONNECT_LIST_DOMAINS_ACTIVE         ListAllDomainsFlags = 1 << 0
	CONNECT_LIST_DOMAINS_INACTIVE       ListAllDomainsFlags = 1 << 1
	CONNECT_LIST_DOMAINS_PERSISTENT     ListAllDomainsFlags = 1 << 2
	CONNECT_LIST_DOMAINS_TRANSIENT      ListAllDomainsFlags = 1 << 3
	CONNECT_LIST_DOMAINS_RUNNING        ListAllDomainsFlags = 1 << 4
	CONNECT_LIST_DOMAINS_PAUSED         ListAllDomainsFlags = 1 << 5
	CONNECT_LIST_DOMAINS_SHUTOFF        ListAllDomainsFlags = 1 << 6
	CONNECT_LIST_DOMAINS_OTHER          ListAllDomainsFlags = 1 << 7
	CONNECT_LIST_DOMAINS_MANAGEDSAVE    ListAllDomainsFlags = 1 << 8
	CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE ListAllDomainsFlags = 1 << 9
	CONNECT_LIST_DOMAINS_AUTOSTART      ListAllDomainsFlags = 1 << 10
	CONNECT_LIST_DOMAINS_NO_AUTOSTART   ListAllDomainsFlags = 1 << 11
	CONNECT_LIST_DOMAINS_HAS_SNAPSHOT   ListAllDomainsFlags = 1 << 12
	CONNECT_LIST_DOMAINS_NO_SNAPSHOT    ListAllDomainsFlags = 1 << 13
	CONNECT_LIST_DOMAINS_HAS_CHECKPOINT ListAllDomainsFlags = 1 << 14
	CONNECT_LIST_DOMAINS_NO_CHECKPOINT  ListAllDomainsFlags = 1 << 15
)

// DomainUndefineFlags are the flags of Undefine.
type DomainUndefineFlags uint32

// Flags of Undefine, as released.
const (
	DOMAIN_UNDEFINE_MANAGED_SAVE         DomainUndefineFlags = 1 << 0
	DOMAIN_UNDEFINE_SNAPSHOTS_METADATA   DomainUndefineFlags = 1 << 1
	DOMAIN_UNDEFINE_NVRAM                DomainUndefineFlags = 1 << 2
	DOMAIN_UNDEFINE_KEEP_NVRAM           DomainUndefineFlags = 1 << 3
	DOMAIN_UNDEFINE_CHECKPOINTS_METADATA DomainUndefineFlags = 1 << 4
)

// DomainXMLFlags are the flags of a domain's GetXMLDesc.
type DomainXMLFlags uint32

// Flags of a domain's GetXMLDesc.
const (
	DOMAIN_XML_SECURE     DomainXMLFlags = 1 << 0
	DOMAIN_XML_INACTIVE   DomainXMLFlags = 1 << 1
	DOMAIN_XML_UPDATE_CPU DomainXMLFlags = 1 << 2
	DOMAIN_XML_MIGRATABLE DomainXMLFlags = 1 << 3
)
