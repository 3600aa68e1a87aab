package specs

import (
	"time"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

// Commands of the guest's agent.
const (
	agentSync   = "guest-sync-delimited"
	agentFreeze = "guest-fsfreeze-freeze"
	agentThaw   = "guest-fsfreeze-thaw"
)

const (
	quiesceBegin      = virt.DOMAIN_BACKUP_BEGIN_QUIESCE
	quiesceCheckpoint = virt.DOMAIN_CHECKPOINT_CREATE_QUIESCE
)

func quiesceSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "quiesce.the-instant-is-quiet",
			Title:        "with QUIESCE the instant of a backup, of a checkpoint and of a snapshot lies between freeze and thaw, whatever the guest writes around it",
			Requirements: []string{"BEG-11", "SNP-02", "I1", "I3"},
			Body:         theInstantIsQuiet,
		},
		{
			ID:           "quiesce.thaws-whatever-happens",
			Title:        "a call that fails between freeze and thaw, or because of the agent, leaves nothing behind and no guest frozen",
			Requirements: []string{"BEG-11", "BEG-19", "I12"},
			Body:         thawsWhateverHappens,
		},
		{
			ID:           "quiesce.driver-killed-while-frozen",
			Title:        "a driver killed at any point of a quiesced Begin leaves the next one to thaw the guest",
			Requirements: []string{"BEG-11", "BEG-19", "I12"},
			Needs:        []conformance.Feature{conformance.FeatureKillDriver},
			Body:         driverKilledWhileFrozen,
		},
		{
			ID:           "agent.freeze-and-thaw",
			Title:        "FSFreeze and FSThaw freeze and thaw what they are asked to; a backup fits between them, and a quiesced one does not thaw what it did not freeze",
			Requirements: []string{"BEG-16", "BEG-11", "E055"},
			Body:         freezeAndThaw,
		},
		{
			ID:           "agent.is-one-call-at-a-time",
			Title:        "who wants an agent that another call has waits no longer than for other locks, and learns who has it; nobody else is held up",
			Requirements: []string{"E166"},
			Body:         agentIsOneCallAtATime,
		},
		{
			ID:           "agent.nobody-there",
			Title:        "a channel that nobody answers on is an agent that does not respond, for every call that needs one",
			Requirements: []string{"E056"},
			Body:         agentNobodyThere,
		},
	}
}

// agentDomain is a domain with two disks and an agent in its guest.
func agentDomain(t *conformance.T, name string) (*conformance.Domain, *conformance.Agent) {
	a := t.NewAgent()
	d := t.StartDomain(conformance.DomainSpec{Name: name, Agent: a, Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"),
	}})
	d.Scribble("vda", 3)
	return d, a
}

func theInstantIsQuiet(t *conformance.T) {
	d, a := agentDomain(t, "")
	writing := func() {
		for range 4 {
			d.Scribble("vda", 1)
			d.Scribble("vdb", 1)
		}
	}
	t.Go("guest", writing)
	var b *conformance.Backup
	frozenAtTheInstant(t, a, func() { b = d.Begin(conformance.BackupSpec{Checkpoint: "c1", Flags: quiesceBegin}) })
	b.QuietAt(a)
	t.Expect(a.Freezes()).To(Equal(1))
	t.Expect(a.Frozen()).To(BeFalse(), "Begin returned, and the guest is frozen")
	b.AwaitSuccess()
	t.Join()
	b.EndsWith(1)
	b.ExpectImages()
	t.Go("guest", writing)
	frozenAtTheInstant(t, a, func() {
		_, err := d.CreateCheckpointXML(conformance.BackupSpec{Checkpoint: "c2"}.CheckpointXML(), quiesceCheckpoint)
		t.Expect(err).NotTo(HaveOccurred())
	})
	d.CheckpointQuietAt("c2", a)
	t.Expect(a.Freezes()).To(Equal(2))
	t.Join()
	t.Go("guest", writing)
	var s *conformance.Snapshot
	frozenAtTheInstant(t, a, func() {
		s = d.Snapshot(conformance.SnapshotSpec{Name: "s1", Checkpoint: "c3", Flags: virt.DOMAIN_SNAPSHOT_CREATE_QUIESCE})
	})
	s.QuietAt(a)
	t.Expect(a.Freezes()).To(Equal(3))
	t.Expect(a.Frozen()).To(BeFalse())
	t.Join()
	d.PowerOff()
	d.ExpectBitmaps()
	s.ExpectBase()
}

// frozenAtTheInstant runs a call and looks at the guest when its transaction is on the
// way to QEMU.
func frozenAtTheInstant(t *conformance.T, a *conformance.Agent, call func()) {
	gate := t.GateCommand("transaction")
	t.Go("caller", call)
	gate.AwaitArrived()
	t.Expect(a.Frozen()).To(BeTrue(), "the transaction was sent, and the guest is not frozen")
	gate.Open()
	t.Join()
}

// quietFailure is one way in which a quiesced call fails.
type quietFailure struct {
	name    string
	arrange func(a *conformance.Agent) (lift func())
	code    virt.ErrorNumber
	text    string
	freezes int // at least
}

func quietFailures(t *conformance.T) []quietFailure {
	none := func() {}
	agent := func(f func(a *conformance.Agent)) func(a *conformance.Agent) func() {
		return func(a *conformance.Agent) func() {
			a.Set(func() { f(a) })
			return func() { a.Set(func() { a.Silent, a.Dies = "", "" }) }
		}
	}
	return []quietFailure{
		{"QEMU refuses the transaction", func(*conformance.Agent) func() {
			fault := t.FailCommand("transaction", 1, "no")
			return func() { fault.Lift() }
		}, virt.ERR_INTERNAL_ERROR, "unable to execute QEMU command 'transaction': no", 1},
		{"the agent refuses to freeze", func(a *conformance.Agent) func() {
			a.RefuseTimes(agentFreeze, 1)
			return none
		}, virt.ERR_INTERNAL_ERROR, "unable to execute QEMU agent command 'guest-fsfreeze-freeze': " + conformance.RefusalText, 0},
		{"the agent is silent", agent(func(a *conformance.Agent) { a.Silent = agentSync }), virt.ERR_AGENT_UNRESPONSIVE, "'guest-sync'", 0},
		{"the agent never tells that it froze", agent(func(a *conformance.Agent) { a.Silent = agentFreeze }), virt.ERR_AGENT_UNRESPONSIVE, "'guest-fsfreeze-freeze'", 0},
		{"the agent dies when it has frozen", func(a *conformance.Agent) func() {
			a.Set(func() { a.Dies = agentFreeze })
			return func() {
				a.Set(func() { a.Dies = "" })
				a.Revive()
			}
		}, virt.ERR_AGENT_UNRESPONSIVE, "Guest agent disappeared while executing command", 1},
		{"the agent refuses to thaw, twice", func(a *conformance.Agent) func() {
			a.RefuseTimes(agentThaw, 2)
			return none
		}, virt.ERR_INTERNAL_ERROR, "unable to execute QEMU agent command 'guest-fsfreeze-thaw': " + conformance.RefusalText, 1},
	}
}

func thawsWhateverHappens(t *conformance.T) {
	kinds := quietFailures(t)
	t.Each(len(kinds), func(i int) {
		k := kinds[i]
		d, a := agentDomain(t, caseName(i))
		a.Set(func() { a.Noise = "{\"return\": 7}\nhalf of\xff{\"return\": 1}\n" })
		lift := k.arrange(a)
		t.Go("guest", func() { d.Scribble("vda", 3) })
		spec := conformance.BackupSpec{Checkpoint: "c1", Flags: quiesceBegin}
		_, err := d.TryBegin(spec)
		t.ExpectError(err, k.code, k.text)
		lift()
		a.AwaitThawed()
		t.Expect(a.Freezes() >= k.freezes).To(BeTrue(), "%s: %d freezes", k.name, a.Freezes())
		t.Join()
		d.ForgetCheckpoint("c1")
		t.ExpectNothingLeft(d)
		t.ExpectFiles(false, d.BackupPaths(spec)...)
		_, err = d.CheckpointLookupByName(virt.XML("c1"), 0)
		t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "c1")
		b := d.Begin(spec)
		b.QuietAt(a)
		b.AwaitSuccess()
		b.EndsWith(1)
		b.ExpectImages()
		t.Expect(a.Frozen()).To(BeFalse())
	})
}

func driverKilledWhileFrozen(t *conformance.T) {
	kills := []func(a *conformance.Agent, begin func()){
		func(_ *conformance.Agent, begin func()) { diesWithin(t, 200, begin) },
		func(a *conformance.Agent, begin func()) { // after the instant, before the thaw
			a.Set(func() { a.Held = agentThaw })
			t.Go("caller", begin)
			t.Poll("the agent to be asked to thaw", time.Millisecond, a.Busy)
			t.KillDriver()
			t.Join()
			a.Die() // or it would go on to thaw
			a.Set(func() { a.Held = "" })
			a.Revive()
			t.Expect(a.Frozen()).To(BeTrue())
			t.RestartDriver()
		},
	}
	t.Each(len(kills), func(i int) { killedWhileFrozen(t, caseName(i), kills[i]) })
}

func killedWhileFrozen(t *conformance.T, name string, kill func(a *conformance.Agent, begin func())) {
	d, a := agentDomain(t, name)
	spec := conformance.BackupSpec{Checkpoint: "c1", Flags: quiesceBegin}
	returned := false
	kill(a, func() {
		_, err := d.TryBegin(spec)
		returned = err == nil
	})
	a.AwaitThawed()
	ids := d.JobIDs()
	if len(ids) == 1 {
		b := d.Adopt(spec, ids[0].ID)
		b.QuietAt(a)
		b.AwaitEnded()
		b.EndsWith(1)
		b.ExpectImages()
	} else {
		t.Expect(returned).To(BeFalse(), "Begin returned, and its job is gone")
		d.ForgetCheckpoint("c1")
		t.ExpectNothingLeft(d)
	}
	d.Write("vda", 0, 4096) // a guest that stood still would never end this
	t.Expect(a.Frozen()).To(BeFalse())
}

func freezeAndThaw(t *conformance.T) {
	d, a := agentDomain(t, "")
	frozen := func(want int, points ...string) {
		n, err := d.FSFreeze(points, 0)
		t.Expect(err).NotTo(HaveOccurred())
		t.Expect(n).To(Equal(want))
		t.Expect(a.MountPoints()).To(Equal(points))
	}
	thawed := func(want int) {
		n, err := d.FSThaw(nil, 0)
		t.Expect(err).NotTo(HaveOccurred())
		t.Expect(n).To(Equal(want))
	}
	frozen(2)
	t.Go("guest", func() { d.Scribble("vda", 2) })
	_, err := d.FSFreeze(nil, 0)
	t.ExpectError(err, virt.ERR_INTERNAL_ERROR, "unable to execute QEMU agent command 'guest-fsfreeze-freeze': ")
	_, err = d.TryBegin(conformance.BackupSpec{Checkpoint: "c0", Flags: quiesceBegin})
	t.ExpectError(err, virt.ERR_INTERNAL_ERROR, "unable to execute QEMU agent command 'guest-fsfreeze-freeze': ")
	d.ForgetCheckpoint("c0")
	t.Expect(a.Frozen()).To(BeTrue(), "a call thawed what it did not freeze")
	b := d.Begin(conformance.BackupSpec{Checkpoint: "c1"})
	b.QuietAt(a)
	thawed(2)
	b.AwaitSuccess()
	t.Join()
	b.EndsWith(1)
	b.ExpectImages()
	thawed(0)
	frozen(1, "/var")
	thawed(2)
	_, err = d.FSFreeze(nil, 1)
	t.ExpectError(err, virt.ERR_INVALID_ARG, "unsupported flags (0x1) in function qemuDomainFSFreeze")
	_, err = d.FSThaw(nil, 2)
	t.ExpectError(err, virt.ERR_INVALID_ARG, "unsupported flags (0x2) in function qemuDomainFSThaw")
	_, err = t.ReadOnlyDomain(d).FSFreeze(nil, 0)
	t.ExpectError(err, virt.ERR_OPERATION_DENIED, "virDomainFSFreeze")
	other := t.StartDomain(conformance.DomainSpec{Name: "without", Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	_, err = other.FSFreeze(nil, 0)
	t.ExpectError(err, virt.ERR_ARGUMENT_UNSUPPORTED, "QEMU guest agent is not configured")
	d.PowerOff()
	_, err = d.FSThaw(nil, 0)
	t.ExpectError(err, virt.ERR_OPERATION_INVALID, "domain is not running")
}

func agentIsOneCallAtATime(t *conformance.T) {
	d, a := agentDomain(t, "")
	a.Set(func() { a.Held = agentFreeze })
	t.Go("slow", func() {
		n, err := d.FSFreeze(nil, 0)
		t.Expect(err).NotTo(HaveOccurred())
		t.Expect(n).To(Equal(2))
	})
	t.Poll("the agent to be busy", time.Millisecond, a.Busy)
	t.Expect(d.JobIDs()).To(BeEmpty())
	b := d.Begin(conformance.BackupSpec{})
	const held = "cannot acquire state change lock (held by agent=virDomainFSFreeze)"
	_, err := d.FSThaw(nil, 0)
	t.ExpectError(err, virt.ERR_OPERATION_TIMEOUT, held)
	a.Set(func() { a.Held = "" })
	t.Join()
	_, err = d.FSThaw(nil, 0)
	t.Expect(err).NotTo(HaveOccurred())
	b.AwaitSuccess()
	b.EndsWith(1)
	b.ExpectImages()
}

func agentNobodyThere(t *conformance.T) {
	calls := func(d *conformance.Domain, text string) {
		t.Go("guest", func() { d.Scribble("vda", 2) })
		_, err := d.FSFreeze(nil, 0)
		t.ExpectError(err, virt.ERR_AGENT_UNRESPONSIVE, text)
		_, err = d.TryBegin(conformance.BackupSpec{Checkpoint: "c1", Flags: quiesceBegin})
		t.ExpectError(err, virt.ERR_AGENT_UNRESPONSIVE, text)
		_, err = d.CreateCheckpointXML(conformance.BackupSpec{Checkpoint: "c1"}.CheckpointXML(), quiesceCheckpoint)
		t.ExpectError(err, virt.ERR_AGENT_UNRESPONSIVE, text)
		d.ForgetCheckpoint("c1")
		t.Join()
		t.ExpectNothingLeft(d)
	}
	deaf := t.StartDomain(conformance.DomainSpec{Name: "deaf", Deaf: true, Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	calls(deaf, "guest agent didn't respond to 'guest-sync' within")
	d, a := agentDomain(t, "")
	a.Die()
	calls(d, "QEMU guest agent is not connected")
}
