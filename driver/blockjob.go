package driver

import (
	"fleece/driver/domaindef"
	"fleece/driver/state"
	"fleece/qmp"
	"fleece/virt"
)

// blockJob is a job that changes the chain of a disk. The domain's lock protects it.
type blockJob struct {
	*state.BlockJob
	started   bool // QEMU has taken the command: its end is the worker's to deal with
	ready     bool // QEMU has said so
	concluded bool // QEMU has said so
	dealt     bool
}

// kind is the job's type in events and queries.
func (j *blockJob) kind() virt.BlockJobType {
	switch j.Kind {
	case state.BlockPull:
		return virt.DOMAIN_BLOCK_JOB_TYPE_PULL
	case state.BlockCommit:
		return virt.DOMAIN_BLOCK_JOB_TYPE_COMMIT
	case state.BlockActiveCommit:
		return virt.DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT
	}
	return virt.DOMAIN_BLOCK_JOB_TYPE_COPY
}

// pivots reports whether the guest is switched over when the job is told so.
func (j *blockJob) pivots() bool {
	return j.Kind == state.BlockCopy || j.Kind == state.BlockActiveCommit
}

// newTop is the active image after the guest was switched over.
func (j *blockJob) newTop() domaindef.Node {
	if j.Kind == state.BlockCopy {
		return domaindef.Node(j.Node)
	}
	return domaindef.Node(j.Base)
}

// blockJobOn finds the job of a disk; nil if there is none.
func (d *domain) blockJobOn(target string) *blockJob {
	for _, j := range d.blockJobs {
		if j.Disk == target {
			return j
		}
	}
	return nil
}

// diskFree is E242 and E243: a disk has one job at most, and stays as it is while it
// has.
func (d *domain) diskFree(target string) error {
	code := virt.ERR_OPERATION_UNSUPPORTED
	j := d.blockJobOn(target)
	busy := j != nil
	if busy && j.Kind == state.BlockCopy {
		code = virt.ERR_BLOCK_COPY_ACTIVE
	}
	if d.backup != nil {
		for _, k := range d.backup.disks {
			busy = busy || k.Name == target && !k.dealt
		}
	}
	if !busy {
		return nil
	}
	return virt.Errorf(code, virt.FROM_QEMU, "disk '%s' already in active block job", target)
}

// addBlockJob stores that a job is about to be started.
func (d *domain) addBlockJob(j *blockJob) error {
	d.blockJobs = append(d.blockJobs, j)
	d.storeBlockJobs()
	if err := d.save(); err != nil {
		d.removeBlockJob(j)
		return err
	}
	return nil
}

func (d *domain) removeBlockJob(j *blockJob) {
	kept := d.blockJobs[:0:0]
	for _, o := range d.blockJobs {
		if o != j {
			kept = append(kept, o)
		}
	}
	d.blockJobs = kept
	d.storeBlockJobs()
	d.cond.Broadcast()
}

func (d *domain) storeBlockJobs() {
	d.stored.BlockJobs = nil
	for _, j := range d.blockJobs {
		d.stored.BlockJobs = append(d.stored.BlockJobs, j.BlockJob)
	}
}

// startBlockJob stores a job and starts it; the sync job is held. A failure leaves
// nothing of it.
func (d *domain) startBlockJob(r *run, j *blockJob, c qmp.Commander) error {
	if err := d.addBlockJob(j); err != nil {
		return err
	}
	if _, err := d.exec(r, c); err != nil {
		d.removeBlockJob(j)
		d.trySave()
		return err
	}
	j.started = true
	d.kick()
	return nil
}

// blockJobReady tells that the guest can be switched over, in the reader task.
func (d *domain) blockJobReady(r *run, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.run != r {
		return
	}
	for _, j := range d.blockJobs {
		if j.ID == id && !j.ready {
			j.ready = true
			d.drv.emit(virt.BlockJobEvent{Domain: d.id(), Disk: j.Disk, Type: j.kind(), Status: virt.DOMAIN_BLOCK_JOB_READY})
		}
	}
}

// blockJobConcluded notes the end of a job; it reports whether the job is one of these.
func (d *domain) blockJobConcluded(id string) bool {
	for _, j := range d.blockJobs {
		if j.ID == id {
			j.concluded = true
			d.cond.Broadcast()
			d.kick()
			return true
		}
	}
	return false
}

// endedBlockJob is a job for the worker; nil if there is none.
func (d *domain) endedBlockJob() *blockJob {
	for _, j := range d.blockJobs {
		if j.started && j.concluded && !j.dealt {
			return j
		}
	}
	return nil
}

// settling reports whether a chain is about to be another one: calls that look at chains
// wait until it is. Else a backup might be of the image that the guest has left.
func (d *domain) settling() bool {
	for _, j := range d.blockJobs {
		if j.started && !j.dealt && (j.concluded || j.Pivoting) {
			return true
		}
	}
	return false
}

// liveDisk finds a disk of the run, or of the one that has ended; -1 if there is none.
func (d *domain) liveDisk(target string) int {
	if d.live == nil {
		return -1
	}
	return d.live.Disk(target)
}

// dropBlockJobs forgets the jobs of a machine that is gone. One that had succeeded, and
// was not in the definition of the next start yet, is now; of a copy to which the guest
// was just being switched nobody knows (docs/design/block-jobs.md).
func (d *domain) dropBlockJobs() {
	for _, j := range d.blockJobs {
		if at := d.liveDisk(j.Disk); at >= 0 && j.Phase == state.BlockJobEnded && j.Result == state.DiskComplete {
			before := d.numberedLayers(at)
			d.rewriteNext(j, before, j.layersAfter(before))
		}
		j.dealt = true
	}
	if len(d.blockJobs) == 0 && len(d.stored.BlockJobs) == 0 {
		return
	}
	d.blockJobs, d.stored.BlockJobs = nil, nil
	d.mirroring = creation{}
	d.trySave()
}
