package sim

import (
	"slices"

	"fleece/qmp"
)

// succeed waits for the other jobs of the transaction, then finalizes all.
func (j *job) succeed() {
	j.set(jobWaiting)
	for _, o := range j.txn.jobs {
		if !o.completed {
			return
		}
	}
	jobs := slices.Clone(j.txn.jobs)
	manual := false
	for _, o := range jobs {
		o.set(jobPending)
		if o.autoFinalize {
			continue
		}
		manual = true
		if o.blockJob {
			o.m.emit("BLOCK_JOB_PENDING", qmp.Dict(qmp.M("type", qmp.Str(o.kind)), qmp.M("id", qmp.Str(o.id))))
		}
	}
	if !manual {
		finalizeAll(jobs)
	}
}

func finalizeAll(jobs []*job) {
	for _, o := range jobs {
		o.finalize()
	}
}

// abortTxn ends every job of the transaction: those that wait are cancelled too
// ({16}: first the youngest).
func (j *job) abortTxn() {
	jobs := slices.Clone(j.txn.jobs)
	j.txn.jobs = nil
	for _, o := range jobs {
		if o != j && !o.completed {
			o.joined, o.cancelled = true, true
		} else if o != j {
			o.cancelled = true
		}
	}
	for _, o := range jobs {
		if !o.completed {
			o.requestCancel() // only now it goes on
			o.m.waitIdle(o)
			o.completed = true
			o.gen++
		}
		o.finalize()
	}
}
