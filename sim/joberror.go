package sim

import (
	"syscall"

	"fleece/qmp"
)

// failed applies an error policy (§5.8): report ends the job, stop pauses it, ignore
// means try again. It returns whether the job goes on.
func (j *job) failed(isRead bool, policy string, err error) bool {
	switch j.tellError(isRead, policy, err) {
	case "report":
		j.end(errText(err))
		return false
	case "stop":
		j.stopOnError()
		return false
	}
	j.m.pass(j.m.opts.ChunkTime)
	return true
}

// tellError says that an error has come and what is done about it, which it returns.
func (j *job) tellError(isRead bool, policy string, err error) (action string) {
	errno := errnoOf(err)
	operation := "write"
	if isRead {
		operation = "read"
	}
	action = "report"
	switch {
	case policy == "ignore", policy == "stop":
		action = policy
	case (policy == "enospc" || policy == "auto") && errno == syscall.ENOSPC:
		action = "stop"
	}
	j.m.emit("BLOCK_JOB_ERROR", qmp.Dict(qmp.M("device", qmp.Str(j.id)),
		qmp.M("operation", qmp.Str(operation)), qmp.M("action", qmp.Str(action))))
	if action == "stop" {
		j.ioStatus = "failed"
		if errno == syscall.ENOSPC {
			j.ioStatus = "nospace"
		}
	}
	return action
}
