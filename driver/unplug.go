package driver

import (
	"time"

	"fleece/driver/domaindef"
	"fleece/qmp"
	"fleece/virt"
)

// unplugWait is how long a call waits for the guest to let a device go
// (qemuDomainRemoveDeviceWaitTime).
const unplugWait = 5 * time.Second

// unplug asks the guest to let a disk go and waits for a while; the sync job is held.
func (d *domain) unplug(r *run, target string) error {
	at := d.live.Disk(target)
	if at < 0 {
		return errDeviceMissing("disk %s not found", target)
	}
	if err := d.diskFree(target); err != nil {
		return err
	}
	device := r.disks[at].DeviceID
	if _, err := d.exec(r, qmp.DeviceDel{ID: device}); err != nil {
		return err
	}
	deadline := d.drv.p.Now().Add(unplugWait)
	for !r.hasLetGo(device) && d.usable(r) == nil {
		if !d.cond.WaitUntil(deadline) {
			break
		}
	}
	if err := d.usable(r); err != nil {
		return err
	}
	if r.hasLetGo(device) {
		d.dropDevice(r, device)
	}
	return nil
}

// hasLetGo reports whether QEMU has said that a device is gone.
func (r *run) hasLetGo(device string) bool {
	for _, id := range r.letGo {
		if id == device {
			return true
		}
	}
	return false
}

// deviceDeleted notes that the guest has let a device go, in the reader task. A call
// that waits for it does the rest, or the worker.
func (d *domain) deviceDeleted(r *run, id string) {
	if id == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.run != r {
		return
	}
	r.letGo = append(r.letGo, id)
	d.cond.Broadcast()
	d.kick()
}

// dropLetGo is the worker's part: devices that nobody waits for.
func (d *domain) dropLetGo(r *run) {
	d.take(jobModify, "device-deleted")
	defer d.end()
	for d.usable(r) == nil && len(r.letGo) > 0 {
		d.dropDevice(r, r.letGo[0])
	}
}

// dropDevice removes what is left of a device that is gone: the nodes of its images, and
// its place in the running domain, which is what a restarted driver goes by. The sync job
// is held.
func (d *domain) dropDevice(r *run, device string) {
	r.letGo = without(r.letGo, device)
	at := -1
	for i := range r.disks {
		if r.disks[i].DeviceID == device {
			at = i
		}
	}
	if at < 0 {
		return // not a disk of ours
	}
	for _, name := range r.disks[at].Closing() {
		d.attempt(r, qmp.BlockdevDel{NodeName: name})
	}
	if d.usable(r) == nil && d.forgetDisk(r, at) {
		d.drv.emit(virt.DeviceRemovedEvent{Domain: d.id(), Device: device})
	}
}

// forgetDisk takes a disk out of the definition of the run.
func (d *domain) forgetDisk(r *run, at int) bool {
	live, err := d.live.WithoutDisk(d.live.Disks[at].Target)
	if err == nil {
		disks := append(append([]domaindef.DiskPlan(nil), r.disks[:at]...), r.disks[at+1:]...)
		if live, err = live.WithIndices(disks); err == nil {
			r.disks, d.live = disks, live
			d.restoreLive()
			return true
		}
	}
	d.drv.p.Note("disk-not-forgotten", d.name, err)
	return false
}

func without(list []string, s string) []string {
	kept := list[:0]
	for _, o := range list {
		if o != s {
			kept = append(kept, o)
		}
	}
	return kept
}

// recoverDevices finds the disks that are not in QEMU: they went while no driver watched,
// or a dead one was about to attach them. What is left of them goes too.
func (d *domain) recoverDevices(r *run) {
	v, err := d.exec(r, qmp.QueryBlock{})
	if err != nil {
		return // the machine is gone; the worker sees to it
	}
	devices, err := qmp.BlockDevices(v)
	if err != nil {
		d.drv.p.Note("devices-not-read", d.name, err)
		return
	}
	for i := len(r.disks) - 1; i >= 0; i-- {
		if !hasDevice(devices, r.disks[i].DeviceID) {
			d.dropDevice(r, r.disks[i].DeviceID)
		}
	}
}

// hasDevice reports whether query-block lists a device; that of a virtio disk is listed
// by its backend.
func hasDevice(devices []qmp.BlockDevice, id string) bool {
	for i := range devices {
		switch devices[i].QDev {
		case id, "/machine/peripheral/" + id, "/machine/peripheral/" + id + "/virtio-backend":
			return true
		}
	}
	return false
}
