package specs

import (
	"strings"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func checkpointLoadSpecs() []conformance.Spec {
	needs := []conformance.Feature{conformance.FeatureKillDriver}
	return []conformance.Spec{
		{
			ID:           "recovery.driver-killed-anywhere-in-checkpoint-delete",
			Title:        "a driver killed at any point of a Delete comes back to a checkpoint that is wholly there or gone, or that can be deleted again; the others forget no write and keep their order",
			Requirements: []string{"CHK-04", "CHK-06", "I10", "I12"},
			Needs:        needs,
			Body:         driverKilledAnywhereInCheckpointDelete,
		},
		{
			ID:           "recovery.metadata-damaged",
			Title:        "a driver starts over damaged documents of checkpoints: it skips what it cannot read, makes roots of what has lost its parent, names none as current, and all can be redefined",
			Requirements: []string{"CHK-06", "CHK-05", "CHK-08", "E238", "E240"},
			Needs:        needs,
			Body:         metadataDamaged,
		},
		{
			ID:           "recovery.metadata-directory-lost",
			Title:        "a driver starts though the directory of checkpoints cannot be read: it knows none, backups that need none work, and bitmaps stay",
			Requirements: []string{"CHK-06", "E239"},
			Needs:        needs,
			Body:         metadataDirectoryLost,
		},
		{
			ID:           "recovery.current-after-a-restart",
			Title:        "after a restart the end of an unbranched chain is current; of a tree with branches none is, and the next checkpoint is a root",
			Requirements: []string{"CHK-02", "CHK-06", "CHK-08"},
			Needs:        needs,
			Body:         currentAfterARestart,
		},
	}
}

func driverKilledAnywhereInCheckpointDelete(t *conformance.T) {
	kinds := []struct {
		name  string // deleted
		flags virt.DomainCheckpointDeleteFlags
		rest  []string
	}{
		{"c1", 0, []string{"c0", "c2", "c3"}},
		{"c0", 0, []string{"c1", "c2", "c3"}},
		{"c1", virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN, []string{"c0"}},
		{"c1", virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY, []string{"c0", "c1"}},
	}
	t.Each(len(kinds), func(i int) {
		k := kinds[i]
		d := twoDisks(t, caseName(i))
		all := []string{"c0", "c1", "c2", "c3"}
		written(d, all...)
		c := checkpointNamed(t, d, k.name)
		deleted := error(nil)
		t.Go("guest-of-"+d.Name, func() { d.Scribble("vdb", 3) })
		diesWithin(t, 60, func() { deleted = c.Delete(k.flags) })
		left, err := d.ListAllCheckpoints(virt.DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL)
		t.Expect(err).NotTo(HaveOccurred())
		expectChain(t, d, names(t, left)...) // whatever is left is a chain, and its end is current
		if deleted == nil {
			t.Expect(names(t, left)).To(Equal(k.rest), "Delete returned")
		}
		for _, name := range k.rest {
			t.Expect(names(t, left)).To(ContainElement(name), "Delete was not asked for it")
		}
		if len(left) > len(k.rest) { // as much as is left can be deleted again
			t.Expect(checkpointNamed(t, d, k.name).Delete(k.flags)).To(Succeed())
		}
		expectChain(t, d, k.rest...)
		for _, name := range all {
			if !contains(k.rest, name) {
				d.ForgetCheckpoint(name)
				d.ExpectNoMetadata(name)
			}
		}
		t.ExpectNothingLeft(d)
		expectIncrements(t, d, k.rest...)
	})
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}

func metadataDamaged(t *conformance.T) {
	damages := []struct {
		name   string
		change func(text string) string
		roots  []string
		known  []string
		noted  []string // rows of the catalogue
	}{
		{"c1", func(string) string { return "no document" }, []string{"c0", "c2"}, []string{"c0", "c2"}, []string{"E240", "E238"}},
		{"c0", func(text string) string { return text[:len(text)/2] }, []string{"c1"}, []string{"c1", "c2"}, []string{"E240", "E238"}},
		{"c1", func(text string) string { return strings.Replace(text, "<name>c1</name>", "<name>c9</name>", 1) },
			[]string{"c0", "c2"}, []string{"c0", "c2"}, []string{"E240", "E238"}},
		{"c1", func(text string) string { return strings.Replace(text, "<name>c0</name>", "<name>none</name>", 1) },
			[]string{"c0", "c1"}, []string{"c0", "c1", "c2"}, []string{"E238"}},
		{"c0", func(text string) string {
			return strings.Replace(text, "<creationTime>", "<parent><name>c2</name></parent><creationTime>", 1)
		}, nil, []string{"c0", "c1", "c2"}, []string{"E238"}}, // a cycle: any of them may be the root
	}
	t.Each(len(damages), func(i int) {
		k := damages[i]
		d := twoDisks(t, caseName(i))
		written(d, "c0", "c1", "c2")
		whole := description(t, d, k.name, virt.DOMAIN_CHECKPOINT_XML_SECURE)
		t.KillDriver()
		d.DamageMetadata(k.name, k.change)
		t.Go("guest-of-"+d.Name, func() { d.Scribble("vda", 3) })
		t.RestartDriver()
		list := func(flags virt.DomainCheckpointListFlags) []string {
			found, err := d.ListAllCheckpoints(flags)
			t.Expect(err).NotTo(HaveOccurred())
			return names(t, found)
		}
		t.Expect(list(0)).To(ConsistOf(k.known))
		if k.roots != nil {
			t.Expect(list(virt.DOMAIN_CHECKPOINT_LIST_ROOTS)).To(ConsistOf(k.roots))
		}
		t.Expect(d.HasCurrentCheckpoint(0)).To(BeFalse(), "relations are inconsistent")
		for _, row := range k.noted {
			t.ExpectNoted(row)
		}
		t.Join()
		expectIncrements(t, d, k.known...) // increments need no tree
		if len(k.known) == 2 {
			id, err := d.BackupBegin(conformance.PullSpec{Server: t.ServerHere(), Since: k.name,
				Disks: []conformance.PullDisk{{Target: "vda", Scratch: t.Path("none")}}}.XML(), nil, 0)
			t.Expect(id).To(Equal(-1))
			t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "Checkpoint '"+k.name+"' for incremental backup")
		}
		_, err := d.CreateCheckpointXML(virt.XML(whole), redefine|validate)
		t.Expect(err).NotTo(HaveOccurred(), "redefine it")
		t.Expect(list(0)).To(ConsistOf("c0", "c1", "c2"))
		expectIncrements(t, d, k.name)
		d.PowerOff()
		d.ExpectBitmaps()
	})
}

func metadataDirectoryLost(t *conformance.T) {
	d := twoDisks(t, "")
	written(d, "c0", "c1")
	t.KillDriver()
	d.LoseMetadata()
	t.Go("guest", func() { d.Scribble("vda", 3) })
	t.RestartDriver()
	t.ExpectNoted("E239")
	expectChain(t, d)
	b := d.Begin(conformance.BackupSpec{Disks: images(t, "full", "vda")})
	b.AwaitSuccess()
	b.EndsWith(1)
	b.ExpectImages()
	_, err := d.CreateCheckpointXML(virt.XML("<domaincheckpoint><name>c2</name></domaincheckpoint>"), 0)
	t.Expect(err).To(HaveOccurred(), "there is no room for its document")
	expectChain(t, d)
	t.Join()
	t.ExpectNothingLeft(d)
	d.PowerOff()
	d.ExpectBitmaps()
}

func currentAfterARestart(t *conformance.T) {
	d := twoDisks(t, "")
	written(d, "c0", "c1", "c2")
	t.Go("guest", func() { d.Scribble("vda", 3) })
	t.KillDriver()
	t.RestartDriver()
	expectChain(t, d, "c0", "c1", "c2")
	t.Join()
	_, err := d.CreateCheckpointXML(document("c2", "c0", "<disks><disk name='vda' checkpoint='bitmap'/><disk name='vdb' checkpoint='bitmap'/></disks>"), redefine)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(d.HasCurrentCheckpoint(0)).To(BeTrue(), "c2 still is")
	t.KillDriver()
	t.RestartDriver()
	t.Expect(d.HasCurrentCheckpoint(0)).To(BeFalse(), "the tree has two ends")
	d.Checkpoint("c3")
	d.Scribble("vda", 2)
	_, err = checkpointNamed(t, d, "c3").GetParent(0)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "checkpoint 'c3' does not have a parent")
	expectIncrements(t, d, "c0", "c1", "c2", "c3")
	d.PowerOff()
	d.ExpectBitmaps()
}
