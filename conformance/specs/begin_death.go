package specs

import (
	"strings"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func beginDeathSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "begin.the-domain-may-die",
			Title:        "a domain that dies in the middle of Begin leaves a Begin that failed and nothing else, or a backup that is cancelled at once",
			Requirements: []string{"BEG-19", "I12", "E170"},
			Body:         theDomainMayDie,
		},
		{
			ID:           "begin.the-domain-dies-behind-the-lock",
			Title:        "a domain that dies while Begin waits for another call leaves a Begin that failed and nothing else, or a cancelled backup",
			Requirements: []string{"BEG-19", "I12", "E170", "E171"},
			Body:         theDomainMayDieBehindTheLock,
		},
		{
			ID:           "begin.the-monitor-is-lost",
			Title:        "a Begin whose QEMU goes away says how: while it formats, before a command, or instead of the reply",
			Requirements: []string{"BEG-19", "I12", "E149", "E169"},
			Body:         theMonitorIsLost,
		},
	}
}

func theMonitorIsLost(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	for _, row := range []struct {
		id   string
		held bool // at the gate, which must be opened for the driver to go on
		gate func() *conformance.Gate
		code virt.ErrorNumber
		text string
	}{
		{"E149", false, func() *conformance.Gate { return t.LoseEvents("JOB_STATUS_CHANGE", "blockdev-create") },
			virt.ERR_OPERATION_FAILED, "blockdev-create job was cancelled"},
		{"E169", false, func() *conformance.Gate { return t.LoseReplies("transaction") },
			virt.ERR_SYSTEM_ERROR, "Unable to read from monitor: Connection reset by peer"},
		{"E169, before", true, func() *conformance.Gate { return t.GateCommand("transaction") },
			virt.ERR_SYSTEM_ERROR, "Unable to read from monitor: Connection reset by peer"},
	} {
		t.Go("guest-"+row.id, func() { d.Scribble("vda", 3) })
		t.Join()
		gate := row.gate()
		var err error
		t.Go("caller-"+row.id, func() {
			_, err = d.TryBegin(conformance.BackupSpec{Checkpoint: "c0", Disks: images(t, "image", "vda")})
		})
		gate.AwaitArrived()
		d.Crash()
		if row.held {
			gate.Open()
		}
		t.Join()
		d.AwaitStopped()
		if !row.held {
			gate.Open()
		}
		if row.held || !isEndOfFile(err) {
			t.ExpectError(err, row.code, row.text)
		}
		t.ExpectFiles(false, t.Path("image-vda"))
		t.Expect(d.JobIDs()).To(BeEmpty())
		_, err = d.CheckpointLookupByName(virt.XML("c0"), 0)
		t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "c0")
		d.Start()
	}
}

// isEndOfFile is E170: the driver noticed the end before the call that failed did.
func isEndOfFile(err error) bool {
	return err != nil && strings.Contains(err.Error(), "End of file from qemu monitor (vm='vm')")
}

func theDomainMayDie(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda"), conformance.SmallDisk("vdb")}})
	d.Scribble("vda", 3)
	spec := conformance.BackupSpec{Checkpoint: "c0", Disks: images(t, "image", "vda", "vdb")}
	var b *conformance.Backup
	var err error
	t.HoldPushes()
	t.Go("caller", func() { b, err = d.TryBegin(spec) })
	t.Pause(300)
	d.Crash()
	t.Join()
	d.AwaitStopped()
	expectDeath(t, d, b, err)
}

func theDomainMayDieBehindTheLock(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda"), conformance.SmallDisk("vdb")}})
	d.Scribble("vda", 3)
	spec := conformance.BackupSpec{Checkpoint: "c0", Disks: images(t, "image", "vda", "vdb")}
	var b *conformance.Backup
	var err error
	t.HoldPushes()
	gate := t.GateCommand("stop")
	t.Go("caller", func() { b, err = d.TryBegin(spec) })
	t.Pause(300)
	// Whoever takes the lock between two commands of Begin keeps it until the
	// domain is dead.
	t.Go("suspender", func() { t.Expect(d.Suspend()).NotTo(Succeed()) })
	gate.AwaitArrived()
	t.Pause(100)
	d.Crash()
	gate.Open()
	t.Join()
	d.AwaitStopped()
	expectDeath(t, d, b, err)
}

// expectDeath is what may come of a Begin during which the domain died.
func expectDeath(t *conformance.T, d *conformance.Domain, b *conformance.Backup, err error) {
	if err == nil {
		e := t.AwaitJobCompleted(1)
		if e.Success() { // the copying was over before
			t.Expect(e.ID()).To(Equal(b.ID))
		} else {
			t.Expect(e.ErrorMessage()).To(BeEmpty(), "nobody can say why")
			t.ExpectFiles(false, b.Paths()...)
			b.Forget()
		}
	} else {
		expectOneOf(t, err, "E169", "E170", "E171", "E149", "E119")
		t.ExpectFiles(false, t.Path("image-vda"), t.Path("image-vdb"))
		t.Expect(t.JobsCompleted()).To(BeEmpty())
		_, err := d.CheckpointLookupByName(virt.XML("c0"), 0)
		t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "c0")
	}
	for _, id := range d.JobIDs() {
		t.Expect(id.Type).To(Equal(virt.DOMAIN_JOB_COMPLETED), "only a success waits for End")
	}
}

// expectOneOf asserts that err is what the catalogue says of one of the rows.
func expectOneOf(t *conformance.T, err error, rows ...string) {
	for _, row := range rows {
		if t.IsRow(row, err) {
			t.ExpectRow(row, err)
			return
		}
	}
	t.Fail("%v is none of %v", err, rows)
}
