package specs

import (
	"strings"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func snapshotRefusalSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "snapshot.checks-in-order",
			Title:        "of several things wrong with a snapshot the first is reported: handle, document, connection, flags in pairs, checkpoint beside REDEFINE, unknown flags",
			Requirements: []string{"SNP-03", "SNP-04", "E004", "E025", "E026", "E027", "E028", "E029", "E042", "E053", "E251", "E252"},
			Body:         snapshotChecksInOrder,
		},
		{
			ID:           "snapshot.documents",
			Title:        "a document of a snapshot is refused for its form, then its grammar where that is asked for, then for what it says of memory, disks and overlays",
			Requirements: []string{"E253", "E254", "E255", "E256", "E257", "E258", "E259", "E260", "E261"},
			Body:         snapshotDocuments,
		},
		{
			ID:           "snapshot.checkpoint-needs-overlays",
			Title:        "a checkpoint is refused beside a snapshot within images or of a stopped domain, and where an image holds no bitmaps",
			Requirements: []string{"E054", "SNP-07", "SNP-02"},
			Body:         snapshotCheckpointNeedsOverlays,
		},
		{
			ID:           "snapshot.metadata-comes-first",
			Title:        "a snapshot whose metadata, or that of its checkpoint, cannot be written is not made: no overlay, no bitmap, and the disks as they were",
			Requirements: []string{"E262", "SNP-01"},
			Needs:        []conformance.Feature{conformance.FeatureLimitedDir, conformance.FeatureKillDriver},
			Body:         snapshotMetadataComesFirst,
		},
		{
			ID:           "snapshot.failures-leave-nothing",
			Title:        "whichever command of a snapshot QEMU refuses, nothing is left of it, and the next one is made",
			Requirements: []string{"SNP-01", "I16"},
			Body:         snapshotFailuresLeaveNothing,
		},
		{
			ID:           "snapshot.beside-jobs",
			Title:        "a snapshot waits for a running backup and gives up in time; a disk that somebody mirrors is refused, one that is backed up by others too",
			Requirements: []string{"E250", "E242"},
			Body:         snapshotBesideJobs,
		},
	}
}

const (
	snapshotDiskOnly = virt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
	snapshotRedefine = virt.DOMAIN_SNAPSHOT_CREATE_REDEFINE
)

func snapshotOf(content string) *string {
	return virt.XML("<domainsnapshot><name>s1</name>" + content + "</domainsnapshot>")
}

func snapshotChecksInOrder(t *conformance.T) {
	d := oneDisk(t)
	plain, checkpoint := snapshotOf(""), virt.XML("<domaincheckpoint/>")
	const noMetadata, halt, current = virt.DOMAIN_SNAPSHOT_CREATE_NO_METADATA, virt.DOMAIN_SNAPSHOT_CREATE_HALT, virt.DOMAIN_SNAPSHOT_CREATE_CURRENT
	const quiesce, live, unknown = virt.DOMAIN_SNAPSHOT_CREATE_QUIESCE, virt.DOMAIN_SNAPSHOT_CREATE_LIVE, virt.DomainSnapshotCreateFlags(1 << 20)
	for _, with := range []*string{nil, checkpoint} {
		d.ExpectSnapshotRefused(
			conformance.SnapshotRefusal{Row: "E025", Checkpoint: with, Flags: current, Code: virt.ERR_INVALID_ARG, Text: "xmlDesc in"},
			conformance.SnapshotRefusal{Row: "E027", XML: plain, Checkpoint: with, Flags: current | noMetadata | unknown, Code: virt.ERR_INVALID_ARG, Text: "is required by flag"},
			conformance.SnapshotRefusal{Row: "E028", XML: plain, Checkpoint: with, Flags: snapshotRedefine | noMetadata | halt, Code: virt.ERR_INVALID_ARG, Text: "NO_METADATA' are mutually exclusive"},
			conformance.SnapshotRefusal{Row: "E029", XML: plain, Checkpoint: with, Flags: snapshotRedefine | halt | unknown, Code: virt.ERR_INVALID_ARG, Text: "HALT' are mutually exclusive"},
			conformance.SnapshotRefusal{Row: "E042", XML: virt.XML("<"), Checkpoint: with, Flags: unknown | quiesce, Code: virt.ERR_INVALID_ARG, Text: "unsupported flags (0x100000) in function qemuSnapshotCreateXML"},
			conformance.SnapshotRefusal{Row: "E251", XML: virt.XML("<"), Checkpoint: with, Flags: quiesce, Code: virt.ERR_INVALID_ARG, Text: "DISK_ONLY' is required by flag"},
		)
	}
	d.ExpectSnapshotRefused(
		conformance.SnapshotRefusal{Row: "E053", XML: plain, Checkpoint: checkpoint, Flags: snapshotRedefine | unknown, Code: virt.ERR_INVALID_ARG, Text: "Cannot create checkpoint when redefining snapshot"},
		conformance.SnapshotRefusal{Row: "E252", XML: virt.XML("<"), Flags: snapshotRedefine | live, Code: virt.ERR_INVALID_ARG, Text: "LIVE' and"},
	)
	reader := t.ReadOnlyDomain(d)
	_, err := reader.SnapshotCreateXML2(nil, checkpoint, current)
	t.ExpectError(err, virt.ERR_INVALID_ARG, "xmlDesc in virDomainSnapshotCreateXML2 must not be NULL")
	_, err = reader.SnapshotCreateXML2(plain, checkpoint, current)
	t.ExpectError(err, virt.ERR_OPERATION_DENIED, "read only access prevents virDomainSnapshotCreateXML2")
	t.ExpectRow("E026", err)
	_, err = reader.SnapshotCreateXML(plain, current)
	t.ExpectRow("E026", err)
	var gone *virt.Snapshot
	_, err = gone.GetXMLDesc(0)
	t.ExpectError(err, virt.ERR_INVALID_DOMAIN_SNAPSHOT, "virDomainSnapshotGetXMLDesc")
	t.ExpectRow("E004", err)
	t.Join()
	s := d.Snapshot(conformance.SnapshotSpec{Name: "s1"})
	t.Expect(s.Free()).To(Succeed())
	t.ExpectRow("E004", s.Delete(0))
}

func snapshotDocuments(t *conformance.T) {
	d := t.StartDomain(twoSmallDisks())
	t.Go("guest", func() { d.Scribble("vda", 4) })
	t.WriteFile(t.Path("taken"), []byte("something"))
	t.Keeps(t.Path("taken"))
	list := func(disks string) *string { return snapshotOf("<disks>" + disks + "</disks>") }
	const validate = snapshotDiskOnly | virt.DOMAIN_SNAPSHOT_CREATE_VALIDATE
	const live = virt.DOMAIN_SNAPSHOT_CREATE_LIVE | snapshotDiskOnly
	d.ExpectSnapshotRefused(
		conformance.SnapshotRefusal{Row: "not well-formed", XML: virt.XML("<domainsnapshot>\n<x"), Flags: validate, Code: virt.ERR_XML_DETAIL, Text: "(domain_snapshot):2:"},
		conformance.SnapshotRefusal{Row: "another root", XML: virt.XML("<domainbackup/>"), Flags: validate, Code: virt.ERR_XML_ERROR, Text: "expecting root element of 'domainsnapshot'"},
		conformance.SnapshotRefusal{Row: "grammar", XML: snapshotOf("<memory snapshot='external'/>"), Flags: validate, Code: virt.ERR_XML_INVALID_SCHEMA, Text: "Unable to validate doc"},
		conformance.SnapshotRefusal{Row: "E260", XML: snapshotOf("<memory snapshot='external'/>"), Flags: snapshotDiskOnly, Code: virt.ERR_XML_ERROR, Text: "external memory snapshots require a filename"},
		conformance.SnapshotRefusal{Row: "E261", XML: snapshotOf("<memory snapshot='internal'/>"), Flags: snapshotDiskOnly, Code: virt.ERR_XML_ERROR, Text: "memory state cannot be saved with offline or disk-only snapshot"},
		conformance.SnapshotRefusal{Row: "relative", XML: list("<disk name='vda'><source file='over'/></disk>"), Flags: snapshotDiskOnly, Code: virt.ERR_XML_ERROR, Text: "disk snapshot image path 'over' must be absolute"},
		conformance.SnapshotRefusal{Row: "E259", XML: virt.XML("<domainsnapshot><name>a/b</name></domainsnapshot>"), Flags: snapshotDiskOnly, Code: virt.ERR_XML_DETAIL, Text: "name can't contain '/'"},
		conformance.SnapshotRefusal{Row: "dot", XML: virt.XML("<domainsnapshot><name>.a</name></domainsnapshot>"), Flags: snapshotDiskOnly, Code: virt.ERR_XML_DETAIL, Text: "invalid snapshot name '.a': name can't start with '.'"},
		conformance.SnapshotRefusal{Row: "live", XML: snapshotOf(""), Flags: live, Code: virt.ERR_OPERATION_UNSUPPORTED, Text: "live snapshot creation is supported only during full system snapshots"},
		conformance.SnapshotRefusal{Row: "E258", XML: snapshotOf("<memory snapshot='no'/>"), Code: virt.ERR_OPERATION_UNSUPPORTED, Text: "must include the memory state"},
		conformance.SnapshotRefusal{Row: "unknown disk", XML: list("<disk name='vdz'/>"), Flags: snapshotDiskOnly, Code: virt.ERR_CONFIG_UNSUPPORTED, Text: "no disk named 'vdz'"},
		conformance.SnapshotRefusal{Row: "twice", XML: list("<disk name='vda'/><disk name='vda'/>"), Flags: snapshotDiskOnly, Code: virt.ERR_CONFIG_UNSUPPORTED, Text: "disk 'vda' specified twice"},
		conformance.SnapshotRefusal{Row: "manual", XML: list("<disk name='vdb' snapshot='manual'/>"), Flags: snapshotDiskOnly, Code: virt.ERR_OPERATION_UNSUPPORTED, Text: "snapshot mode 'manual' of disk 'vdb' is not supported"},
		conformance.SnapshotRefusal{Row: "E254", XML: list("<disk name='vda' snapshot='internal'/><disk name='vdb' snapshot='external'/>"), Code: virt.ERR_CONFIG_UNSUPPORTED, Text: "mixing internal and external targets"},
		conformance.SnapshotRefusal{Row: "E255", XML: list("<disk name='vda' snapshot='no'/><disk name='vdb' snapshot='no'/>"), Flags: snapshotDiskOnly, Code: virt.ERR_CONFIG_UNSUPPORTED, Text: "disk-only snapshots require at least one disk"},
		conformance.SnapshotRefusal{Row: "E257", XML: list("<disk name='vdb'><driver type='vmdk'/></disk>"), Flags: snapshotDiskOnly, Code: virt.ERR_CONFIG_UNSUPPORTED, Text: "external snapshot format for disk vdb is unsupported: vmdk"},
		conformance.SnapshotRefusal{Row: "collision", XML: list("<disk name='vda'><source file='" + t.Path("x") + "'/></disk><disk name='vdb'><source file='" + t.Path("x") + "'/></disk>"), Flags: snapshotDiskOnly, Code: virt.ERR_CONFIG_UNSUPPORTED, Text: "collision with disk"},
		conformance.SnapshotRefusal{Row: "E256", XML: list("<disk name='vdb'><source file='" + t.Path("taken") + "'/></disk>"), Flags: snapshotDiskOnly, Code: virt.ERR_CONFIG_UNSUPPORTED, Text: "already exists and is not a block device"},
		conformance.SnapshotRefusal{Row: "not there", XML: list("<disk name='vdb'><source file='" + t.Path("none") + "'/></disk>"), Flags: snapshotDiskOnly | virt.DOMAIN_SNAPSHOT_CREATE_REUSE_EXT, Code: virt.ERR_SYSTEM_ERROR, Text: "missing existing file for disk vda"},
		conformance.SnapshotRefusal{Row: "memory", XML: snapshotOf(""), Code: virt.ERR_OPERATION_UNSUPPORTED, Text: "not supported"},
	)
	t.Join()
	d.PowerOff()
	d.ExpectSnapshotRefused(
		conformance.SnapshotRefusal{Row: "E253", XML: list("<disk name='vda' snapshot='no'/><disk name='vdb' snapshot='no'/>"), Code: virt.ERR_CONFIG_UNSUPPORTED, Text: "nothing selected for snapshot"},
		conformance.SnapshotRefusal{Row: "inactive", XML: snapshotOf(""), Flags: snapshotDiskOnly, Code: virt.ERR_OPERATION_UNSUPPORTED, Text: "snapshots of an inactive domain are not supported"},
	)
	t.Expect(string(t.ReadFile(t.Path("taken")))).To(Equal("something"))
}

func snapshotCheckpointNeedsOverlays(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		{Target: "vda", Size: 1 << 20, Format: "raw"}, {Target: "vdb", Size: 1 << 20},
	}})
	t.Go("guest", func() { d.Scribble("vda", 4) })
	checkpoint := virt.XML("<domaincheckpoint><name>c1</name></domaincheckpoint>")
	onlyB := "<disks><disk name='vda' snapshot='no'/></disks>"
	const quiesce = snapshotDiskOnly | virt.DOMAIN_SNAPSHOT_CREATE_QUIESCE
	d.ExpectSnapshotRefused(
		conformance.SnapshotRefusal{Row: "inside", XML: snapshotOf("<disks><disk name='vdb' snapshot='internal'/><disk name='vda' snapshot='no'/></disks>"), Checkpoint: checkpoint, Code: virt.ERR_CONFIG_UNSUPPORTED, Text: "require all disks"},
		conformance.SnapshotRefusal{Row: "raw beside", XML: snapshotOf(onlyB), Checkpoint: checkpoint, Flags: snapshotDiskOnly, Code: virt.ERR_CONFIG_UNSUPPORTED, Text: "checkpoint for disk vda unsupported for storage type raw"},
		conformance.SnapshotRefusal{Row: "bad checkpoint", XML: snapshotOf(""), Checkpoint: virt.XML("<domaincheckpoint><x/></domaincheckpoint>"), Flags: snapshotDiskOnly, Code: virt.ERR_XML_INVALID_SCHEMA, Text: "element x"},
		conformance.SnapshotRefusal{Row: "E055", XML: snapshotOf(""), Checkpoint: checkpoint, Flags: quiesce, Code: virt.ERR_ARGUMENT_UNSUPPORTED, Text: "QEMU guest agent is not configured"},
	)
	e := t.StartDomain(conformance.DomainSpec{Name: "inside", Disks: []conformance.DiskSpec{{Target: "vda", Size: 1 << 20}}})
	e.ExpectSnapshotRefused(conformance.SnapshotRefusal{
		Row: "E054", XML: snapshotOf(""), Checkpoint: checkpoint, Code: virt.ERR_OPERATION_UNSUPPORTED, Text: "cannot create checkpoint with internal/offline snapshot",
	})
	s := d.Snapshot(conformance.SnapshotSpec{Name: "s1", Disks: []conformance.SnapshotDisk{{Target: "vda", No: true}, {Target: "vdb"}}})
	t.Join()
	d.PowerOff()
	s.ExpectBase()
	d.ExpectSnapshotRefused(conformance.SnapshotRefusal{
		Row: "E054", XML: snapshotOf(""), Checkpoint: checkpoint, Flags: snapshotDiskOnly, Code: virt.ERR_OPERATION_UNSUPPORTED, Text: "cannot create checkpoint with internal/offline snapshot",
	})
}

func snapshotMetadataComesFirst(t *conformance.T) {
	t.LimitState(stateBytes)
	d := oneDisk(t)
	t.FillState(stateBytesLeft)
	description := "<description>" + strings.Repeat("long ", descriptionBytes/5) + "</description>"
	d.ExpectSnapshotRefused(
		conformance.SnapshotRefusal{Row: "E262", XML: snapshotOf(description), Flags: snapshotDiskOnly, Code: virt.ERR_INTERNAL_ERROR, Text: "unable to save metadata for snapshot s1"},
		conformance.SnapshotRefusal{
			Row: "E213", XML: snapshotOf(""), Checkpoint: virt.XML("<domaincheckpoint><name>c1</name>" + description + "</domaincheckpoint>"),
			Flags: snapshotDiskOnly, Code: virt.ERR_INTERNAL_ERROR, Text: "unable to save metadata for checkpoint c1",
		},
	)
	t.Join()
	d.PowerOff()
}

func snapshotFailuresLeaveNothing(t *conformance.T) {
	d := t.StartDomain(twoSmallDisks())
	d.Checkpoint("c0")
	t.Go("guest", func() { d.Scribble("vda", 5) })
	for _, command := range []struct {
		name  string
		times int
	}{{"query-named-block-nodes", 2}, {"blockdev-add", 4}, {"blockdev-create", 2}, {"query-jobs", 2}, {"transaction", 1}} {
		for n := 1; n <= command.times; n++ {
			fault := t.FailCommand(command.name, n, "the dog ate it")
			_, err := d.TrySnapshot(conformance.SnapshotSpec{Name: "s1", Checkpoint: "c1"})
			t.Expect(fault.Lift()).To(BeTrue(), "%s number %d was not sent", command.name, n)
			t.ExpectError(err, virt.ERR_INTERNAL_ERROR, "the dog ate it")
			t.ExpectNothingLeft(d)
			t.ExpectFiles(false, d.Overlays(conformance.SnapshotSpec{Name: "s1"})...)
			t.Expect(d.SnapshotNames()).To(BeEmpty())
			t.Expect(names(t, allCheckpoints(t, d))).To(Equal([]string{"c0"}))
		}
	}
	s := d.Snapshot(conformance.SnapshotSpec{Name: "s1", Checkpoint: "c1"})
	t.Join()
	d.PowerOff()
	s.ExpectBase()
	d.ExpectBitmaps()
}

func snapshotBesideJobs(t *conformance.T) {
	d := t.StartDomain(twoSmallDisks())
	t.Go("guest", func() { d.Scribble("vdb", 4) })
	p := d.BeginPull(conformance.PullSpec{Disks: []conformance.PullDisk{{Target: "vdb"}}, Server: t.ServerHere()})
	before := t.Now()
	_, err := d.TrySnapshot(conformance.SnapshotSpec{Name: "s1"})
	t.ExpectError(err, virt.ERR_OPERATION_TIMEOUT, "cannot acquire state change lock")
	t.ExpectRow("E250", err)
	t.Expect(t.Now().Sub(before)).To(BeNumerically(">=", t.JobWait()), "a snapshot waits for the running backup")
	p.ExpectExports()
	p.EndsWith(0, 1)
	d.Write("vda", 0, 1<<20)
	d.Write("vda", 1<<20, 1<<20) // a job of one byte per second stalls after its first MiB
	only := []conformance.SnapshotDisk{{Target: "vdb", No: true}}
	mirror := d.StartForeignMirror("vda")
	_, err = d.TrySnapshot(conformance.SnapshotSpec{Name: "s1", Disks: only})
	t.ExpectError(err, virt.ERR_BLOCK_COPY_ACTIVE, "disk 'vda' already in active block job")
	t.ExpectRow("E242", err)
	mirror.End()
	s := d.Snapshot(conformance.SnapshotSpec{Name: "s1", Disks: only})
	t.Join()
	d.PowerOff()
	s.ExpectBase()
}
