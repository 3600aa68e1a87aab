package driver

import (
	"fleece/driver/state"
	"fleece/qmp"
	"fleece/virt"
)

// kick starts the worker if there is something to do and it does not run. The
// worker deals with the ends of jobs and of machines, one after the other.
func (d *domain) kick() {
	if d.working || !d.work() {
		return
	}
	d.working = true
	d.drv.p.Go("domain-worker", d.worker)
}

// work reports whether there is something for the worker.
func (d *domain) work() bool {
	return d.run != nil && (d.run.lost != nil || len(d.run.letGo) > 0 || d.endedBlockJob() != nil ||
		d.backup.visible() && len(d.ended) > 0)
}

func (d *domain) worker() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.work() {
		if d.run.lost != nil {
			d.stopLost(d.run)
			continue
		}
		if len(d.run.letGo) > 0 {
			d.dropLetGo(d.run)
			continue
		}
		if j := d.endedBlockJob(); j != nil {
			d.finishBlockJob(d.run, j)
			continue
		}
		d.finishDisk(d.run, d.backup, d.ended[0])
	}
	d.working = false
}

// finishDisk deals with one disk whose job has concluded: result, dismissal,
// nodes, temporary bitmap, in libvirt's order (§5.5). The result is stored before
// the job is dismissed, since nobody but QEMU knows it until then.
func (d *domain) finishDisk(r *run, b *backup, k *disk) {
	d.take(jobModify, "job-end")
	defer d.end()
	if d.backup != b || k.dealt || d.usable(r) != nil {
		d.ended = removeDisk(d.ended, k)
		return
	}
	if k.State == state.DiskRunning {
		v, err := d.exec(r, qmp.QueryJobs{})
		if err != nil && !refused(err) {
			return // the machine is gone; stopLost is next
		}
		job, err := findJob(v, err, k.Job)
		k.settle(job, err, b.pull())
		if b.st.Error == "" && k.State != state.DiskComplete {
			b.st.Error = job.Error
		}
		d.trySave()
	}
	d.clean(r, b, k)
	if d.usable(r) != nil {
		return
	}
	k.Cleaned, k.dealt = true, true
	d.ended = removeDisk(d.ended, k)
	d.drv.emit(virt.BlockJobEvent{
		Domain: d.id(), Disk: k.Name, Type: virt.DOMAIN_BLOCK_JOB_TYPE_BACKUP, Status: k.blockJobStatus(),
	})
	if b.allDealt() {
		d.terminate(b, b.outcome(), d.id())
	}
}

// settle takes over the result of a concluded job. A job that QEMU does not know
// has failed without a text; that of a pull can only have been cancelled, by a driver
// that died over it. One that was begun by such a driver and was cancelled was so by
// that driver, as far as anybody knows.
func (k *disk) settle(job qmp.Job, err error, pull bool) {
	k.State = state.DiskComplete
	switch {
	case k.cancelling, pull && err != nil, (pull || k.inherited) && job.Error == jobCancelled:
		k.State = state.DiskCancelled
	case err != nil || job.Error != "":
		k.State = state.DiskFailed
	}
	k.progress(job)
}

// jobCancelled is the error of a job that was cancelled.
const jobCancelled = "Operation canceled"

// progress keeps what a job says of itself; values never fall (contract row 26).
func (k *disk) progress(job qmp.Job) {
	k.Current, k.Total = max(k.Current, job.Current), max(k.Total, job.Total)
}

func (k *disk) blockJobStatus() virt.BlockJobStatus {
	switch k.State {
	case state.DiskComplete:
		return virt.DOMAIN_BLOCK_JOB_COMPLETED
	case state.DiskCancelled:
		return virt.DOMAIN_BLOCK_JOB_CANCELED
	}
	return virt.DOMAIN_BLOCK_JOB_FAILED
}

// clean removes job, nodes and bitmap of a disk from QEMU; the sync job is held.
// If the disk did not complete, the others are told to stop.
func (d *domain) clean(r *run, b *backup, k *disk) {
	d.attempt(r, qmp.JobDismiss{ID: k.Job})
	if k.State != state.DiskComplete {
		d.cancelDisks(r, b)
	}
	d.attempt(r, qmp.BlockdevDel{NodeName: k.target().Format()})
	d.attempt(r, qmp.BlockdevDel{NodeName: k.target().Storage()})
	if k.Bitmap != "" {
		d.attempt(r, qmp.BitmapRemove{Node: k.Source, Name: k.Bitmap})
	}
}

// cancelDisks sends a cancel to each job that still copies. A sync job is held.
func (d *domain) cancelDisks(r *run, b *backup) {
	if err := d.stopServing(r, b); err != nil {
		d.drv.p.Note("nbd-server-not-stopped", d.name, err)
	}
	for _, k := range b.disks {
		if k.State != state.DiskRunning || k.cancelling {
			continue
		}
		k.cancelling = true
		if _, err := d.exec(r, qmp.BlockJobCancel{Device: k.Job, Force: qmp.True}); err != nil {
			d.drv.p.Note("cancel", d.name, err) // the job has concluded, as a rule
		}
	}
}

func (b *backup) allDealt() bool {
	for _, k := range b.disks {
		if !k.dealt {
			return false
		}
	}
	return true
}

// outcome is the result of the whole job (§5.5): one failed disk fails it, one
// cancelled disk cancels a push.
func (b *backup) outcome() virt.DomainJobType {
	result := virt.DOMAIN_JOB_COMPLETED
	for _, k := range b.disks {
		switch {
		case k.State == state.DiskFailed:
			return virt.DOMAIN_JOB_FAILED
		case k.State != state.DiskComplete && !b.pull():
			result = virt.DOMAIN_JOB_CANCELLED
		}
	}
	return result
}

func removeDisk(list []*disk, k *disk) []*disk {
	kept := list[:0]
	for _, o := range list {
		if o != k {
			kept = append(kept, o)
		}
	}
	return kept
}

// terminate ends the job after everything in QEMU is gone: files that are no good
// are deleted, the statistics kept, the event queued (contract rows 12 and 18).
// What waits for BackupEnd is stored before the event can be seen.
func (d *domain) terminate(b *backup, result virt.DomainJobType, id virt.DomainID) {
	for _, k := range b.disks {
		if k.Made && (b.pull() || result != virt.DOMAIN_JOB_COMPLETED) {
			d.removeTarget(k)
		}
	}
	b.st.ElapsedMS = d.drv.p.Now().UnixMilli() - b.st.StartedMS
	b.st.Result = int(result)
	if result == virt.DOMAIN_JOB_COMPLETED {
		b.st.Error = ""
	}
	b.st.Phase = state.Done
	d.completed = b.record(d.run != nil)
	if d.run == nil {
		d.setBackup(nil)
	}
	d.ended = nil
	d.trySave()
	if !b.pull() { // nothing of a pull completes (PUL-02)
		d.drv.emit(virt.JobCompletedEvent{Domain: id, Params: d.completed.params()})
	}
	d.endAsync()
}
