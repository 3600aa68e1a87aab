package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func beginCheckSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "begin.handle-connection-flags",
			Title:        "before anything else Begin looks at the handle, the connection and the flags, in this order",
			Requirements: []string{"BEG-09", "BEG-12", "BEG-19", "SUR-02", "E001", "E002", "E007", "E018", "E031", "E043", "E051"},
			Body:         handleConnectionFlags,
		},
		{
			ID:           "begin.order-of-checks",
			Title:        "of several things wrong with a Begin the first is reported: flags, documents, domain, disks, running backup, checkpoint, formats, bitmaps, files",
			Requirements: []string{"BEG-13", "BEG-18", "BEG-19", "E055", "E119", "E122", "E139", "E142"},
			Body:         orderOfChecks,
		},
		{
			ID:           "begin.needs-a-running-domain",
			Title:        "an inactive domain cannot be backed up; one that is suspended can, and stays suspended",
			Requirements: []string{"BEG-13", "BEG-02", "E119", "I1", "PSH-01"},
			Body:         needsARunningDomain,
		},
		{
			ID:           "begin.disks-must-fit-the-domain",
			Title:        "a document whose disks do not fit those of the domain is refused with libvirt's texts",
			Requirements: []string{"BEG-18", "BEG-19", "E113", "E114", "E115", "E116", "E117", "E118", "E128", "E131"},
			Body:         disksMustFit,
		},
		{
			ID:           "begin.nothing-to-back-up",
			Title:        "a domain without disks, or with none that is eligible, has nothing to back up",
			Requirements: []string{"BEG-07", "BEG-18", "BEG-19", "E112", "E118", "E202"},
			Body:         nothingToBackUp,
			Alone:        "no disk takes writes, so there is nothing to race with",
		},
		{
			ID:           "begin.waits-for-the-running-backup",
			Title:        "a second Begin waits for a backup that copies, and gives up with code 68 when the wait is over",
			Requirements: []string{"BEG-15", "E164", "END-01"},
			Body:         waitsForTheRunningBackup,
		},
	}
}

func handleConnectionFlags(t *conformance.T) {
	d := oneDisk(t)
	noCheckpoint := virt.DOMAIN_BACKUP_BEGIN_NO_METADATA
	garbage := virt.XML("<nonsense/>")
	var nobody *virt.Domain
	refused := func(dom *virt.Domain, flags virt.DomainBackupBeginFlags, code virt.ErrorNumber, text string) {
		id, err := dom.BackupBegin(garbage, nil, flags)
		t.Expect(id).To(Equal(-1))
		t.ExpectError(err, code, text)
	}
	refused(nobody, 8|noCheckpoint, virt.ERR_INVALID_DOMAIN, "invalid domain pointer in virDomainBackupBegin")
	refused(&virt.Domain{}, 8|noCheckpoint, virt.ERR_INVALID_DOMAIN, "invalid domain pointer in virDomainBackupBegin")
	refused(t.ReadOnlyDomain(d), 8|noCheckpoint, virt.ERR_OPERATION_DENIED, "read only access prevents virDomainBackupBegin")
	refused(d.Domain, 8|noCheckpoint, virt.ERR_INVALID_ARG, "checkpointXml in virDomainBackupBegin must not be NULL")
	d.ExpectRefused(
		conformance.Refusal{Row: "E051", Backup: garbage, Checkpoint: garbage, Flags: 12 | noCheckpoint,
			Code: virt.ERR_INVALID_ARG, Text: "unsupported flags (0xc) in function qemuBackupBegin"},
		conformance.Refusal{Row: "E031", Backup: garbage, Flags: 1 << 17,
			Code: virt.ERR_INVALID_ARG, Text: "unsupported flags (0x20000) in function qemuBackupBegin"},
		conformance.Refusal{Row: "E043", Flags: noCheckpoint,
			Code: virt.ERR_INVALID_ARG, Text: "checkpointXml in virDomainBackupBegin must not be NULL"},
	)
	gone := t.DefineDomain(conformance.DomainSpec{Name: "gone", Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	t.Expect(gone.Undefine(0)).To(Succeed())
	refused(gone.Domain, 8, virt.ERR_NO_DOMAIN, "gone")
	freed := t.ReadOnlyDomain(d)
	t.Expect(freed.Free()).To(Succeed())
	refused(freed, 8, virt.ERR_INVALID_DOMAIN, "invalid domain pointer in virDomainBackupBegin")
	orphan := t.ReadOnlyDomain(d)
	t.Expect(t.ReadOnly().Close()).To(Succeed())
	refused(orphan, 8, virt.ERR_INVALID_CONN, "invalid connection pointer in virDomainBackupBegin")
}

func orderOfChecks(t *conformance.T) {
	d := t.DefineDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda"), conformance.SmallDisk("vdb")}})
	there := t.Path("there")
	t.WriteFile(there, []byte("somebody's"))
	t.Keeps(there)
	disk := func(name, rest string) string {
		return "<disk name='" + name + "' type='file'><target file='" + there + "'/>" + rest + "</disk>"
	}
	misfit, iso := disk("vdz", ""), disk("vda", "<driver type='iso'/>")
	since := func(disks string) *string {
		return virt.XML("<domainbackup><incremental>c0</incremental><disks>" + disks + "</disks></domainbackup>")
	}
	refused := func(row string, backup *string, checkpoint string, flags virt.DomainBackupBeginFlags, code virt.ErrorNumber, text string) {
		d.ExpectRefused(conformance.Refusal{Row: row, Backup: backup, Checkpoint: virt.XML(checkpoint), Flags: flags, Code: code, Text: text})
	}
	const bad, unfit, good = "<domaincheckpoint><x/></domaincheckpoint>",
		"<domaincheckpoint><name>c1</name><disks><disk name='vdz'/></disks></domaincheckpoint>",
		"<domaincheckpoint><name>c1</name></domaincheckpoint>"
	refused("flags", virt.XML("<x"), bad, 4, virt.ERR_INVALID_ARG, "unsupported flags (0x4)")
	refused("form", virt.XML("<x"), bad, 0, virt.ERR_XML_DETAIL, "(domain_backup):1:")
	refused("root", virt.XML("<x/>"), bad, 0, virt.ERR_XML_ERROR, "expecting root element")
	refused("grammar", virt.XML("<domainbackup><x/></domainbackup>"), bad, 0, virt.ERR_XML_INVALID_SCHEMA, "domainbackup.rng")
	refused("checkpoint's grammar", inDisks(misfit), bad, 0, virt.ERR_XML_INVALID_SCHEMA, "domaincheckpoint.rng")
	refused("inactive", inDisks(misfit), unfit, 0, virt.ERR_OPERATION_UNSUPPORTED, "cannot perform disk backup for inactive domain")
	d.Start()
	t.Go("guest", func() { d.Scribble("vda", 4) })
	done := d.Begin(conformance.BackupSpec{Disks: images(t, "done", "vda")})
	done.AwaitSuccess()
	refused("guest agent", inDisks(misfit), unfit, virt.DOMAIN_BACKUP_BEGIN_QUIESCE, virt.ERR_ARGUMENT_UNSUPPORTED,
		"QEMU guest agent is not configured")
	refused("disks", inDisks(misfit), unfit, 0, virt.ERR_CONFIG_UNSUPPORTED, "no disk named 'vdz'")
	refused("another backup", since(iso), unfit, 0, virt.ERR_OPERATION_INVALID, "another backup job is already running")
	done.EndsWith(1)
	refused("checkpoint's disks", since(iso), unfit, 0, virt.ERR_CONFIG_UNSUPPORTED, "no disk named 'vdz'")
	refused("format", since(iso), good, 0, virt.ERR_CONFIG_UNSUPPORTED, "storage format 'iso'")
	refused("checkpoint to start from", since(disk("vda", "")), good, 0, virt.ERR_NO_DOMAIN_CHECKPOINT,
		"Checkpoint 'c0' for incremental backup of disk 'vda' not found")
	refused("a later disk's checkpoint", inDisks(disk("vda", "")+"<disk name='vdb' type='file' incremental='c0'><target file='"+there+"'/></disk>"),
		good, 0, virt.ERR_NO_DOMAIN_CHECKPOINT, "Checkpoint 'c0' for incremental backup of disk 'vdb' not found")
	refused("file before format", inDisks(disk("vda", "<driver type='bochs'/>")), good, 0, virt.ERR_INVALID_ARG,
		"store '"+there+"' for backup of 'vda' exists")
	refused("file", inDisks(disk("vda", "")), good, 0, virt.ERR_INVALID_ARG, "store '"+there+"' for backup of 'vda' exists")
	t.Expect(string(t.ReadFile(there))).To(Equal("somebody's"))
	t.Join()
}

func needsARunningDomain(t *conformance.T) {
	d := t.DefineDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	d.ExpectRefused(conformance.Refusal{Row: "E119", Backup: nil, Code: virt.ERR_OPERATION_UNSUPPORTED,
		Text: "cannot perform disk backup for inactive domain"})
	d.Start()
	d.Scribble("vda", 4)
	t.Go("guest", func() { d.Scribble("vda", 2) })
	t.Join() // what a suspended guest had under way
	t.Expect(d.Suspend()).To(Succeed())
	b := d.Begin(conformance.BackupSpec{Checkpoint: "c0", Disks: images(t, "suspended", "vda")})
	b.AwaitSuccess()
	state, _, err := d.GetState()
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(state).To(Equal(virt.DOMAIN_PAUSED), "a backup does not let the guest run")
	b.EndsWith(1)
	b.ExpectImages()
	t.Expect(d.Resume()).To(Succeed())
	t.Go("guest-again", func() { d.Scribble("vda", 3) })
	next := d.Begin(conformance.BackupSpec{Over: b, Disks: images(t, "resumed", "vda")})
	next.AwaitSuccess()
	next.EndsWith(1)
	t.Join()
	next.ExpectImages()
}

func disksMustFit(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"),
		{Target: "vdc", Size: 1 << 20, Transient: true}, {Target: "hda", NoMedium: true},
	}})
	t.Go("guest", func() { d.Scribble("vda", 3) })
	path := t.Path("image")
	disk := func(name, attributes, in string) string {
		return "<disk name='" + name + "' type='file' " + attributes + "><target file='" + path + "'>" + in + "</target></disk>"
	}
	misfit := func(row string, code virt.ErrorNumber, text string, disks string) conformance.Refusal {
		return conformance.Refusal{Row: row, Backup: inDisks(disks), Code: code, Text: text}
	}
	const config = virt.ERR_CONFIG_UNSUPPORTED
	d.ExpectRefused(
		misfit("E113", config, "no disk named 'vdz'", disk("vda", "", "")+disk("vdz", "", "")),
		misfit("E113, though it takes no part", config, "no disk named 'vdz'", disk("vda", "", "")+"<disk name='vdz' backup='no'/>"),
		misfit("E114", config, "disk 'vda' specified twice", disk("vda", "", "")+disk("vda", "", "")),
		misfit("E114, once left out", config, "disk 'vda' specified twice", "<disk name='vda' backup='no'/>"+disk("vda", "", "")),
		misfit("E115", config, "'incremental' backup mode of disk 'vda' requires setting 'incremental' field for disk or backup",
			disk("vda", "backupmode='incremental'", "")),
		misfit("E116", config, "disk 'hda' has no media", disk("hda", "", "")),
		misfit("E117", config, "refusing to generate file name for disk 'vda'", "<disk name='vda' type='block'/>"),
		misfit("E118", config, "no disks selected for backup", "<disk name='vda' backup='no'/><disk name='vdb' backup='no'/>"),
		misfit("E131", virt.ERR_OPERATION_UNSUPPORTED, "block jobs are not supported on transient disk 'vdc'",
			"<disk name='vda' type='file'><target file='"+path+"-a'/></disk>"+disk("vdc", "", "")),
		misfit("E128", virt.ERR_NO_SECRET, "no secret with matching",
			disk("vda", "", "<encryption format='luks'><secret type='passphrase' usage='/nowhere'/></encryption>")),
	)
	t.Join()
}

func nothingToBackUp(t *conformance.T) {
	bare := t.StartDomain(conformance.DomainSpec{Name: "bare"})
	chk := virt.XML("<domaincheckpoint><name>c1</name></domaincheckpoint>")
	bare.ExpectRefused(
		conformance.Refusal{Row: "E112", Code: virt.ERR_CONFIG_UNSUPPORTED, Text: "domain must have at least one disk to perform backup"},
		conformance.Refusal{Row: "E112 before E202", Checkpoint: chk, Code: virt.ERR_CONFIG_UNSUPPORTED,
			Text: "domain must have at least one disk to perform backup"},
	)
	t.ExpectRow("E202", bare.TryCheckpoint("c1"))
	d := t.StartDomain(conformance.DomainSpec{Name: "fixed", Disks: []conformance.DiskSpec{
		{Target: "vda", Size: 1 << 20, ReadOnly: true}, {Target: "hda", NoMedium: true},
	}})
	d.ExpectRefused(conformance.Refusal{Row: "E118", Code: virt.ERR_CONFIG_UNSUPPORTED, Text: "no disks selected for backup"})
	// A read-only disk takes part when it is listed (contract row 7).
	b := d.Begin(conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda"}}})
	b.AwaitSuccess()
	b.EndsWith(1)
	b.ExpectImages()
}

func waitsForTheRunningBackup(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda"), conformance.SmallDisk("vdb")}})
	for off := int64(0); off < 4<<20; off += 256 << 10 {
		d.Write("vda", off, 128<<10)
	}
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{Disks: images(t, "first", "vda")})
	t.Go("guest", func() { d.Scribble("vda", 4) })
	// Another disk makes no difference: there is one backup per domain.
	before := t.Now()
	_, err := d.TryBegin(conformance.BackupSpec{Disks: images(t, "second", "vdb")})
	t.ExpectError(err, virt.ERR_OPERATION_TIMEOUT, "cannot acquire state change lock")
	t.Expect(t.Now().Sub(before)).To(BeNumerically(">=", t.JobWait()), "a Begin waits for the running backup")
	t.ExpectFiles(false, t.Path("second-vdb"))
	// One that waits when the copying is over gets its turn, and is then refused.
	t.Go("caller", func() {
		before := t.Now()
		_, err := d.TryBegin(conformance.BackupSpec{Disks: images(t, "third", "vdb")})
		if t.Now().Sub(before) < t.JobWait() { // else a slow machine was too slow
			t.ExpectError(err, virt.ERR_OPERATION_INVALID, "another backup job is already running")
		}
	})
	t.ReleasePushes(d)
	t.Join()
	b.AwaitSuccess()
	b.EndsWith(1)
	b.ExpectImages()
}
