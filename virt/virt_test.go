package virt_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"fleece/rt"
	"fleece/rt/realrt"
	"fleece/virt"
)

// fake implements a few calls; the rest is NO_SUPPORT.
type fake struct {
	id   int
	ret  int
	err  error
	seen string
}

func (f *fake) DomainLookupByName(name string) (virt.DomainID, error) {
	return virt.DomainID{Name: name, UUID: "u", ID: 1}, nil
}

func (f *fake) DomainBackupBegin(_ virt.DomainID, disk, chk *string, _ virt.DomainBackupBeginFlags) (int, error) {
	f.seen = "begin"
	return f.id, f.err
}

func (f *fake) DomainBackupEnd(virt.DomainID, int, virt.DomainBackupEndFlags) (int, error) {
	return f.ret, f.err
}

func (f *fake) DomainCheckpointLookupByName(d virt.DomainID, name string, _ uint32) (virt.CheckpointID, error) {
	return virt.CheckpointID{Domain: d, Name: name}, nil
}

func open(t *testing.T, driver any, readOnly bool) (*virt.Conn, *virt.Domain) {
	t.Helper()
	c := virt.NewConn(driver, virt.ConnOptions{Runtime: realrt.NewWorld().Kernel(), ReadOnly: readOnly})
	d, err := c.LookupDomainByName("vm")
	if err != nil {
		t.Fatal(err)
	}
	return c, d
}

// wants asserts code and text of an error.
func wants(t *testing.T, err error, code virt.ErrorNumber, text string) {
	t.Helper()
	var e *virt.Error
	if !errors.As(err, &e) || !errors.Is(err, code) || !strings.Contains(e.Message, text) {
		t.Errorf("got %v, want code %d with %q", err, int(code), text)
	}
}

func TestOfSeveralFaultsTheFirstInTheDocumentedOrderWins(t *testing.T) {
	_, ro := open(t, &fake{}, true)
	_, rw := open(t, &fake{}, false)
	_, freed := open(t, &fake{}, true)
	if err := freed.Free(); err != nil {
		t.Fatal(err)
	}
	x := virt.XML("<x/>")
	const redefine = virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE | virt.DOMAIN_CHECKPOINT_CREATE_QUIESCE
	const snapshot = virt.DOMAIN_SNAPSHOT_CREATE_REDEFINE
	begin := func(d *virt.Domain, flags virt.DomainBackupBeginFlags) error {
		_, err := d.BackupBegin(nil, nil, flags)
		return err
	}
	end := func(d *virt.Domain, id int) error { _, err := d.BackupEnd(id, 0); return err }
	desc := func(d *virt.Domain, id int) error { _, err := d.BackupGetXMLDesc(id, 0); return err }
	chk := func(d *virt.Domain, xml *string, f virt.DomainCheckpointCreateFlags) error {
		_, err := d.CreateCheckpointXML(xml, f)
		return err
	}
	snap := func(d *virt.Domain, xml, c *string, f virt.DomainSnapshotCreateFlags) error {
		_, err := d.SnapshotCreateXML2(xml, c, f)
		return err
	}
	stats := func(d *virt.Domain, f virt.DomainGetJobStatsFlags) error { _, _, err := d.GetJobStats(f); return err }
	for _, c := range []struct {
		name string
		err  error
		code virt.ErrorNumber
		text string
	}{
		{"E001 before E018 and E043", begin(freed, 1), 7, "virDomainBackupBegin"},
		{"E018 before E043", begin(ro, 1), 29, "read only access prevents virDomainBackupBegin"},
		{"E043", begin(rw, 1), 8, "checkpointXml in virDomainBackupBegin must not be NULL"},
		{"E046 before E045", end(ro, -1), 29, "read only access prevents virDomainBackupEnd"},
		{"E045", end(rw, -1), 8, "id in virDomainBackupEnd must be zero or greater"},
		{"E044 on a read-only connection", desc(ro, -1), 8, "id in virDomainBackupGetXMLDesc must be zero or greater"},
		{"E009 before E010", chk(ro, nil, redefine), 8, "xmlDesc in virDomainCheckpointCreateXML must not be NULL"},
		{"E010 before E011", chk(ro, x, redefine), 29, "virDomainCheckpointCreateXML"},
		{"E011", chk(rw, x, redefine), 8, "mutually exclusive"},
		{"E012", chk(rw, x, virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE), 8, "is required by flag"},
		{"E025 before E026", snap(ro, nil, x, snapshot), 8, "xmlDesc in virDomainSnapshotCreateXML2"},
		{"E026 before E053", snap(ro, x, x, snapshot), 29, "virDomainSnapshotCreateXML2"},
		{"E027", snap(rw, x, x, virt.DOMAIN_SNAPSHOT_CREATE_CURRENT), 8, "CURRENT"},
		{"E028 before E029", snap(rw, x, x, snapshot|virt.DOMAIN_SNAPSHOT_CREATE_NO_METADATA|virt.DOMAIN_SNAPSHOT_CREATE_HALT), 8, "NO_METADATA"},
		{"E029 before E053", snap(rw, x, x, snapshot|virt.DOMAIN_SNAPSHOT_CREATE_HALT), 8, "HALT"},
		{"E053", snap(rw, x, x, snapshot), 8, "Cannot create checkpoint when redefining snapshot"},
		{"E019", ro.AbortJob(), 29, "virDomainAbortJob"},
		{"E024", stats(rw, virt.DOMAIN_JOB_STATS_KEEP_COMPLETED), 8, "VIR_DOMAIN_JOB_STATS_COMPLETED"},
	} {
		t.Run(c.name, func(t *testing.T) { wants(t, c.err, c.code, c.text) })
	}
}

func TestHelperMadeTextsHaveNoEnvelope(t *testing.T) {
	if got := virt.NonNullArg("a", "f").Message; got != "a in f must not be NULL" {
		t.Error(got)
	}
	if got := virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU, "store '%s' exists", "x").Message; got != "invalid argument: store 'x' exists" {
		t.Error(got)
	}
}

func TestAFailureWithoutAnErrorIsCode1AndIsReportedOnce(t *testing.T) {
	var reported []*virt.Error
	c := virt.NewConn(&fake{id: -1}, virt.ConnOptions{
		Runtime: realrt.NewWorld().Kernel(), OnError: func(e *virt.Error) { reported = append(reported, e) },
	})
	d, err := c.LookupDomainByName("vm")
	if err != nil {
		t.Fatal(err)
	}
	id, err := d.BackupBegin(nil, nil, 0)
	wants(t, err, virt.ERR_INTERNAL_ERROR, "An error occurred, but the cause is unknown")
	if id != -1 || len(reported) != 1 || c.LastError() != reported[0] {
		t.Errorf("id %d, reported %v, last %v", id, reported, c.LastError())
	}
}

func TestZeroIsAValue(t *testing.T) {
	_, d := open(t, &fake{id: 0, ret: 0}, false)
	if id, err := d.BackupBegin(nil, nil, 0); id != 0 || err != nil {
		t.Errorf("begin: %d, %v", id, err)
	}
	if ret, err := d.BackupEnd(0, 0); ret != 0 || err != nil {
		t.Errorf("end: %d, %v", ret, err)
	}
}

func TestADriverThatDiedDuringTheCallIsTheEndOfTheStream(t *testing.T) {
	c := virt.NewConn(&fake{}, virt.ConnOptions{
		Runtime: realrt.NewWorld().Kernel(), Invoke: func(string, func()) error { return rt.ErrKilled },
	})
	_, err := c.LookupDomainByName("vm")
	wants(t, err, virt.ERR_SYSTEM_ERROR, "End of file while reading data: Input/output error")
	if !errors.Is(err, rt.ErrKilled) {
		t.Error("the cause is lost")
	}
}

func TestHandlesThatAreNilOrFreedAreRefusedByTheirOwnCode(t *testing.T) {
	_, d := open(t, &fake{}, false)
	k, err := d.CheckpointLookupByName(virt.XML("c"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Ref(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := k.Free(); err != nil {
			t.Fatal(err)
		}
	}
	wants(t, k.Free(), virt.ERR_INVALID_DOMAIN_CHECKPOINT, "virDomainCheckpointFree")
	var noDomain *virt.Domain
	wants(t, noDomain.Create(), virt.ERR_INVALID_DOMAIN, "virDomainCreate")
	var noCheckpoint *virt.Checkpoint
	wants(t, noCheckpoint.Delete(0), virt.ERR_INVALID_DOMAIN_CHECKPOINT, "virDomainCheckpointDelete")
	var noSnapshot *virt.Snapshot
	wants(t, noSnapshot.Free(), virt.ERR_INVALID_DOMAIN_SNAPSHOT, "virDomainSnapshotFree")
}

// TestADriverWithoutACallAnswersNoSupportWithItsName calls every method of a
// domain and a checkpoint, by reflection, on a driver that can only look up.
func TestADriverWithoutACallAnswersNoSupportWithItsName(t *testing.T) {
	_, d := open(t, &fake{}, false)
	k, err := d.CheckpointLookupByName(virt.XML("c"), 0)
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]bool{ // answered by the layer itself, or by the fake
		"Free": true, "GetName": true, "GetUUIDString": true, "GetConnect": true, "GetDomain": true, "Ref": true,
		"BackupBegin": true, "BackupEnd": true, "CheckpointLookupByName": true,
	}
	for _, handle := range []any{d, k} {
		v := reflect.ValueOf(handle)
		for i := range v.NumMethod() {
			name := v.Type().Method(i).Name
			if own[name] {
				continue
			}
			var args []reflect.Value
			for a := range v.Method(i).Type().NumIn() {
				kind := v.Method(i).Type().In(a)
				if kind.Kind() == reflect.Pointer {
					args = append(args, reflect.ValueOf(virt.XML("<x/>")))
					continue
				}
				args = append(args, reflect.Zero(kind))
			}
			out := v.Method(i).Call(args)
			err, _ := out[len(out)-1].Interface().(error)
			wants(t, err, virt.ERR_NO_SUPPORT, "not supported by the connection driver: virDomain")
		}
	}
}

// TestEveryCallOfTheSeedHasItsCounterpart is SUR-01: the seed's export list.
func TestEveryCallOfTheSeedHasItsCounterpart(t *testing.T) {
	types := map[string]reflect.Type{
		"Domain": reflect.TypeFor[*virt.Domain](), "Checkpoint": reflect.TypeFor[*virt.Checkpoint](),
	}
	for symbol, place := range map[string]string{
		"virDomainBackupBegin":               "Domain.BackupBegin",
		"virDomainBackupEnd":                 "Domain.BackupEnd",
		"virDomainBackupGetXMLDesc":          "Domain.BackupGetXMLDesc",
		"virDomainListJobIds":                "Domain.ListJobIds",
		"virDomainSnapshotCreateXML2":        "Domain.SnapshotCreateXML2",
		"virDomainCheckpointCreateXML":       "Domain.CreateCheckpointXML",
		"virDomainCheckpointCurrent":         "Domain.CheckpointCurrent",
		"virDomainHasCurrentCheckpoint":      "Domain.HasCurrentCheckpoint",
		"virDomainListCheckpoints":           "Domain.ListAllCheckpoints",
		"virDomainCheckpointLookupByName":    "Domain.CheckpointLookupByName",
		"virDomainCheckpointDelete":          "Checkpoint.Delete",
		"virDomainCheckpointFree":            "Checkpoint.Free",
		"virDomainCheckpointGetConnect":      "Checkpoint.GetConnect",
		"virDomainCheckpointGetDomain":       "Checkpoint.GetDomain",
		"virDomainCheckpointGetName":         "Checkpoint.GetName",
		"virDomainCheckpointGetParent":       "Checkpoint.GetParent",
		"virDomainCheckpointGetXMLDesc":      "Checkpoint.GetXMLDesc",
		"virDomainCheckpointHasMetadata":     "Checkpoint.HasMetadata",
		"virDomainCheckpointIsCurrent":       "Checkpoint.IsCurrent",
		"virDomainCheckpointListAllChildren": "Checkpoint.ListAllChildren",
		"virDomainCheckpointRef":             "Checkpoint.Ref",
	} {
		kind, method, _ := strings.Cut(place, ".")
		if _, ok := types[kind].MethodByName(method); !ok {
			t.Errorf("%s has no counterpart %s", symbol, place)
		}
	}
}

func TestTextsForPeople(t *testing.T) {
	if virt.DOMAIN_BLOCK_JOB_TYPE_BACKUP.String() != "Backup" || virt.DOMAIN_JOB_OPERATION_BACKUP.String() != "Backup" {
		t.Error("JOB-10")
	}
}
