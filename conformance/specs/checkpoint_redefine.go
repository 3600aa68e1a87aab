package specs

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

// Flags of CheckpointCreateXML, in short.
const (
	redefine = virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE
	validate = virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE
)

func checkpointRedefineSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "checkpoint.redefine-is-checked",
			Title:        "a redefinition that is incomplete, of another domain, or would break the tree is refused with libvirt's code and text, and changes nothing",
			Requirements: []string{"CHK-05", "CHK-08", "E011", "E012", "E204", "E206", "E214", "E215", "E216", "E217", "E218", "E219", "E220"},
			Body:         redefineIsChecked,
		},
		{
			ID:           "checkpoint.redefine-brings-back",
			Title:        "checkpoints that were forgotten are defined again from their documents, validated, and increments from them are right",
			Requirements: []string{"CHK-05", "CHK-02", "CHK-06", "I5"},
			Body:         redefineBringsBack,
		},
		{
			ID:           "checkpoint.redefine-is-validated",
			Title:        "validation finds bitmaps that are missing or broken and needs a running domain; without it a redefinition is taken as it is",
			Requirements: []string{"CHK-05", "E221", "E222"},
			Body:         redefineIsValidated,
		},
		{
			ID:           "checkpoint.redefine-moves-in-the-tree",
			Title:        "a redefinition replaces what is known of a checkpoint and its place in the tree; its children stay, and lists follow a tree with branches",
			Requirements: []string{"CHK-05", "CHK-02", "CHK-03", "CHK-08"},
			Body:         redefineMovesInTheTree,
		},
	}
}

// description of a checkpoint as GetXMLDesc gives it.
func description(t *conformance.T, d *conformance.Domain, name string, flags virt.DomainCheckpointXMLFlags) string {
	text, err := checkpointNamed(t, d, name).GetXMLDesc(flags)
	t.Expect(err).NotTo(HaveOccurred(), "describe %s", name)
	return text
}

// document is a <domaincheckpoint> to be redefined, without the domain.
func document(name, parent, more string) *string {
	if parent != "" {
		parent = "<parent><name>" + parent + "</name></parent>"
	}
	return virt.XML(fmt.Sprintf("<domaincheckpoint><name>%s</name>%s<creationTime>1</creationTime>%s</domaincheckpoint>", name, parent, more))
}

func redefineIsChecked(t *conformance.T) {
	d := oneDisk(t)
	chained(d, "c0", "c1", "c2")
	whole := description(t, d, "c1", 0)
	without := func(old, now string) *string {
		t.Expect(whole).To(ContainSubstring(old))
		return virt.XML(strings.Replace(whole, old, now, 1))
	}
	uuid := whole[strings.Index(whole, "<uuid>"):strings.Index(whole, "</uuid>")]
	for _, row := range []struct {
		id    string
		flags virt.DomainCheckpointCreateFlags
		xml   *string
	}{
		{"E011", redefine | virt.DOMAIN_CHECKPOINT_CREATE_QUIESCE, virt.XML("no document")},
		{"E012", validate, virt.XML("no document")},
		{"E214", redefine, virt.XML("<domaincheckpoint><creationTime>1</creationTime></domaincheckpoint>")},
		{"E215", redefine, virt.XML("<domaincheckpoint><name>c1</name></domaincheckpoint>")},
		{"E216", redefine, document("c1", "c0", "<domain type='qemu'><name>vm</name><memory unit='KiB'>1</memory></domain>")},
		{"E217", redefine, document("c1", "c1", "")},
		{"E218", redefine, document("c1", "none", "")},
		{"E219", redefine, document("c1", "c2", "")},
		{"E219", redefine, document("c0", "c2", "")},
		{"E220", redefine, without(uuid, "<uuid>11111111-2222-3333-4444-555555555555")},
		{"E206", redefine, document("c1", "c0", "<disks><disk name='vda' checkpoint='bitmap' bitmap='c0'/></disks>")},
		{"E204", redefine, document("c1", "c0", "<disks><disk name='vda'/><disk name='"+d.DiskPath("vda")+"'/></disks>")},
		{"E204", redefine, document("c1", "c0", "<disks><disk name='vdz'/><disk name='vdz' checkpoint='no'/></disks>")},
	} {
		c, err := d.CreateCheckpointXML(row.xml, row.flags)
		t.Expect(c).To(BeNil(), "row %s", row.id)
		t.ExpectRow(row.id, err)
		expectChain(t, d, "c0", "c1", "c2")
		t.Expect(description(t, d, "c1", 0)).To(Equal(whole))
	}
	t.Join()
	t.ExpectNothingLeft(d)
	d.PowerOff()
	d.ExpectBitmaps()
}

func redefineBringsBack(t *conformance.T) {
	d := twoDisks(t, "")
	written(d, "c0", "c1", "c2")
	t.Go("guest", func() { d.Scribble("vda", 4); d.Scribble("vdb", 2) })
	all := []string{"c0", "c1", "c2"}
	var texts []string
	for _, name := range all {
		texts = append(texts, description(t, d, name, virt.DOMAIN_CHECKPOINT_XML_SECURE))
	}
	t.Expect(checkpointNamed(t, d, "c0").Delete(virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN | virt.DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY)).To(Succeed())
	expectChain(t, d)
	id, err := d.BackupBegin(conformance.PullSpec{Server: t.ServerHere(), Since: "c1", Disks: []conformance.PullDisk{{Target: "vda", Scratch: t.Path("none")}}}.XML(), nil, 0)
	t.Expect(id).To(Equal(-1))
	t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "Checkpoint 'c1' for incremental backup of disk 'vda' not found")
	for i, name := range all {
		c, err := d.CreateCheckpointXML(virt.XML(texts[i]), redefine|validate)
		t.Expect(err).NotTo(HaveOccurred(), "redefine %s", name)
		t.Expect(c.GetName()).To(Equal(name))
		t.Expect(c.IsCurrent(0)).To(BeTrue(), "the child of the current one is current")
		t.Expect(c.GetXMLDesc(virt.DOMAIN_CHECKPOINT_XML_SECURE)).To(Equal(texts[i]))
	}
	expectChain(t, d, all...)
	t.KillDriver()
	t.Join()
	t.RestartDriver()
	expectChain(t, d, all...)
	expectIncrements(t, d, all...)
	d.PowerOff()
	d.ExpectBitmaps()
}

func redefineIsValidated(t *conformance.T) {
	d := oneDisk(t)
	chained(d, "c0", "c1")
	node := d.FormatNode("vda")
	disks := "<disks><disk name='vda' checkpoint='bitmap'/></disks>"
	d.MayHaveBitmap("idle")
	t.Expect(d.OnMonitor("block-dirty-bitmap-add", bitmap(node, "idle", false)...)).To(BeEmpty())
	d.BrokenBitmap("idle")
	for _, name := range []string{"none", "idle"} {
		_, err := d.CreateCheckpointXML(document(name, "c1", disks), redefine|validate)
		t.ExpectRow("E222", err)
		t.ExpectError(err, virt.ERR_CHECKPOINT_INCONSISTENT, "missing or broken bitmap '"+name+"' for disk 'vda'")
		expectChain(t, d, "c0", "c1")
	}
	gone := "<disks><disk name='vda' checkpoint='bitmap'/><disk name='vdz' checkpoint='bitmap'/></disks>"
	_, err := d.CreateCheckpointXML(document("c1", "c0", gone), redefine|validate)
	t.Expect(err).NotTo(HaveOccurred(), "a disk that is no longer there is not asked about")
	_, err = d.CreateCheckpointXML(document("none", "c1", disks), redefine)
	t.Expect(err).NotTo(HaveOccurred(), "nobody asked for the bitmaps")
	expectChain(t, d, "c0", "c1", "none")
	id, err := d.BackupBegin(conformance.PullSpec{Server: t.ServerHere(), Since: "none", Disks: []conformance.PullDisk{{Target: "vda", Scratch: t.Path("none")}}}.XML(), nil, 0)
	t.Expect(id).To(Equal(-1))
	t.ExpectError(err, virt.ERR_CHECKPOINT_INCONSISTENT, "none")
	t.Expect(checkpointNamed(t, d, "none").Delete(0)).To(Succeed(), "a bitmap that is missing is as good as deleted")
	t.Join()
	d.PowerOff()
	_, err = d.CreateCheckpointXML(document("c1", "c0", disks), redefine|validate)
	t.ExpectRow("E221", err)
	_, err = d.CreateCheckpointXML(document("c1", "c0", disks), redefine)
	t.Expect(err).NotTo(HaveOccurred())
	expectChain(t, d, "c0", "c1")
}

func redefineMovesInTheTree(t *conformance.T) {
	d := oneDisk(t)
	chained(d, "c0", "c1", "c2")
	disks := "<description>moved</description><disks><disk name='vda' checkpoint='bitmap'/></disks>"
	again := func(name, parent string) {
		_, err := d.CreateCheckpointXML(document(name, parent, disks), redefine)
		t.Expect(err).NotTo(HaveOccurred(), "redefine %s below %q", name, parent)
	}
	list := func(flags virt.DomainCheckpointListFlags) []string {
		found, err := d.ListAllCheckpoints(flags | virt.DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL)
		t.Expect(err).NotTo(HaveOccurred())
		return names(t, found)
	}
	again("c1", "c0") // in place
	expectChain(t, d, "c0", "c1", "c2")
	t.Expect(description(t, d, "c1", 0)).To(ContainSubstring("<description>moved</description>"))
	again("c2", "c0") // a branch
	t.Expect(list(virt.DOMAIN_CHECKPOINT_LIST_LEAVES)).To(ConsistOf("c1", "c2"))
	t.Expect(checkpointNamed(t, d, "c2").IsCurrent(0)).To(BeTrue())
	again("c1", "") // with nothing above it
	t.Expect(list(virt.DOMAIN_CHECKPOINT_LIST_ROOTS)).To(ConsistOf("c0", "c1"))
	again("c0", "c1") // its child comes with it
	t.Expect(list(0)).To(Equal([]string{"c1", "c0", "c2"}))
	t.Expect(list(virt.DOMAIN_CHECKPOINT_LIST_LEAVES | virt.DOMAIN_CHECKPOINT_LIST_NO_LEAVES)).To(BeEmpty())
	expectChain(t, d, "c1", "c0", "c2")
	t.Join()
	expectIncrements(t, d, "c0", "c1", "c2")
	d.PowerOff()
	d.ExpectBitmaps()
}
