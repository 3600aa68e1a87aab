package specs

import (
	"strings"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

// defineSpecs are about definitions that come, change and go beside other calls.
func defineSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "define.beside-a-start",
			Title:        "a domain that gets another definition while it starts runs with one of the two, and its description says with which",
			Requirements: []string{"CHK-01", "SUR-02"},
			Body:         defineBesideAStart,
		},
		{
			ID:           "define.beside-an-undefine",
			Title:        "a definition that comes while the domain is undefined is there afterwards or went with it, and the next driver sees it so, too",
			Requirements: []string{"E007", "SUR-02"},
			Body:         defineBesideAnUndefine,
		},
		{
			ID:           "undefine.beside-a-start",
			Title:        "a domain that is undefined while it starts runs and is gone when it stops, or was not there to be started (42)",
			Requirements: []string{"E007", "SUR-02"},
			Body:         undefineBesideAStart,
		},
		{
			ID:           "undefine.calls-beside-the-end",
			Title:        "calls that come while the machine of an undefined domain ends are carried out before, or find no domain (42); no metadata stays",
			Requirements: []string{"E007", "CHK-05", "CHK-04"},
			Body:         callsBesideTheEnd,
		},
		{
			ID:           "undefine.leaves-nothing",
			Title:        "a domain that was undefined while it ran, and ends while a backup of it begins, leaves no file of the driver's",
			Requirements: []string{"BEG-19", "I12"},
			Body:         undefineLeavesNothing,
		},
		{
			ID:           "undefine.driver-killed-anywhere",
			Title:        "a driver killed at any point of Undefine comes back to a domain with all that it had, or to nothing of it; who is defined by that name later has no checkpoints",
			Requirements: []string{"CHK-06", "I12"},
			Needs:        []conformance.Feature{conformance.FeatureKillDriver},
			Body:         driverKilledInAnUndefine,
		},
		{
			ID:           "define.lists-have-filters",
			Title:        "lists of domains keep to each of their filters, of which none or all of a group are no filter; a flag that is none is refused",
			Requirements: []string{"LST-01", "SUR-02"},
			Body:         domainFilters,
		},
		{
			ID:           "undefine.order-of-checks",
			Title:        "of a domain that has gone, lists, lookups and questions about jobs are refused for their flags first (8), all other calls for the domain (42)",
			Requirements: []string{"E007", "E035", "E037", "E040", "E041", "E052", "SUR-02"},
			Body:         orderOfChecksOfTheGone,
		},
	}
}

func defineBesideAStart(t *conformance.T) {
	d := t.DefineDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda"), conformance.SmallDisk("vdb")}})
	both, err := d.GetXMLDesc(virt.DOMAIN_XML_INACTIVE)
	t.Expect(err).NotTo(HaveOccurred())
	first, last := strings.Index(both, "</disk>"), strings.LastIndex(both, "</disk>")
	_, err = t.Conn().DomainDefineXML(both[:first] + both[last:])
	t.Expect(err).NotTo(HaveOccurred())
	var defined error
	t.Go("define", func() { _, defined = t.Conn().DomainDefineXML(both) })
	d.Start()
	t.Join()
	t.Expect(defined).NotTo(HaveOccurred())
	live, err := d.GetXMLDesc(0)
	t.Expect(err).NotTo(HaveOccurred())
	c := d.Checkpoint("c0")
	measured, err := c.GetXMLDesc(virt.DOMAIN_CHECKPOINT_XML_SIZE | virt.DOMAIN_CHECKPOINT_XML_NO_DOMAIN)
	t.Expect(err).NotTo(HaveOccurred())
	for _, target := range []string{"vda", "vdb"} {
		has := strings.Contains(live, "<target dev='"+target+"'")
		t.Expect(strings.Contains(measured, "<disk name='"+target+"' checkpoint='bitmap' bitmap='c0' size='0'/>")).
			To(Equal(has), "%s in %s and in %s", target, live, measured)
	}
	next, err := d.GetXMLDesc(virt.DOMAIN_XML_INACTIVE)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(next).To(ContainSubstring("vdb"))
}

func defineBesideAnUndefine(t *conformance.T) {
	d := t.DefineDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	document, err := d.GetXMLDesc(virt.DOMAIN_XML_INACTIVE)
	t.Expect(err).NotTo(HaveOccurred())
	var undefined error
	t.Go("undefine", func() { undefined = d.Undefine(0) })
	again, err := t.Conn().DomainDefineXML(document)
	t.Expect(err).NotTo(HaveOccurred())
	t.Join()
	t.Expect(undefined).To(Succeed())
	_, missing := t.Conn().LookupDomainByName(d.Name)
	if missing != nil {
		t.ExpectError(missing, virt.ERR_NO_DOMAIN, "no domain with matching name '"+d.Name+"'")
		t.ExpectError(again.Create(), virt.ERR_NO_DOMAIN, "no domain with matching uuid")
		d.Undefined()
	}
	t.KillDriver()
	t.RestartDriver()
	if missing != nil {
		return
	}
	d.Start()
	d.Checkpoint("c0")
}

func undefineBesideAStart(t *conformance.T) {
	d := t.DefineDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	var undefined error
	t.Go("undefine", func() { undefined = d.Undefine(0) })
	started := d.Create()
	t.Join()
	t.Expect(undefined).To(Succeed())
	if started != nil {
		t.ExpectError(started, virt.ERR_NO_DOMAIN, "no domain with matching uuid")
	} else {
		state, _, err := d.GetState()
		t.Expect(err).NotTo(HaveOccurred())
		t.Expect(state).To(Equal(virt.DOMAIN_RUNNING))
		t.ExpectError(d.Undefine(0), virt.ERR_OPERATION_INVALID, "cannot undefine transient domain")
		d.DestroyNow()
	}
	_, err := t.Conn().LookupDomainByName(d.Name)
	t.ExpectError(err, virt.ERR_NO_DOMAIN, "no domain with matching name '"+d.Name+"'")
}

func callsBesideTheEnd(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	c := d.Checkpoint("c0")
	complete, err := c.GetXMLDesc(virt.DOMAIN_CHECKPOINT_XML_NO_DOMAIN)
	t.Expect(err).NotTo(HaveOccurred())
	snapshot := "<domainsnapshot><name>s0</name><state>disk-snapshot</state><creationTime>7</creationTime></domainsnapshot>"
	t.Expect(d.Undefine(0)).To(Succeed())
	t.Go("destroy", d.DestroyNow)
	calls := []func() error{
		func() error {
			return second(d.CreateCheckpointXML(virt.XML(complete), virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE))
		},
		func() error {
			return second(d.SnapshotCreateXML(virt.XML(snapshot), virt.DOMAIN_SNAPSHOT_CREATE_REDEFINE))
		},
		func() error { return c.Delete(virt.DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY) },
	}
	first := int(t.Random(0)(int64(len(calls))))
	for i := range calls {
		if err := calls[(first+i)%len(calls)](); err != nil {
			t.Expect(err).To(Or(MatchError(virt.ERR_NO_DOMAIN), MatchError(virt.ERR_NO_DOMAIN_CHECKPOINT), MatchError(virt.ERR_OPERATION_INVALID)))
		}
	}
	t.Join()
	for _, call := range calls {
		t.ExpectError(call(), virt.ERR_NO_DOMAIN, "no domain with matching uuid")
	}
	d.ExpectNoMetadata("c0")
}

func undefineLeavesNothing(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	t.Expect(d.Checkpoint("c0").Delete(0)).To(Succeed())
	d.ForgetCheckpoint("c0")
	t.Expect(d.Undefine(0)).To(Succeed())
	t.HoldPushes()
	var b *conformance.Backup
	var err error
	t.Go("caller", func() {
		b, err = d.TryBegin(conformance.BackupSpec{Checkpoint: "c1", Disks: images(t, "image", "vda")})
	})
	t.Pause(250)
	d.DestroyNow()
	t.Join()
	if err == nil {
		b.Forget()
	}
	t.ExpectFiles(false, t.Path("image-vda"))
	d.Undefined()
	d.ExpectForgotten()
	t.KillDriver()
	t.RestartDriver()
	d.ExpectForgotten()
}

func driverKilledInAnUndefine(t *conformance.T) {
	d := oneDisk(t)
	chained(d, "c0", "c1")
	t.Join()
	document, err := d.GetXMLDesc(virt.DOMAIN_XML_INACTIVE)
	t.Expect(err).NotTo(HaveOccurred())
	running := t.Random(1)(4) == 0
	if !running {
		d.PowerOff()
	}
	d.MayBeUndefined()
	diesWithin(t, 40, func() { _ = d.Undefine(virt.DOMAIN_UNDEFINE_CHECKPOINTS_METADATA) })
	if d.Known() {
		expectChain(t, d, "c0", "c1")
	}
	if running {
		t.Expect(d.Known()).To(BeTrue(), "it runs")
		d.DestroyNow()
	}
	if _, err := t.Conn().LookupDomainByName(d.Name); err == nil {
		expectChain(t, d, "c0", "c1")
		return
	}
	d.ExpectForgotten()
	again, err := t.Conn().DomainDefineXML(document)
	t.Expect(err).NotTo(HaveOccurred())
	list, err := again.ListAllCheckpoints(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(list).To(BeEmpty())
}

func domainFilters(t *conformance.T) {
	small := []conformance.DiskSpec{conformance.SmallDisk("vda")}
	runs := t.StartDomain(conformance.DomainSpec{Name: "runs", Disks: small})
	waits := t.StartDomain(conformance.DomainSpec{Name: "waits", Disks: small})
	t.DefineDomain(conformance.DomainSpec{Name: "off", Disks: small})
	t.Go("guest", func() { runs.Scribble("vda", 3) })
	t.Expect(waits.Suspend()).To(Succeed())
	t.Expect(waits.Undefine(0)).To(Succeed())
	for _, x := range []struct {
		flags virt.ListAllDomainsFlags
		names []string
	}{
		{0, []string{"off", "runs", "waits"}},
		{virt.CONNECT_LIST_DOMAINS_ACTIVE, []string{"runs", "waits"}},
		{virt.CONNECT_LIST_DOMAINS_INACTIVE, []string{"off"}},
		{virt.CONNECT_LIST_DOMAINS_ACTIVE | virt.CONNECT_LIST_DOMAINS_INACTIVE, []string{"off", "runs", "waits"}},
		{virt.CONNECT_LIST_DOMAINS_PERSISTENT, []string{"off", "runs"}},
		{virt.CONNECT_LIST_DOMAINS_TRANSIENT, []string{"waits"}},
		{virt.CONNECT_LIST_DOMAINS_RUNNING, []string{"runs"}},
		{virt.CONNECT_LIST_DOMAINS_PAUSED, []string{"waits"}},
		{virt.CONNECT_LIST_DOMAINS_SHUTOFF, []string{"off"}},
		{virt.CONNECT_LIST_DOMAINS_PAUSED | virt.CONNECT_LIST_DOMAINS_SHUTOFF, []string{"off", "waits"}},
		{virt.CONNECT_LIST_DOMAINS_OTHER, []string{}},
		{virt.CONNECT_LIST_DOMAINS_PAUSED | virt.CONNECT_LIST_DOMAINS_PERSISTENT, []string{}},
		{virt.CONNECT_LIST_DOMAINS_MANAGEDSAVE, []string{}},
		{virt.CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE | virt.CONNECT_LIST_DOMAINS_NO_AUTOSTART, []string{"off", "runs", "waits"}},
		{virt.CONNECT_LIST_DOMAINS_AUTOSTART, []string{}},
		{virt.CONNECT_LIST_DOMAINS_HAS_SNAPSHOT, []string{}},
		{virt.CONNECT_LIST_DOMAINS_NO_SNAPSHOT | virt.CONNECT_LIST_DOMAINS_RUNNING, []string{"runs"}},
	} {
		all, err := t.ReadOnly().ListAllDomains(x.flags)
		t.Expect(err).NotTo(HaveOccurred())
		found := []string{}
		for _, dom := range all {
			name, err := dom.GetName()
			t.Expect(err).NotTo(HaveOccurred())
			found = append(found, name)
		}
		t.Expect(found).To(ConsistOf(x.names), "with flags 0x%x", uint32(x.flags))
	}
	all, err := t.Conn().ListAllDomains(1 << 16)
	t.ExpectError(err, virt.ERR_INVALID_ARG, "unsupported flags (0x10000) in function qemuConnectListAllDomains")
	t.Expect(all).To(BeNil())
	t.Join()
}

func orderOfChecksOfTheGone(t *conformance.T) {
	d := oneDisk(t)
	c := d.Checkpoint("c0")
	t.Join()
	d.PowerOff()
	t.Go("undefine", func() { t.Expect(d.Undefine(virt.DOMAIN_UNDEFINE_CHECKPOINTS_METADATA)).To(Succeed()) })
	t.Join()
	doc := virt.XML("<domaincheckpoint/>")
	const other = 1 << 20 // no flag of any call
	for _, x := range []struct {
		symbol string
		err    error
	}{
		{"virDomainBackupBegin", second(d.BackupBegin(nil, nil, other))},
		{"virDomainBackupEnd", second(d.BackupEnd(1, other))},
		{"virDomainBackupGetXMLDesc", second(d.BackupGetXMLDesc(1, other))},
		{"virDomainCheckpointCreateXML", second(d.CreateCheckpointXML(doc, other))},
		{"virDomainCheckpointGetXMLDesc", second(c.GetXMLDesc(other))},
		{"virDomainCheckpointDelete", c.Delete(other)},
		{"virDomainSnapshotCreateXML", second(d.SnapshotCreateXML(doc, other))},
		{"virDomainUndefineFlags", d.Undefine(other)},
		{"virDomainGetJobInfo", second(d.GetJobInfo())},
		{"virDomainCreate", d.Create()},
	} {
		t.Expect(x.err).To(MatchError(virt.ERR_NO_DOMAIN), x.symbol)
		t.ExpectError(x.err, virt.ERR_NO_DOMAIN, "no domain with matching uuid '")
		t.ExpectError(x.err, virt.ERR_NO_DOMAIN, "("+d.Name+")")
	}
	_, _, stats := d.GetJobStats(other)
	for _, x := range []struct {
		function string
		err      error
	}{
		{"qemuDomainListAllCheckpoints", second(d.ListAllCheckpoints(other))},
		{"qemuDomainCheckpointListAllChildren", second(c.ListAllChildren(other))},
		{"qemuDomainCheckpointLookupByName", second(d.CheckpointLookupByName(virt.XML("c0"), other))},
		{"qemuDomainCheckpointGetParent", second(c.GetParent(other))},
		{"qemuDomainListJobIds", second(d.ListJobIds(other))},
		{"qemuDomainGetJobStats", stats},
		{"qemuDomainAbortJobFlags", d.AbortJobFlags(other)},
	} {
		t.ExpectError(x.err, virt.ERR_INVALID_ARG, "unsupported flags (0x100000) in function "+x.function)
	}
}
