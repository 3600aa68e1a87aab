package sim

import (
	"strings"

	"fleece/qmp"
)

// jobCommand executes the verbs of jobs. job-* and block-job-* differ in the class
// of the error for an unknown id, and in what cancel does to a paused job (§5.1).
func (m *Machine) jobCommand(cmd qmp.Command) (done bool, err *qmp.ReplyError) {
	verb, isBlock := strings.CutPrefix(cmd.Name, "block-job-")
	if !isBlock {
		if verb, done = strings.CutPrefix(cmd.Name, "job-"); !done {
			return false, nil
		}
	}
	id := cmd.Args.Get("id").S()
	if v := cmd.Args.Get("device"); v.Present() {
		id = v.S()
	}
	j := m.findJob(id)
	switch {
	case isBlock && (j == nil || !j.blockJob):
		return true, &qmp.ReplyError{Class: qmp.DeviceNotActive, Desc: "Block job '" + id + "' not found"}
	case j == nil:
		return true, qmp.Generic("Job not found")
	}
	return true, j.verb(verb, cmd.Args, isBlock)
}

func (j *job) verb(verb string, args qmp.Value, isBlock bool) *qmp.ReplyError {
	switch verb {
	case "pause":
		return j.userPause()
	case "resume":
		return j.userResume()
	case "cancel":
		return j.userCancel(isBlock && !args.Get("force").IsTrue())
	case "set-speed":
		return j.userSetSpeed(args)
	case "finalize":
		if err := j.refuse(verb, j.status == jobPending); err != nil {
			return err
		}
		finalizeAll(append([]*job(nil), j.txn.jobs...))
		return nil
	case "dismiss":
		if err := j.refuse(verb, j.status == jobConcluded); err != nil {
			return err
		}
		j.dismiss()
		return nil
	}
	return j.userComplete()
}

// completer is the work of a job that gets ready and then waits for its end.
type completer interface {
	// complete ends the job; pivot tells whether its result is to be used.
	complete(pivot bool)
}

// userComplete is the verb complete: only a job that is ready has it.
func (j *job) userComplete() *qmp.ReplyError {
	if err := j.refuse("complete", j.status == jobReady || j.status == jobStandby); err != nil {
		return err
	}
	c, ok := j.work.(completer)
	if !ok {
		return qmp.Generic("The active block job '" + j.id + "' cannot be completed")
	}
	c.complete(true)
	return nil
}

// refuse gives the text for a verb that the state does not allow.
func (j *job) refuse(verb string, allowed bool) *qmp.ReplyError {
	if allowed {
		return nil
	}
	return qmp.Generic("Job '" + j.id + "' in state '" + string(j.status) + "' cannot accept command verb '" + verb + "'")
}

// busy is what query-block-jobs shows: whether the job's coroutine runs. A backup's
// only waits for its copies, so that nobody ever sees it.
func (j *job) busy() bool {
	return j.kind != "backup" && !j.work.idle()
}

// alive covers every state before the end of the work.
func (j *job) alive() bool {
	return j.status == jobCreated || j.working() || j.status == jobPaused || j.status == jobStandby
}

func (j *job) userPause() *qmp.ReplyError {
	if err := j.refuse("pause", j.alive()); err != nil {
		return err
	}
	if j.userPaused {
		return qmp.Generic("Job is already paused")
	}
	j.userPaused = true
	j.pause()
	return nil
}

func (j *job) userResume() *qmp.ReplyError {
	if !j.userPaused || j.pauseCount <= 0 {
		return qmp.Generic("Can't resume a job that was not paused")
	}
	if err := j.refuse("resume", j.alive()); err != nil {
		return err
	}
	j.userPaused = false
	j.ioStatus = "ok"
	j.resume()
	if b, ok := j.work.(*backup); ok && j.working() && j.pauseCount == 0 && !b.over {
		b.runEmpty()
	}
	return nil
}

func (j *job) userCancel(gentle bool) *qmp.ReplyError {
	if gentle && j.userPaused {
		return qmp.Generic("The block job for device '" + j.id + "' is currently paused")
	}
	if err := j.refuse("cancel", j.alive() || j.status == jobWaiting || j.status == jobPending); err != nil {
		return err
	}
	if c, ok := j.work.(completer); ok && gentle && j.status == jobReady {
		c.complete(false) // without force a ready job ends well, without its effect ({84})
		return nil
	}
	j.cancel()
	return nil
}

func (j *job) userSetSpeed(args qmp.Value) *qmp.ReplyError {
	if err := j.refuse("set-speed", j.alive()); err != nil {
		return err
	}
	speed, _ := args.Get("speed").Int64()
	if speed < 0 {
		return qmp.Generic("Parameter 'speed' expects a non-negative value")
	}
	j.work.setSpeed(speed)
	j.kick()
	return nil
}
