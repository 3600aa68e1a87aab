package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func checkpointSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "checkpoint.create-list-lookup",
			Title:        "a checkpoint created under writes is listed, found, has its parent, and its name cannot be taken twice",
			Requirements: []string{"CHK-01", "CHK-03", "I5", "I9", "E208", "E225", "E226"},
			Body:         createListLookup,
		},
	}
}

func createListLookup(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		{Target: "vda", Size: 2 << 20, ClusterSize: 512},
	}})
	t.Go("guest", func() { d.Scribble("vda", 6) })
	d.Checkpoint("first")
	d.Checkpoint("second")
	t.Join()
	first, err := d.CheckpointLookupByName(virt.XML("first"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	second, err := d.CheckpointLookupByName(virt.XML("second"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	parent, err := second.GetParent(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(parent.GetName()).To(Equal("first"))
	_, err = first.GetParent(0)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "does not have a parent")
	all, err := d.ListAllCheckpoints(virt.DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(names(t, all)).To(Equal([]string{"first", "second"}))
	_, err = d.CreateCheckpointXML(virt.XML("<domaincheckpoint><name>first</name></domaincheckpoint>"), 0)
	t.ExpectError(err, virt.ERR_OPERATION_FAILED, "domain moment first already exists")
	_, err = d.CheckpointLookupByName(virt.XML("third"), 0)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "third")
	d.PowerOff()
	d.ExpectBitmaps()
}

// names lists the names of checkpoints, in the order given.
func names(t *conformance.T, list []*virt.Checkpoint) []string {
	var out []string
	for _, c := range list {
		name, err := c.GetName()
		t.Expect(err).NotTo(HaveOccurred())
		out = append(out, name)
	}
	return out
}
