package sim

import (
	"slices"
	"syscall"

	"fleece/qmp"
	"fleece/rt"
)

// jobStatus is QEMU's JobStatus.
type jobStatus string

const (
	jobUndefined jobStatus = "undefined"
	jobCreated   jobStatus = "created"
	jobRunning   jobStatus = "running"
	jobPaused    jobStatus = "paused"
	jobReady     jobStatus = "ready"
	jobStandby   jobStatus = "standby" // ready and paused
	jobWaiting   jobStatus = "waiting"
	jobPending   jobStatus = "pending"
	jobAborting  jobStatus = "aborting"
	jobConcluded jobStatus = "concluded"
	jobNull      jobStatus = "null"
)

// job is a background job: the state machine of §5.1. What it does is in work.
type job struct {
	m    *Machine
	id   string
	kind string // "backup", "create", "mirror", "commit", "stream"
	work worker
	txn  *jobTxn

	status       jobStatus
	autoFinalize bool
	autoDismiss  bool
	// blockJob tells jobs that block-job-* and query-block-jobs know.
	blockJob bool

	edges []*edge // to the nodes that it works on; the first is its main node

	pauseCount int
	held       []over // what the open sections that pause it are over
	userPaused bool
	errorStop  bool // paused by an error policy
	cancelled  bool
	completed  bool // its work ended, well or not
	joined     bool // cancelled by somebody who waits for it and ends it
	err        string
	ioStatus   string

	// gen counts the pumps; a pump of an older number ends when it wakes.
	gen  int
	cond rt.Cond // wakes a pump that waits for its speed limit
}

// worker is the work of a job. All is called with the machine's lock held.
type worker interface {
	// step makes progress, perhaps sleeping; it returns false when the pump
	// should end: the work is over, paused or waits for others.
	step(gen int) bool
	// idle reports that nothing is in flight, so that the job can pause or be
	// cancelled at once.
	idle() bool
	// finished runs when the job is finalized, with the outcome.
	finished(failed bool)
	progress() (current, total int64)
	setSpeed(bytesPerSecond int64)
	speed() int64
}

// jobTxn groups jobs that complete together (§4.4).
type jobTxn struct{ jobs []*job } // newest first, as QEMU walks them

// newJob registers a job in state created; errors are §5.3's row 18.
func (m *Machine) newJob(id, kind string) (*job, *qmp.ReplyError) {
	switch {
	case !wellFormed(id):
		return nil, qmp.Generic("Invalid job ID '" + id + "'")
	case m.findJob(id) != nil:
		return nil, qmp.Generic("Job ID '" + id + "' already in use")
	}
	j := &job{m: m, id: id, kind: kind, status: jobUndefined, autoFinalize: true, autoDismiss: true, ioStatus: "ok"}
	j.cond = m.p.NewCond("qemu-job-"+id, m.mu)
	j.txn = &jobTxn{jobs: []*job{j}}
	m.jobs = append(m.jobs, j)
	j.set(jobCreated)
	return j, nil
}

func (m *Machine) findJob(id string) *job {
	for _, j := range m.jobs {
		if j.id == id {
			return j
		}
	}
	return nil
}

// set changes the state and says so.
func (j *job) set(s jobStatus) {
	j.status = s
	j.m.emit("JOB_STATUS_CHANGE", qmp.Dict(qmp.M("id", qmp.Str(j.id)), qmp.M("status", qmp.Str(string(s)))))
}

// active reports whether the job's work goes on.
func (j *job) active() bool {
	return !j.completed && (j.working() || j.status == jobPaused || j.status == jobStandby)
}

// working reports whether the state is one in which the job does its work.
func (j *job) working() bool { return j.status == jobRunning || j.status == jobReady }

// use makes the job a parent of a node; nobody else may change the node's place in the
// graph then.
func (j *job) use(role string, n *node, perm, shared permSet) {
	u := &user{label: "block job '" + j.id + "'", job: j, graphName: j.id, perm: perm, shared: shared}
	j.edges = append(j.edges, n.use(role, u))
}

// dropEdges lets the nodes go.
func (j *job) dropEdges() {
	for _, e := range j.edges {
		_ = e.detach()
	}
	j.edges = nil
}

// begin enters running; drained sections that are open pause it at once (§4.3).
func (j *job) begin() {
	j.set(jobRunning)
	j.settlePause()
}

// pump starts a task that works until there is nothing to do.
func (j *job) pump() {
	j.gen++
	gen := j.gen
	m := j.m
	m.p.Go("job-"+j.id, func() {
		m.mu.Lock()
		for gen == j.gen && j.active() && j.working() && j.work.step(gen) {
		}
		m.mu.Unlock()
	})
}

// kick lets a pump that waits for its speed limit look again, by starting another.
func (j *job) kick() {
	if j.active() && j.working() && j.work.idle() {
		j.pump()
		j.cond.Broadcast()
	}
}

// pause asks the job to stop; it does when nothing is in flight any more.
func (j *job) pause() {
	j.pauseCount++
	j.settlePause()
}

// settlePause enters paused if that was asked for and nothing is in flight. An
// ending job does not pause.
func (j *job) settlePause() bool {
	if j.pauseCount == 0 || j.cancelled || !j.working() || !j.active() || !j.work.idle() {
		return false
	}
	if w, ok := j.work.(*chainCopy); ok {
		w.catchUp()
	}
	if b, ok := j.work.(*backup); ok && b.over || j.completed {
		return false
	}
	j.gen++
	j.cond.Broadcast()
	if j.status == jobReady {
		j.set(jobStandby)
	} else {
		j.set(jobPaused)
	}
	return true
}

// resume takes one reason to pause back.
func (j *job) resume() {
	j.pauseCount--
	if j.pauseCount > 0 {
		return
	}
	j.errorStop = false
	j.leavePause()
	if j.active() {
		if b, ok := j.work.(*backup); ok && j.working() && !j.cancelled {
			b.over = b.begun && b.isDone() // seen when it is woken; the main loop ends it
			b.loads = b.mustLoad()
			if b.onTarget != "ignore" && b.failsAtOnce() {
				b.failAtOnce()
				return
			}
		}
		j.pump()
	}
}

// leavePause goes back to the state that the pause interrupted. A worker whose pace is
// limited does not wait on.
func (j *job) leavePause() {
	switch j.status {
	case jobPaused:
		j.set(jobRunning)
	case jobStandby:
		j.set(jobReady)
	default:
		return
	}
	if r, ok := j.work.(interface{ resumed() }); ok {
		r.resumed()
	}
}

// stopOnError pauses the job as a user would; resume retries (§5.8).
func (j *job) stopOnError() {
	j.errorStop = true
	if !j.userPaused {
		j.userPaused = true
		j.pauseCount++
	}
	j.settlePause()
}

// cancel asks the job to end. A job that is idle ends before this returns, one
// with I/O in flight later (§0.2).
func (j *job) cancel() {
	if j.completed {
		j.cancelled = true
		j.abortTxn()
		return
	}
	_, isMirror := j.work.(completer)
	late := isMirror // {84}: the job's coroutine ends it
	if b, ok := j.work.(*backup); ok && j.errorStop {
		late = !b.failsAtOnce() // {22}: it has begun to copy once more
	}
	j.requestCancel()
	switch {
	case late:
		j.pump() // {22}: one that an error had stopped ends after the reply
	case j.work.idle():
		j.end("")
	}
}

// requestCancel marks the job; a paused one runs again in order to end.
func (j *job) requestCancel() {
	j.cancelled = true
	if j.userPaused {
		j.userPaused = false
		j.ioStatus = "ok"
		j.pauseCount--
	}
	j.leavePause()
	if j.work.idle() {
		j.gen++
		j.cond.Broadcast()
	}
}

// end is the end of the work; failure is "" or strerror's text.
func (j *job) end(failure string) {
	j.completed = true
	j.gen++
	j.err = failure
	if j.cancelled && failure == "" {
		j.err = errText(syscall.ECANCELED)
	}
	if j.err == "" {
		j.succeed()
		return
	}
	j.set(jobAborting)
	j.abortTxn()
}

// finalize makes the outcome final: bitmaps, filter, event, concluded.
func (j *job) finalize() {
	if j.cancelled && j.err == "" {
		j.err = errText(syscall.ECANCELED)
	}
	if j.err != "" && j.status != jobAborting {
		j.set(jobAborting)
	}
	j.work.finished(j.err != "")
	if j.blockJob {
		j.emitOutcome()
	}
	j.set(jobConcluded)
	if j.autoDismiss {
		j.dismiss()
	}
}

// emitOutcome tells failed from cancelled (§0.3).
func (j *job) emitOutcome() {
	current, total := j.work.progress()
	var failure qmp.Value
	name := "BLOCK_JOB_COMPLETED"
	if j.cancelled {
		name = "BLOCK_JOB_CANCELLED"
	} else if j.err != "" {
		failure = qmp.Str(j.err)
	}
	j.m.emit(name, qmp.Dict(
		qmp.M("type", qmp.Str(j.kind)), qmp.M("device", qmp.Str(j.id)),
		qmp.M("len", qmp.Int(total)), qmp.M("offset", qmp.Int(current)),
		qmp.M("speed", qmp.Int(j.work.speed())), qmp.M("error", failure)))
}

func (j *job) dismiss() {
	j.set(jobNull)
	j.m.jobs = slices.DeleteFunc(j.m.jobs, func(x *job) bool { return x == j })
}

// rollback takes a job back that was never started: status changes only, and no
// regard to auto-dismiss (§4.2).
func (j *job) rollback() {
	j.cancelled, j.completed = true, true
	j.set(jobAborting)
	j.work.finished(true)
	j.set(jobConcluded)
	j.dismiss()
}

// waitIdle waits until nothing of a job is in flight.
func (m *Machine) waitIdle(j *job) {
	for !j.work.idle() {
		m.io.Wait()
	}
}

// cancelAll ends all jobs at shutdown.
func (m *Machine) cancelAll() {
	for len(m.jobs) > 0 {
		j := m.jobs[len(m.jobs)-1]
		switch {
		case j.status == jobConcluded:
			j.dismiss()
		case j.completed:
			j.cancel()
		default:
			j.joined = true
			j.requestCancel()
			m.waitIdle(j)
			j.end("")
		}
	}
}
