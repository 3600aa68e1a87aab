package driver

import (
	"fleece/driver/state"
	"fleece/qmp"
	"fleece/virt"
)

// DomainAbortJob ends the current backup as BackupEnd(0, ABORT) does (contract row
// 17). During the preparation in Begin the wish is remembered, and Begin fails with
// 78 (§8.27).
func (drv *Driver) DomainAbortJob(id virt.DomainID) error {
	return drv.abortJob(id, 0, "virDomainAbortJob")
}

// DomainAbortJobFlags is DomainAbortJob; POSTCOPY is for migrations that have
// switched over, which this driver has not (E178).
func (drv *Driver) DomainAbortJobFlags(id virt.DomainID, flags virt.DomainAbortJobFlags) error {
	if bits := flags &^ virt.DOMAIN_ABORT_JOB_POSTCOPY; bits != 0 {
		return virt.UnsupportedFlags(uint32(bits), "qemuDomainAbortJobFlags")
	}
	return drv.abortJob(id, flags, "virDomainAbortJobFlags")
}

func (drv *Driver) abortJob(id virt.DomainID, flags virt.DomainAbortJobFlags, api string) error {
	d, err := drv.find(id)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if d.run == nil {
		return errInactive()
	}
	b := d.backup
	switch {
	case flags&virt.DOMAIN_ABORT_JOB_POSTCOPY != 0:
		return virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU,
			"current job is not outgoing migration in post-copy mode")
	case !d.jobs.async:
		return virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, "no job is active on the domain")
	case d.migrating != nil:
		return d.abortMigration(api)
	case d.snapshotIsMade():
		return virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, "a snapshot of disks cannot be aborted")
	case !b.visible():
		d.jobs.asyncAbort = true
		return nil
	}
	if err := d.abort(b, api); err != nil {
		return err
	}
	if d.backup == b {
		if _, err := d.release(b, true); err != nil {
			return err
		}
	}
	return nil
}

// DomainBlockJobAbort cancels the job of one disk of a backup, and with it the
// backup, which then waits for BackupEnd (§5.8, contract row 33). Without ASYNC it
// returns when that disk is dealt with.
func (drv *Driver) DomainBlockJobAbort(id virt.DomainID, path string, flags virt.DomainBlockJobAbortFlags) error {
	const api, known = "virDomainBlockJobAbort", virt.DOMAIN_BLOCK_JOB_ABORT_ASYNC | virt.DOMAIN_BLOCK_JOB_ABORT_PIVOT
	if bits := flags &^ known; bits != 0 {
		return virt.UnsupportedFlags(uint32(bits), "qemuDomainBlockJobAbort")
	}
	d, err := drv.find(id)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	pivot := flags&virt.DOMAIN_BLOCK_JOB_ABORT_PIVOT != 0
	k, j, err := d.cancelDisk(path, pivot, api)
	if err != nil {
		return err
	}
	if j != nil {
		if flags&virt.DOMAIN_BLOCK_JOB_ABORT_ASYNC != 0 {
			return nil
		}
		return d.awaitBlockJob(d.run, j, pivot)
	}
	for r := d.run; flags&virt.DOMAIN_BLOCK_JOB_ABORT_ASYNC == 0 && !k.dealt && d.usable(r) == nil; {
		d.cond.Wait()
	}
	return nil
}

// cancelDisk makes libvirt's checks in its order and sends the cancel: to the job of a
// backup, or to one that changes the disk's chain.
func (d *domain) cancelDisk(path string, pivot bool, api string) (*disk, *blockJob, error) {
	if err := d.begin(jobAbort, api); err != nil {
		return nil, nil, err
	}
	defer d.end()
	r := d.run
	if r == nil {
		return nil, nil, errInactive()
	}
	name, err := d.diskTarget(path)
	if err != nil {
		return nil, nil, err
	}
	if j := d.blockJobOn(name); j != nil {
		return nil, j, d.abortBlockJob(r, j, pivot)
	}
	k := d.copying(name)
	switch {
	case k == nil:
		return nil, nil, errNoJobOn(name)
	case k.cancelling:
		return nil, nil, virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU,
			"block job on disk '%s' is still being ended", name)
	case pivot: // of a backup there is nothing to switch over to (E187)
		return nil, nil, virt.Errorf(virt.ERR_BLOCK_COPY_ACTIVE, virt.FROM_QEMU, "block job '%s' not ready for pivot yet", k.Job)
	}
	if err := d.stopServing(r, d.backup); err != nil {
		return nil, nil, err
	}
	_, err = d.exec(r, qmp.BlockJobCancel{Device: k.Job, Force: qmp.True})
	if refused(err) { // it has ended, and the event is on its way
		return nil, nil, errNoJobOn(name)
	}
	k.cancelling = err == nil
	return k, nil, err
}

func errNoJobOn(target string) error {
	return virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU, "disk %s does not have an active block job", target)
}

// diskTarget finds a disk by its target or the path of its active image.
func (d *domain) diskTarget(path string) (string, error) {
	i := d.live.Disk(path)
	if i < 0 {
		i = d.live.DiskByPath(path)
	}
	if i >= 0 {
		return d.live.Disks[i].Target, nil
	}
	return "", virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU, "disk '%s' not found in domain", path)
}

// copying is the part of a disk in the backup while its job runs; nil if there is
// none.
func (d *domain) copying(target string) *disk {
	if !d.backup.visible() {
		return nil
	}
	for _, k := range d.backup.disks {
		if k.Name == target && k.State == state.DiskRunning && !k.concluded {
			return k
		}
	}
	return nil
}
