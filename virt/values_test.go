package virt_test

import (
	"testing"

	"fleece/virt"
)

func TestNumbersAreTheReleasedOnesAndTheSeeds(t *testing.T) { // contract rows 3 and 4
	for _, c := range []struct {
		name      string
		got, want int
	}{
		{"seed NO_METADATA", int(virt.DOMAIN_BACKUP_BEGIN_NO_METADATA), 1},
		{"seed QUIESCE", int(virt.DOMAIN_BACKUP_BEGIN_QUIESCE), 2},
		{"our REUSE_EXTERNAL", int(virt.DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL), 1 << 16},
		{"seed ABORT", int(virt.DOMAIN_BACKUP_END_ABORT), 1},
		{"create REDEFINE", int(virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE), 1},
		{"create QUIESCE", int(virt.DOMAIN_CHECKPOINT_CREATE_QUIESCE), 2},
		{"create REDEFINE_VALIDATE", int(virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE), 4},
		{"xml SECURE", int(virt.DOMAIN_CHECKPOINT_XML_SECURE), 1},
		{"xml NO_DOMAIN", int(virt.DOMAIN_CHECKPOINT_XML_NO_DOMAIN), 2},
		{"xml SIZE", int(virt.DOMAIN_CHECKPOINT_XML_SIZE), 4},
		{"list ROOTS", int(virt.DOMAIN_CHECKPOINT_LIST_ROOTS), 1},
		{"list DESCENDANTS", int(virt.DOMAIN_CHECKPOINT_LIST_DESCENDANTS), 1},
		{"list TOPOLOGICAL", int(virt.DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL), 2},
		{"list LEAVES", int(virt.DOMAIN_CHECKPOINT_LIST_LEAVES), 4},
		{"list NO_LEAVES", int(virt.DOMAIN_CHECKPOINT_LIST_NO_LEAVES), 8},
		{"delete CHILDREN", int(virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN), 1},
		{"delete METADATA_ONLY", int(virt.DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY), 2},
		{"delete CHILDREN_ONLY", int(virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY), 4},
		{"snapshot REDEFINE", int(virt.DOMAIN_SNAPSHOT_CREATE_REDEFINE), 1},
		{"snapshot CURRENT", int(virt.DOMAIN_SNAPSHOT_CREATE_CURRENT), 2},
		{"snapshot NO_METADATA", int(virt.DOMAIN_SNAPSHOT_CREATE_NO_METADATA), 4},
		{"snapshot HALT", int(virt.DOMAIN_SNAPSHOT_CREATE_HALT), 8},
		{"snapshot DISK_ONLY", int(virt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY), 16},
		{"snapshot REUSE_EXT", int(virt.DOMAIN_SNAPSHOT_CREATE_REUSE_EXT), 32},
		{"snapshot QUIESCE", int(virt.DOMAIN_SNAPSHOT_CREATE_QUIESCE), 64},
		{"snapshot ATOMIC", int(virt.DOMAIN_SNAPSHOT_CREATE_ATOMIC), 128},
		{"snapshot LIVE", int(virt.DOMAIN_SNAPSHOT_CREATE_LIVE), 256},
		{"snapshot VALIDATE", int(virt.DOMAIN_SNAPSHOT_CREATE_VALIDATE), 512},
		{"stats COMPLETED", int(virt.DOMAIN_JOB_STATS_COMPLETED), 1},
		{"stats KEEP_COMPLETED", int(virt.DOMAIN_JOB_STATS_KEEP_COMPLETED), 2},
		{"abort POSTCOPY", int(virt.DOMAIN_ABORT_JOB_POSTCOPY), 1},
		{"block job abort ASYNC", int(virt.DOMAIN_BLOCK_JOB_ABORT_ASYNC), 1},
		{"block job abort PIVOT", int(virt.DOMAIN_BLOCK_JOB_ABORT_PIVOT), 2},
		{"block job info BANDWIDTH_BYTES", int(virt.DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES), 1},
		{"block job speed BANDWIDTH_BYTES", int(virt.DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES), 1},
		{"pull BANDWIDTH_BYTES", int(virt.DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES), 64},
		{"rebase COPY", int(virt.DOMAIN_BLOCK_REBASE_COPY), 8},
		{"commit ACTIVE", int(virt.DOMAIN_BLOCK_COMMIT_ACTIVE), 4},
		{"commit BANDWIDTH_BYTES", int(virt.DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES), 16},
		{"copy TRANSIENT_JOB", int(virt.DOMAIN_BLOCK_COPY_TRANSIENT_JOB), 4},
		{"copy SYNCHRONOUS_WRITES", int(virt.DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES), 8},
		{"resize BYTES", int(virt.DOMAIN_BLOCK_RESIZE_BYTES), 1},
		{"device LIVE", int(virt.DOMAIN_DEVICE_MODIFY_LIVE), 1},
		{"device CONFIG", int(virt.DOMAIN_DEVICE_MODIFY_CONFIG), 2},
		{"migrate PEER2PEER", int(virt.MIGRATE_PEER2PEER), 2},
		{"domains HAS_CHECKPOINT", int(virt.CONNECT_LIST_DOMAINS_HAS_CHECKPOINT), 1 << 14},
		{"domains NO_CHECKPOINT", int(virt.CONNECT_LIST_DOMAINS_NO_CHECKPOINT), 1 << 15},
		{"undefine CHECKPOINTS_METADATA", int(virt.DOMAIN_UNDEFINE_CHECKPOINTS_METADATA), 16},
		{"job UNBOUNDED", int(virt.DOMAIN_JOB_UNBOUNDED), 2},
		{"job COMPLETED", int(virt.DOMAIN_JOB_COMPLETED), 3},
		{"job FAILED", int(virt.DOMAIN_JOB_FAILED), 4},
		{"job CANCELLED", int(virt.DOMAIN_JOB_CANCELLED), 5},
		{"operation BACKUP", int(virt.DOMAIN_JOB_OPERATION_BACKUP), 9},
		{"block job BACKUP", int(virt.DOMAIN_BLOCK_JOB_TYPE_BACKUP), 5},
		{"block job CANCELED", int(virt.DOMAIN_BLOCK_JOB_CANCELED), 2},
		{"state SHUTOFF", int(virt.DOMAIN_SHUTOFF), 5},
	} {
		if c.got != c.want {
			t.Errorf("%s is %d, want %d", c.name, c.got, c.want)
		}
	}
}

func TestTextsForPeople(t *testing.T) { // JOB-10
	for want, got := range map[string]string{
		"Backup":          virt.DOMAIN_BLOCK_JOB_TYPE_BACKUP.String(),
		"Unknown job":     virt.BlockJobType(99).String(),
		"Block Pull":      virt.DOMAIN_BLOCK_JOB_TYPE_PULL.String(),
		"Unknown":         virt.DomainJobOperation(-1).String(),
		"Dump":            virt.DOMAIN_JOB_OPERATION_DUMP.String(),
		"Snapshot revert": virt.DOMAIN_JOB_OPERATION_SNAPSHOT_REVERT.String(),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := virt.DOMAIN_JOB_OPERATION_BACKUP.String(); got != "Backup" {
		t.Error(got)
	}
}

func TestEveryEventHasItsNumberAndItsDomain(t *testing.T) {
	for _, e := range []virt.Event{
		virt.JobCompletedEvent{Domain: aDomain}, virt.BlockJobEvent{Domain: aDomain}, virt.BlockThresholdEvent{Domain: aDomain},
		virt.DeviceAddedEvent{Domain: aDomain}, virt.DeviceRemovedEvent{Domain: aDomain}, virt.LifecycleEvent{Domain: aDomain},
	} {
		want := virt.DomainEventID(-1)
		switch e.(type) {
		case virt.JobCompletedEvent:
			want = 21
		case virt.BlockJobEvent:
			want = 16
		case virt.BlockThresholdEvent:
			want = 24
		case virt.DeviceAddedEvent:
			want = 19
		case virt.DeviceRemovedEvent:
			want = 15
		case virt.LifecycleEvent:
			want = 0
		}
		if e.EventID() != want || e.DomainID() != aDomain {
			t.Errorf("%T: id %d of %v", e, e.EventID(), e.DomainID())
		}
	}
}

func TestACompletedJobIsReadFromItsParameters(t *testing.T) { // EVT-01, §6.1
	e := virt.JobCompletedEvent{Params: []virt.TypedParam{
		virt.IntParam(virt.DOMAIN_JOB_OPERATION, 9), virt.IntParam(virt.DOMAIN_JOB_ID, 3),
		virt.BoolParam(virt.DOMAIN_JOB_SUCCESS, false), virt.StringParam(virt.DOMAIN_JOB_ERRMSG, "No space left on device"),
	}}
	if e.Operation() != virt.DOMAIN_JOB_OPERATION_BACKUP || e.ID() != 3 || e.Success() || e.ErrorMessage() != "No space left on device" {
		t.Errorf("%v is read as %v, %d, %v, %q", e, e.Operation(), e.ID(), e.Success(), e.ErrorMessage())
	}
	var none virt.JobCompletedEvent
	if none.Operation() != 0 || none.ID() != 0 || none.Success() || none.ErrorMessage() != "" {
		t.Error("missing parameters are not zero values")
	}
}

func TestAParameterKeepsItsType(t *testing.T) {
	for _, c := range []struct {
		param virt.TypedParam
		kind  virt.ParamType
		value any
	}{
		{virt.IntParam("a", -1), 1, int32(-1)},
		{virt.UIntParam("a", 1), 2, uint32(1)},
		{virt.LLongParam("a", -1), 3, int64(-1)},
		{virt.ULLongParam("a", 1), 4, uint64(1)},
		{virt.DoubleParam("a", 1.5), 5, 1.5},
		{virt.BoolParam("a", true), 6, true},
		{virt.StringParam("a", "x"), 7, "x"},
	} {
		if c.param.Type != c.kind || c.param.Value != c.value || c.param.Field != "a" {
			t.Errorf("%+v", c.param)
		}
	}
}
