package specs

import (
	"fmt"
	"strconv"
	"strings"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/qmp"
	"fleece/virt"
)

func checkpointSizeSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "checkpoint.size",
			Title:        "SIZE tells for each disk the bytes of the granules that are dirty since a checkpoint, up to the end of the disk, and leaves nothing",
			Requirements: []string{"CHK-03", "I17", "E227", "I16"},
			Body:         checkpointSize,
		},
		{
			ID:           "checkpoint.size-waits-for-the-lock",
			Title:        "SIZE that waits in vain for another call says so; what needs no answer of QEMU does not wait",
			Requirements: []string{"CHK-03", "E228"},
			Body:         sizeWaitsForTheLock,
		},
		{
			ID: "checkpoint.size-beside-a-begin",
			Title: "SIZE can be asked for while a Begin makes its images: " +
				"QEMU 7.2 does not survive a question for its nodes then",
			Requirements: []string{"CHK-03", "BEG-19"},
			Body:         sizeBesideABegin,
		},
		{
			ID:           "checkpoint.description",
			Title:        "a description holds the domain unless NO_DOMAIN is given, and no size unless SIZE is; it can be redefined and is then the same",
			Requirements: []string{"CHK-03", "CHK-05", "CHK-01"},
			Body:         checkpointDescription,
		},
		{
			ID:           "checkpoint.handles",
			Title:        "a handle of a checkpoint is counted, leads to its domain and connection, outlives the checkpoint, and means the next one of that name",
			Requirements: []string{"CHK-07", "E003", "E225"},
			Body:         checkpointHandles,
		},
	}
}

func sizeBesideABegin(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"), conformance.SmallDisk("vdc"),
	}})
	d.Checkpoint("c1")
	d.Scribble("vda", 2)
	want := sizeOf(t, description(t, d, "c1", virt.DOMAIN_CHECKPOINT_XML_SIZE), "vda")
	creation := t.SeeReply("blockdev-create")
	for range 3 {
		t.Go("asker", func() {
			creation.AwaitArrived()
			for range 4 {
				text := description(t, d, "c1", virt.DOMAIN_CHECKPOINT_XML_SIZE)
				t.Expect(sizeOf(t, text, "vda")).To(Equal(want))
			}
		})
	}
	b := d.Begin(conformance.BackupSpec{})
	t.Join()
	b.AwaitSuccess()
	creation.Open()
	b.EndsWith(1)
	b.ExpectImages()
}

// bitmapNamed are the arguments that name a bitmap of a node.
func bitmapNamed(node, name string) []qmp.Member {
	return []qmp.Member{qmp.M("node", qmp.Str(node)), qmp.M("name", qmp.Str(name))}
}

// sizeOf reads the size attribute of a disk in a description; -1 if there is none.
func sizeOf(t *conformance.T, text, target string) int64 {
	_, rest, found := strings.Cut(text, "<disk name='"+target+"'")
	t.Expect(found).To(BeTrue(), "%s in %s", target, text)
	rest, _, _ = strings.Cut(rest, "/>")
	_, rest, found = strings.Cut(rest, " size='")
	if !found {
		return -1
	}
	number, _, _ := strings.Cut(rest, "'")
	size, err := strconv.ParseInt(number, 10, 64)
	t.Expect(err).NotTo(HaveOccurred())
	return size
}

func checkpointSize(t *conformance.T) {
	const granule, odd = 64 << 10, 1<<20 + 512 // the last granule is cut off
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), {Target: "vdb", Size: odd}, {Target: "vdc", Size: 1 << 20, Format: "raw"},
	}})
	t.Go("reader", func() { _, _ = d.GetJobInfo() })
	expect := func(name string, vda, vdb int64) {
		text := description(t, d, name, virt.DOMAIN_CHECKPOINT_XML_SIZE|virt.DOMAIN_CHECKPOINT_XML_NO_DOMAIN)
		t.Expect([]int64{sizeOf(t, text, "vda"), sizeOf(t, text, "vdb"), sizeOf(t, text, "vdc")}).
			To(Equal([]int64{vda, vdb, -1}), "sizes since %s", name)
	}
	tracked := []string{"vda", "vdb"}
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c0", Tracked: tracked, Disks: images(t, "full", "vda")})
	full.AwaitSuccess()
	full.EndsWith(1)
	expect("c0", 0, 0)
	d.Write("vda", granule, 512)
	d.Write("vda", 3*granule-512, 1024) // of two granules
	expect("c0", 3*granule, 0)
	next := d.Begin(conformance.BackupSpec{Checkpoint: "c1", Tracked: tracked, Disks: images(t, "next", "vda")})
	next.AwaitSuccess()
	next.EndsWith(1)
	expect("c1", 0, 0)
	d.Write("vda", granule, granule) // dirty before, too
	d.Write("vda", 8*granule, 512)
	d.Write("vdb", 0, odd)
	expect("c0", 4*granule, odd)
	expect("c1", 2*granule, odd)
	t.Expect(sizeOf(t, description(t, d, "c0", 0), "vda")).To(Equal(int64(-1)), "nobody asked for it")
	t.Expect(d.OnMonitor("block-dirty-bitmap-disable", bitmapNamed(d.FormatNode("vda"), "c1")...)).To(BeEmpty())
	d.BrokenBitmap("c1")
	expect("c1", -1, odd) // what is not known is not told
	t.Join()
	t.ExpectNothingLeft(d)
	d.PowerOff()
	_, err := checkpointNamed(t, d, "c0").GetXMLDesc(virt.DOMAIN_CHECKPOINT_XML_SIZE)
	t.ExpectRow("E227", err)
}

func sizeWaitsForTheLock(t *conformance.T) {
	d := oneDisk(t)
	d.Checkpoint("c0")
	gate := t.GateCommand("transaction")
	t.Go("checkpoint", func() { d.Checkpoint("c1") })
	gate.AwaitArrived()
	c := checkpointNamed(t, d, "c0")
	_, err := c.GetXMLDesc(virt.DOMAIN_CHECKPOINT_XML_SIZE)
	t.ExpectRow("E228", err)
	t.ExpectError(err, virt.ERR_OPERATION_TIMEOUT, "(held by monitor=virDomainCheckpointCreateXML)")
	t.ExpectError(c.Delete(0), virt.ERR_OPERATION_TIMEOUT, "(held by monitor=virDomainCheckpointCreateXML)")
	t.Expect(description(t, d, "c0", 0)).To(ContainSubstring("<name>c0</name>"))
	t.Expect(c.IsCurrent(0)).To(BeTrue(), "the other one is not there yet")
	gate.Open()
	t.Join()
	expectChain(t, d, "c0", "c1")
	t.Expect(sizeOf(t, description(t, d, "c1", virt.DOMAIN_CHECKPOINT_XML_SIZE), "vda")).To(BeNumerically(">=", 0))
	t.ExpectNothingLeft(d)
}

func checkpointDescription(t *conformance.T) {
	d := twoDisks(t, "")
	t.Go("guest", func() { d.Scribble("vda", 2) })
	d.MayHaveBitmap("c0")
	before := t.Now().Unix()
	c, err := d.CreateCheckpointXML(virt.XML("<domaincheckpoint><name>c0</name><description>one &lt; two</description>"+
		"<disks><disk name='"+d.DiskPath("vda")+"' checkpoint='bitmap'/></disks></domaincheckpoint>"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	whole, err := c.GetXMLDesc(0)
	t.Expect(err).NotTo(HaveOccurred())
	for _, part := range []string{
		"<name>c0</name>", "<description>one &lt; two</description>", "<disk name='vda' checkpoint='bitmap' bitmap='c0'/>",
		"<disk name='vdb' checkpoint='no'/>", "<domain type=", "<uuid>",
	} {
		t.Expect(whole).To(ContainSubstring(part))
	}
	made := false
	for s := before; s <= t.Now().Unix(); s++ {
		made = made || strings.Contains(whole, fmt.Sprintf("<creationTime>%d</creationTime>", s))
	}
	t.Expect(made).To(BeTrue(), "the time of creation in %s", whole)
	short, err := c.GetXMLDesc(virt.DOMAIN_CHECKPOINT_XML_NO_DOMAIN)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(short).NotTo(ContainSubstring("<domain type="))
	head, _, _ := strings.Cut(whole, "  <domain type=")
	t.Expect(short).To(Equal(head + "</domaincheckpoint>\n"))
	for _, text := range []string{whole, short} {
		_, err := d.CreateCheckpointXML(virt.XML(text), redefine)
		t.Expect(err).NotTo(HaveOccurred())
		t.Expect(c.GetXMLDesc(0)).To(Equal(text))
	}
	t.Join()
	t.ExpectNothingLeft(d)
}

func checkpointHandles(t *conformance.T) {
	d := oneDisk(t)
	d.Checkpoint("c0")
	c := checkpointNamed(t, d, "c0")
	of, err := c.GetDomain()
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(of.GetName()).To(Equal(d.Name))
	conn, err := c.GetConnect()
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(conn).To(BeIdenticalTo(t.Conn()))
	t.Expect(c.Ref()).To(Succeed())
	t.Expect(c.Free()).To(Succeed())
	t.Expect(c.GetName()).To(Equal("c0"), "one of two is left")
	t.Expect(c.Delete(0)).To(Succeed())
	d.ForgetCheckpoint("c0")
	t.Expect(c.GetName()).To(Equal("c0"), "a handle is a name")
	_, err = c.GetXMLDesc(0)
	t.ExpectRow("E225", err)
	_, err = c.IsCurrent(0)
	t.ExpectRow("E225", err)
	d.Checkpoint("c0")
	t.Expect(c.IsCurrent(0)).To(BeTrue(), "it means the new one")
	t.Expect(c.Free()).To(Succeed())
	_, err = c.GetName()
	t.ExpectRow("E003", err)
	t.ExpectRow("E003", c.Delete(0))
	t.ExpectRow("E003", c.Ref())
	t.ExpectRow("E003", c.Free())
	t.Expect(checkpointNamed(t, d, "c0").IsCurrent(0)).To(BeTrue())
	t.Join()
	t.ExpectNothingLeft(d)
}
