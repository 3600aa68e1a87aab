package specs

import (
	"fmt"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

// leaveSpecs are about guests that leave: to a file, or to another machine (§5.10).
func leaveSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "leave.not-while-it-is-copied",
			Title:        "while a backup copies, a domain is neither migrated nor saved (68), and the backup is right",
			Requirements: []string{"BEG-14", "E250"},
			Body:         leaveNotWhileItIsCopied,
		},
		{
			ID:           "leave.no-backup-meanwhile",
			Title:        "while a migration runs no backup begins (68); when it is aborted (78) the guest goes on and can be backed up",
			Requirements: []string{"BEG-14", "E250", "BEG-19"},
			Body:         noBackupMeanwhile,
		},
		{
			ID:           "leave.not-beside-a-block-job",
			Title:        "a domain with a block job is neither migrated nor saved (55), and is when the job is over",
			Requirements: []string{"E247", "BEG-15"},
			Body:         leaveNotBesideABlockJob,
		},
		{
			ID:           "leave.not-before-the-end",
			Title:        "a domain with a backup that has succeeded or was cancelled and was not ended is neither migrated nor saved (55), and can leave afterwards",
			Requirements: []string{"BEG-14", "END-07"},
			Body:         leaveNotBeforeTheEnd,
		},
		{
			ID:           "leave.saved-and-started",
			Title:        "a domain that cannot be saved during a pull can after its abort; the file outlives the driver, the images have the checkpoints, and increments go on after the next start",
			Requirements: []string{"CHK-06", "BEG-05", "E250", "I8"},
			Body:         savedAndStarted,
		},
		{
			ID:           "leave.migrated",
			Title:        "a domain whose guest has arrived elsewhere is off here; one that could not go goes on, with the reason",
			Requirements: []string{"BEG-14", "SUR-02"},
			Body:         migrated,
		},
		{
			ID:           "leave.driver-killed-anywhere",
			Title:        "a driver killed at any point of a save comes back to a guest that runs and to no file, or to a domain that is off and a file",
			Requirements: []string{"BEG-19", "I12"},
			Needs:        []conformance.Feature{conformance.FeatureKillDriver},
			Body:         driverKilledInASave,
		},
		{
			ID:           "leave.shutdown",
			Title:        "Shutdown asks the guest, and disturbs no backup; a domain that is off has nobody to ask",
			Requirements: []string{"BEG-13", "SUR-02"},
			Body:         shutdownAsks,
		},
	}
}

func leaveNotWhileItIsCopied(t *conformance.T) {
	d := oneDisk(t)
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{})
	const held = "cannot acquire state change lock"
	t.ExpectError(d.MigrateToURI(virt.XML("unix:"+t.Path("nobody")), 0, nil, 0), virt.ERR_OPERATION_TIMEOUT, held)
	t.ExpectError(d.Save(virt.XML(t.Path("saved"))), virt.ERR_OPERATION_TIMEOUT, held)
	t.ReleasePushes(d)
	b.AwaitSuccess()
	b.EndsWith(1)
}

func noBackupMeanwhile(t *conformance.T) {
	d := oneDisk(t)
	destination := t.Destination("there")
	var err error
	t.Go("migration", func() { err = d.MigrateToURI(virt.XML(destination.URI()), virt.MIGRATE_LIVE, nil, 0) })
	destination.AwaitGuest()
	_, busy := d.TryBegin(conformance.BackupSpec{})
	t.ExpectError(busy, virt.ERR_OPERATION_TIMEOUT, "cannot acquire state change lock (held by monitor=virDomainMigrateToURI)")
	kind, params, statsErr := d.GetJobStats(0)
	t.Expect(statsErr).NotTo(HaveOccurred())
	t.Expect(kind).To(Equal(virt.DOMAIN_JOB_UNBOUNDED))
	operation, _ := virt.FindParam(params, virt.DOMAIN_JOB_OPERATION)
	t.Expect(operation.Value).To(Equal(int32(virt.DOMAIN_JOB_OPERATION_MIGRATION_OUT)))
	t.Expect(d.AbortJob()).To(Succeed())
	t.Join()
	t.ExpectError(err, virt.ERR_OPERATION_ABORTED, "migration out job: canceled by client")
	d.Scribble("vda", 2)
	b := d.Begin(conformance.BackupSpec{})
	b.AwaitSuccess()
	b.EndsWith(1)
}

func leaveNotBesideABlockJob(t *conformance.T) {
	d := oneDisk(t)
	d.StartCopy("vda", t.Path("copy"), 0)
	t.ExpectError(d.MigrateToURI(virt.XML("unix:"+t.Path("nobody")), 0, nil, 0), virt.ERR_OPERATION_INVALID, "domain has active block job")
	t.ExpectError(d.Save(virt.XML(t.Path("saved"))), virt.ERR_OPERATION_INVALID, "domain has active block job")
	t.Expect(d.BlockJobAbort(virt.XML("vda"), 0)).To(Succeed())
	d.AwaitCopyCancelled("vda")
	t.Join()
	t.Keeps(t.Path("saved"))
	t.Expect(d.Save(virt.XML(t.Path("saved")))).To(Succeed())
	d.Left()
}

func leaveNotBeforeTheEnd(t *conformance.T) {
	d := oneDisk(t)
	stays := func(id int) {
		text := fmt.Sprintf("backup job '%d' has not been ended", id)
		t.ExpectError(d.MigrateToURI(virt.XML("unix:"+t.Path("nobody")), 0, nil, 0), virt.ERR_OPERATION_INVALID, text)
		t.ExpectError(d.Save(virt.XML(t.Path("saved"))), virt.ERR_OPERATION_INVALID, text)
		t.ExpectFiles(false, t.Path("saved"))
	}
	b := d.Begin(conformance.BackupSpec{})
	b.AwaitSuccess()
	stays(b.ID)
	b.EndsWith(1)
	t.HoldPushes()
	b = d.Begin(conformance.BackupSpec{Disks: images(t, "second", "vda")})
	t.Expect(d.BlockJobAbort(virt.XML("vda"), 0)).To(Succeed())
	t.AwaitJobCompleted(2)
	stays(b.ID)
	b.Forget()
	ret, err := d.BackupEnd(b.ID, virt.DOMAIN_BACKUP_END_ABORT)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(ret).To(Equal(0))
	t.Join()
	t.Keeps(t.Path("saved"))
	t.Expect(d.Save(virt.XML(t.Path("saved")))).To(Succeed())
	d.Left()
}

func savedAndStarted(t *conformance.T) {
	d := oneDisk(t)
	first := d.Begin(conformance.BackupSpec{Checkpoint: "c0"})
	first.AwaitSuccess()
	first.EndsWith(1)
	d.Scribble("vda", 2)
	p := d.BeginPull(conformance.PullSpec{Disks: []conformance.PullDisk{{Target: "vda"}}, Since: "c0", Server: t.ServerHere()})
	t.ExpectError(d.Save(virt.XML(t.Path("saved"))), virt.ERR_OPERATION_TIMEOUT, "cannot acquire state change lock")
	t.ExpectFiles(false, t.Path("saved"))
	t.Expect(d.AbortJob()).To(Succeed())
	p.Forget()
	d.Scribble("vda", 2)
	t.Join()
	t.Keeps(t.Path("saved"))
	t.Expect(d.Save(virt.XML(t.Path("saved")))).To(Succeed())
	d.Left()
	for _, restart := range []func(){func() {}, t.RestartDriver} {
		restart()
		t.ExpectFiles(true, t.Path("saved"))
		state, reason, err := d.GetState()
		t.Expect(err).NotTo(HaveOccurred())
		t.Expect([]int{int(state), reason}).To(Equal([]int{int(virt.DOMAIN_SHUTOFF), 5}))
		t.KillDriver()
	}
	t.RestartDriver()
	d.Start()
	d.Scribble("vda", 2)
	next := d.Begin(conformance.BackupSpec{Over: first})
	next.AwaitSuccess()
	next.EndsWith(1)
}

func migrated(t *conformance.T) {
	d := oneDisk(t)
	d.Checkpoint("c0")
	t.ExpectError(d.MigrateToURI(virt.XML("unix:"+t.Path("nobody")), 0, nil, 0), virt.ERR_OPERATION_FAILED, "No such file or directory")
	t.ExpectError(d.MigrateToURI(virt.XML("ftp://x"), 0, nil, 0), virt.ERR_INVALID_ARG, "ftp://x")
	t.ExpectError(d.MigrateToURI(virt.XML("unix:/x"), virt.MIGRATE_PEER2PEER, nil, 0), virt.ERR_INVALID_ARG, "unsupported flags (0x2)")
	t.ExpectError(d.MigrateToURI(virt.XML("unix:/x"), 0, virt.XML("other"), 0), virt.ERR_ARGUMENT_UNSUPPORTED, "another name")
	d.Scribble("vda", 2)
	destination := t.Destination("there")
	destination.LetIn()
	t.Join()
	t.Expect(d.MigrateToURI(virt.XML(destination.URI()), 0, nil, 0)).To(Succeed())
	d.Left()
	state, reason, err := d.GetState()
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect([]int{int(state), reason}).To(Equal([]int{int(virt.DOMAIN_SHUTOFF), 4}))
	t.ExpectError(d.MigrateToURI(virt.XML(destination.URI()), 0, nil, 0), virt.ERR_OPERATION_INVALID, "domain is not running")
	d.ExpectBitmaps()
}

func driverKilledInASave(t *conformance.T) {
	d := oneDisk(t)
	d.Scribble("vda", 2)
	t.Join()
	t.Keeps(t.Path("saved"))
	diesWithin(t, 90, func() { _ = d.Save(virt.XML(t.Path("saved"))) })
	state, _, err := d.GetState()
	t.Expect(err).NotTo(HaveOccurred())
	if state == virt.DOMAIN_SHUTOFF {
		t.ExpectFiles(true, t.Path("saved"))
		d.Left()
		return
	}
	t.Expect(state).To(Equal(virt.DOMAIN_RUNNING))
	t.ExpectFiles(false, t.Path("saved"))
	d.Scribble("vda", 2)
	b := d.Begin(conformance.BackupSpec{})
	b.AwaitSuccess()
	b.EndsWith(1)
}

func shutdownAsks(t *conformance.T) {
	d := oneDisk(t)
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{})
	t.Expect(d.Shutdown()).To(Succeed())
	t.ReleasePushes(d)
	b.AwaitSuccess()
	b.EndsWith(1)
	t.Join()
	d.DestroyNow()
	t.ExpectError(d.Shutdown(), virt.ERR_OPERATION_INVALID, "domain is not running")
}
