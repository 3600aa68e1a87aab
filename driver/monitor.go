package driver

import (
	"errors"

	"fleece/qmp"
	"fleece/virt"
)

// errGone is a domain that died while a call was under way (E171).
func errGone() error {
	return virt.Errorf(virt.ERR_OPERATION_FAILED, virt.FROM_QEMU, "domain is no longer running")
}

// usable tells whether r is still the domain's run and its monitor lives.
func (d *domain) usable(r *run) error {
	switch {
	case r == nil || d.run != r:
		return errGone()
	case r.lost != nil:
		return virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_QEMU,
			"End of file from qemu monitor (vm='%s')", d.name).Because(r.lost)
	}
	return nil
}

// exec runs a command. The caller holds the lock, which is dropped meanwhile, and
// a sync job. When it returns without an error the run is still alive.
func (d *domain) exec(r *run, c qmp.Commander) (qmp.Value, error) {
	if err := d.usable(r); err != nil {
		return qmp.Value{}, err
	}
	_, creates := c.(qmp.BlockdevCreate)
	if creates {
		r.creating++
	}
	d.mu.Unlock()
	v, err := r.mon.Run(c.Command())
	d.mu.Lock()
	if err == nil {
		return v, d.usable(r)
	}
	if creates {
		d.created(r)
	}
	if !refused(err) && r.lost == nil {
		// The reader task will say so too; but who tried again before it came to
		// that would try in vain for ever.
		d.lose(r, err)
	}
	return qmp.Value{}, monitorError(err)
}

// created notes that a job that makes an image is over.
func (d *domain) created(r *run) {
	r.creating--
	d.cond.Broadcast()
}

// lose notes that nobody can speak to the machine any more.
func (d *domain) lose(r *run, reason error) {
	r.lost = reason
	if d.run == r {
		d.cond.Broadcast()
		d.kick()
	}
}

// nested runs a command of the async job: it takes the sync job for as long as the
// command takes.
func (d *domain) nested(r *run, c qmp.Commander) (qmp.Value, error) {
	if err := d.begin(jobNested, d.jobs.asyncAPI); err != nil {
		return qmp.Value{}, err
	}
	defer d.end()
	return d.exec(r, c)
}

// monitorError gives libvirt's error for a failed command (E168, E169).
func monitorError(err error) error {
	var refused *qmp.CommandError
	if errors.As(err, &refused) {
		return virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_QEMU, "%s", refused.Error()).Because(err)
	}
	return virt.Errorf(virt.ERR_SYSTEM_ERROR, virt.FROM_QEMU,
		"Unable to read from monitor: Connection reset by peer").Because(err)
}

// refused reports whether QEMU answered, and said no.
func refused(err error) bool {
	var e *qmp.CommandError
	return errors.As(err, &e)
}

// connect opens the monitor of a run. No lock is held; the run is the domain's
// already, so that no event is lost.
func (d *domain) connect(r *run) error {
	conn, err := r.m.Dial()
	if err != nil {
		return virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_QEMU, "failed to connect to monitor: %v", err).Because(err)
	}
	mon := qmp.NewMonitor(d.drv.p, conn, qmp.MonitorOptions{
		Name:    "qmp-" + d.name,
		OnEvent: func(e qmp.Event) { d.onEvent(r, e) },
		OnClose: func(reason error) { d.onClose(r, reason) },
	})
	d.mu.Lock() // a Destroy may be about to close it
	r.mon = mon
	d.mu.Unlock()
	if _, err := mon.Negotiate(); err != nil {
		_ = mon.Close()
		return monitorError(err)
	}
	return nil
}

// onEvent runs in the reader task. Most events say nothing new and cost no lock.
func (d *domain) onEvent(r *run, e qmp.Event) {
	switch e.Name {
	case qmp.EventJobStatusChange:
		if j, _ := qmp.AsJobStatusChange(e); j.Status == qmp.JobConcluded {
			d.jobConcluded(r, j.ID)
		}
	case qmp.EventWriteThreshold:
		w, _ := qmp.AsWriteThreshold(e)
		d.thresholdPassed(r, w)
	case qmp.EventStop, qmp.EventResume:
		d.mu.Lock()
		r.paused = e.Name == qmp.EventStop
		d.mu.Unlock()
	case qmp.EventMigration:
		status, _ := qmp.AsMigration(e)
		d.migrationChanged(r, status)
	case qmp.EventBlockJobReady:
		b, _ := qmp.AsBlockJobEnd(e)
		d.blockJobReady(r, b.Device)
	case qmp.EventDeviceDeleted:
		id, _ := qmp.AsDeviceDeleted(e)
		d.deviceDeleted(r, id)
	case qmp.EventShutdown:
		d.mu.Lock()
		r.shutdown = true
		d.mu.Unlock()
	}
}

// onClose runs in the reader task when the connection has ended: the machine is
// gone, or must go, since nobody can speak to it.
func (d *domain) onClose(r *run, reason error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lose(r, reason)
}

// jobConcluded notes the end of a job that somebody waits for. Jobs are known
// here before the command that starts them is sent, so no end is missed.
func (d *domain) jobConcluded(r *run, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.run != r {
		return
	}
	for _, made := range []*creation{&d.creating, &d.mirroring} {
		if made.job == id && id != "" {
			made.concluded = true
			d.cond.Broadcast()
			return
		}
	}
	if d.blockJobConcluded(id) {
		return
	}
	if d.backup == nil {
		return
	}
	for _, k := range d.backup.disks {
		if k.Job == id && !k.concluded {
			k.concluded = true
			d.ended = append(d.ended, k)
			d.cond.Broadcast()
			d.kick()
		}
	}
}
