package driver

import (
	"fleece/driver/state"
	"fleece/virt"
)

// DomainBackupEnd releases a backup job by the table of §3.5: 1 for a success, 0
// for an abort. It returns when nothing of the job is left (END-09).
func (drv *Driver) DomainBackupEnd(id virt.DomainID, job int, flags virt.DomainBackupEndFlags) (int, error) {
	d, err := drv.find(id)
	if err != nil {
		return -1, err
	}
	defer d.mu.Unlock()
	if bits := flags &^ virt.DOMAIN_BACKUP_END_ABORT; bits != 0 {
		return -1, virt.UnsupportedFlags(uint32(bits), "qemuBackupEnd")
	}
	b, err := d.backupByID(job)
	if err != nil {
		return -1, err
	}
	abort := flags&virt.DOMAIN_BACKUP_END_ABORT != 0
	if b.st.Phase != state.Done {
		if !abort && !b.pull() {
			return -1, virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU,
				"backup job '%d' has not completed; use the abort flag to cancel it", b.st.ID)
		}
		if err := d.abort(b, "virDomainBackupEnd"); err != nil {
			return -1, err
		}
	}
	if d.backup != b {
		return -1, errNoBackup(job)
	}
	return d.release(b, abort)
}

// abort cancels a backup that still copies, or is read by others, and waits until all of it is cleaned
// up, or the machine has died.
func (d *domain) abort(b *backup, api string) error {
	if err := d.begin(jobAbort, api); err != nil {
		return err
	}
	if r := d.run; r != nil && d.backup == b && b.st.Phase != state.Done {
		if err := d.stopServing(r, b); err != nil {
			d.end()
			return err
		}
		d.cancelDisks(r, b)
	}
	d.end()
	for d.backup == b && b.st.Phase != state.Done {
		d.cond.Wait()
	}
	return nil
}

// release lets a finished job go, durably first.
func (d *domain) release(b *backup, abort bool) (int, error) {
	d.setBackup(nil)
	if err := d.save(); err != nil {
		d.setBackup(b)
		return -1, err
	}
	d.cond.Broadcast()
	switch {
	case virt.DomainJobType(b.st.Result) == virt.DOMAIN_JOB_COMPLETED:
		return 1, nil
	case abort:
		return 0, nil
	case b.st.Error == "":
		return -1, virt.Errorf(virt.ERR_OPERATION_FAILED, virt.FROM_QEMU, "backup job '%d' failed", b.st.ID)
	}
	return -1, virt.Errorf(virt.ERR_OPERATION_FAILED, virt.FROM_QEMU, "%s", b.st.Error)
}
