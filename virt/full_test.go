package virt_test

import (
	"fleece/virt"
)

// full implements every interface; each call answers err.
type full struct {
	err   error
	asked []string
	// deliver is the newest handler of events; cancelled counts what was taken back.
	deliver   func(virt.Event)
	cancelled int
	// number is what calls that return one answer beside no error; 0 means 1.
	number int
	// empty makes every other result the zero value.
	empty bool
	// many is the length of lists; 0 means 1.
	many int
}

func answer[R any](f *full, call string, result R) (R, error) {
	f.asked = append(f.asked, call)
	var none R
	if f.err != nil || f.empty {
		return none, f.err
	}
	return result, nil
}

func list[R any](f *full, call string, one R) ([]R, error) {
	l := make([]R, max(f.many, 1))
	for i := range l {
		l[i] = one
	}
	return answer(f, call, l)
}

func (f *full) only(call string) error { _, err := answer(f, call, 0); return err }

func (f *full) count(call string) (int, error) {
	f.asked = append(f.asked, call)
	if f.number == 0 && !f.empty {
		return 1, f.err
	}
	return f.number, f.err
}

var (
	aDomain     = virt.DomainID{Name: "vm", UUID: "u", ID: 2}
	aCheckpoint = virt.CheckpointID{Domain: aDomain, Name: "chk"}
	aSnapshot   = virt.SnapshotID{Domain: aDomain, Name: "snap"}
)

type (
	id    = virt.DomainID
	chkID = virt.CheckpointID
)

func (f *full) DomainDefineXML(string) (id, error)    { return answer(f, "define", aDomain) }
func (f *full) DomainLookupByName(string) (id, error) { return answer(f, "name", aDomain) }
func (f *full) DomainLookupByUUID(string) (id, error) { return answer(f, "uuid", aDomain) }
func (f *full) ListAllDomains(virt.ListAllDomainsFlags) ([]id, error) {
	return list(f, "domains", aDomain)
}
func (f *full) DomainCreate(id, uint32) (id, error)               { return answer(f, "create", aDomain) }
func (f *full) DomainDestroy(id, uint32) error                    { return f.only("destroy") }
func (f *full) DomainUndefine(id, virt.DomainUndefineFlags) error { return f.only("undefine") }
func (f *full) DomainSuspend(id) error                            { return f.only("suspend") }
func (f *full) DomainResume(id) error                             { return f.only("resume") }
func (f *full) DomainAbortJob(id) error                           { return f.only("abort") }
func (f *full) DomainAbortJobFlags(id, virt.DomainAbortJobFlags) error {
	return f.only("abort with flags")
}

func (f *full) DomainBlockJobAbort(id, string, virt.DomainBlockJobAbortFlags) error {
	return f.only("abort of a disk")
}

func (f *full) DomainBlockJobSetSpeed(id, string, uint64, virt.DomainBlockJobSetSpeedFlags) error {
	return f.only("speed")
}

func (f *full) DomainGetBlockJobInfo(id, string, virt.DomainBlockJobInfoFlags) (virt.DomainBlockJobInfo, error) {
	return answer(f, "info of a disk", virt.DomainBlockJobInfo{Type: virt.DOMAIN_BLOCK_JOB_TYPE_BACKUP})
}

func (f *full) DomainSetBlockThreshold(id, string, uint64, uint32) error {
	return f.only("threshold")
}
func (f *full) DomainBlockPull(id, string, uint64, virt.DomainBlockPullFlags) error {
	return f.only("pull")
}

func (f *full) DomainBlockRebase(id, string, *string, uint64, virt.DomainBlockRebaseFlags) error {
	return f.only("rebase")
}

func (f *full) DomainBlockCommit(id, string, *string, *string, uint64, virt.DomainBlockCommitFlags) error {
	return f.only("commit")
}

func (f *full) DomainBlockCopy(id, string, string, []virt.TypedParam, virt.DomainBlockCopyFlags) error {
	return f.only("copy")
}

func (f *full) DomainBlockResize(id, string, uint64, virt.DomainBlockResizeFlags) error {
	return f.only("resize")
}

func (f *full) DomainAttachDevice(id, string, virt.DomainDeviceModifyFlags) error {
	return f.only("attach")
}

func (f *full) DomainDetachDevice(id, string, virt.DomainDeviceModifyFlags) error {
	return f.only("detach")
}
func (f *full) DomainShutdown(id) error     { return f.only("shutdown") }
func (f *full) DomainSave(id, string) error { return f.only("save") }
func (f *full) DomainMigrateToURI(id, string, virt.DomainMigrateFlags, *string, uint64) error {
	return f.only("migrate")
}
func (f *full) DomainFSFreeze(id, []string, uint32) (int, error) { return f.count("freeze") }
func (f *full) DomainFSThaw(id, []string, uint32) (int, error)   { return f.count("thaw") }
func (f *full) DomainGetXMLDesc(id, virt.DomainXMLFlags) (string, error) {
	return answer(f, "xml", "<domain/>")
}

func (f *full) DomainGetState(id, uint32) (virt.DomainState, int, error) {
	s, err := answer(f, "state", virt.DOMAIN_RUNNING)
	return s, 0, err
}

func (f *full) DomainBackupBegin(id, *string, *string, virt.DomainBackupBeginFlags) (int, error) {
	return f.count("begin")
}
func (f *full) DomainBackupEnd(id, int, virt.DomainBackupEndFlags) (int, error) {
	return f.count("end")
}
func (f *full) DomainBackupGetXMLDesc(id, int, uint32) (string, error) {
	return answer(f, "backup xml", "<domainbackup/>")
}
func (f *full) DomainListJobIds(id, uint32) ([]virt.DomainJobID, error) { //nolint:revive // the interface
	return list(f, "jobs", virt.DomainJobID{Type: virt.DOMAIN_JOB_UNBOUNDED, ID: 1})
}
func (f *full) DomainGetJobInfo(id) (virt.DomainJobInfo, error) {
	return answer(f, "info", virt.DomainJobInfo{Type: virt.DOMAIN_JOB_UNBOUNDED})
}
func (f *full) DomainGetJobStats(id, virt.DomainGetJobStatsFlags) (virt.DomainJobType, []virt.TypedParam, error) {
	p, err := list(f, "stats", virt.IntParam(virt.DOMAIN_JOB_OPERATION, 9))
	if p == nil {
		return 0, nil, err
	}
	return virt.DOMAIN_JOB_UNBOUNDED, p, err
}

func (f *full) DomainCheckpointCreateXML(id, string, virt.DomainCheckpointCreateFlags) (chkID, error) {
	return answer(f, "create checkpoint", aCheckpoint)
}
func (f *full) DomainCheckpointGetXMLDesc(chkID, virt.DomainCheckpointXMLFlags) (string, error) {
	return answer(f, "checkpoint xml", "<domaincheckpoint/>")
}
func (f *full) DomainListAllCheckpoints(id, virt.DomainCheckpointListFlags) ([]chkID, error) {
	return list(f, "checkpoints", aCheckpoint)
}
func (f *full) DomainCheckpointListAllChildren(chkID, virt.DomainCheckpointListFlags) ([]chkID, error) {
	return list(f, "children", aCheckpoint)
}
func (f *full) DomainCheckpointLookupByName(id, string, uint32) (chkID, error) {
	return answer(f, "lookup", aCheckpoint)
}
func (f *full) DomainCheckpointGetParent(chkID, uint32) (chkID, error) {
	return answer(f, "parent", aCheckpoint)
}
func (f *full) DomainCheckpointDelete(chkID, virt.DomainCheckpointDeleteFlags) error {
	return f.only("delete")
}
func (f *full) DomainHasCurrentCheckpoint(id, uint32) (bool, error) { return answer(f, "has", true) }
func (f *full) DomainCheckpointCurrent(id, uint32) (chkID, error) {
	return answer(f, "current", aCheckpoint)
}
func (f *full) DomainCheckpointIsCurrent(chkID, uint32) (bool, error) { return answer(f, "is", true) }
func (f *full) DomainCheckpointHasMetadata(chkID, uint32) (bool, error) {
	return answer(f, "metadata", true)
}

func (f *full) DomainSnapshotGetXMLDesc(virt.SnapshotID, virt.DomainSnapshotXMLFlags) (string, error) {
	return answer(f, "snapshot xml", "<domainsnapshot/>")
}
func (f *full) DomainListAllSnapshots(id, virt.DomainSnapshotListFlags) ([]virt.SnapshotID, error) {
	return list(f, "snapshots", aSnapshot)
}
func (f *full) DomainSnapshotListAllChildren(virt.SnapshotID, virt.DomainSnapshotListFlags) ([]virt.SnapshotID, error) {
	return list(f, "snapshot children", aSnapshot)
}
func (f *full) DomainSnapshotLookupByName(id, string, uint32) (virt.SnapshotID, error) {
	return answer(f, "snapshot lookup", aSnapshot)
}
func (f *full) DomainSnapshotGetParent(virt.SnapshotID, uint32) (virt.SnapshotID, error) {
	return answer(f, "snapshot parent", aSnapshot)
}
func (f *full) DomainSnapshotDelete(virt.SnapshotID, virt.DomainSnapshotDeleteFlags) error {
	return f.only("snapshot delete")
}
func (f *full) DomainHasCurrentSnapshot(id, uint32) (bool, error) {
	return answer(f, "has snapshot", true)
}
func (f *full) DomainSnapshotCurrent(id, uint32) (virt.SnapshotID, error) {
	return answer(f, "current snapshot", aSnapshot)
}
func (f *full) DomainSnapshotIsCurrent(virt.SnapshotID, uint32) (bool, error) {
	return answer(f, "is current snapshot", true)
}
func (f *full) DomainSnapshotHasMetadata(virt.SnapshotID, uint32) (bool, error) {
	return answer(f, "snapshot metadata", true)
}
func (f *full) DomainSnapshotCreateXML(id, string, virt.DomainSnapshotCreateFlags) (virt.SnapshotID, error) {
	return answer(f, "snapshot", aSnapshot)
}
func (f *full) DomainSnapshotCreateXML2(id, string, *string, virt.DomainSnapshotCreateFlags) (virt.SnapshotID, error) {
	return answer(f, "snapshot 2", aSnapshot)
}

func (f *full) RegisterEvents(deliver func(virt.Event)) (cancel func()) {
	f.asked = append(f.asked, "events")
	f.deliver = deliver
	if f.empty {
		return nil
	}
	return func() { f.cancelled++ }
}

func (f *full) Close() error { return f.only("close") }
