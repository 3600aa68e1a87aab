package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func checkpointCallSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "checkpoint.order-of-checks",
			Title:        "calls about checkpoints look at the handle, the connection, the arguments and the flags, in this order, and leave nothing",
			Requirements: []string{"CHK-01", "CHK-03", "E009", "E010", "E013", "E014", "E033", "E034", "E035", "E036", "E037", "E038", "SUR-02"},
			Body:         checkpointOrderOfChecks,
		},
		{
			ID:           "checkpoint.current",
			Title:        "the newest checkpoint is the current one, and can be asked for; without one there is none",
			Requirements: []string{"CHK-02", "E057"},
			Body:         checkpointCurrent,
		},
		{
			ID:           "checkpoint.of-an-inactive-domain",
			Title:        "checkpoints of a domain that does not run are listed, found and described; a new one needs a running domain",
			Requirements: []string{"CHK-01", "CHK-03", "CHK-02", "E198"},
			Body:         checkpointOfAnInactiveDomain,
		},
		{
			ID:           "checkpoint.bitmap-in-the-way",
			Title:        "a bitmap of somebody else that has the name of a new checkpoint fails its creation, and stays as it was",
			Requirements: []string{"CHK-01", "E209", "I16"},
			Body:         checkpointBitmapInTheWay,
		},
		{
			ID:           "checkpoint.lists-have-filters",
			Title:        "lists of checkpoints and of descendants keep to their filters, parents before children where that is asked for",
			Requirements: []string{"CHK-03", "E226"},
			Body:         checkpointFilters,
		},
	}
}

// chained makes checkpoints, each the child of the one before.
func chained(d *conformance.Domain, names ...string) {
	for _, name := range names {
		d.Checkpoint(name)
	}
}

func checkpointOrderOfChecks(t *conformance.T) {
	d := oneDisk(t)
	chained(d, "c1")
	reader := t.ReadOnlyDomain(d)
	c, err := d.CheckpointLookupByName(virt.XML("c1"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	read, err := reader.CheckpointLookupByName(virt.XML("c1"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	doc := virt.XML("<domaincheckpoint><name>c2</name></domaincheckpoint>")
	for _, x := range []struct {
		err  error
		code virt.ErrorNumber
		text string
	}{
		{second(reader.CreateCheckpointXML(nil, 64)), virt.ERR_INVALID_ARG, "xmlDesc in virDomainCheckpointCreateXML must not be NULL"},
		{second(reader.CreateCheckpointXML(doc, 64)), virt.ERR_OPERATION_DENIED, "read only access prevents virDomainCheckpointCreateXML"},
		{second(d.CreateCheckpointXML(virt.XML("no document"), 64)), virt.ERR_INVALID_ARG, "unsupported flags (0x40) in function qemuCheckpointCreateXML"},
		{second(reader.CheckpointLookupByName(nil, 1)), virt.ERR_INVALID_ARG, "name in virDomainCheckpointLookupByName must not be NULL"},
		{second(reader.CheckpointLookupByName(virt.XML("none"), 1)), virt.ERR_INVALID_ARG, "unsupported flags (0x1) in function qemuDomainCheckpointLookupByName"},
		{second(read.GetXMLDesc(virt.DOMAIN_CHECKPOINT_XML_SECURE | 64)), virt.ERR_OPERATION_DENIED, "virDomainCheckpointGetXMLDesc with secure flag"},
		{second(read.GetXMLDesc(64)), virt.ERR_INVALID_ARG, "unsupported flags (0x40) in function qemuCheckpointGetXMLDesc"},
		{second(reader.ListAllCheckpoints(1 << 20)), virt.ERR_INVALID_ARG, "unsupported flags (0x100000) in function qemuDomainListAllCheckpoints"},
		{second(read.ListAllChildren(1 << 20)), virt.ERR_INVALID_ARG, "unsupported flags (0x100000) in function qemuDomainCheckpointListAllChildren"},
		{second(c.GetParent(1)), virt.ERR_INVALID_ARG, "unsupported flags (0x1) in function qemuDomainCheckpointGetParent"},
		{second(d.HasCurrentCheckpoint(1)), virt.ERR_INVALID_ARG, "unsupported flags (0x1) in function qemuDomainHasCurrentCheckpoint"},
		{second(d.CheckpointCurrent(1)), virt.ERR_INVALID_ARG, "unsupported flags (0x1) in function qemuDomainCheckpointCurrent"},
		{second(c.IsCurrent(1)), virt.ERR_INVALID_ARG, "unsupported flags (0x1) in function qemuDomainCheckpointIsCurrent"},
		{second(c.HasMetadata(1)), virt.ERR_INVALID_ARG, "unsupported flags (0x1) in function qemuDomainCheckpointHasMetadata"},
	} {
		t.ExpectError(x.err, x.code, x.text)
	}
	xml, err := c.GetXMLDesc(virt.DOMAIN_CHECKPOINT_XML_SECURE)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(xml).To(ContainSubstring("<name>c1</name>"))
	t.Join()
	t.ExpectNothingLeft(d)
	d.PowerOff()
	d.ExpectBitmaps()
}

func checkpointCurrent(t *conformance.T) {
	d := oneDisk(t)
	has, err := d.HasCurrentCheckpoint(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(has).To(BeFalse())
	none, err := d.CheckpointCurrent(0)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "the domain does not have a current checkpoint")
	t.Expect(none).To(BeNil())
	for _, name := range []string{"c1", "c2"} {
		made := d.Checkpoint(name)
		for _, from := range []*virt.Domain{d.Domain, t.ReadOnlyDomain(d)} {
			has, err := from.HasCurrentCheckpoint(0)
			t.Expect(err).NotTo(HaveOccurred())
			t.Expect(has).To(BeTrue())
			current, err := from.CheckpointCurrent(0)
			t.Expect(err).NotTo(HaveOccurred())
			t.Expect(current.GetName()).To(Equal(name))
		}
		t.Expect(made.IsCurrent(0)).To(BeTrue())
		t.Expect(made.HasMetadata(0)).To(BeTrue())
	}
	older, err := d.CheckpointLookupByName(virt.XML("c1"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(older.IsCurrent(0)).To(BeFalse(), "only the newest is")
	t.Join()
	d.PowerOff()
	d.ExpectBitmaps()
}

func checkpointOfAnInactiveDomain(t *conformance.T) {
	d := oneDisk(t)
	chained(d, "c1", "c2")
	t.Join()
	d.PowerOff()
	all, err := d.ListAllCheckpoints(virt.DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(names(t, all)).To(Equal([]string{"c1", "c2"}))
	xml, err := all[1].GetXMLDesc(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(xml).To(ContainSubstring("<parent>"))
	t.Expect(all[1].IsCurrent(0)).To(BeTrue())
	_, err = d.CreateCheckpointXML(virt.XML("<domaincheckpoint><name>c3</name></domaincheckpoint>"), 0)
	t.ExpectError(err, virt.ERR_OPERATION_UNSUPPORTED, "cannot create checkpoint for inactive domain")
	again, err := d.ListAllCheckpoints(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(again).To(HaveLen(2))
	d.ExpectBitmaps()
}

func checkpointBitmapInTheWay(t *conformance.T) {
	d := oneDisk(t)
	node := d.FormatNode("vda")
	d.MayHaveBitmap("c1")
	t.Expect(d.OnMonitor("block-dirty-bitmap-add", bitmap(node, "c1", true)...)).To(BeEmpty())
	for range 2 {
		_, err := d.CreateCheckpointXML(virt.XML("<domaincheckpoint><name>c1</name></domaincheckpoint>"), 0)
		t.ExpectError(err, virt.ERR_INTERNAL_ERROR, "unable to execute QEMU command 'transaction': Bitmap already exists: c1")
		_, err = d.CheckpointLookupByName(virt.XML("c1"), 0)
		t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "c1")
	}
	t.Expect(d.HasCurrentCheckpoint(0)).To(BeFalse())
	chained(d, "c2")
	t.Join()
}

func checkpointFilters(t *conformance.T) {
	d := oneDisk(t)
	chained(d, "b", "a", "c")
	t.Join()
	of := func(list []*virt.Checkpoint, err error) []string {
		t.Expect(err).NotTo(HaveOccurred())
		return names(t, list)
	}
	t.Expect(of(d.ListAllCheckpoints(virt.DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL))).To(Equal([]string{"b", "a", "c"}))
	t.Expect(of(d.ListAllCheckpoints(0))).To(ConsistOf("a", "b", "c"))
	t.Expect(of(d.ListAllCheckpoints(virt.DOMAIN_CHECKPOINT_LIST_ROOTS))).To(Equal([]string{"b"}))
	t.Expect(of(d.ListAllCheckpoints(virt.DOMAIN_CHECKPOINT_LIST_LEAVES))).To(Equal([]string{"c"}))
	t.Expect(of(d.ListAllCheckpoints(virt.DOMAIN_CHECKPOINT_LIST_NO_LEAVES | virt.DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL))).To(Equal([]string{"b", "a"}))
	root, err := d.CheckpointLookupByName(virt.XML("b"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(of(root.ListAllChildren(0))).To(Equal([]string{"a"}))
	t.Expect(of(root.ListAllChildren(virt.DOMAIN_CHECKPOINT_LIST_DESCENDANTS | virt.DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL))).To(Equal([]string{"a", "c"}))
	leaf, err := d.CheckpointLookupByName(virt.XML("c"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(of(leaf.ListAllChildren(virt.DOMAIN_CHECKPOINT_LIST_DESCENDANTS))).To(BeEmpty())
	_, err = root.GetParent(0)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "checkpoint 'b' does not have a parent")
	d.PowerOff()
	d.ExpectBitmaps()
}
