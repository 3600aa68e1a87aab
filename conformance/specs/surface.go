package specs

import (
	"strings"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

const noDriver = "the front is asked, over drivers that do nothing: there is nobody to race with"

func surfaceSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "surface.absent-calls",
			Title:        "every call of the surface exists, and one that the driver lacks is answered with code 3 and its name",
			Requirements: []string{"SUR-01", "SUR-03", "E005", "SUR-02"},
			Alone:        noDriver,
			Body:         absentCalls,
		},
		{
			ID:           "surface.silent-failures",
			Title:        "a failure about which the driver said nothing is code 1, and never a result",
			Requirements: []string{"SUR-04", "E006", "JOB-02", "BEG-06"},
			Alone:        noDriver,
			Body:         silentFailures,
		},
		{
			ID:           "surface.lists-are-limited",
			Title:        "a list longer than libvirt's protocol carries is refused, and not cut",
			Requirements: []string{"E030"},
			Alone:        noDriver,
			Body:         listsAreLimited,
		},
		{
			ID:           "surface.handles",
			Title:        "a handle that is nil, or that was freed, is refused with the code of its kind and the name of the call; other handles of the same thing go on",
			Requirements: []string{"E001", "E003", "SUR-02"},
			Body:         handles,
		},
	}
}

// surfaceCall is a call of the seed's export list, with the driver asked to fail.
type surfaceCall struct {
	symbol string
	on     func(d *virt.Domain, c *virt.Checkpoint) error
}

func second[T any](_ T, err error) error { return err }

// seedCalls are the calls of the seed and those that it builds on (§2, §3.1).
func seedCalls() []surfaceCall {
	doc := virt.XML("<x/>")
	return []surfaceCall{
		{"virDomainBackupBegin", func(d *virt.Domain, _ *virt.Checkpoint) error { return second(d.BackupBegin(nil, nil, 0)) }},
		{"virDomainBackupEnd", func(d *virt.Domain, _ *virt.Checkpoint) error { return second(d.BackupEnd(1, 0)) }},
		{"virDomainBackupGetXMLDesc", func(d *virt.Domain, _ *virt.Checkpoint) error { return second(d.BackupGetXMLDesc(1, 0)) }},
		{"virDomainListJobIds", func(d *virt.Domain, _ *virt.Checkpoint) error { return second(d.ListJobIds(0)) }},
		{"virDomainGetJobInfo", func(d *virt.Domain, _ *virt.Checkpoint) error { return second(d.GetJobInfo()) }},
		{"virDomainGetJobStats", func(d *virt.Domain, _ *virt.Checkpoint) error { _, _, err := d.GetJobStats(0); return err }},
		{"virDomainAbortJob", func(d *virt.Domain, _ *virt.Checkpoint) error { return d.AbortJob() }},
		{"virDomainAbortJobFlags", func(d *virt.Domain, _ *virt.Checkpoint) error { return d.AbortJobFlags(0) }},
		{"virDomainBlockJobAbort", func(d *virt.Domain, _ *virt.Checkpoint) error { return d.BlockJobAbort(doc, 0) }},
		{"virDomainFSFreeze", func(d *virt.Domain, _ *virt.Checkpoint) error { return second(d.FSFreeze(nil, 0)) }},
		{"virDomainFSThaw", func(d *virt.Domain, _ *virt.Checkpoint) error { return second(d.FSThaw(nil, 0)) }},
		{"virDomainSnapshotCreateXML", func(d *virt.Domain, _ *virt.Checkpoint) error { return second(d.SnapshotCreateXML(doc, 0)) }},
		{"virDomainSnapshotCreateXML2", func(d *virt.Domain, _ *virt.Checkpoint) error { return second(d.SnapshotCreateXML2(doc, doc, 0)) }},
		{"virDomainCheckpointCreateXML", func(d *virt.Domain, _ *virt.Checkpoint) error { return second(d.CreateCheckpointXML(doc, 0)) }},
		{"virDomainCheckpointCurrent", func(d *virt.Domain, _ *virt.Checkpoint) error { return second(d.CheckpointCurrent(0)) }},
		{"virDomainHasCurrentCheckpoint", func(d *virt.Domain, _ *virt.Checkpoint) error { return second(d.HasCurrentCheckpoint(0)) }},
		{"virDomainListAllCheckpoints", func(d *virt.Domain, _ *virt.Checkpoint) error { return second(d.ListAllCheckpoints(0)) }},
		{"virDomainCheckpointGetXMLDesc", func(_ *virt.Domain, c *virt.Checkpoint) error { return second(c.GetXMLDesc(0)) }},
		{"virDomainCheckpointGetParent", func(_ *virt.Domain, c *virt.Checkpoint) error { return second(c.GetParent(0)) }},
		{"virDomainCheckpointListAllChildren", func(_ *virt.Domain, c *virt.Checkpoint) error { return second(c.ListAllChildren(0)) }},
		{"virDomainCheckpointIsCurrent", func(_ *virt.Domain, c *virt.Checkpoint) error { return second(c.IsCurrent(0)) }},
		{"virDomainCheckpointHasMetadata", func(_ *virt.Domain, c *virt.Checkpoint) error { return second(c.HasMetadata(0)) }},
		{"virDomainCheckpointDelete", func(_ *virt.Domain, c *virt.Checkpoint) error { return c.Delete(0) }},
	}
}

// finds is a driver that knows one domain and one checkpoint, and can do nothing.
type finds struct{}

func (finds) DomainLookupByName(name string) (virt.DomainID, error) {
	return virt.DomainID{Name: name, UUID: "11111111-2222-3333-4444-555555555555"}, nil
}

func (finds) DomainCheckpointLookupByName(d virt.DomainID, name string, _ uint32) (virt.CheckpointID, error) {
	return virt.CheckpointID{Domain: d, Name: name}, nil
}

// found are handles of what a driver of that kind finds.
func found(t *conformance.T, driver any) (*virt.Domain, *virt.Checkpoint) {
	d, err := t.Connect(driver).LookupDomainByName("vm")
	t.Expect(err).NotTo(HaveOccurred())
	c, err := d.CheckpointLookupByName(virt.XML("c1"), 0)
	t.Expect(err).NotTo(HaveOccurred())
	return d, c
}

func absentCalls(t *conformance.T) {
	d, c := found(t, finds{})
	for _, call := range seedCalls() {
		t.ExpectError(call.on(d, c), virt.ERR_NO_SUPPORT, "this function is not supported by the connection driver: "+call.symbol)
	}
}

// says is a driver that gives impossible results and no error.
type says struct{ finds }

func (says) DomainBackupBegin(virt.DomainID, *string, *string, virt.DomainBackupBeginFlags) (int, error) {
	return -1, nil
}

func (says) DomainBackupEnd(virt.DomainID, int, virt.DomainBackupEndFlags) (int, error) {
	return -1, nil
}

func (says) DomainBackupGetXMLDesc(virt.DomainID, int, uint32) (string, error) { return "", nil }

func (says) DomainCheckpointCreateXML(virt.DomainID, string, virt.DomainCheckpointCreateFlags) (virt.CheckpointID, error) {
	return virt.CheckpointID{}, nil
}

// nothing is an error without a code: libvirt's "no error was set".
func nothing() error { return (*virt.Error)(nil) }

func (says) DomainListJobIds(virt.DomainID, uint32) ([]virt.DomainJobID, error) {
	return []virt.DomainJobID{{ID: 1}}, nothing()
}

func (says) DomainAbortJob(virt.DomainID) error { return nothing() }

func silentFailures(t *conformance.T) {
	const text = "An error occurred, but the cause is unknown"
	d, _ := found(t, says{})
	id, err := d.BackupBegin(nil, nil, 0)
	t.ExpectError(err, virt.ERR_INTERNAL_ERROR, text)
	t.Expect(id).To(Equal(-1))
	ret, err := d.BackupEnd(1, 0)
	t.ExpectError(err, virt.ERR_INTERNAL_ERROR, text)
	t.Expect(ret).To(Equal(-1))
	xml, err := d.BackupGetXMLDesc(1, 0)
	t.ExpectError(err, virt.ERR_INTERNAL_ERROR, text)
	t.Expect(xml).To(BeEmpty())
	ids, err := d.ListJobIds(0)
	t.ExpectError(err, virt.ERR_INTERNAL_ERROR, text)
	t.Expect(ids).To(BeNil(), "a list beside an error is nil")
	t.ExpectError(d.AbortJob(), virt.ERR_INTERNAL_ERROR, text)
	c, err := d.CreateCheckpointXML(virt.XML("<domaincheckpoint/>"), 0)
	t.ExpectError(err, virt.ERR_INTERNAL_ERROR, text)
	t.Expect(c).To(BeNil())
}

// lists is a driver with more of everything than a list may have.
type lists struct{ finds }

// listMax is the protocol's limit (§10).
const listMax = 16384

func (lists) DomainListAllCheckpoints(d virt.DomainID, _ virt.DomainCheckpointListFlags) ([]virt.CheckpointID, error) {
	all := make([]virt.CheckpointID, listMax+1)
	for i := range all {
		all[i] = virt.CheckpointID{Domain: d, Name: "c"}
	}
	return all, nil
}

func (l lists) DomainCheckpointListAllChildren(c virt.CheckpointID, flags virt.DomainCheckpointListFlags) ([]virt.CheckpointID, error) {
	return l.DomainListAllCheckpoints(c.Domain, flags)
}

func listsAreLimited(t *conformance.T) {
	d, c := found(t, lists{})
	all, err := d.ListAllCheckpoints(0)
	t.ExpectError(err, virt.ERR_RPC, "Too many checkpoints '16385' for limit '16384'")
	t.Expect(all).To(BeNil())
	_, err = c.ListAllChildren(0)
	t.ExpectError(err, virt.ERR_RPC, "'16385' for limit '16384'")
}

func handles(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	t.Go("guest", func() { d.Scribble("vda", 2) })
	d.Checkpoint("c1")
	lookUp := func() (*virt.Domain, *virt.Checkpoint) {
		dom, err := t.Conn().LookupDomainByName(d.Name)
		t.Expect(err).NotTo(HaveOccurred())
		chk, err := dom.CheckpointLookupByName(virt.XML("c1"), 0)
		t.Expect(err).NotTo(HaveOccurred())
		return dom, chk
	}
	freed, freedCheckpoint := lookUp()
	t.Expect(freedCheckpoint.Free()).To(Succeed())
	t.Expect(freed.Free()).To(Succeed())
	for _, call := range seedCalls() {
		code := virt.ERR_INVALID_DOMAIN
		if strings.HasPrefix(call.symbol, "virDomainCheckpoint") && call.symbol != "virDomainCheckpointCreateXML" && call.symbol != "virDomainCheckpointCurrent" {
			code = virt.ERR_INVALID_DOMAIN_CHECKPOINT
		}
		t.ExpectError(call.on(nil, nil), code, call.symbol)
		t.ExpectError(call.on(freed, freedCheckpoint), code, call.symbol)
	}
	t.Join()
	_, live := lookUp()
	name, err := live.GetName()
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(name).To(Equal("c1"), "handles are independent of each other")
	d.PowerOff()
	d.ExpectBitmaps()
}
