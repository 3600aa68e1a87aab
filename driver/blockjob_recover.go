package driver

import (
	"fleece/driver/state"
	"fleece/qmp"
)

// recoverBlockJobs takes up the jobs that a dead driver started. QEMU knows whether it
// did: a job that is unknown there, and whose result is not stored, never began.
func (d *domain) recoverBlockJobs(r *run) {
	stored := d.stored.BlockJobs
	if len(stored) == 0 {
		return
	}
	for _, s := range stored {
		d.blockJobs = append(d.blockJobs, &blockJob{BlockJob: s})
	}
	jobs, err := d.queryJobs(r)
	if err != nil {
		return // the machine is gone; the worker sees to it
	}
	for _, j := range append([]*blockJob(nil), d.blockJobs...) {
		job := jobByID(jobs, j.ID)
		switch {
		case j.Phase == state.BlockJobEnded:
			j.started, j.concluded = true, true
		case job == nil:
			d.undoJobUnknown(r, j)
		default:
			j.started, j.ready = true, job.Status == qmp.JobReady || job.Status == qmp.JobStandby
			j.concluded = j.concluded || job.Status == qmp.JobConcluded
			j.Pivoting, j.Cancelling = false, false // whoever said so has died
		}
	}
	d.kick()
}

// undoJobUnknown leaves nothing of a job that was not started.
func (d *domain) undoJobUnknown(r *run, j *blockJob) {
	k := copyImage(j.BlockJob)
	if j.Kind == state.BlockCopy {
		d.endCreation(r, &backup{disks: []*disk{k}})
		k.format, k.storage = true, true
	}
	d.undoCopy(r, j, k)
}
