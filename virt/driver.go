package virt

// A driver is any value; each call of the public layer looks for the one
// interface below that it needs. An absent one is NO_SUPPORT (3) with the name of
// the call. Drivers are handed identities, not handles: they look the domain up
// and answer NO_DOMAIN (42) if it went away.
//
// A failure is a non-nil error (an *Error, or it becomes code 1 with its text).
// A nil error beside an impossible result (id < 0, ret < 0) is code 1 with
// "An error occurred, but the cause is unknown" (E006).

// DomainID identifies a domain to a driver. Name and UUID are set, ID is QEMU's
// run id or -1 for a domain that was inactive when the handle was made.
type DomainID struct {
	Name string
	UUID string // canonical lower-case text
	ID   int
}

// CheckpointID identifies a checkpoint to a driver.
type CheckpointID struct {
	Domain DomainID
	Name   string
}

// SnapshotID identifies a snapshot to a driver.
type SnapshotID struct {
	Domain DomainID
	Name   string
}

// DomainDefiner is virDomainDefineXML.
type DomainDefiner interface {
	DomainDefineXML(xml string) (DomainID, error)
}

// DomainLookerByName is virDomainLookupByName.
type DomainLookerByName interface {
	DomainLookupByName(name string) (DomainID, error)
}

// DomainLookerByUUID is virDomainLookupByUUIDString.
type DomainLookerByUUID interface {
	DomainLookupByUUID(uuid string) (DomainID, error)
}

// DomainLister is virConnectListAllDomains.
type DomainLister interface {
	ListAllDomains(flags ListAllDomainsFlags) ([]DomainID, error)
}

// DomainCreator is virDomainCreate: start a defined domain.
type DomainCreator interface {
	DomainCreate(dom DomainID, flags uint32) (DomainID, error)
}

// DomainDestroyer is virDomainDestroy.
type DomainDestroyer interface {
	DomainDestroy(dom DomainID, flags uint32) error
}

// DomainUndefiner is virDomainUndefineFlags.
type DomainUndefiner interface {
	DomainUndefine(dom DomainID, flags DomainUndefineFlags) error
}

// DomainSuspender is virDomainSuspend.
type DomainSuspender interface{ DomainSuspend(dom DomainID) error }

// DomainResumer is virDomainResume.
type DomainResumer interface{ DomainResume(dom DomainID) error }

// DomainStater is virDomainGetState.
type DomainStater interface {
	DomainGetState(dom DomainID, flags uint32) (state DomainState, reason int, err error)
}

// DomainXMLDescriber is virDomainGetXMLDesc.
type DomainXMLDescriber interface {
	DomainGetXMLDesc(dom DomainID, flags DomainXMLFlags) (string, error)
}

// BackupBeginner is virDomainBackupBegin of the seed: it returns a job id >= 0.
type BackupBeginner interface {
	DomainBackupBegin(dom DomainID, diskXML, checkpointXML *string, flags DomainBackupBeginFlags) (int, error)
}

// BackupEnder is virDomainBackupEnd: 1 completed, 0 aborted.
type BackupEnder interface {
	DomainBackupEnd(dom DomainID, id int, flags DomainBackupEndFlags) (int, error)
}

// BackupXMLDescriber is virDomainBackupGetXMLDesc of the seed.
type BackupXMLDescriber interface {
	DomainBackupGetXMLDesc(dom DomainID, id int, flags uint32) (string, error)
}

// JobIDLister is virDomainListJobIds.
type JobIDLister interface {
	DomainListJobIds(dom DomainID, flags uint32) ([]DomainJobID, error)
}

// JobInfoGetter is virDomainGetJobInfo.
type JobInfoGetter interface {
	DomainGetJobInfo(dom DomainID) (DomainJobInfo, error)
}

// JobStatsGetter is virDomainGetJobStats.
type JobStatsGetter interface {
	DomainGetJobStats(dom DomainID, flags DomainGetJobStatsFlags) (DomainJobType, []TypedParam, error)
}

// JobAborter is virDomainAbortJob.
type JobAborter interface{ DomainAbortJob(dom DomainID) error }

// JobFlagsAborter is virDomainAbortJobFlags.
type JobFlagsAborter interface {
	DomainAbortJobFlags(dom DomainID, flags DomainAbortJobFlags) error
}

// BlockJobAborter is virDomainBlockJobAbort.
type BlockJobAborter interface {
	DomainBlockJobAbort(dom DomainID, disk string, flags DomainBlockJobAbortFlags) error
}

// BlockJobSpeedSetter is virDomainBlockJobSetSpeed.
type BlockJobSpeedSetter interface {
	DomainBlockJobSetSpeed(dom DomainID, disk string, bandwidth uint64, flags DomainBlockJobSetSpeedFlags) error
}

// BlockJobInfoGetter is virDomainGetBlockJobInfo; the zero value is "no job".
type BlockJobInfoGetter interface {
	DomainGetBlockJobInfo(dom DomainID, disk string, flags DomainBlockJobInfoFlags) (DomainBlockJobInfo, error)
}

// BlockThresholdSetter is virDomainSetBlockThreshold.
type BlockThresholdSetter interface {
	DomainSetBlockThreshold(dom DomainID, dev string, threshold uint64, flags uint32) error
}

// BlockPuller is virDomainBlockPull.
type BlockPuller interface {
	DomainBlockPull(dom DomainID, disk string, bandwidth uint64, flags DomainBlockPullFlags) error
}

// BlockRebaser is virDomainBlockRebase; base is nil for all images below the active one.
type BlockRebaser interface {
	DomainBlockRebase(dom DomainID, disk string, base *string, bandwidth uint64, flags DomainBlockRebaseFlags) error
}

// BlockCommitter is virDomainBlockCommit.
type BlockCommitter interface {
	DomainBlockCommit(dom DomainID, disk string, base, top *string, bandwidth uint64, flags DomainBlockCommitFlags) error
}

// BlockCopier is virDomainBlockCopy.
type BlockCopier interface {
	DomainBlockCopy(dom DomainID, disk, destxml string, params []TypedParam, flags DomainBlockCopyFlags) error
}

// BlockResizer is virDomainBlockResize.
type BlockResizer interface {
	DomainBlockResize(dom DomainID, disk string, size uint64, flags DomainBlockResizeFlags) error
}

// DeviceAttacher is virDomainAttachDeviceFlags.
type DeviceAttacher interface {
	DomainAttachDevice(dom DomainID, xml string, flags DomainDeviceModifyFlags) error
}

// DeviceDetacher is virDomainDetachDeviceFlags.
type DeviceDetacher interface {
	DomainDetachDevice(dom DomainID, xml string, flags DomainDeviceModifyFlags) error
}

// DomainShutdowner is virDomainShutdown.
type DomainShutdowner interface{ DomainShutdown(dom DomainID) error }

// DomainSaver is virDomainSave.
type DomainSaver interface {
	DomainSave(dom DomainID, to string) error
}

// DomainMigrator is virDomainMigrateToURI.
type DomainMigrator interface {
	DomainMigrateToURI(dom DomainID, duri string, flags DomainMigrateFlags, dname *string, bandwidth uint64) error
}

// FSFreezer is virDomainFSFreeze: it returns a number >= 0.
type FSFreezer interface {
	DomainFSFreeze(dom DomainID, mountpoints []string, flags uint32) (int, error)
}

// FSThawer is virDomainFSThaw: it returns a number >= 0.
type FSThawer interface {
	DomainFSThaw(dom DomainID, mountpoints []string, flags uint32) (int, error)
}

// CheckpointCreator is virDomainCheckpointCreateXML.
type CheckpointCreator interface {
	DomainCheckpointCreateXML(dom DomainID, xml string, flags DomainCheckpointCreateFlags) (CheckpointID, error)
}

// CheckpointXMLDescriber is virDomainCheckpointGetXMLDesc.
type CheckpointXMLDescriber interface {
	DomainCheckpointGetXMLDesc(chk CheckpointID, flags DomainCheckpointXMLFlags) (string, error)
}

// CheckpointLister is virDomainListAllCheckpoints.
type CheckpointLister interface {
	DomainListAllCheckpoints(dom DomainID, flags DomainCheckpointListFlags) ([]CheckpointID, error)
}

// CheckpointChildLister is virDomainCheckpointListAllChildren.
type CheckpointChildLister interface {
	DomainCheckpointListAllChildren(chk CheckpointID, flags DomainCheckpointListFlags) ([]CheckpointID, error)
}

// CheckpointLooker is virDomainCheckpointLookupByName.
type CheckpointLooker interface {
	DomainCheckpointLookupByName(dom DomainID, name string, flags uint32) (CheckpointID, error)
}

// CheckpointParentGetter is virDomainCheckpointGetParent.
type CheckpointParentGetter interface {
	DomainCheckpointGetParent(chk CheckpointID, flags uint32) (CheckpointID, error)
}

// CheckpointDeleter is virDomainCheckpointDelete.
type CheckpointDeleter interface {
	DomainCheckpointDelete(chk CheckpointID, flags DomainCheckpointDeleteFlags) error
}

// CurrentCheckpointHaver is virDomainHasCurrentCheckpoint of the drafts.
type CurrentCheckpointHaver interface {
	DomainHasCurrentCheckpoint(dom DomainID, flags uint32) (bool, error)
}

// CurrentCheckpointGetter is virDomainCheckpointCurrent of the drafts.
type CurrentCheckpointGetter interface {
	DomainCheckpointCurrent(dom DomainID, flags uint32) (CheckpointID, error)
}

// CheckpointCurrentTester is virDomainCheckpointIsCurrent of the drafts.
type CheckpointCurrentTester interface {
	DomainCheckpointIsCurrent(chk CheckpointID, flags uint32) (bool, error)
}

// CheckpointMetadataTester is virDomainCheckpointHasMetadata of the drafts.
type CheckpointMetadataTester interface {
	DomainCheckpointHasMetadata(chk CheckpointID, flags uint32) (bool, error)
}

// SnapshotCreator is virDomainSnapshotCreateXML.
type SnapshotCreator interface {
	DomainSnapshotCreateXML(dom DomainID, xml string, flags DomainSnapshotCreateFlags) (SnapshotID, error)
}

// SnapshotCreator2 is virDomainSnapshotCreateXML2 of the seed.
type SnapshotCreator2 interface {
	DomainSnapshotCreateXML2(dom DomainID, xml string, checkpointXML *string, flags DomainSnapshotCreateFlags) (SnapshotID, error)
}

// SnapshotXMLDescriber is virDomainSnapshotGetXMLDesc.
type SnapshotXMLDescriber interface {
	DomainSnapshotGetXMLDesc(snap SnapshotID, flags DomainSnapshotXMLFlags) (string, error)
}

// SnapshotLister is virDomainListAllSnapshots.
type SnapshotLister interface {
	DomainListAllSnapshots(dom DomainID, flags DomainSnapshotListFlags) ([]SnapshotID, error)
}

// SnapshotChildLister is virDomainSnapshotListAllChildren.
type SnapshotChildLister interface {
	DomainSnapshotListAllChildren(snap SnapshotID, flags DomainSnapshotListFlags) ([]SnapshotID, error)
}

// SnapshotLooker is virDomainSnapshotLookupByName.
type SnapshotLooker interface {
	DomainSnapshotLookupByName(dom DomainID, name string, flags uint32) (SnapshotID, error)
}

// SnapshotParentGetter is virDomainSnapshotGetParent.
type SnapshotParentGetter interface {
	DomainSnapshotGetParent(snap SnapshotID, flags uint32) (SnapshotID, error)
}

// SnapshotDeleter is virDomainSnapshotDelete.
type SnapshotDeleter interface {
	DomainSnapshotDelete(snap SnapshotID, flags DomainSnapshotDeleteFlags) error
}

// CurrentSnapshotHaver is virDomainHasCurrentSnapshot.
type CurrentSnapshotHaver interface {
	DomainHasCurrentSnapshot(dom DomainID, flags uint32) (bool, error)
}

// CurrentSnapshotGetter is virDomainSnapshotCurrent.
type CurrentSnapshotGetter interface {
	DomainSnapshotCurrent(dom DomainID, flags uint32) (SnapshotID, error)
}

// SnapshotCurrentTester is virDomainSnapshotIsCurrent.
type SnapshotCurrentTester interface {
	DomainSnapshotIsCurrent(snap SnapshotID, flags uint32) (bool, error)
}

// SnapshotMetadataTester is virDomainSnapshotHasMetadata.
type SnapshotMetadataTester interface {
	DomainSnapshotHasMetadata(snap SnapshotID, flags uint32) (bool, error)
}

// EventSource is virConnectDomainEventRegisterAny: the driver calls deliver for
// every event, in order, from a dispatcher task that holds no lock, so that a
// handler may call anything. cancel takes the registration back.
type EventSource interface {
	RegisterEvents(deliver func(Event)) (cancel func())
}

// Closer is virConnectClose's part in the driver.
type Closer interface{ Close() error }
