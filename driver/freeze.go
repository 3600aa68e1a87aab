package driver

import (
	"errors"
	"time"

	"fleece/driver/agent"
	"fleece/host"
	"fleece/qmp"
	"fleece/virt"
)

// How long the guest's agent may take.
const (
	// agentSyncMax is how long it may take to show that it is there, as in libvirt.
	agentSyncMax = 5 * time.Second
	// agentWaits is how long it may take for a command, in Config.JobWait: to freeze
	// means to write out what the guest has cached.
	agentWaits = 2
	// thawRetry is how often a thaw is tried that must succeed some day.
	thawRetry = time.Second
)

// Commands of the agent.
const (
	agentFreeze     = "guest-fsfreeze-freeze"
	agentFreezeList = "guest-fsfreeze-freeze-list"
	agentThaw       = "guest-fsfreeze-thaw"
)

// errNoAgent is E055: the domain has no channel for an agent.
func errNoAgent() error {
	return virt.Errorf(virt.ERR_ARGUMENT_UNSUPPORTED, virt.FROM_QEMU, "QEMU guest agent is not configured")
}

func errAgent(format string, args ...any) *virt.Error {
	return virt.Errorf(virt.ERR_AGENT_UNRESPONSIVE, virt.FROM_QEMU, format, args...)
}

// DomainFSFreeze freezes file systems of the guest, all without mount points, and
// gives how many. They stay frozen until DomainFSThaw. Errors: 55 not running, 74 no
// agent (E055), 86 no answer (E056), 68 another call has the agent (E166), 1 what the
// agent says.
func (drv *Driver) DomainFSFreeze(id virt.DomainID, mountpoints []string, flags uint32) (int, error) {
	command, args := agentFreeze, qmp.Value{}
	if len(mountpoints) > 0 {
		var list []qmp.Value
		for _, m := range mountpoints {
			list = append(list, qmp.Str(m))
		}
		command, args = agentFreezeList, qmp.Dict(qmp.M("mountpoints", qmp.List(list...)))
	}
	return drv.agentCall(id, "virDomainFSFreeze", "qemuDomainFSFreeze", flags, command, args)
}

// DomainFSThaw thaws all file systems of the guest, and gives how many. Mount points
// are not looked at, as in libvirt. Errors as in DomainFSFreeze.
func (drv *Driver) DomainFSThaw(id virt.DomainID, _ []string, flags uint32) (int, error) {
	return drv.agentCall(id, "virDomainFSThaw", "qemuDomainFSThaw", flags, agentThaw, qmp.Value{})
}

func (drv *Driver) agentCall(id virt.DomainID, api, function string, flags uint32, command string, args qmp.Value) (int, error) {
	d, err := drv.find(id)
	if err != nil {
		return -1, err
	}
	defer d.mu.Unlock()
	if flags != 0 {
		return -1, virt.UnsupportedFlags(flags, function)
	}
	if err := d.beginAgent(api); err != nil {
		return -1, err
	}
	defer d.endAgent()
	r := d.run
	if r == nil {
		return -1, errInactive()
	}
	n, _, err := d.ask(r, command, args)
	if err != nil {
		return -1, err
	}
	if command == agentThaw && d.stored.Frozen {
		d.stored.Frozen = false // a call that is over had left it
		d.trySave()
	}
	return int(n), nil
}

// beginAgent takes the agent; it waits for another call at most JobWait (E166).
func (d *domain) beginAgent(api string) error {
	deadline := d.drv.p.Now().Add(d.drv.cfg.JobWait)
	for d.jobs.agentAPI != "" {
		if !d.cond.WaitUntil(deadline) && d.jobs.agentAPI != "" {
			return virt.Errorf(virt.ERR_OPERATION_TIMEOUT, virt.FROM_NONE,
				"cannot acquire state change lock (held by agent=%s)", d.jobs.agentAPI)
		}
	}
	d.jobs.agentAPI = api
	return nil
}

func (d *domain) endAgent() {
	d.jobs.agentAPI = ""
	d.cond.Broadcast()
}

// ask runs a command of the agent on a connection of its own. The agent's job is
// held; the lock is dropped meanwhile. sent tells whether the agent may have carried it
// out, also if there is an error.
func (d *domain) ask(r *run, command string, args qmp.Value) (n int64, sent bool, err error) {
	if d.live == nil || d.live.Agent == "" {
		return 0, false, errNoAgent()
	}
	path := d.live.Agent
	d.syncs++
	id := d.drv.p.Now().UnixMilli()<<8 | d.syncs&0xff
	d.mu.Unlock()
	n, sent, err = d.drv.converse(path, id, command, args)
	d.mu.Lock()
	if gone := d.usable(r); err != nil && gone != nil {
		err = gone
	}
	return n, sent, err
}

// converse is one conversation with the agent behind a socket.
func (drv *Driver) converse(path string, id int64, command string, args qmp.Value) (n int64, sent bool, err error) {
	stream, err := drv.h.Dial(host.Unix, path)
	if err != nil {
		return 0, false, errAgent("QEMU guest agent is not connected").Because(err)
	}
	s := agent.Open(drv.p, stream)
	defer s.Close()
	wait := agentWaits * drv.cfg.JobWait
	if err := s.Sync(id, min(agentSyncMax, wait)); err != nil {
		return 0, false, agentError("guest-sync", min(agentSyncMax, wait), err)
	}
	v, err := s.Do(command, args, wait)
	if err != nil {
		return 0, !refusedBy(err), agentError(command, wait, err)
	}
	n, _ = v.Int64()
	return n, true, nil
}

// refusedBy reports whether the agent answered, and said no.
func refusedBy(err error) bool {
	var refused *agent.RefusedError
	return errors.As(err, &refused)
}

// agentError is libvirt's error for a command that the agent did not carry out.
func agentError(command string, wait time.Duration, err error) error {
	var refused *agent.RefusedError
	switch {
	case errors.As(err, &refused):
		return virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_QEMU,
			"unable to execute QEMU agent command '%s': %s", command, refused.Desc).Because(err)
	case errors.Is(err, agent.ErrSilent):
		return errAgent("guest agent didn't respond to '%s' within '%d' seconds", command, int(wait.Seconds())).Because(err)
	case errors.Is(err, agent.ErrGone):
		return errAgent("Guest agent disappeared while executing command").Because(err)
	}
	return errAgent("%v", err).Because(err)
}

// quiesce freezes the guest's file systems for a call, which thaws them whatever comes
// of it. That they are frozen is stored first, so that the next driver thaws them if
// this one dies. A failure leaves nothing frozen, as far as the agent lets us. The
// domain's lock is held, and dropped meanwhile; the agent is the call's until the thaw.
func (d *domain) quiesce(r *run, api string) error {
	if d.live == nil || d.live.Agent == "" {
		return errNoAgent()
	}
	if err := d.beginAgent(api); err != nil {
		return err
	}
	d.stored.Frozen = true
	if err := d.save(); err != nil {
		d.thawed()
		return err
	}
	_, sent, err := d.ask(r, agentFreeze, qmp.Value{})
	switch {
	case err == nil:
		return nil
	case sent: // it is not known whether anything was frozen
		_ = d.thaw(r)
	default: // nothing was: what is frozen is somebody else's
		d.thawed()
	}
	return err
}

// thawed notes that nothing of a call's is frozen any more, and lets go of the agent.
func (d *domain) thawed() {
	d.stored.Frozen = false
	d.trySave()
	d.endAgent()
}

// thaw ends what quiesce began. If it fails, it is tried again until it succeeds or the
// machine is gone; the error is that of the first try.
func (d *domain) thaw(r *run) error {
	_, _, err := d.ask(r, agentThaw, qmp.Value{})
	if err == nil || d.usable(r) != nil {
		d.thawed()
		return err
	}
	d.drv.p.Note("not-thawed", d.name, err)
	d.endAgent()
	d.thawLater(r)
	return err
}

// thawLater thaws in a task of its own, again and again.
func (d *domain) thawLater(r *run) {
	if d.thawing == r {
		return
	}
	d.thawing = r
	d.drv.p.Go("thaw-"+d.name, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		for d.thawOnce(r); d.stored.Frozen && d.run == r; d.thawOnce(r) {
			d.mu.Unlock()
			d.drv.p.Sleep(thawRetry)
			d.mu.Lock()
		}
		if d.thawing == r {
			d.thawing = nil
		}
	})
}

// thawOnce is one try of thawLater; it gives way to a call that has the agent.
func (d *domain) thawOnce(r *run) {
	if !d.stored.Frozen || d.run != r || d.jobs.agentAPI != "" {
		return
	}
	d.jobs.agentAPI = "thaw"
	if _, _, err := d.ask(r, agentThaw, qmp.Value{}); err != nil {
		d.drv.p.Note("not-thawed", d.name, err)
		d.endAgent()
		return
	}
	d.thawed()
}
