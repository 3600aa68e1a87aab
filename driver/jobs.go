package driver

import (
	"time"

	"fleece/virt"
)

// jobKind is a sync job (virDomainJob).
type jobKind uint8

const (
	jobNone jobKind = iota
	jobQuery
	jobDestroy
	jobSuspend
	jobModify
	jobAbort
	jobNested // a command of the async job
	// jobConfig is a change of the definition; the async job keeps it out as little as it
	// keeps out queries.
	jobConfig
)

// jobs is the job state of a domain. The domain's lock protects it.
type jobs struct {
	active jobKind
	api    string // whose job it is, for the error text
	// async is the job "backup", from Begin until the copying is over. All sync
	// jobs are allowed meanwhile.
	async bool
	// exclusive says that no call may change the domain while the async job runs:
	// all do but a backup.
	exclusive bool
	// asyncAPI is the call that runs the async job; "" once it has returned.
	asyncAPI string
	// asyncAbort says that AbortJob was called while Begin still prepared.
	asyncAbort bool
	// agentAPI is the call that speaks to the guest's agent; "" if none does. It
	// excludes no other job.
	agentAPI string
}

// begin takes a sync job; it waits for another one at most JobWait, then 68
// (E165). The domain may have stopped when it returns; one that has gone gives 42.
func (d *domain) begin(kind jobKind, api string) error {
	return d.acquire(kind, api, false)
}

// beginAsync takes the async job; E164. An exclusive one keeps calls that modify the
// domain out until it ends.
func (d *domain) beginAsync(api string, exclusive bool) error {
	if err := d.acquire(jobNone, api, true); err != nil {
		return err
	}
	d.jobs.async, d.jobs.exclusive, d.jobs.asyncAPI, d.jobs.asyncAbort = true, exclusive, api, false
	return nil
}

func (d *domain) acquire(kind jobKind, api string, async bool) error {
	var deadline time.Time
	for d.blocked(kind, async) {
		if deadline.IsZero() {
			deadline = d.drv.p.Now().Add(d.drv.cfg.JobWait)
		}
		if !d.cond.WaitUntil(deadline) && d.blocked(kind, async) {
			return d.lockTimeout(kind, async)
		}
	}
	if kind != jobNested && kind != jobConfig && d.definition() == nil {
		return errNoDomain(d.uuid, d.name)
	}
	if kind != jobNone {
		d.jobs.active, d.jobs.api = kind, api
	}
	return nil
}

func (d *domain) blocked(kind jobKind, async bool) bool {
	return d.jobs.active != jobNone || async && d.jobs.async || d.jobs.keepsOut(kind) ||
		(async || kind == jobModify) && d.settling()
}

// keepsOut reports whether the async job that runs allows no sync job of that kind.
func (j *jobs) keepsOut(kind jobKind) bool { return j.async && j.exclusive && kind == jobModify }

// take is begin without a time-out, for what must be done in any case.
func (d *domain) take(kind jobKind, api string) {
	for d.jobs.active != jobNone {
		d.cond.Wait()
	}
	d.jobs.active, d.jobs.api = kind, api
}

// end gives the sync job back.
func (d *domain) end() {
	d.jobs.active, d.jobs.api = jobNone, ""
	d.cond.Broadcast()
}

// endAsync gives the async job back.
func (d *domain) endAsync() {
	d.jobs.async, d.jobs.asyncAPI = false, ""
	d.cond.Broadcast()
}

// lockTimeout names the call that holds the lock, if there is one.
func (d *domain) lockTimeout(kind jobKind, async bool) error {
	holder := d.jobs.api
	if async && d.jobs.async || d.jobs.keepsOut(kind) {
		holder = d.jobs.asyncAPI
	}
	if holder == "" {
		return virt.Errorf(virt.ERR_OPERATION_TIMEOUT, virt.FROM_NONE, "cannot acquire state change lock")
	}
	return virt.Errorf(virt.ERR_OPERATION_TIMEOUT, virt.FROM_NONE,
		"cannot acquire state change lock (held by monitor=%s)", holder)
}
