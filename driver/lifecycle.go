package driver

import (
	"errors"

	"fleece/driver/state"
	"fleece/qmp"
	"fleece/virt"
)

// Flags of DomainCreate and DomainDestroy.
const (
	startPaused     = 1 << 0 // VIR_DOMAIN_START_PAUSED
	destroyGraceful = 1 << 0 // VIR_DOMAIN_DESTROY_GRACEFUL
)

// Reasons of DomainGetState.
const (
	runningBooted   = 1
	pausedUser      = 1
	shutoffShutdown = 1
	shutoffDestroy  = 2
	shutoffCrashed  = 3
	shutoffMigrated = 4
	shutoffSaved    = 5
	shutoffSnapshot = 7
)

// DomainCreate starts a defined domain.
func (drv *Driver) DomainCreate(id virt.DomainID, flags uint32) (virt.DomainID, error) {
	d, err := drv.find(id)
	if err != nil {
		return virt.DomainID{}, err
	}
	defer d.mu.Unlock()
	if bits := flags &^ startPaused; bits != 0 {
		return virt.DomainID{}, virt.UnsupportedFlags(bits, "qemuDomainCreateWithFlags")
	}
	if err := d.begin(jobModify, "virDomainCreate"); err != nil {
		return virt.DomainID{}, err
	}
	defer d.end()
	if d.run != nil {
		return virt.DomainID{}, virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, "domain is already running")
	}
	if d.def == nil {
		return virt.DomainID{}, errNoDomain(id.UUID, id.Name)
	}
	if err := d.start(flags&startPaused != 0); err != nil {
		return virt.DomainID{}, err
	}
	return d.id(), nil
}

// start launches the machine. The sync job is held; the lock is dropped while the
// hypervisor and QEMU work.
func (d *domain) start(paused bool) error {
	plan, err := d.def.Plan()
	if err != nil {
		return err
	}
	d.mu.Unlock()
	m, err := d.drv.hv.Launch(plan.Spec)
	d.mu.Lock()
	if err != nil {
		return virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_QEMU, "process exited while connecting to monitor: %v", err).Because(err)
	}
	r := &run{id: d.drv.newRunID(), m: m, disks: plan.Disks, paused: true}
	d.run, d.live = r, d.def
	d.stored.RunID, d.stored.NextNode = r.id, plan.NextNode
	if err := d.boot(r, paused); err != nil {
		d.kill(r)
		d.run, d.live = nil, nil
		d.cond.Broadcast()
		return err
	}
	d.drv.emit(virt.LifecycleEvent{Domain: d.id(), Event: virt.DOMAIN_EVENT_STARTED})
	return nil
}

// boot connects to a machine that was launched and lets its guest run.
func (d *domain) boot(r *run, paused bool) error {
	d.mu.Unlock()
	err := d.connect(r)
	d.mu.Lock()
	if err == nil {
		err = d.save()
	}
	if err != nil || paused {
		return err
	}
	if _, err := d.exec(r, qmp.Cont{}); err != nil {
		return err
	}
	r.paused = false
	return nil
}

// kill ends the machine and its monitor. The lock is dropped meanwhile.
func (d *domain) kill(r *run) {
	mon := r.mon
	d.mu.Unlock()
	err := r.m.Kill()
	if mon != nil {
		err = errors.Join(err, mon.Close())
	}
	d.mu.Lock()
	if err != nil {
		d.drv.p.Note("kill", d.name, err)
	}
}

// DomainDestroy ends a domain at once. The machine is killed before the job is
// taken, so that calls that wait for QEMU give way (qemuProcessBeginStopJob).
func (drv *Driver) DomainDestroy(id virt.DomainID, flags uint32) error {
	d, err := drv.find(id)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if bits := flags &^ destroyGraceful; bits != 0 {
		return virt.UnsupportedFlags(bits, "qemuDomainDestroyFlags")
	}
	r := d.run
	if r == nil {
		return errInactive()
	}
	r.destroying = true
	d.kill(r)
	d.take(jobDestroy, "virDomainDestroy")
	defer d.end()
	if d.run == r {
		d.stop(r)
	}
	return nil
}

// stopLost deals with a machine whose monitor has ended.
func (d *domain) stopLost(r *run) {
	d.take(jobDestroy, "monitor-eof")
	defer d.end()
	if d.run != r {
		return
	}
	d.kill(r)
	if d.run == r {
		d.stop(r)
	}
}

// stop ends the run of a machine that is gone: the backup is cancelled, its
// leftovers deleted, then the domain is inactive. A Begin that still prepares
// undoes itself. The job destroy is held.
func (d *domain) stop(r *run) {
	id := d.id()
	d.dropBlockJobs()
	d.stored.Leaving = nil
	redefined := d.live != d.def
	d.stopped = r.reason()
	d.run, d.live, d.ended, d.stored.Frozen = nil, nil, nil, false
	if d.backup != nil {
		d.dropSocket(d.backup)
	}
	if b := d.backup; b.visible() {
		if b.st.Phase != state.Done {
			d.terminate(b, virt.DOMAIN_JOB_CANCELLED, id)
		} else {
			d.setBackup(nil)
			d.trySave()
		}
	}
	if d.stored.Snapshot != nil && !d.snapshotIsMade() {
		if err := d.settleSnapshot(); err != nil {
			d.drv.p.Note("definition-not-saved", d.name, err)
		}
	}
	if redefined {
		d.removeNoted(d.drv.livePath(d.name))
	}
	d.drv.emit(virt.LifecycleEvent{Domain: id, Event: virt.DOMAIN_EVENT_STOPPED, Detail: int(d.stopped)})
	if d.def == nil {
		d.forget()
	}
	d.cond.Broadcast()
}

func (r *run) reason() stopReason {
	switch {
	case r.left:
		return r.leftFor
	case r.halted:
		return virt.DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT
	case r.destroying:
		return virt.DOMAIN_EVENT_STOPPED_DESTROYED
	case r.shutdown:
		return virt.DOMAIN_EVENT_STOPPED_SHUTDOWN
	}
	return virt.DOMAIN_EVENT_STOPPED_CRASHED
}

func (d *domain) removeNoted(name string) {
	if err := d.drv.remove(name); err != nil {
		d.drv.p.Note("file-not-removed", name, err)
	}
}

// DomainSuspend halts the vCPUs.
func (drv *Driver) DomainSuspend(id virt.DomainID) error {
	return drv.runState(id, jobSuspend, "virDomainSuspend", qmp.Stop{}, true)
}

// DomainResume lets the vCPUs run.
func (drv *Driver) DomainResume(id virt.DomainID) error {
	return drv.runState(id, jobModify, "virDomainResume", qmp.Cont{}, false)
}

func (drv *Driver) runState(id virt.DomainID, kind jobKind, api string, c qmp.Commander, paused bool) error {
	d, err := drv.find(id)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if err := d.begin(kind, api); err != nil {
		return err
	}
	defer d.end()
	r := d.run
	if r == nil {
		return errInactive()
	}
	if r.paused == paused && !paused {
		return virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, "domain is already running")
	}
	if r.paused == paused {
		return nil
	}
	if _, err := d.exec(r, c); err != nil {
		return err
	}
	r.paused = paused
	event := virt.LifecycleEvent{Domain: d.id(), Event: virt.DOMAIN_EVENT_RESUMED}
	if paused {
		event.Event = virt.DOMAIN_EVENT_SUSPENDED
	}
	drv.emit(event)
	return nil
}

// DomainGetState tells the state and why.
func (drv *Driver) DomainGetState(id virt.DomainID, flags uint32) (virt.DomainState, int, error) {
	if flags != 0 {
		return 0, 0, virt.UnsupportedFlags(flags, "qemuDomainGetState")
	}
	d, err := drv.find(id)
	if err != nil {
		return 0, 0, err
	}
	defer d.mu.Unlock()
	switch {
	case d.run != nil && d.run.paused:
		return virt.DOMAIN_PAUSED, pausedUser, nil
	case d.run != nil:
		return virt.DOMAIN_RUNNING, runningBooted, nil
	}
	return virt.DOMAIN_SHUTOFF, d.stopped.shutoff(), nil
}

// shutoff is the reason as DomainGetState gives it; 0 is unknown.
func (s stopReason) shutoff() int {
	switch s {
	case virt.DOMAIN_EVENT_STOPPED_SHUTDOWN:
		return shutoffShutdown
	case virt.DOMAIN_EVENT_STOPPED_DESTROYED:
		return shutoffDestroy
	case virt.DOMAIN_EVENT_STOPPED_CRASHED:
		return shutoffCrashed
	case virt.DOMAIN_EVENT_STOPPED_MIGRATED:
		return shutoffMigrated
	case virt.DOMAIN_EVENT_STOPPED_SAVED:
		return shutoffSaved
	case virt.DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT:
		return shutoffSnapshot
	}
	return 0
}

// DomainGetXMLDesc returns the definition: of the run, or with INACTIVE of the
// next start.
func (drv *Driver) DomainGetXMLDesc(id virt.DomainID, flags virt.DomainXMLFlags) (string, error) {
	d, err := drv.find(id)
	if err != nil {
		return "", err
	}
	defer d.mu.Unlock()
	if bits := flags &^ (virt.DOMAIN_XML_SECURE | virt.DOMAIN_XML_INACTIVE); bits != 0 {
		return "", virt.UnsupportedFlags(uint32(bits), "qemuDomainGetXMLDesc")
	}
	def, runID := d.definition(), -1
	switch {
	case flags&virt.DOMAIN_XML_INACTIVE != 0 && d.def != nil:
		def = d.def
	case d.run != nil && flags&virt.DOMAIN_XML_INACTIVE == 0:
		runID = d.run.id
	}
	if flags&virt.DOMAIN_XML_SECURE == 0 {
		def = def.WithoutSecrets()
	}
	return def.XML(runID), nil
}
