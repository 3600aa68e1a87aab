package driver

import (
	"fleece/driver/checkpointdef"
	"fleece/driver/state"
	"fleece/qmp"
)

// undoing says what may exist of a backup that is not to be.
type undoing struct {
	d *domain
	r *run // nil if the machine is gone
	b *backup
	// executed says that the transaction may have been executed.
	executed bool
	// metadata says that metadata of the checkpoint may have been written.
	metadata bool
	// bitmaps are those of the checkpoint, on the domain's disks.
	bitmaps []qmp.Bitmap
}

// undo leaves nothing of a Begin that failed. The first error was Begin's; what
// goes wrong here is noted.
func (g *beginning) undo() {
	u := undoing{d: g.d, r: g.r, b: g.b, executed: g.executed, metadata: g.prepared}
	if g.chk != nil {
		u.bitmaps = checkpointBitmaps(g.d, g.r, g.chk)
	}
	u.all()
}

// checkpointBitmaps are the bitmaps that a checkpoint has on the disks of a run.
func checkpointBitmaps(d *domain, r *run, c *checkpointdef.Checkpoint) []qmp.Bitmap {
	var bitmaps []qmp.Bitmap
	for i := range c.Disks {
		if !c.Disks[i].Bitmap || d.live == nil {
			continue
		}
		if at := d.live.Disk(c.Disks[i].Name); at >= 0 && !d.live.Disks[at].Empty() {
			bitmaps = append(bitmaps, qmp.Bitmap{Node: r.disks[at].Top().Format(), Name: c.Name})
		}
	}
	return bitmaps
}

func (u *undoing) all() {
	d, b := u.d, u.b
	if d.creating.job != "" {
		d.try(u.r, qmp.JobDismiss{ID: d.creating.job})
		d.creating = creation{}
	}
	d.take(jobNested, d.jobs.asyncAPI)
	if err := d.stopServing(u.r, b); err != nil {
		d.drv.p.Note("nbd-server-not-stopped", d.name, err)
	}
	d.end()
	if u.executed {
		u.jobs()
	}
	for _, k := range b.disks {
		u.target(k)
		if k.Made {
			d.removeTarget(k)
		}
	}
	if u.metadata {
		d.dropCheckpoint(b.st.Checkpoint)
	}
	if d.backup == b {
		d.setBackup(nil)
	}
	d.ended = nil
	d.trySave()
	d.removeDirsOfGone()
}

// try runs a command of a clean-up; it waits for the sync job for as long as need
// be.
func (d *domain) try(r *run, c qmp.Commander) {
	d.take(jobNested, d.jobs.asyncAPI)
	d.attempt(r, c)
	d.end()
}

// attemptsMax is how often a command of a clean-up is sent if QEMU refuses it:
// one more time, since nobody else will ever clean up.
const attemptsMax = 2

// attempt is exec for a clean-up. Refusals are noted: what is to be removed may
// not be there.
func (d *domain) attempt(r *run, c qmp.Commander) {
	for range attemptsMax {
		_, err := d.exec(r, c)
		if err == nil {
			return
		}
		d.drv.p.Note("clean-up", d.name, err)
		if !refused(err) {
			return
		}
	}
}

// jobs ends the jobs of a transaction that was executed, and removes its bitmaps.
func (u *undoing) jobs() {
	d := u.d
	for _, k := range u.b.disks {
		if !k.concluded {
			d.try(u.r, qmp.BlockJobCancel{Device: k.Job, Force: qmp.True})
		}
	}
	for _, k := range u.b.disks {
		for !k.concluded && d.usable(u.r) == nil {
			d.cond.Wait()
		}
		d.try(u.r, qmp.JobDismiss{ID: k.Job})
	}
	for _, k := range u.b.disks {
		if k.Bitmap != "" {
			d.try(u.r, qmp.BitmapRemove{Node: k.Source, Name: k.Bitmap})
		}
	}
	for _, b := range u.bitmaps {
		d.try(u.r, qmp.BitmapRemove(b))
	}
}

// target closes the nodes of a new image, format before storage.
func (u *undoing) target(k *disk) {
	if k.format {
		u.d.try(u.r, qmp.BlockdevDel{NodeName: k.target().Format()})
	}
	if k.storage {
		u.d.try(u.r, qmp.BlockdevDel{NodeName: k.target().Storage()})
	}
	k.format, k.storage = false, false
}

// removeTarget deletes an image that was made by us and is no good.
func (d *domain) removeTarget(k *disk) {
	if err := d.drv.remove(k.def.Path); err != nil {
		d.drv.p.Note("file-not-removed", k.def.Path, err)
		return
	}
	k.Made = false
}

// ownedAfterIntent decides, after a restart in phase Intent, whether a file at a
// target's path is ours: we had found none there, and what we make is empty. A
// file with content came from somebody else.
func (d *domain) ownedAfterIntent(b *backup, k *disk) bool {
	if b.st.Phase != state.Intent || !k.ours(b.st.Reuse) {
		return k.Made
	}
	info, err := d.drv.h.Stat(k.def.Path)
	return err == nil && info.Size == 0
}
