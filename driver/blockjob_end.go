package driver

import (
	"fleece/driver/domaindef"
	"fleece/driver/state"
	"fleece/qmp"
	"fleece/virt"
)

// layersAfter is a disk's chain after the job has succeeded. Images are known by the
// numbers of their nodes; a chain that is that already stays as it is.
func (j *blockJob) layersAfter(layers []domaindef.Layer) []domaindef.Layer {
	at := func(node int) int {
		for l := range layers {
			if layers[l].Index == node {
				return l
			}
		}
		return -1
	}
	top, base := at(j.Top), at(j.Base)
	if j.Base == 0 {
		base = len(layers)
	}
	switch {
	case top < 0 || base < 0:
		return layers
	case j.Kind == state.BlockPull:
		return append(append([]domaindef.Layer(nil), layers[:top+1]...), layers[base:]...)
	case j.Kind != state.BlockCopy:
		return append(append([]domaindef.Layer(nil), layers[:top]...), layers[base:]...)
	}
	mirror := domaindef.Layer{Type: j.Type, Path: j.Path, Format: j.Format, Index: j.Node}
	if !j.Shallow {
		return []domaindef.Layer{mirror}
	}
	return append([]domaindef.Layer{mirror}, layers[top+1:]...)
}

// goneAfter are the nodes of the images that the job takes out of the chain.
func (j *blockJob) goneAfter(layers []domaindef.Layer) []domaindef.Node {
	var gone []domaindef.Node
	after := j.layersAfter(layers)
	for _, l := range layers {
		stays := false
		for _, a := range after {
			stays = stays || a.Index == l.Index
		}
		if !stays {
			gone = append(gone, domaindef.Node(l.Index))
		}
	}
	return gone
}

// finishBlockJob deals with a job that has concluded (qemuBlockJobEventProcessConcluded).
// The result is stored before the job is dismissed, and each step can be done again by a
// restarted driver.
func (d *domain) finishBlockJob(r *run, j *blockJob) {
	d.take(jobModify, "job-end")
	defer d.end()
	at := -1
	if d.usable(r) == nil {
		at = d.live.Disk(j.Disk)
	}
	if at < 0 || j.dealt {
		if d.usable(r) == nil {
			d.removeBlockJob(j)
		}
		return
	}
	if j.Phase != state.BlockJobEnded && !d.settleBlockJob(r, j, at) {
		return // the machine is gone; stopLost is next
	}
	d.attempt(r, qmp.JobDismiss{ID: j.ID})
	status := virt.DOMAIN_BLOCK_JOB_COMPLETED
	switch j.Result {
	case state.DiskComplete:
		d.rewriteChain(r, j, at)
	case state.DiskCancelled:
		status = virt.DOMAIN_BLOCK_JOB_CANCELED
	default:
		status = virt.DOMAIN_BLOCK_JOB_FAILED
	}
	if j.Result != state.DiskComplete {
		d.closeMirror(r, j)
		if j.Kind == state.BlockActiveCommit { // its base stays, and a switch may have begun
			d.dropRecord(r, j.newTop())
		}
	}
	if d.usable(r) != nil {
		return
	}
	j.dealt = true
	d.removeBlockJob(j)
	d.trySave()
	d.drv.emit(virt.BlockJobEvent{Domain: d.id(), Disk: j.Disk, Type: j.kind(), Status: status})
}

// settleBlockJob finds out how a job ended. Whether the guest was switched over QEMU
// knows best: a driver may have died over the command. It returns false if the machine
// is gone.
func (d *domain) settleBlockJob(r *run, j *blockJob, at int) bool {
	v, err := d.exec(r, qmp.QueryJobs{})
	if err != nil && !refused(err) {
		return false
	}
	job, err := findJob(v, err, j.ID)
	j.Result = state.DiskComplete
	switch {
	case err != nil || job.Error != "" && job.Error != jobCancelled:
		j.Result = state.DiskFailed
	case job.Error == jobCancelled:
		j.Result = state.DiskCancelled
	case j.pivots():
		on, err := d.guestIsOn(r, at, j.newTop())
		if err != nil {
			return false
		}
		if !on {
			j.Result = state.DiskCancelled
		}
	}
	if j.Result == state.DiskComplete {
		j.Closing = r.disks[at].ClosingOf(j.goneAfter(d.numberedLayers(at)))
	}
	j.Phase = state.BlockJobEnded
	d.trySave()
	return true
}

// numberedLayers are a disk's images with the numbers of their nodes.
func (d *domain) numberedLayers(at int) []domaindef.Layer {
	layers := append([]domaindef.Layer(nil), d.live.Disks[at].Layers...)
	plans, _ := d.live.Number()
	if d.run != nil {
		plans = d.run.disks
	}
	for l := range layers {
		layers[l].Index = int(plans[at].Nodes[l])
	}
	return layers
}

// guestIsOn asks QEMU whether a disk's device reads and writes that image.
func (d *domain) guestIsOn(r *run, at int, image domaindef.Node) (bool, error) {
	v, err := d.exec(r, qmp.QueryBlock{})
	if err != nil {
		return false, err
	}
	devices, err := qmp.BlockDevices(v)
	if err != nil {
		return false, err
	}
	for i := range devices {
		if hasDevice(devices[i:i+1], r.disks[at].DeviceID) && devices[i].Inserted != nil {
			return devices[i].Inserted.NodeName == image.Format(), nil
		}
	}
	return false, nil
}

// rewriteChain makes the result of a job the disk's chain: its bitmaps first, then the
// definitions, then the images that are not needed any more are closed.
func (d *domain) rewriteChain(r *run, j *blockJob, at int) {
	before := d.numberedLayers(at)
	after := j.layersAfter(before)
	if len(j.goneAfter(before)) > 0 {
		if err := d.carryBitmaps(r, j, at); err != nil {
			d.drv.p.Note("bitmaps-not-carried", d.name, err)
		}
		if d.usable(r) != nil {
			return
		}
		d.replaceChain(r, j, at, before, after)
	}
	for _, name := range j.Closing {
		d.attempt(r, qmp.BlockdevDel{NodeName: name})
	}
}

// replaceChain puts the new chain into the definitions.
func (d *domain) replaceChain(r *run, j *blockJob, at int, before, after []domaindef.Layer) {
	numbered, err := d.live.WithIndices(r.disks)
	if err == nil {
		numbered, err = numbered.WithChain(j.Disk, before, after)
	}
	if err != nil {
		d.drv.p.Note("chain-not-replaced", d.name, err)
		return
	}
	d.rewriteNext(j, before, after)
	disks := append([]domaindef.DiskPlan(nil), r.disks...)
	disks[at] = disks[at].Over(after)
	r.disks, d.live = disks, numbered
	d.restoreLive()
}

// rewriteNext puts the new chain into the definition of the next start, if the disk is
// the same there.
func (d *domain) rewriteNext(j *blockJob, before, after []domaindef.Layer) {
	if d.def == nil {
		return
	}
	next, err := d.def.WithChain(j.Disk, before, after)
	if err == nil && next != d.def {
		if next, err = next.WithoutIndices(); err == nil {
			err = d.configure(next)
		}
	}
	if err != nil {
		d.drv.p.Note("definition-not-saved", d.name, err)
	}
}

// closeMirror closes the image of a copy that did not become the disk's. The file stays:
// it is what the disk was when the job ended.
func (d *domain) closeMirror(r *run, j *blockJob) {
	if j.Kind != state.BlockCopy {
		return
	}
	image := domaindef.Node(j.Node)
	d.attempt(r, qmp.BlockdevDel{NodeName: image.Format()})
	d.attempt(r, qmp.BlockdevDel{NodeName: image.Storage()})
}
