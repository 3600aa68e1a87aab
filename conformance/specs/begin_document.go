package specs

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func beginDocumentSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:    "begin.backup-document-is-checked",
			Title: "a <domainbackup> document that is not one is refused with libvirt's codes: not well-formed, another root, against the grammar, then what the code checks",
			Requirements: []string{"BEG-18", "BEG-19", "SUR-02", "E073", "E074", "E075", "E076", "E077", "E083", "E084", "E085",
				"E086", "E087", "E088", "E089", "E090", "E091", "E092", "E094", "E095", "E108"},
			Body: backupDocumentIsChecked,
		},
		{
			ID:           "begin.pull-document-is-checked",
			Title:        "the server and the scratch images of a <domainbackup> document are held to the grammar too",
			Requirements: []string{"BEG-18", "BEG-19", "E079", "E080", "E081", "E082", "E093", "E096"},
			Body:         pullDocumentIsChecked,
		},
		{
			ID:           "begin.what-the-schema-overlooks",
			Title:        "white space around a value and paths with the letter of a drive, which libvirt's schema lets through, are refused by the code (27, 67), and so is TLS without certificates (55)",
			Requirements: []string{"BEG-18", "BEG-19", "E097", "E100", "E101", "E107", "E108", "E109", "E125"},
			Needs:        []conformance.Feature{conformance.FeatureKillDriver},
			Body:         whatTheSchemaOverlooks,
		},
		{
			ID:    "begin.checkpoint-document-is-checked",
			Title: "a <domaincheckpoint> document that is not one is refused by Begin as by CheckpointCreateXML",
			Requirements: []string{"BEG-04", "BEG-19", "CHK-08", "SUR-02", "E189", "E190", "E191", "E192", "E193", "E194", "E195",
				"E196", "E197"},
			Body: checkpointDocumentIsChecked,
		},
		{
			ID:    "begin.checkpoint-must-fit-the-domain",
			Title: "a checkpoint that does not fit the disks, or whose name is taken, fails the whole Begin",
			Requirements: []string{"BEG-04", "BEG-19", "CHK-08", "SNP-07", "E201", "E203", "E204", "E205", "E206", "E207", "E208",
				"E131"},
			Body: checkpointMustFit,
		},
	}
}

// inDisks is a push document with those disks.
func inDisks(disks string) *string {
	return virt.XML("<domainbackup mode='push'><disks>" + disks + "</disks></domainbackup>")
}

// oneDisk is a domain with a disk of 4 MiB and a guest that writes a little.
func oneDisk(t *conformance.T) *conformance.Domain {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	t.Go("guest", func() { d.Scribble("vda", 4) })
	return d
}

// schema is a refusal by the grammar of <domainbackup>.
func schema(row, text string) conformance.Refusal {
	return conformance.Refusal{Row: row, Backup: virt.XML(text), Code: virt.ERR_XML_INVALID_SCHEMA, Text: "domainbackup.rng"}
}

func schemaDisks(row, disks string) conformance.Refusal {
	return schema(row, *inDisks(disks))
}

func backupDocumentIsChecked(t *conformance.T) {
	d := oneDisk(t)
	path := t.Path("image")
	target := "<target file='" + path + "'/>"
	d.ExpectRefused(
		conformance.Refusal{Row: "E073", Backup: virt.XML("<domainbackup><disks></domainbackup>"),
			Code: virt.ERR_XML_DETAIL, Text: "(domain_backup):1:"},
		conformance.Refusal{Row: "E073, empty", Backup: virt.XML(""), Code: virt.ERR_XML_DETAIL, Text: "(domain_backup):1:"},
		conformance.Refusal{Row: "E074", Backup: virt.XML("<backup><nonsense/></backup>"),
			Code: virt.ERR_XML_ERROR, Text: "expecting root element of 'domainbackup', not 'backup'"},
		schema("E075", "<domainbackup><nonsense/></domainbackup>"),
		schema("E075, attribute", "<domainbackup id='1'/>"),
		schemaDisks("E075, in a disk", "<disk name='vda' type='file'>"+target+"<source/></disk>"),
		schema("E076", "<domainbackup mode='copy'/>"),
		schema("E077", "<domainbackup mode='push'><server name='localhost' port='10809'/></domainbackup>"),
		schema("E083", "<domainbackup><disks/></domainbackup>"),
		schemaDisks("E084", "<disk type='file'>"+target+"</disk>"),
		schemaDisks("E085", "<disk name='disk-0' type='file'>"+target+"</disk>"),
		schemaDisks("E085, a path", "<disk name='"+d.DiskPath("vda")+"' type='file'>"+target+"</disk>"),
		schemaDisks("E086", "<disk name='vda'>"+target+"</disk>"),
		schemaDisks("E087", "<disk name='vda' type='dir'>"+target+"</disk>"),
		schemaDisks("E088", "<disk name='vda' type='file'><scratch file='"+path+"'/></disk>"),
		schemaDisks("E089", "<disk name='vda' type='file'><target file='image'/></disk>"),
		schemaDisks("E090", "<disk name='vda' type='file' backupmode='differential'>"+target+"</disk>"),
		schemaDisks("E091", "<disk name='vda' type='file' backupmode='full' incremental='c1'>"+target+"</disk>"),
		schemaDisks("E092", "<disk name='vda' type='file' exportname='vda'>"+target+"</disk>"),
		schemaDisks("E092, bitmap", "<disk name='vda' type='file' exportbitmap='vda'>"+target+"</disk>"),
		schemaDisks("E094", "<disk name='vda' type='file'>"+target+"<driver type='parchment'/></disk>"),
		schemaDisks("E095", "<disk name='vda' type='file'><target file='"+path+"'><encryption format='qcow'><secret type='passphrase' usage='x'/></encryption></target></disk>"),
		conformance.Refusal{Row: "E108", Backup: inDisks("<disk name='vda' type='file'>" + target + "<driver type='luks'/></disk>"),
			Code: virt.ERR_XML_ERROR, Text: "unknown storage source format 'luks'"},
	)
}

func pullDocumentIsChecked(t *conformance.T) {
	d := oneDisk(t)
	pull := func(server, rest string) string {
		return "<domainbackup mode='pull'><server " + server + "/>" + rest + "</domainbackup>"
	}
	d.ExpectRefused(
		schema("E079", pull("transport='tcp' port='10809'", "")),
		schema("E080", pull("transport='rdma' name='localhost' port='1'", "")),
		schema("E081", pull("transport='unix'", "")),
		schema("E081, relative", pull("transport='unix' socket='sock'", "")),
		schema("E082", pull("tls='maybe' name='localhost' port='1'", "")),
		schema("E093", pull("name='localhost' port='1'", "<disks><disk name='vda'><driver type='raw'/></disk></disks>")),
		conformance.Refusal{Row: "E096", Backup: virt.XML(pull("name='localhost' port='65536'", "")),
			Code: virt.ERR_INVALID_ARG, Text: "port '65536' out of range"},
	)
}

func whatTheSchemaOverlooks(t *conformance.T) {
	d := oneDisk(t)
	target := "<target file='" + t.Path("image") + "'/>"
	invalid := func(attribute, element, value, document string) conformance.Refusal {
		return conformance.Refusal{Row: "E109, " + attribute, Backup: virt.XML(document), Code: virt.ERR_XML_ERROR,
			Text: fmt.Sprintf("Invalid value for attribute '%s' in element '%s': '%s'", attribute, element, value)}
	}
	disk := func(attributes string) string {
		return *inDisks("<disk name='vda' " + attributes + ">" + target + "</disk>")
	}
	server := func(attributes string) string {
		return "<domainbackup mode='pull'><server " + attributes + "/></domainbackup>"
	}
	d.ExpectRefused(
		conformance.Refusal{Row: "E097", Backup: virt.XML("<domainbackup mode=' push'/>"), Code: virt.ERR_CONFIG_UNSUPPORTED,
			Text: "unknown backup mode ' push'"},
		conformance.Refusal{Row: "E100", Backup: virt.XML(server("transport='tcp ' name='localhost'")),
			Code: virt.ERR_CONFIG_UNSUPPORTED, Text: "unknown protocol transport type 'tcp '"},
		conformance.Refusal{Row: "E101", Backup: virt.XML(server(`transport='unix' socket='C:\socket'`)), Code: virt.ERR_XML_ERROR,
			Text: `backup socket path 'C:\socket' must be absolute`},
		conformance.Refusal{Row: "E107", Backup: virt.XML(disk("type=' file'")), Code: virt.ERR_XML_ERROR,
			Text: "unknown storage source type ' file'"},
		conformance.Refusal{Row: "E108", Backup: inDisks("<disk name='vda' type='file'><driver type='raw '/>" + target + "</disk>"),
			Code: virt.ERR_XML_ERROR, Text: "unknown storage source format 'raw '"},
		invalid("backup", "disk", "yes ", disk("type='file' backup='yes '")),
		invalid("backupmode", "disk", " full", disk("type='file' backupmode=' full'")),
		invalid("tls", "server", " no", server("name='localhost' tls=' no'")),
		conformance.Refusal{Row: "a drive", Backup: inDisks(`<disk name='vda' type='file'><target file='C:\image'/></disk>`),
			Code: virt.ERR_XML_ERROR, Text: `disk backup image path 'C:\image' must be absolute`},
		conformance.Refusal{Row: "E109, of a checkpoint", Backup: virt.XML(disk("type='file'")), Code: virt.ERR_XML_ERROR,
			Text:       "Invalid value for attribute 'checkpoint' in element 'disk': ' no'",
			Checkpoint: virt.XML("<domaincheckpoint><name>c1</name><disks><disk name='vda' checkpoint=' no'/></disks></domaincheckpoint>")},
	)
	t.Join()
	t.ConfigureNoTLS()
	d.ExpectRefused(conformance.Refusal{Row: "E125", Backup: virt.XML(server("name='localhost' tls='yes'")),
		Code: virt.ERR_OPERATION_INVALID, Text: "backup TLS directory not configured"})
}

func checkpointDocumentIsChecked(t *conformance.T) {
	d := oneDisk(t)
	backup := inDisks("<disk name='vda' type='file'><target file='" + t.Path("image") + "'/></disk>")
	bad := func(row, text string) conformance.Refusal {
		return conformance.Refusal{Row: row, Backup: backup, Checkpoint: virt.XML(text),
			Code: virt.ERR_XML_INVALID_SCHEMA, Text: "domaincheckpoint.rng"}
	}
	disk := func(row, attributes string) conformance.Refusal {
		return bad(row, "<domaincheckpoint><name>c1</name><disks><disk "+attributes+"/></disks></domaincheckpoint>")
	}
	d.ExpectRefused(
		conformance.Refusal{Row: "E189", Backup: backup, Checkpoint: virt.XML("<domaincheckpoint>"),
			Code: virt.ERR_XML_DETAIL, Text: "(domain_checkpoint):1:"},
		conformance.Refusal{Row: "E190", Backup: backup, Checkpoint: virt.XML("<domainsnapshot/>"),
			Code: virt.ERR_XML_ERROR, Text: "expecting root element of 'domaincheckpoint', not 'domainsnapshot'"},
		bad("E191, slash", "<domaincheckpoint><name>a/b</name></domaincheckpoint>"),
		bad("E191, dot", "<domaincheckpoint><name>.hidden</name></domaincheckpoint>"),
		bad("E191, space", "<domaincheckpoint><name>a b</name></domaincheckpoint>"),
		bad("E192", "<domaincheckpoint><nonsense/></domaincheckpoint>"),
		disk("E192, attribute", "name='vda' backup='yes'"),
		bad("E193", "<domaincheckpoint><disks/></domaincheckpoint>"),
		disk("E194", "checkpoint='bitmap'"),
		disk("E194, relative", "name='vda.qcow2'"),
		disk("E195", "name='vda' checkpoint='internal'"),
		disk("E196", "name='vda' checkpoint='no' bitmap='c1'"),
		disk("E196, size", "name='vda' checkpoint='no' size='1'"),
		bad("E197", "<domaincheckpoint><creationTime>yesterday</creationTime></domaincheckpoint>"),
		conformance.Refusal{Row: "a name of libvirt's own", Backup: backup,
			Checkpoint: virt.XML("<domaincheckpoint><name>libvirt-tmp-size-xml</name></domaincheckpoint>"),
			Code:       virt.ERR_CONFIG_UNSUPPORTED, Text: "which is reserved"},
		conformance.Refusal{Row: "a name too long for its file", Backup: backup,
			Checkpoint: virt.XML("<domaincheckpoint><name>" + strings.Repeat("n", 300) + "</name></domaincheckpoint>"),
			Code:       virt.ERR_CONFIG_UNSUPPORTED, Text: "limit of"},
	)
}

func checkpointMustFit(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"),
		{Target: "vdb", Size: 1 << 20, ReadOnly: true},
		{Target: "vdc", Size: 1 << 20, Format: "raw"},
		{Target: "vdd", Size: 1 << 20, Transient: true},
		{Target: "hda", NoMedium: true},
	}})
	t.Go("guest", func() {
		d.Scribble("vda", 3)
		d.Scribble("vdc", 1)
	})
	b := d.Begin(conformance.BackupSpec{Disks: images(t, "first", "vda")})
	b.AwaitSuccess()
	b.EndsWith(1)
	chk, err := d.CreateCheckpointXML(virt.XML("<domaincheckpoint><name>taken</name><disks><disk name='vda'/></disks></domaincheckpoint>"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	backup := inDisks("<disk name='vda' type='file'><target file='" + t.Path("image") + "'/></disk>")
	misfit := func(row, disks, text string) conformance.Refusal {
		return conformance.Refusal{Row: row, Backup: backup, Code: virt.ERR_CONFIG_UNSUPPORTED, Text: text,
			Checkpoint: virt.XML("<domaincheckpoint><name>c1</name>" + disks + "</domaincheckpoint>")}
	}
	of := func(disks string) string { return "<disks>" + disks + "</disks>" }
	d.MayHaveBitmap("taken")
	d.ExpectRefused(
		misfit("E201", of(strings.Repeat("<disk name='vda'/>", 6)), "too many disk checkpoint requests for domain"),
		misfit("E203", of("<disk name='vdz'/>"), "no disk named 'vdz'"),
		misfit("E204", of("<disk name='vda'/><disk name='vda' checkpoint='no'/>"), "disk 'vda' specified twice"),
		misfit("E204, by path", of("<disk name='vda'/><disk name='"+d.DiskPath("vda")+"'/>"), "disk 'vda' specified twice"),
		misfit("E205", of("<disk name='vdb'/>"), "disk 'vdb' is empty or readonly"),
		misfit("E205, empty", of("<disk name='hda'/>"), "disk 'hda' is empty or readonly"),
		misfit("E206", of("<disk name='vda' bitmap='c2'/>"), "bitmap for disk 'vda' must match checkpoint name 'c1'"),
		misfit("E207", of("<disk name='vdc'/>"), "checkpoint for disk vdc unsupported for storage type raw"),
		misfit("E207, by default", "", "checkpoint for disk vdc unsupported for storage type raw"),
		conformance.Refusal{Row: "E131", Backup: backup, Code: virt.ERR_OPERATION_UNSUPPORTED,
			Text:       "block jobs are not supported on transient disk 'vdd'",
			Checkpoint: virt.XML("<domaincheckpoint><name>c1</name><disks><disk name='vdd'/></disks></domaincheckpoint>")},
		conformance.Refusal{Row: "E208", Backup: backup, Code: virt.ERR_OPERATION_FAILED, Text: "domain moment taken already exists",
			Checkpoint: virt.XML("<domaincheckpoint><name>taken</name><disks><disk name='vda'/></disks></domaincheckpoint>")},
	)
	t.Expect(chk.GetName()).To(Equal("taken"))
}
