package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func checkpointKillSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "checkpoint.after-a-kill-of-the-domain",
			Title:        "bitmaps that a killed QEMU has lost or left open are reported (109), never guessed: no increment, no validation and no size, but they can be deleted and made anew",
			Requirements: []string{"CHK-06", "CHK-04", "E140", "E222"},
			Body:         afterAKillOfTheDomain,
		},
	}
}

func afterAKillOfTheDomain(t *conformance.T) {
	d := twoDisks(t, "")
	written(d, "c0")
	d.PowerOff()
	d.ExpectBitmaps()
	d.Start()
	d.Checkpoint("c1") // that of c0 is stored, and in use; this one is nowhere yet
	t.Go("caller", func() { _, _ = d.ListAllCheckpoints(0) })
	d.Crash()
	d.AwaitStopped()
	t.Join()
	expectChain(t, d, "c0", "c1")
	d.BrokenBitmap("c0")
	d.Start()
	for _, name := range []string{"c0", "c1"} {
		scratch := t.Path("none-since-" + name)
		doc := conformance.PullSpec{Server: t.ServerHere(), Since: name, Disks: []conformance.PullDisk{{Target: "vda", Scratch: scratch}}}.XML()
		id, err := d.BackupBegin(doc, nil, 0)
		t.Expect(id).To(Equal(-1))
		t.ExpectRow("E140", err)
		t.ExpectFiles(false, scratch)
		text := description(t, d, name, virt.DOMAIN_CHECKPOINT_XML_SIZE)
		t.Expect(sizeOf(t, text, "vda")).To(Equal(int64(-1)), "the size of %s is not known", name)
		_, err = d.CreateCheckpointXML(virt.XML(description(t, d, name, 0)), redefine|validate)
		t.ExpectRow("E222", err)
	}
	t.ExpectNothingLeft(d)
	for _, name := range []string{"c1", "c0"} {
		t.Expect(checkpointNamed(t, d, name).Delete(0)).To(Succeed())
		d.ForgetCheckpoint(name)
	}
	expectChain(t, d)
	chained(d, "c1", "c0")
	expectChain(t, d, "c1", "c0")
	for _, name := range []string{"c0", "c1"} {
		_, err := d.CreateCheckpointXML(virt.XML(description(t, d, name, 0)), redefine|validate)
		t.Expect(err).NotTo(HaveOccurred(), "the new bitmap of %s is good", name)
	}
	t.ExpectNothingLeft(d)
}
