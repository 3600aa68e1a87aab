package specs

import (
	"strings"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func beginLockSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "begin.lock-holder-is-named",
			Title:        "a Begin that waits in vain for another call names it, and runs once the other has returned",
			Requirements: []string{"BEG-19", "E165"},
			Body:         lockHolderIsNamed,
		},
		{
			ID:           "begin.metadata-comes-first",
			Title:        "a checkpoint whose metadata cannot be stored fails Begin before anything is started",
			Requirements: []string{"BEG-04", "BEG-19", "E161", "E213"},
			Needs:        []conformance.Feature{conformance.FeatureLimitedDir, conformance.FeatureKillDriver},
			Body:         metadataComesFirst,
		},
	}
}

func lockHolderIsNamed(t *conformance.T) {
	d := oneDisk(t)
	gate := t.GateCommand("transaction")
	t.Go("checkpoint", func() { d.Checkpoint("c0") })
	gate.AwaitArrived()
	_, err := d.TryBegin(conformance.BackupSpec{Disks: images(t, "image", "vda")})
	t.ExpectError(err, virt.ERR_OPERATION_TIMEOUT, "cannot acquire state change lock (held by monitor=virDomainCheckpointCreateXML)")
	t.ExpectFiles(false, t.Path("image-vda"))
	gate.Open()
	t.Join()
	b := d.Begin(conformance.BackupSpec{Since: "c0", Disks: images(t, "image", "vda")})
	b.AwaitSuccess()
	b.EndsWith(1)
	b.ExpectImages()
}

// Room of the driver's state in metadataComesFirst, in bytes: enough for what a
// driver notes of a domain, and too little for the description of the checkpoint.
const (
	stateBytes       = 1 << 20
	stateBytesLeft   = 32 << 10
	descriptionBytes = 128 << 10
)

func metadataComesFirst(t *conformance.T) {
	t.LimitState(stateBytes)
	d := oneDisk(t)
	t.FillState(stateBytesLeft)
	long := "<domaincheckpoint><name>c1</name><description>" + strings.Repeat("long ", descriptionBytes/5) + "</description></domaincheckpoint>"
	d.ExpectRefused(conformance.Refusal{
		Row: "E161", Backup: inDisks("<disk name='vda' type='file'><target file='" + t.Path("image") + "'/></disk>"),
		Checkpoint: virt.XML(long), Code: virt.ERR_INTERNAL_ERROR, Text: "unable to save metadata for checkpoint c1",
	})
	_, err := d.CreateCheckpointXML(virt.XML(long), 0)
	t.ExpectError(err, virt.ERR_INTERNAL_ERROR, "unable to save metadata for checkpoint c1")
	t.ExpectNothingLeft(d)
	b := d.Begin(conformance.BackupSpec{Checkpoint: "c1"}) // a short one still fits
	b.AwaitSuccess()
	t.Join()
	b.EndsWith(1)
	b.ExpectImages()
	t.Expect(names(t, allCheckpoints(t, d))).To(Equal([]string{"c1"}))
}

func allCheckpoints(t *conformance.T, d *conformance.Domain) []*virt.Checkpoint {
	list, err := d.ListAllCheckpoints(0)
	t.Expect(err).NotTo(HaveOccurred())
	return list
}
