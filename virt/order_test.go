package virt_test

import (
	"strings"
	"testing"

	"fleece/virt"
)

// situation is what the caller did; the zero value passes every check.
type situation struct {
	freed, closed, readOnly bool
	noXML, noCheckpoint     bool
	negative                bool
	flags                   uint32
}

// fault is one mistake of a caller, with the error that it gets.
type fault struct {
	id    string // of the catalogue
	code  virt.ErrorNumber
	text  string
	make  func(*situation)
	clash string // ids of faults that cannot be made together with this one
}

// The faults that most calls begin with.
func badDomain(symbol string) fault {
	return fault{"E001", 7, "invalid domain pointer in " + symbol, func(s *situation) { s.freed = true }, ""}
}

func badCheckpoint(symbol string) fault {
	return fault{"E003", 102, "Invalid domain checkpoint: " + symbol, func(s *situation) { s.freed = true }, ""}
}

func closed(symbol string) fault {
	return fault{"E002", 6, "invalid connection pointer in " + symbol, func(s *situation) { s.closed = true }, ""}
}

func readOnly(id, symbol string) fault {
	return fault{id, 29, "operation forbidden: read only access prevents " + symbol, func(s *situation) { s.readOnly = true }, ""}
}

func noXML(id, arg, symbol string) fault {
	return fault{id, 8, arg + " in " + symbol + " must not be NULL", func(s *situation) { s.noXML = true }, ""}
}

func negative(id, symbol string) fault {
	return fault{id, 8, "id in " + symbol + " must be zero or greater", func(s *situation) { s.negative = true }, ""}
}

func flags(id string, bits uint32, text, clash string) fault {
	return fault{id, 8, text, func(s *situation) { s.flags |= bits }, clash}
}

func exclusive(prefix, a, b string) string {
	return "Flags '" + prefix + a + "' and '" + prefix + b + "' are mutually exclusive"
}

func required(prefix, a, b string) string {
	return "Flag '" + prefix + b + "' is required by flag '" + prefix + a + "'"
}

func (s situation) xml() *string { return unless(s.noXML) }
func (s situation) chk() *string { return unless(s.noCheckpoint) }

func unless(missing bool) *string {
	if missing {
		return nil
	}
	return xml
}

func (s situation) id() int {
	if s.negative {
		return -1
	}
	return 1
}

// ordered is a call with its checks, in the documented order.
type ordered struct {
	symbol string
	faults []fault
	call   func(h handles, s situation) error
}

// secure is a SECURE flag on a read-only connection.
func secure(id, symbol string) fault {
	return fault{id, 29, "operation forbidden: " + symbol + " with secure flag", func(s *situation) { s.readOnly, s.flags = true, s.flags|1 }, ""}
}

const (
	createPrefix   = "VIR_DOMAIN_CHECKPOINT_CREATE_"
	deletePrefix   = "VIR_DOMAIN_CHECKPOINT_DELETE_"
	snapshotPrefix = "VIR_DOMAIN_SNAPSHOT_CREATE_"
	statsPrefix    = "VIR_DOMAIN_JOB_STATS_"
)

// snapshotFaults are the checks of both snapshot calls (SNP-04).
func snapshotFaults(symbol string) []fault {
	return []fault{
		badDomain(symbol), closed(symbol), noXML("E025", "xmlDesc", symbol), readOnly("E026", symbol),
		flags("E027", 2, required(snapshotPrefix, "CURRENT", "REDEFINE"), "E028 E029 E053"),
		flags("E028", 1|4, exclusive(snapshotPrefix, "REDEFINE", "NO_METADATA"), "E027"),
		flags("E029", 1|8, exclusive(snapshotPrefix, "REDEFINE", "HALT"), "E027"),
	}
}

// simple is a call that checks handle, connection, and perhaps read-only.
func simple(symbol, readOnlyID string, call func(h handles, s situation) error) ordered {
	faults := []fault{badDomain(symbol), closed(symbol)}
	if readOnlyID != "" {
		faults = append(faults, readOnly(readOnlyID, symbol))
	}
	return ordered{symbol, faults, call}
}

// deviceFaults are those of a call about a device: NULL comes before read-only.
func deviceFaults(symbol string) []fault {
	return []fault{badDomain(symbol), closed(symbol), noXML("§2", "xml", symbol), readOnly("§2", symbol)}
}

// onDisk is a call about a disk of a domain: read-only is refused before NULL is
// (§2.3), where it writes.
func onDisk(symbol, arg string, writes bool, call func(h handles, s situation) error) ordered {
	faults := []fault{badDomain(symbol), closed(symbol)}
	if writes {
		faults = append(faults, readOnly("§2.3", symbol))
	}
	return ordered{symbol, append(faults, noXML("§2.3", arg, symbol)), call}
}

var orders = []ordered{
	{"virDomainBackupBegin", []fault{
		badDomain("virDomainBackupBegin"), closed("virDomainBackupBegin"), readOnly("E018", "virDomainBackupBegin"),
		{"E043", 8, "checkpointXml in virDomainBackupBegin must not be NULL", func(s *situation) { s.noCheckpoint, s.flags = true, 1 }, ""},
	}, func(h handles, s situation) error {
		_, err := h.dom.BackupBegin(nil, s.chk(), virt.DomainBackupBeginFlags(s.flags))
		return err
	}},
	{"virDomainBackupEnd", []fault{
		badDomain("virDomainBackupEnd"), closed("virDomainBackupEnd"), readOnly("E046", "virDomainBackupEnd"), negative("E045", "virDomainBackupEnd"),
	}, func(h handles, s situation) error { _, err := h.dom.BackupEnd(s.id(), 0); return err }},
	{"virDomainBackupGetXMLDesc", []fault{
		badDomain("virDomainBackupGetXMLDesc"), closed("virDomainBackupGetXMLDesc"), negative("E044", "virDomainBackupGetXMLDesc"),
	}, func(h handles, s situation) error { _, err := h.dom.BackupGetXMLDesc(s.id(), 0); return err }},
	{"virDomainGetJobStats", []fault{
		badDomain("virDomainGetJobStats"), closed("virDomainGetJobStats"),
		flags("E024", 2, required(statsPrefix, "KEEP_COMPLETED", "COMPLETED"), ""),
	}, func(h handles, s situation) error {
		_, _, err := h.dom.GetJobStats(virt.DomainGetJobStatsFlags(s.flags))
		return err
	}},
	{"virDomainCheckpointCreateXML", []fault{
		badDomain("virDomainCheckpointCreateXML"), closed("virDomainCheckpointCreateXML"),
		noXML("E009", "xmlDesc", "virDomainCheckpointCreateXML"), readOnly("E010", "virDomainCheckpointCreateXML"),
		flags("E011", 1|2, exclusive(createPrefix, "REDEFINE", "QUIESCE"), "E012"),
		flags("E012", 4, required(createPrefix, "REDEFINE_VALIDATE", "REDEFINE"), "E011"),
	}, func(h handles, s situation) error {
		_, err := h.dom.CreateCheckpointXML(s.xml(), virt.DomainCheckpointCreateFlags(s.flags))
		return err
	}},
	{"virDomainCheckpointGetXMLDesc", []fault{
		badCheckpoint("virDomainCheckpointGetXMLDesc"), closed("virDomainCheckpointGetXMLDesc"),
		secure("E013", "virDomainCheckpointGetXMLDesc"),
	}, func(h handles, s situation) error {
		_, err := h.chk.GetXMLDesc(virt.DomainCheckpointXMLFlags(s.flags))
		return err
	}},
	{"virDomainCheckpointLookupByName", []fault{
		badDomain("virDomainCheckpointLookupByName"), closed("virDomainCheckpointLookupByName"),
		noXML("E014", "name", "virDomainCheckpointLookupByName"),
	}, func(h handles, s situation) error { _, err := h.dom.CheckpointLookupByName(s.xml(), 0); return err }},
	{"virDomainCheckpointDelete", []fault{
		badCheckpoint("virDomainCheckpointDelete"), closed("virDomainCheckpointDelete"),
		readOnly("E015", "virDomainCheckpointDelete"), flags("E016", 1|4, exclusive(deletePrefix, "CHILDREN", "CHILDREN_ONLY"), ""),
	}, func(h handles, s situation) error { return h.chk.Delete(virt.DomainCheckpointDeleteFlags(s.flags)) }},
	{"virDomainSnapshotCreateXML", snapshotFaults("virDomainSnapshotCreateXML"), func(h handles, s situation) error {
		_, err := h.dom.SnapshotCreateXML(s.xml(), virt.DomainSnapshotCreateFlags(s.flags))
		return err
	}},
	{"virDomainSnapshotCreateXML2", append(snapshotFaults("virDomainSnapshotCreateXML2"),
		flags("E053", 1, "Cannot create checkpoint when redefining snapshot", "E027"),
	), func(h handles, s situation) error {
		_, err := h.dom.SnapshotCreateXML2(s.xml(), xml, virt.DomainSnapshotCreateFlags(s.flags))
		return err
	}},
	{"virDomainGetXMLDesc", []fault{
		badDomain("virDomainGetXMLDesc"), closed("virDomainGetXMLDesc"), secure("§2", "virDomainGetXMLDesc"),
	}, func(h handles, s situation) error {
		_, err := h.dom.GetXMLDesc(virt.DomainXMLFlags(s.flags))
		return err
	}},
	simple("virDomainListJobIds", "", func(h handles, _ situation) error { _, err := h.dom.ListJobIds(0); return err }),
	simple("virDomainGetJobInfo", "", func(h handles, _ situation) error { _, err := h.dom.GetJobInfo(); return err }),
	simple("virDomainListAllCheckpoints", "", func(h handles, _ situation) error { _, err := h.dom.ListAllCheckpoints(0); return err }),
	simple("virDomainAbortJob", "E019", func(h handles, _ situation) error { return h.dom.AbortJob() }),
	simple("virDomainAbortJobFlags", "§2.3", func(h handles, _ situation) error { return h.dom.AbortJobFlags(0) }),
	onDisk("virDomainBlockJobAbort", "disk", true, func(h handles, s situation) error { return h.dom.BlockJobAbort(s.xml(), 0) }),
	onDisk("virDomainBlockJobSetSpeed", "disk", true, func(h handles, s situation) error { return h.dom.BlockJobSetSpeed(s.xml(), 1, 0) }),
	onDisk("virDomainGetBlockJobInfo", "disk", false, func(h handles, s situation) error { _, err := h.dom.GetBlockJobInfo(s.xml(), 0); return err }),
	onDisk("virDomainSetBlockThreshold", "dev", true, func(h handles, s situation) error { return h.dom.SetBlockThreshold(s.xml(), 1, 0) }),
	onDisk("virDomainBlockPull", "disk", true, func(h handles, s situation) error { return h.dom.BlockPull(s.xml(), 1, 0) }),
	onDisk("virDomainBlockRebase", "disk", true, func(h handles, s situation) error { return h.dom.BlockRebase(s.xml(), nil, 1, 0) }),
	onDisk("virDomainBlockCommit", "disk", true, func(h handles, s situation) error { return h.dom.BlockCommit(s.xml(), nil, nil, 1, 0) }),
	onDisk("virDomainBlockCopy", "disk", true, func(h handles, s situation) error { return h.dom.BlockCopy(s.xml(), xml, nil, 0) }),
	onDisk("virDomainBlockCopy", "destxml", true, func(h handles, s situation) error { return h.dom.BlockCopy(xml, s.xml(), nil, 0) }),
	onDisk("virDomainBlockResize", "disk", true, func(h handles, s situation) error { return h.dom.BlockResize(s.xml(), 1, 0) }),
	onDisk("virDomainSave", "to", true, func(h handles, s situation) error { return h.dom.Save(s.xml()) }),
	onDisk("virDomainMigrateToURI", "duri", true, func(h handles, s situation) error { return h.dom.MigrateToURI(s.xml(), 0, nil, 0) }),
	{"virDomainAttachDeviceFlags", deviceFaults("virDomainAttachDeviceFlags"), func(h handles, s situation) error {
		return h.dom.AttachDeviceFlags(s.xml(), 0)
	}},
	{"virDomainDetachDeviceFlags", deviceFaults("virDomainDetachDeviceFlags"), func(h handles, s situation) error {
		return h.dom.DetachDeviceFlags(s.xml(), 0)
	}},
	simple("virDomainShutdown", "§2", func(h handles, _ situation) error { return h.dom.Shutdown() }),
	simple("virDomainFSFreeze", "§2", func(h handles, _ situation) error { _, err := h.dom.FSFreeze(nil, 0); return err }),
	simple("virDomainFSThaw", "§2", func(h handles, _ situation) error { _, err := h.dom.FSThaw(nil, 0); return err }),
	simple("virDomainCreate", "§2", func(h handles, _ situation) error { return h.dom.Create() }),
	simple("virDomainDestroy", "§2", func(h handles, _ situation) error { return h.dom.Destroy() }),
	simple("virDomainUndefineFlags", "§2", func(h handles, _ situation) error { return h.dom.Undefine(0) }),
	simple("virDomainSuspend", "§2", func(h handles, _ situation) error { return h.dom.Suspend() }),
	simple("virDomainResume", "§2", func(h handles, _ situation) error { return h.dom.Resume() }),
}

// TestOfSeveralFaultsTheFirstInTheDocumentedOrderWins makes every set of faults of
// every call that can be made together.
func TestOfSeveralFaultsTheFirstInTheDocumentedOrderWins(t *testing.T) {
	for _, o := range orders {
		t.Run(o.symbol, func(t *testing.T) {
			for set := range 1 << len(o.faults) {
				o.try(t, set)
			}
		})
	}
}

// try makes one set of faults, given as bits, and expects the error of the first.
func (o ordered) try(t *testing.T, set int) {
	t.Helper()
	var s situation
	var made []string
	var first *fault
	for i := range o.faults {
		f := &o.faults[i]
		if set&(1<<i) == 0 {
			continue
		}
		for _, other := range made {
			if strings.Contains(f.clash, other) {
				return
			}
		}
		f.make(&s)
		made = append(made, f.id)
		if first == nil {
			first = f
		}
	}
	d := &full{}
	h := connect(d, virt.ConnOptions{ReadOnly: s.readOnly})
	if s.closed {
		ok(t, h.conn.Close())
	}
	if s.freed {
		ok(t, h.dom.Free())
		ok(t, h.chk.Free())
	}
	d.asked = nil
	err := o.call(h, s)
	if first == nil {
		if err != nil || len(d.asked) != 1 {
			t.Errorf("without a fault: %v, the driver was asked %v", err, d.asked)
		}
		return
	}
	if len(d.asked) != 0 {
		t.Errorf("%v: the driver was asked %v", made, d.asked)
	}
	e := asError(t, err)
	if e.Code != first.code || e.Message != first.text {
		t.Errorf("%v: got %v, want %d %q", made, err, first.code, first.text)
	}
}
