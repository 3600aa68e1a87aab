package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func recoveryCancelSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "recovery.driver-killed-while-cancelling",
			Title:        "a push that was cancelled just before the driver died is a cancelled one for the next driver, not a failed one, and leaves no image",
			Requirements: []string{"END-02", "PSH-03", "END-07", "I12"},
			Needs:        []conformance.Feature{conformance.FeatureKillDriver},
			Body:         driverKilledWhileCancelling,
		},
	}
}

func driverKilledWhileCancelling(t *conformance.T) {
	cancels := []func(d *conformance.Domain, b *conformance.Backup) error{
		func(d *conformance.Domain, _ *conformance.Backup) error {
			return d.BlockJobAbort(virt.XML("vda"), virt.DOMAIN_BLOCK_JOB_ABORT_ASYNC)
		},
		func(d *conformance.Domain, b *conformance.Backup) error {
			return second(d.BackupEnd(b.ID, virt.DOMAIN_BACKUP_END_ABORT))
		},
		func(d *conformance.Domain, _ *conformance.Backup) error { return d.AbortJob() },
	}
	t.Each(len(cancels), func(i int) {
		d := twoDisks(t, caseName(i))
		for off := int64(0); off < 4<<20; off += 256 << 10 {
			d.Write("vda", off, 128<<10) // more than what a held push copies at once
		}
		t.HoldPushes()
		b := d.Begin(conformance.BackupSpec{})
		cancelled := error(nil)
		diesWithin(t, 40, func() { cancelled = cancels[i](d, b) })
		if cancelled != nil { // the cancel may never have reached QEMU
			t.ReleasePushes(d)
		}
		t.LetPushesGo()
		b.AwaitEnded()
		for _, job := range d.JobIDs() {
			if cancelled != nil && job.Type == virt.DOMAIN_JOB_COMPLETED {
				b.EndsWith(1)
				b.ExpectImages()
				return
			}
			t.Expect(job).To(Equal(virt.DomainJobID{Type: virt.DOMAIN_JOB_CANCELLED, ID: b.ID}))
			_, err := d.BackupEnd(b.ID, 0)
			t.ExpectError(err, virt.ERR_OPERATION_FAILED, "Operation canceled")
		}
		b.Forget()
		t.ExpectFiles(false, b.Paths()...)
		t.ExpectNothingLeft(d)
	})
}
