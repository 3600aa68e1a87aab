package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func recoveryCallSpecs() []conformance.Spec {
	needs := []conformance.Feature{conformance.FeatureKillDriver}
	return []conformance.Spec{
		{
			ID:           "recovery.driver-killed-anywhere-in-pull-begin",
			Title:        "a driver killed at any point of a pull Begin comes back to exports that serve the start, or to nothing: no server, no scratch image, no socket",
			Requirements: []string{"BEG-19", "I12", "PUL-03"},
			Needs:        needs,
			Body:         driverKilledAnywhereInPullBegin,
		},
		{
			ID:           "recovery.driver-killed-anywhere-in-end",
			Title:        "a driver killed at any point of End comes back to a job that can be ended, or to one that has left nothing; whole images stay, others go",
			Requirements: []string{"END-02", "END-03", "END-07", "I12"},
			Needs:        needs,
			Body:         driverKilledAnywhereInEnd,
		},
		{
			ID:           "recovery.driver-killed-anywhere-in-checkpoint-create",
			Title:        "a driver killed at any point of CheckpointCreateXML comes back to a checkpoint that increments can start from, or to nothing of it",
			Requirements: []string{"CHK-06", "I12"},
			Needs:        needs,
			Body:         driverKilledAnywhereInCheckpointCreate,
		},
		{
			ID:           "recovery.domain-died-unseen",
			Title:        "a domain that dies while no driver watches takes its backup with it: no job, no image, no scratch; its checkpoints stay as far as they were whole",
			Requirements: []string{"BEG-19", "END-08", "I12"},
			Needs:        needs,
			Body:         domainDiedUnseen,
		},
	}
}

// caseName is the name of the domain of a case.
func caseName(i int) string { return "vm-" + string(rune('a'+i)) }

// twoDisks starts a domain with two disks that hold something.
func twoDisks(t *conformance.T, name string) *conformance.Domain {
	d := t.StartDomain(conformance.DomainSpec{Name: name, Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"),
	}})
	d.Scribble("vda", 3)
	d.Scribble("vdb", 2)
	return d
}

// diesWithin kills the driver while a call runs, at a point that the run's seed
// chooses, and starts the next one.
func diesWithin(t *conformance.T, most uint64, call func()) {
	t.Go("caller", call)
	t.Pause(most)
	t.KillDriver()
	t.Join()
	t.RestartDriver()
}

func driverKilledAnywhereInPullBegin(t *conformance.T) {
	servers := []string{t.ServerHere(), ""} // the latter on a port of the driver's choice
	t.Each(len(servers), func(i int) { killedInPullBegin(t, caseName(i), servers[i]) })
}

func killedInPullBegin(t *conformance.T, name, server string) {
	d := twoDisks(t, name)
	d.Checkpoint("c0")
	d.Scribble("vda", 2)
	spec := conformance.PullSpec{Server: server, Checkpoint: "c1", Disks: []conformance.PullDisk{
		{Target: "vda", Since: "c0", Mode: "incremental"}, {Target: "vdb"},
	}}
	id, returned := 0, false
	diesWithin(t, 260, func() { id, returned = d.BeginPullUnseen(spec) })
	ids := d.JobIDs()
	if len(ids) == 1 {
		t.Expect(returned && id != ids[0].ID).To(BeFalse(), "Begin returned %d, and the job is %d", id, ids[0].ID)
		p := d.AdoptPull(spec, ids[0].ID)
		d.Scribble("vdb", 2)
		p.ExpectExports()
		p.EndsWith(0, 1)
	} else {
		t.Expect(returned).To(BeFalse(), "Begin returned, and its job is gone: %v", ids)
		_, err := d.CheckpointLookupByName(virt.XML("c1"), 0)
		t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "c1")
		d.ForgetCheckpoint("c1")
		t.ExpectNothingLeft(d)
		t.ExpectNoServer(d)
		t.ExpectFiles(false, d.ScratchPaths(spec)...)
	}
	// Whatever it was, the names, the socket and the domain are free for the next one.
	next := d.BeginPull(conformance.PullSpec{Server: server, Since: "c0"})
	next.ExpectExports()
	next.EndsWith(0, 1)
}

// ending is a backup that a spec ends while the driver dies.
type ending struct {
	id    int
	flags virt.DomainBackupEndFlags
	gone  []string // files that may not be there afterwards
	check func()   // what else holds afterwards
}

func driverKilledAnywhereInEnd(t *conformance.T) {
	kinds := []func(d *conformance.Domain) ending{
		func(d *conformance.Domain) ending {
			b := d.Begin(conformance.BackupSpec{Checkpoint: "c1"})
			b.AwaitSuccess()
			return ending{id: b.ID, check: b.ExpectImages}
		},
		func(d *conformance.Domain) ending {
			t.HoldPushes()
			b := d.Begin(conformance.BackupSpec{Checkpoint: "c1"})
			t.LetPushesGo()
			return ending{b.ID, virt.DOMAIN_BACKUP_END_ABORT, b.Paths(), b.Forget}
		},
		func(d *conformance.Domain) ending {
			p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere(), Checkpoint: "c1"})
			return ending{id: p.ID, gone: p.Scratches(), check: func() { p.Forget(); t.ExpectNoServer(d) }}
		},
	}
	t.Each(len(kinds), func(i int) {
		d := twoDisks(t, caseName(i))
		killedInEnd(t, d, kinds[i](d))
	})
}

func killedInEnd(t *conformance.T, d *conformance.Domain, e ending) {
	result, ended := 0, error(nil)
	diesWithin(t, 300, func() { result, ended = d.BackupEnd(e.id, e.flags) })
	if ids := d.JobIDs(); len(ids) > 0 {
		t.Expect(ids).To(HaveLen(1))
		t.Expect(ids[0].ID).To(Equal(e.id))
		t.Expect(ended).To(HaveOccurred(), "End returned %d, and the job is still there", result)
		result, ended = d.BackupEnd(e.id, e.flags)
	}
	if ended == nil {
		want := 1
		if e.flags&virt.DOMAIN_BACKUP_END_ABORT != 0 {
			want = 0
		}
		t.Expect(result).To(Equal(want))
	}
	_, err := d.BackupEnd(e.id, e.flags)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id")
	t.ExpectNothingLeft(d)
	t.ExpectFiles(false, e.gone...)
	e.check()
}

func driverKilledAnywhereInCheckpointCreate(t *conformance.T) {
	d := twoDisks(t, "")
	d.Checkpoint("c0")
	d.Scribble("vda", 2)
	created := error(nil)
	diesWithin(t, 90, func() { created = d.TryCheckpointUnseen("c1") })
	_, err := d.CheckpointLookupByName(virt.XML("c1"), 0)
	since := "c1"
	if err != nil {
		t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "c1")
		t.Expect(created).To(HaveOccurred(), "the call returned, and the checkpoint is gone")
		d.ForgetCheckpoint("c1")
		since = "c0"
	}
	t.ExpectNothingLeft(d)
	current, err := d.CheckpointCurrent(0)
	t.Expect(err).NotTo(HaveOccurred())
	name, err := current.GetName()
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(name).To(Equal(since))
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c2"})
	full.AwaitSuccess()
	full.EndsWith(1)
	d.Scribble("vda", 2)
	d.Scribble("vdb", 1)
	p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere(), Since: since})
	p.ExpectExports()
	p.EndsWith(0, 1)
}

// dying is what a domain was at when it died.
type dying struct {
	gone   []string // files that may not be there afterwards
	forget func()   // says so to the harness
}

func domainDiedUnseen(t *conformance.T) {
	kinds := []func(d *conformance.Domain) dying{
		func(d *conformance.Domain) dying {
			t.HoldPushes()
			b := d.Begin(conformance.BackupSpec{Checkpoint: "c1"})
			t.LetPushesGo()
			t.KillDriver()
			d.Crash()
			return dying{b.Paths(), b.Forget}
		},
		func(d *conformance.Domain) dying {
			p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere(), Checkpoint: "c1"})
			t.KillDriver()
			d.Crash()
			return dying{p.Scratches(), p.Forget}
		},
		func(d *conformance.Domain) dying { // the driver sees it, and dies later
			p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere(), Checkpoint: "c1"})
			t.Go("reader", func() { _, _ = p.Dial() })
			d.Crash()
			d.AwaitStopped()
			t.Join()
			t.KillDriver()
			return dying{p.Scratches(), p.Forget}
		},
		func(d *conformance.Domain) dying {
			spec := conformance.BackupSpec{Checkpoint: "c1"}
			k := dying{d.BackupPaths(spec), func() {}}
			t.HoldPushes() // else they may be over, and what was copied is good
			t.Go("caller", func() {
				if b, err := d.TryBegin(spec); err == nil {
					k.forget = b.Forget
				}
			})
			t.Pause(300)
			t.KillDriver()
			t.Join()
			t.LetPushesGo()
			d.Crash()
			return k
		},
	}
	t.Each(len(kinds), func(i int) {
		d := twoDisks(t, caseName(i))
		d.Checkpoint("c0")
		k := kinds[i](d)
		t.RestartDriver()
		k.forget()
		t.Expect(d.JobIDs()).To(BeEmpty())
		_, err := d.CheckpointLookupByName(virt.XML("c0"), 0)
		t.Expect(err).NotTo(HaveOccurred())
		t.ExpectFiles(false, k.gone...)
		d.Start() // it is shut off, and can be
	})
}
