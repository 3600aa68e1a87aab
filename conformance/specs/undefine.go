package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func undefineSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "undefine.with-checkpoints",
			Title:        "an inactive domain with checkpoints is not undefined unless their metadata may go, too; the images keep what they hold",
			Requirements: []string{"E241", "LST-01"},
			Body:         undefineWithCheckpoints,
		},
	}
}

func undefineWithCheckpoints(t *conformance.T) {
	d := oneDisk(t)
	d.Checkpoint("c0")
	t.Go("guest", func() { d.Scribble("vda", 3) })
	d.Checkpoint("c1")
	t.Join()
	d.PowerOff()
	refused := func() {
		for _, flags := range []virt.DomainUndefineFlags{
			0, virt.DOMAIN_UNDEFINE_MANAGED_SAVE, virt.DOMAIN_UNDEFINE_SNAPSHOTS_METADATA, virt.DOMAIN_UNDEFINE_NVRAM, virt.DOMAIN_UNDEFINE_KEEP_NVRAM,
		} {
			t.ExpectError(d.Undefine(flags), virt.ERR_OPERATION_INVALID, "cannot delete inactive domain with 2 checkpoints")
		}
	}
	refused()
	t.KillDriver()
	t.RestartDriver()
	refused()
	_, err := d.CheckpointLookupByName(virt.XML("c1"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(d.Undefine(virt.DOMAIN_UNDEFINE_CHECKPOINTS_METADATA)).To(Succeed())
	_, err = t.Conn().LookupDomainByName(d.Name)
	t.ExpectError(err, virt.ERR_NO_DOMAIN, "no domain with matching name '"+d.Name+"'")
	all, err := t.Conn().ListAllDomains(virt.CONNECT_LIST_DOMAINS_HAS_CHECKPOINT)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(all).To(BeEmpty())
	d.ExpectNoMetadata("c0")
	d.ExpectNoMetadata("c1")
	d.ExpectBitmaps()
}
