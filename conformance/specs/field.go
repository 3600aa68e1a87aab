package specs

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

// fieldSpecs are about what suites in the field try and no other spec does: see
// docs/coverage.md.
func fieldSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID: "field.checkpoints-are-redefined",
			Title: "a checkpoint whose metadata was dropped is redefined from its document, with the domain's and without, checked against its bitmap or not; " +
				"the check fails where the bitmap is gone, and only the check",
			Requirements: []string{"CHK-05", "CHK-03", "I9"},
			Body:         checkpointsAreRedefined,
		},
		{
			ID:           "field.size-is-what-was-written",
			Title:        "SIZE shows beside each disk how much was written since the checkpoint, not less than the guest wrote; without it nothing is shown",
			Requirements: []string{"CHK-03"},
			Body:         sizeIsWhatWasWritten,
		},
		{
			ID:           "field.a-disk-drops-out",
			Title:        "a disk that is left out of backup and checkpoint from the second round on has no image and no bitmap of them, and the others go on",
			Requirements: []string{"BEG-05", "BEG-18", "CHK-01", "I5", "I7"},
			Body:         aDiskDropsOut,
		},
		{
			ID: "field.threshold-of-a-scratch-image",
			Title: "a threshold on the scratch image of a pull, made, reused or a block device, by either transport, gives one event when the guest overwrites, " +
				"and the index of the image is that of the description",
			Requirements: []string{"E263", "DSC-01", "PUL-01"},
			Needs:        []conformance.Feature{conformance.FeatureBlockDevice},
			Body:         thresholdOfAScratchImage,
		},
		{
			ID:           "field.secrets-are-shown-to-who-asks",
			Title:        "the password of a domain's graphics is in the documents of the domain and its checkpoints with SECURE only, and a checkpoint keeps it",
			Requirements: []string{"CHK-03", "SUR-02"},
			Needs:        []conformance.Feature{conformance.FeatureKillDriver},
			Body:         secretsAreShownToWhoAsks,
		},
		{
			ID:           "field.domains-with-checkpoints",
			Title:        "domains can be listed by whether they have a checkpoint",
			Requirements: []string{"CHK-03", "CHK-04", "LST-01"},
			Body:         domainsWithCheckpoints,
		},
	}
}

func checkpointsAreRedefined(t *conformance.T) {
	const redefine, validate = virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE, virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE
	d := oneDisk(t)
	chk := d.Checkpoint("c0")
	d.Write("vda", 0, 8192)
	t.Go("guest", func() { d.Scribble("vda", 6) })
	forms := []virt.DomainCheckpointXMLFlags{0, virt.DOMAIN_CHECKPOINT_XML_NO_DOMAIN}
	for _, form := range forms {
		for _, flags := range []virt.DomainCheckpointCreateFlags{redefine, redefine | validate} {
			xml, err := chk.GetXMLDesc(form)
			t.Expect(err).NotTo(HaveOccurred())
			t.Expect(strings.Contains(xml, "<domain ")).To(Equal(form == 0))
			t.Expect(chk.Delete(virt.DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY)).To(Succeed())
			t.Expect(family(t, d)).To(BeEmpty())
			chk, err = d.CreateCheckpointXML(virt.XML(xml), flags)
			t.Expect(err).NotTo(HaveOccurred(), "redefine with flags %d", flags)
			again, err := chk.GetXMLDesc(form)
			t.Expect(err).NotTo(HaveOccurred())
			t.Expect(again).To(Equal(xml))
		}
	}
	b := d.Begin(conformance.BackupSpec{Since: "c0", Disks: images(t, "since", "vda")})
	b.AwaitSuccess()
	b.EndsWith(1)
	b.ExpectImages()
	d.BrokenBitmap("c0")
	t.Expect(d.OnMonitor("block-dirty-bitmap-remove", bitmap(d.FormatNode("vda"), "c0", true)[:2]...)).To(BeEmpty())
	for _, form := range forms {
		xml, err := chk.GetXMLDesc(form)
		t.Expect(err).NotTo(HaveOccurred())
		t.Expect(chk.Delete(virt.DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY)).To(Succeed())
		_, err = d.CreateCheckpointXML(virt.XML(xml), redefine|validate)
		t.ExpectError(err, virt.ERR_CHECKPOINT_INCONSISTENT, "c0")
		t.Expect(family(t, d)).To(BeEmpty())
		chk, err = d.CreateCheckpointXML(virt.XML(xml), redefine)
		t.Expect(err).NotTo(HaveOccurred(), "without the check it is taken")
	}
	t.Join()
}

func sizeIsWhatWasWritten(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda"), conformance.SmallDisk("vdb")}})
	chained(d, "c0", "c1")
	chk, err := d.CheckpointLookupByName(virt.XML("c1"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	size := func(target string) (n int64) {
		xml, err := chk.GetXMLDesc(virt.DOMAIN_CHECKPOINT_XML_SIZE | virt.DOMAIN_CHECKPOINT_XML_NO_DOMAIN)
		t.Expect(err).NotTo(HaveOccurred())
		_, rest, ok := strings.Cut(xml, "<disk name='"+target+"' checkpoint='bitmap' bitmap='c1' size='")
		t.Expect(ok).To(BeTrue(), "a size of %s: %s", target, xml)
		_, err = fmt.Sscanf(rest, "%d'", &n)
		t.Expect(err).NotTo(HaveOccurred())
		return n
	}
	t.Expect(size("vda")).To(BeZero())
	d.Write("vda", 64<<10, 1<<20)
	t.Expect(size("vda")).To(Equal(int64(1 << 20)))
	t.Expect(size("vdb")).To(BeZero())
	t.Go("guest", func() { d.Scribble("vda", 4) })
	last := int64(1 << 20)
	for range 3 {
		n := size("vda")
		t.Expect(n).To(BeNumerically(">=", last))
		last = n
	}
	t.Join()
	xml, err := chk.GetXMLDesc(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(xml).NotTo(ContainSubstring("size="))
}

func aDiskDropsOut(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		{Target: "vda", Size: 64 << 10}, conformance.SmallDisk("vdb"), conformance.SmallDisk("vdc"),
	}})
	d.Scribble("vdb", 2)
	d.Scribble("vdc", 2)
	t.Go("guest", func() {
		for range 3 {
			d.Scribble("vdb", 1)
			d.Scribble("vdc", 1)
		}
	})
	full := d.Begin(conformance.BackupSpec{Checkpoint: "ck1", Disks: images(t, "first", "vdb", "vdc")})
	full.AwaitSuccess()
	full.EndsWith(1)
	full.ExpectImages()
	without := func(name string) []conformance.BackupDisk {
		return append(images(t, name, "vdb"), conformance.BackupDisk{Target: "vdc", Out: true})
	}
	d.Write("vdb", 1<<20, 8192)
	second := d.Begin(conformance.BackupSpec{Over: full, Checkpoint: "ck2", Tracked: []string{"vdb"}, Disks: without("second")})
	second.AwaitSuccess()
	second.EndsWith(1)
	second.ExpectImages()
	d.Write("vdb", 2<<20, 8192)
	differential := d.Begin(conformance.BackupSpec{Since: "ck1", Checkpoint: "ck3", Tracked: []string{"vdb"}, Disks: without("differential")})
	e := differential.AwaitSuccess()
	t.Expect(e.Operation()).To(Equal(virt.DOMAIN_JOB_OPERATION_BACKUP))
	differential.EndsWith(1)
	differential.ExpectImages()
	t.Join()
	t.ExpectFiles(false, t.Path("second-vdc"), t.Path("differential-vdc"))
	t.ExpectNothingLeft(d) // ck2 and ck3 are on vdb only
	d.PowerOff()
	d.ExpectBitmaps()
}

// thresholds are the events of block thresholds so far: devices and offsets.
func thresholds(t *conformance.T) []string {
	all := []string{}
	for _, e := range t.Events() {
		if b, ok := e.(virt.BlockThresholdEvent); ok {
			all = append(all, fmt.Sprintf("%s %s %d", b.Disk, b.Path, b.Threshold))
		}
	}
	return all
}

func thresholdOfAScratchImage(t *conformance.T) {
	d := shapeDomain(t)
	device, reused := t.BlockDevice("device", 2*shapeDiskBytes), 0
	t.ExpectError(d.SetBlockThreshold(virt.XML("vdz"), 100, 0), virt.ERR_INVALID_ARG, "failed to find disk 'vdz'")
	t.ExpectError(d.SetBlockThreshold(virt.XML("vdb[1000]"), 100, 0), virt.ERR_INVALID_ARG, "failed to find disk 'vdb[1000]'")
	for _, s := range shapes(t) {
		if s.names || s.bitmap {
			continue
		}
		t.ForgetEvents()
		spec := s.pull("")
		switch s.store {
		case "reused":
			reused++
			spec = s.pull(t.Path(fmt.Sprintf("reused-%d", reused)))
			t.QcowFile(spec.Disks[0].Scratch, shapeDiskBytes, 4096)
			t.Keeps(spec.Disks[0].Scratch)
		case "device":
			spec = s.pull(device)
		}
		d.Write("vdb", 0, shapeDiskBytes)
		p := d.BeginPull(spec)
		xml, err := d.BackupGetXMLDesc(p.ID, 0)
		t.Expect(err).NotTo(HaveOccurred())
		_, rest, _ := strings.Cut(xml, "<disk name='vdb' ")
		_, rest, _ = strings.Cut(rest, "index='")
		index, _, _ := strings.Cut(rest, "'")
		dev := "vdb[" + index + "]"
		t.Expect(d.SetBlockThreshold(&dev, 100, 0)).To(Succeed())
		t.Expect(thresholds(t)).To(BeEmpty(), "nothing is written yet")
		t.Go("reader "+s.store, p.ExpectExports)
		d.Write("vdb", 0, shapeDiskBytes/2)
		t.Await("the event", func() bool { return len(thresholds(t)) > 0 })
		d.Write("vdb", 0, shapeDiskBytes)
		t.Join()
		t.Expect(thresholds(t)).To(Equal([]string{dev + " " + p.Spec.Disks[0].Scratch + " 100"}))
		p.EndsWith(0, 1)
		t.ExpectError(d.SetBlockThreshold(&dev, 100, 0), virt.ERR_INVALID_ARG, "failed to find disk '"+dev+"'")
	}
}

func secretsAreShownToWhoAsks(t *conformance.T) {
	d := t.DefineDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	xml, err := d.GetXMLDesc(0)
	t.Expect(err).NotTo(HaveOccurred())
	_, err = t.Conn().DomainDefineXML(strings.Replace(xml, "</devices>", "<graphics type='vnc' passwd='s3cret'/></devices>", 1))
	t.Expect(err).NotTo(HaveOccurred())
	d.Start()
	t.Go("guest", func() { d.Scribble("vda", 3) })
	chk := d.Checkpoint("c0")
	for range 2 { // the second time from the metadata on disk
		xml, err = d.GetXMLDesc(0)
		t.Expect(err).NotTo(HaveOccurred())
		t.Expect(xml).To(And(ContainSubstring("<graphics type='vnc'/>"), Not(ContainSubstring("s3cret"))))
		xml, err = d.GetXMLDesc(virt.DOMAIN_XML_SECURE)
		t.Expect(err).NotTo(HaveOccurred())
		t.Expect(xml).To(ContainSubstring("passwd='s3cret'"))
		xml, err = chk.GetXMLDesc(0)
		t.Expect(err).NotTo(HaveOccurred())
		t.Expect(xml).To(And(ContainSubstring("<graphics type='vnc'/>"), Not(ContainSubstring("s3cret"))))
		xml, err = chk.GetXMLDesc(virt.DOMAIN_CHECKPOINT_XML_SECURE)
		t.Expect(err).NotTo(HaveOccurred())
		t.Expect(xml).To(ContainSubstring("passwd='s3cret'"))
		t.KillDriver()
		t.RestartDriver()
		chk, err = d.CheckpointLookupByName(virt.XML("c0"), 0)
		t.Expect(err).NotTo(HaveOccurred())
	}
	t.Join()
}

func domainsWithCheckpoints(t *conformance.T) {
	d := oneDisk(t)
	t.DefineDomain(conformance.DomainSpec{Name: "other", Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	t.Go("guest", func() { d.Scribble("vda", 3) })
	list := func(flags virt.ListAllDomainsFlags) []string {
		all, err := t.Conn().ListAllDomains(flags)
		t.Expect(err).NotTo(HaveOccurred())
		names := []string{}
		for _, dom := range all {
			name, err := dom.GetName()
			t.Expect(err).NotTo(HaveOccurred())
			names = append(names, name)
		}
		return names
	}
	const has, has0 = virt.CONNECT_LIST_DOMAINS_HAS_CHECKPOINT, virt.CONNECT_LIST_DOMAINS_NO_CHECKPOINT
	t.Expect(list(has)).To(BeEmpty())
	t.Expect(list(has0)).To(ConsistOf("vm", "other"))
	chk := d.Checkpoint("c0")
	t.Expect(list(has)).To(Equal([]string{"vm"}))
	t.Expect(list(has0)).To(Equal([]string{"other"}))
	t.Expect(list(has | has0)).To(ConsistOf("vm", "other"))
	t.Expect(chk.Delete(0)).To(Succeed())
	d.ForgetCheckpoint("c0")
	t.Expect(list(has)).To(BeEmpty())
	t.Join()
}
