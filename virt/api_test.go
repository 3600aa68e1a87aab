package virt_test

import (
	"reflect"
	"testing"

	"fleece/rt/realrt"
	"fleece/virt"
)

// api is every call of the layer: libvirt's symbol, its counterpart, arguments that
// pass every check, and the error domain of libvirt's file.
var api = []apiCall{
	{"virDomainDefineXML", "Conn.DomainDefineXML", virt.FROM_DOMAIN, []any{"<domain/>"}, false},
	{"virDomainLookupByName", "Conn.LookupDomainByName", virt.FROM_DOMAIN, []any{"vm"}, false},
	{"virDomainLookupByUUIDString", "Conn.LookupDomainByUUIDString", virt.FROM_DOMAIN, []any{"u"}, false},
	{"virConnectListAllDomains", "Conn.ListAllDomains", virt.FROM_DOMAIN, []any{virt.ListAllDomainsFlags(0)}, false},
	{"virConnectDomainEventRegisterAny", "Conn.RegisterEvents", virt.FROM_DOMAIN, []any{func(virt.Event) {}}, false},
	{"virConnectClose", "Conn.Close", virt.FROM_NONE, nil, true},

	{"virDomainCreate", "Domain.Create", virt.FROM_DOMAIN, nil, false},
	{"virDomainDestroy", "Domain.Destroy", virt.FROM_DOMAIN, nil, false},
	{"virDomainUndefineFlags", "Domain.Undefine", virt.FROM_DOMAIN, []any{virt.DomainUndefineFlags(0)}, false},
	{"virDomainSuspend", "Domain.Suspend", virt.FROM_DOMAIN, nil, false},
	{"virDomainResume", "Domain.Resume", virt.FROM_DOMAIN, nil, false},
	{"virDomainGetState", "Domain.GetState", virt.FROM_DOMAIN, nil, false},
	{"virDomainGetXMLDesc", "Domain.GetXMLDesc", virt.FROM_DOMAIN, []any{virt.DomainXMLFlags(0)}, false},
	{"virDomainGetName", "Domain.GetName", virt.FROM_DOMAIN, nil, true},
	{"virDomainGetUUIDString", "Domain.GetUUIDString", virt.FROM_DOMAIN, nil, true},
	{"virDomainGetConnect", "Domain.GetConnect", virt.FROM_DOMAIN, nil, true},
	{"virDomainRef", "Domain.Ref", virt.FROM_DOMAIN, nil, true},
	{"virDomainFree", "Domain.Free", virt.FROM_DOMAIN, nil, true},

	{"virDomainBackupBegin", "Domain.BackupBegin", virt.FROM_DOMAIN, []any{xml, xml, virt.DomainBackupBeginFlags(0)}, false},
	{"virDomainBackupEnd", "Domain.BackupEnd", virt.FROM_DOMAIN, []any{1, virt.DomainBackupEndFlags(0)}, false},
	{"virDomainBackupGetXMLDesc", "Domain.BackupGetXMLDesc", virt.FROM_DOMAIN, []any{1, uint32(0)}, false},
	{"virDomainListJobIds", "Domain.ListJobIds", virt.FROM_DOMAIN, []any{uint32(0)}, false},
	{"virDomainGetJobInfo", "Domain.GetJobInfo", virt.FROM_DOMAIN, nil, false},
	{"virDomainGetJobStats", "Domain.GetJobStats", virt.FROM_DOMAIN, []any{virt.DomainGetJobStatsFlags(0)}, false},
	{"virDomainAbortJob", "Domain.AbortJob", virt.FROM_DOMAIN, nil, false},
	{"virDomainAbortJobFlags", "Domain.AbortJobFlags", virt.FROM_DOMAIN, []any{virt.DomainAbortJobFlags(0)}, false},
	{"virDomainBlockJobAbort", "Domain.BlockJobAbort", virt.FROM_DOMAIN, []any{xml, virt.DomainBlockJobAbortFlags(0)}, false},
	{"virDomainBlockJobSetSpeed", "Domain.BlockJobSetSpeed", virt.FROM_DOMAIN, []any{xml, uint64(1), virt.DomainBlockJobSetSpeedFlags(0)}, false},
	{"virDomainGetBlockJobInfo", "Domain.GetBlockJobInfo", virt.FROM_DOMAIN, []any{xml, virt.DomainBlockJobInfoFlags(0)}, false},
	{"virDomainSetBlockThreshold", "Domain.SetBlockThreshold", virt.FROM_DOMAIN, []any{xml, uint64(1), uint32(0)}, false},
	{"virDomainBlockPull", "Domain.BlockPull", virt.FROM_DOMAIN, []any{xml, uint64(1), virt.DomainBlockPullFlags(0)}, false},
	{"virDomainBlockRebase", "Domain.BlockRebase", virt.FROM_DOMAIN, []any{xml, xml, uint64(1), virt.DomainBlockRebaseFlags(0)}, false},
	{"virDomainBlockCommit", "Domain.BlockCommit", virt.FROM_DOMAIN, []any{xml, xml, xml, uint64(1), virt.DomainBlockCommitFlags(0)}, false},
	{"virDomainBlockCopy", "Domain.BlockCopy", virt.FROM_DOMAIN, []any{xml, xml, []virt.TypedParam(nil), virt.DomainBlockCopyFlags(0)}, false},
	{"virDomainBlockResize", "Domain.BlockResize", virt.FROM_DOMAIN, []any{xml, uint64(1), virt.DomainBlockResizeFlags(0)}, false},
	{"virDomainAttachDeviceFlags", "Domain.AttachDeviceFlags", virt.FROM_DOMAIN, []any{xml, virt.DomainDeviceModifyFlags(0)}, false},
	{"virDomainDetachDeviceFlags", "Domain.DetachDeviceFlags", virt.FROM_DOMAIN, []any{xml, virt.DomainDeviceModifyFlags(0)}, false},
	{"virDomainShutdown", "Domain.Shutdown", virt.FROM_DOMAIN, nil, false},
	{"virDomainSave", "Domain.Save", virt.FROM_DOMAIN, []any{xml}, false},
	{"virDomainMigrateToURI", "Domain.MigrateToURI", virt.FROM_DOMAIN, []any{xml, virt.DomainMigrateFlags(0), (*string)(nil), uint64(0)}, false},
	{"virDomainFSFreeze", "Domain.FSFreeze", virt.FROM_DOMAIN, []any{[]string{"/"}, uint32(0)}, false},
	{"virDomainFSThaw", "Domain.FSThaw", virt.FROM_DOMAIN, []any{[]string{"/"}, uint32(0)}, false},

	{"virDomainCheckpointCreateXML", "Domain.CreateCheckpointXML", virt.FROM_DOMAIN_CHECKPOINT, []any{xml, virt.DomainCheckpointCreateFlags(0)}, false},
	{"virDomainListAllCheckpoints", "Domain.ListAllCheckpoints", virt.FROM_DOMAIN_CHECKPOINT, []any{virt.DomainCheckpointListFlags(0)}, false},
	{"virDomainCheckpointLookupByName", "Domain.CheckpointLookupByName", virt.FROM_DOMAIN_CHECKPOINT, []any{xml, uint32(0)}, false},
	{"virDomainHasCurrentCheckpoint", "Domain.HasCurrentCheckpoint", virt.FROM_DOMAIN_CHECKPOINT, []any{uint32(0)}, false},
	{"virDomainCheckpointCurrent", "Domain.CheckpointCurrent", virt.FROM_DOMAIN_CHECKPOINT, []any{uint32(0)}, false},
	{"virDomainCheckpointGetName", "Checkpoint.GetName", virt.FROM_DOMAIN_CHECKPOINT, nil, true},
	{"virDomainCheckpointGetDomain", "Checkpoint.GetDomain", virt.FROM_DOMAIN_CHECKPOINT, nil, true},
	{"virDomainCheckpointGetConnect", "Checkpoint.GetConnect", virt.FROM_DOMAIN_CHECKPOINT, nil, true},
	{"virDomainCheckpointRef", "Checkpoint.Ref", virt.FROM_DOMAIN_CHECKPOINT, nil, true},
	{"virDomainCheckpointFree", "Checkpoint.Free", virt.FROM_DOMAIN_CHECKPOINT, nil, true},
	{"virDomainCheckpointGetParent", "Checkpoint.GetParent", virt.FROM_DOMAIN_CHECKPOINT, []any{uint32(0)}, false},
	{"virDomainCheckpointListAllChildren", "Checkpoint.ListAllChildren", virt.FROM_DOMAIN_CHECKPOINT, []any{virt.DomainCheckpointListFlags(0)}, false},
	{"virDomainCheckpointGetXMLDesc", "Checkpoint.GetXMLDesc", virt.FROM_DOMAIN_CHECKPOINT, []any{virt.DomainCheckpointXMLFlags(0)}, false},
	{"virDomainCheckpointDelete", "Checkpoint.Delete", virt.FROM_DOMAIN_CHECKPOINT, []any{virt.DomainCheckpointDeleteFlags(0)}, false},
	{"virDomainCheckpointIsCurrent", "Checkpoint.IsCurrent", virt.FROM_DOMAIN_CHECKPOINT, []any{uint32(0)}, false},
	{"virDomainCheckpointHasMetadata", "Checkpoint.HasMetadata", virt.FROM_DOMAIN_CHECKPOINT, []any{uint32(0)}, false},

	{"virDomainSnapshotCreateXML", "Domain.SnapshotCreateXML", virt.FROM_DOMAIN_SNAPSHOT, []any{xml, virt.DomainSnapshotCreateFlags(0)}, false},
	{"virDomainSnapshotCreateXML2", "Domain.SnapshotCreateXML2", virt.FROM_DOMAIN_SNAPSHOT, []any{xml, xml, virt.DomainSnapshotCreateFlags(0)}, false},
	{"virDomainListAllSnapshots", "Domain.ListAllSnapshots", virt.FROM_DOMAIN_SNAPSHOT, []any{virt.DomainSnapshotListFlags(0)}, false},
	{"virDomainSnapshotLookupByName", "Domain.SnapshotLookupByName", virt.FROM_DOMAIN_SNAPSHOT, []any{xml, uint32(0)}, false},
	{"virDomainHasCurrentSnapshot", "Domain.HasCurrentSnapshot", virt.FROM_DOMAIN_SNAPSHOT, []any{uint32(0)}, false},
	{"virDomainSnapshotCurrent", "Domain.SnapshotCurrent", virt.FROM_DOMAIN_SNAPSHOT, []any{uint32(0)}, false},
	{"virDomainSnapshotGetParent", "Snapshot.GetParent", virt.FROM_DOMAIN_SNAPSHOT, []any{uint32(0)}, false},
	{"virDomainSnapshotListAllChildren", "Snapshot.ListAllChildren", virt.FROM_DOMAIN_SNAPSHOT, []any{virt.DomainSnapshotListFlags(0)}, false},
	{"virDomainSnapshotGetXMLDesc", "Snapshot.GetXMLDesc", virt.FROM_DOMAIN_SNAPSHOT, []any{virt.DomainSnapshotXMLFlags(0)}, false},
	{"virDomainSnapshotDelete", "Snapshot.Delete", virt.FROM_DOMAIN_SNAPSHOT, []any{virt.DomainSnapshotDeleteFlags(0)}, false},
	{"virDomainSnapshotIsCurrent", "Snapshot.IsCurrent", virt.FROM_DOMAIN_SNAPSHOT, []any{uint32(0)}, false},
	{"virDomainSnapshotHasMetadata", "Snapshot.HasMetadata", virt.FROM_DOMAIN_SNAPSHOT, []any{uint32(0)}, false},
	{"virDomainSnapshotGetName", "Snapshot.GetName", virt.FROM_DOMAIN_SNAPSHOT, nil, true},
	{"virDomainSnapshotGetDomain", "Snapshot.GetDomain", virt.FROM_DOMAIN_SNAPSHOT, nil, true},
	{"virDomainSnapshotGetConnect", "Snapshot.GetConnect", virt.FROM_DOMAIN_SNAPSHOT, nil, true},
	{"virDomainSnapshotRef", "Snapshot.Ref", virt.FROM_DOMAIN_SNAPSHOT, nil, true},
	{"virDomainSnapshotFree", "Snapshot.Free", virt.FROM_DOMAIN_SNAPSHOT, nil, true},
}

var xml = virt.XML("<x/>")

type apiCall struct {
	symbol string
	method string // "Type.Method"
	from   virt.ErrorDomain
	args   []any
	local  bool // answered by the layer itself
}

// handles are one of each kind.
type handles struct {
	conn *virt.Conn
	dom  *virt.Domain
	chk  *virt.Checkpoint
	snap *virt.Snapshot
}

// connect makes a connection to driver and handles that no driver was asked for.
func connect(driver any, opts virt.ConnOptions) handles {
	opts.Runtime = realrt.NewWorld().Kernel()
	h := handles{conn: virt.NewConn(driver, opts)}
	h.dom, h.chk, h.snap = h.conn.Handles()
	return h
}

// on is the handle whose method the call is.
func (a apiCall) on(h handles) reflect.Value {
	switch a.method[0] {
	case 'S':
		return reflect.ValueOf(h.snap)
	case 'D':
		return reflect.ValueOf(h.dom)
	}
	if a.method[1] == 'h' {
		return reflect.ValueOf(h.chk)
	}
	return reflect.ValueOf(h.conn)
}

// name is the method without its type.
func (a apiCall) name() string {
	for i := range a.method {
		if a.method[i] == '.' {
			return a.method[i+1:]
		}
	}
	return a.method
}

// call makes the call and returns its results and its error.
func (a apiCall) call(t *testing.T, h handles) (results []reflect.Value, err error) {
	t.Helper()
	m := a.on(h).MethodByName(a.name())
	if !m.IsValid() {
		t.Fatalf("there is no method %s", a.method)
	}
	in := make([]reflect.Value, len(a.args))
	for i, arg := range a.args {
		in[i] = reflect.ValueOf(arg)
	}
	out := m.Call(in)
	err, _ = out[len(out)-1].Interface().(error)
	return out[:len(out)-1], err
}

// noResult asserts that beside an error every result is zero, nil, or -1.
func noResult(t *testing.T, results []reflect.Value) {
	t.Helper()
	for _, r := range results {
		if !r.IsZero() && (r.Kind() != reflect.Int || r.Int() != -1) {
			t.Errorf("a result beside the error: %v", r)
		}
	}
}
