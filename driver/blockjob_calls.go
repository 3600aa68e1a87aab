package driver

import (
	"fleece/driver/state"
	"fleece/qmp"
	"fleece/virt"
)

// abortBlockJob ends the job of a disk, or switches the guest over; the sync job is held.
func (d *domain) abortBlockJob(r *run, j *blockJob, pivot bool) error {
	switch {
	case j.Pivoting || j.Cancelling || j.concluded:
		return virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, "block job on disk '%s' is still being ended", j.Disk)
	case pivot && !j.ready:
		return virt.Errorf(virt.ERR_BLOCK_COPY_ACTIVE, virt.FROM_QEMU, "block job '%s' not ready for pivot yet", j.ID)
	case pivot:
		return d.pivot(r, j)
	}
	j.Cancelling = true
	d.trySave()
	_, err := d.exec(r, qmp.BlockJobCancel{Device: j.ID})
	if refused(err) {
		j.Cancelling = false
		return errNoJobOn(j.Disk)
	}
	return err
}

// pivot switches the guest over (qemuDomainBlockPivot). What it writes to the new image
// is recorded from just before, so that no checkpoint misses it.
func (d *domain) pivot(r *run, j *blockJob) error {
	if err := d.survivesPivot(r, j); err != nil {
		return err
	}
	j.Pivoting = true
	err := d.save()
	if err == nil {
		err = d.recordWrites(r, j.newTop())
	}
	if err == nil {
		if _, err = d.exec(r, qmp.JobComplete{ID: j.ID}); refused(err) {
			d.dropRecord(r, j.newTop())
		}
	}
	if err != nil {
		j.Pivoting = false
		d.trySave()
		d.cond.Broadcast()
	}
	return err
}

// survivesPivot refuses a switch that may be the end of QEMU 7.2: to an image with a data
// file while the guest writes (docs/qemu-findings.md, "Images with a data file"). A guest
// that is suspended has no request waiting, and stays suspended: what would resume it
// waits for the switch.
func (d *domain) survivesPivot(r *run, j *blockJob) error {
	if r.paused {
		return nil
	}
	nodes, err := d.namedNodes(r)
	if err != nil {
		return err
	}
	if n := findNode(nodes, j.newTop().Format()); n == nil || !n.DataFile {
		return nil
	}
	return virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU,
		"disk '%s' would be switched over to an image with a data file, which QEMU may not survive while the guest writes: suspend the domain first", j.Disk)
}

// awaitBlockJob waits until a job was dealt with. A switch that failed is an error.
func (d *domain) awaitBlockJob(r *run, j *blockJob, pivot bool) error {
	for !j.dealt && d.usable(r) == nil {
		d.cond.Wait()
	}
	if pivot && j.dealt && j.Result != state.DiskComplete {
		return virt.Errorf(virt.ERR_OPERATION_FAILED, virt.FROM_QEMU, "block job '%s' failed while pivoting", j.ID)
	}
	return nil
}

// DomainGetBlockJobInfo tells how far the job of a disk is, that of a backup too.
func (drv *Driver) DomainGetBlockJobInfo(id virt.DomainID, disk string, flags virt.DomainBlockJobInfoFlags) (virt.DomainBlockJobInfo, error) {
	var info virt.DomainBlockJobInfo
	if bits := flags &^ virt.DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES; bits != 0 {
		return info, virt.UnsupportedFlags(uint32(bits), "qemuDomainGetBlockJobInfo")
	}
	err := drv.onJob(id, disk, jobQuery, "virDomainGetBlockJobInfo", func(d *domain, job string, kind virt.BlockJobType) error {
		if job == "" {
			return nil
		}
		v, err := d.exec(d.run, qmp.QueryBlockJobs{})
		if err != nil {
			return err
		}
		list, err := qmp.BlockJobs(v)
		if err != nil {
			return virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_QEMU, "%v", err).Because(err)
		}
		for i := range list {
			if list[i].Device == job {
				info = blockJobInfo(&list[i], kind, flags != 0)
			}
		}
		return nil
	})
	return info, err
}

// blockJobInfo never shows a job as done that is not (qemuBlockJobInfoTranslate).
func blockJobInfo(b *qmp.BlockJob, kind virt.BlockJobType, bytes bool) virt.DomainBlockJobInfo {
	info := virt.DomainBlockJobInfo{Type: kind, Bandwidth: uint64(b.Speed), Cur: uint64(b.Offset), End: uint64(b.Len)}
	if !bytes {
		info.Bandwidth = (info.Bandwidth + mib - 1) / mib
	}
	switch {
	case info.Cur != info.End || b.Ready:
	case info.End == 0:
		info.End = 1
	default:
		info.Cur--
	}
	return info
}

// DomainBlockJobSetSpeed limits the job of a disk; 8 if it has none.
func (drv *Driver) DomainBlockJobSetSpeed(id virt.DomainID, disk string, bandwidth uint64, flags virt.DomainBlockJobSetSpeedFlags) error {
	if bits := flags &^ virt.DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES; bits != 0 {
		return virt.UnsupportedFlags(uint32(bits), "qemuDomainBlockJobSetSpeed")
	}
	speed, err := bytesPerSecond(bandwidth, flags != 0)
	if err != nil {
		return err
	}
	return drv.onJob(id, disk, jobModify, "virDomainBlockJobSetSpeed", func(d *domain, job string, _ virt.BlockJobType) error {
		if job == "" {
			return errNoJobOn(disk)
		}
		_, err := d.exec(d.run, qmp.BlockJobSetSpeed{Device: job, Speed: speed})
		return err
	})
}

// onJob runs a call about the job of a disk, "" if it has none.
func (drv *Driver) onJob(id virt.DomainID, disk string, kind jobKind, api string, call func(d *domain, job string, kind virt.BlockJobType) error) error {
	d, err := drv.find(id)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if err := d.begin(kind, api); err != nil {
		return err
	}
	defer d.end()
	if d.run == nil {
		return errInactive()
	}
	target, err := d.diskTarget(disk)
	if err != nil {
		return err
	}
	if j := d.blockJobOn(target); j != nil {
		return call(d, j.ID, j.kind())
	}
	if k := d.copying(target); k != nil {
		return call(d, k.Job, virt.DOMAIN_BLOCK_JOB_TYPE_BACKUP)
	}
	return call(d, "", virt.DOMAIN_BLOCK_JOB_TYPE_UNKNOWN)
}

// sectorBytes is what sizes of disks are rounded up to.
const sectorBytes = 512

// DomainBlockResize gives a disk another size, in KiB or with BYTES in bytes. QEMU
// refuses it while a job works on the disk (E246).
func (drv *Driver) DomainBlockResize(id virt.DomainID, disk string, size uint64, flags virt.DomainBlockResizeFlags) error {
	if bits := flags &^ virt.DOMAIN_BLOCK_RESIZE_BYTES; bits != 0 {
		return virt.UnsupportedFlags(uint32(bits), "qemuDomainBlockResize")
	}
	const most = 1<<63 - sectorBytes
	if flags == 0 {
		if size > most/1024 {
			return virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU, "size must be less than %d", uint64(most/1024))
		}
		size *= 1024
	}
	if size > most {
		return virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU, "size must be less than %d", uint64(most))
	}
	return drv.onChain(id, disk, "virDomainBlockResize", func(c *chain) error {
		bytes := (int64(size) + sectorBytes - 1) &^ (sectorBytes - 1)
		_, err := c.d.exec(c.r, qmp.BlockResize{NodeName: c.nodes[0].Format(), Size: bytes})
		return err
	})
}
