package driver

import (
	"errors"
	"strings"

	"fleece/driver/backupdef"
	"fleece/driver/checkpointdef"
	"fleece/driver/state"
	"fleece/machine"
	"fleece/qmp"
	"fleece/virt"
)

// recover takes a domain up after a restart: it attaches to the machine if that
// runs, and finishes or undoes what was under way.
func (d *domain) recover() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.loadBackup()
	r, err := d.attach(b)
	if err != nil {
		return err
	}
	if r == nil {
		d.recoverInactive(b)
		return nil
	}
	if d.recoverLeaving(r); d.run != r {
		return nil
	}
	d.recoverSnapshot(r)
	d.recoverDevices(r)
	d.recoverBlockJobs(r)
	d.recoverPending(r)
	if d.tree.Len() > 0 {
		d.dropSizes(r)
	}
	if b != nil {
		d.recoverBackup(r, b)
	}
	if d.stored.Frozen {
		d.thawLater(r)
	}
	d.kick()
	return nil
}

// loadBackup makes the stored backup an object again; nil if there is none.
func (d *domain) loadBackup() *backup {
	st := d.stored.Backup
	if st == nil {
		return nil
	}
	def, err := backupdef.Parse(st.XML)
	if err != nil {
		d.drv.p.Note("backup-not-read", d.name, err)
		d.stored.Backup = nil
		return nil
	}
	b := &backup{st: st, def: def}
	b.serving = b.pull() && (st.Phase == state.Created || st.Phase == state.Running)
	b.credentials = b.serving && def.Server != nil && def.Server.TLS == "yes"
	for _, k := range st.Disks {
		disk := &disk{Disk: k, def: def.Disk(k.Name), dealt: k.Cleaned, storage: true, format: true, inherited: true}
		if disk.def == nil {
			continue
		}
		disk.def.Index = k.Node
		b.disks = append(b.disks, disk)
	}
	return b
}

// attach finds the running machine and connects to it; nil if none runs. The
// backup is in place before the connection is, so that no event is missed.
func (d *domain) attach(b *backup) (*run, error) {
	d.mu.Unlock()
	m, err := d.drv.hv.Attach(d.name)
	d.mu.Lock()
	if errors.Is(err, machine.ErrNotRunning) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	plans, next := d.live.Number()
	if d.stored.RunID == 0 {
		d.stored.RunID = d.drv.newRunID() // launched, and killed before it was stored
	}
	d.stored.NextNode = max(d.stored.NextNode, next)
	r := &run{id: d.stored.RunID, m: m, disks: plans}
	d.run = r
	d.setBackup(b)
	d.mu.Unlock()
	err = d.connect(r)
	d.mu.Lock()
	var status qmp.Status
	if err == nil {
		var v qmp.Value
		if v, err = d.exec(r, qmp.QueryStatus{}); err == nil {
			status, err = qmp.RunStatus(v)
		}
	}
	if err != nil {
		d.drv.p.Note("attach", d.name, err)
		d.kill(r)
		d.run = nil
		return nil, nil
	}
	r.paused = !status.Running
	return r, nil
}

// recoverInactive deals with a machine that died while no driver watched.
func (d *domain) recoverInactive(b *backup) {
	redefined := d.live != d.def
	d.live, d.stored.Frozen = nil, false
	d.recoverSnapshot(nil)
	d.dropBlockJobs()
	d.dropLeaving()
	if b != nil {
		switch {
		case b.st.Phase < state.Running:
			d.undoInterrupted(nil, b)
		case b.st.Phase == state.Running:
			b.started = true
			d.setBackup(b)
			d.dropSocket(b)
			d.terminate(b, virt.DOMAIN_JOB_CANCELLED, d.id())
		default:
			d.setBackup(nil)
			d.trySave()
		}
	}
	d.dropPending()
	if redefined {
		d.removeNoted(d.drv.livePath(d.name))
	}
	if d.def == nil {
		d.forget()
	}
}

// recoverBackup takes a backup up while the machine runs.
func (d *domain) recoverBackup(r *run, b *backup) {
	if b.st.Phase == state.Done {
		b.started = true
		return
	}
	jobs, err := d.queryJobs(r)
	if err != nil {
		b.started = b.st.Phase == state.Running
		return // the machine is gone; the worker sees to it
	}
	if b.st.Phase < state.Running && !b.executed(jobs) {
		d.undoInterrupted(r, b)
		return
	}
	if b.st.Phase < state.Running {
		d.adopt(b)
		d.exportMissing(r, b)
	}
	b.started, d.jobs.async = true, true
	for _, k := range b.disks {
		job := jobByID(jobs, k.Job)
		if k.dealt || job != nil && job.Status != qmp.JobConcluded || k.concluded {
			continue
		}
		// Concluded, or unknown: dealt with already but for the nodes, or lost.
		k.concluded = true
		d.ended = append(d.ended, k)
	}
	if b.allDealt() {
		d.terminate(b, b.outcome(), d.id())
	}
}

func (d *domain) queryJobs(r *run) ([]qmp.Job, error) {
	v, err := d.exec(r, qmp.QueryJobs{})
	if err != nil {
		return nil, err
	}
	return qmp.Jobs(v)
}

func jobByID(jobs []qmp.Job, id string) *qmp.Job {
	for i := range jobs {
		if jobs[i].ID == id {
			return &jobs[i]
		}
	}
	return nil
}

// executed reports whether the transaction of a Begin was executed: then its jobs
// are there, since nobody has dismissed them.
func (b *backup) executed(jobs []qmp.Job) bool {
	for _, k := range b.disks {
		if jobByID(jobs, k.Job) != nil {
			return true
		}
	}
	return false
}

// adopt makes a backup whose Begin died after the transaction a running one.
func (d *domain) adopt(b *backup) {
	b.st.Phase = state.Running
	d.stored.NextJob = max(d.stored.NextJob, b.st.ID+1)
	if b.st.Checkpoint != "" && !b.st.NoMetadata {
		d.adoptCheckpoint(b.st.Checkpoint)
	}
	d.trySave()
}

// adoptCheckpoint puts prepared metadata in force and the checkpoint in the tree.
func (d *domain) adoptCheckpoint(name string) {
	c, err := d.readCheckpoint(d.checkpointPath(name) + pendingSuffix)
	if err != nil {
		return // in force, and loaded, already
	}
	if err := d.commitCheckpoint(name); err != nil {
		d.drv.p.Note("checkpoint-not-stored", d.name, err)
	}
	d.tree.Put(c)
	if !d.tree.Settle() {
		d.drv.p.Note("checkpoints-inconsistent", d.name)
	}
}

// undoInterrupted leaves nothing of a Begin that died before its transaction, or
// with the machine.
func (d *domain) undoInterrupted(r *run, b *backup) {
	if r != nil {
		d.endCreation(r, b)
	}
	for _, k := range b.disks {
		k.Made = d.ownedAfterIntent(b, k)
	}
	u := undoing{d: d, r: r, b: b}
	if b.st.Checkpoint != "" && !b.st.NoMetadata {
		u.metadata = true
		d.tree.Remove(b.st.Checkpoint)
	}
	d.setBackup(b)
	u.all()
}

// endCreation waits for image creations that the dead driver started, and
// dismisses them.
func (d *domain) endCreation(r *run, b *backup) {
	for _, k := range b.disks {
		for _, node := range []string{k.target().Storage(), k.target().Format()} {
			id := "create-" + node
			d.creating = creation{job: id}
			jobs, err := d.queryJobs(r)
			job := jobByID(jobs, id)
			if err != nil || job == nil {
				continue
			}
			for job.Status != qmp.JobConcluded && !d.creating.concluded && d.usable(r) == nil {
				d.cond.Wait()
			}
			d.try(r, qmp.JobDismiss{ID: id})
		}
	}
	d.creating = creation{}
}

// pending lists checkpoints whose metadata was prepared and not put in force.
func (d *domain) pending() []string {
	entries, err := d.drv.h.ReadDir(d.checkpointDir())
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		name, ok := strings.CutSuffix(e, xmlSuffix+pendingSuffix)
		if ok && (d.stored.Backup == nil || name != d.stored.Backup.Checkpoint) {
			names = append(names, name)
		}
	}
	return names
}

// dropPending removes prepared metadata after the machine has died: whether the
// bitmaps were made is not known, and the call that made them never returned.
func (d *domain) dropPending() {
	for _, name := range d.pending() {
		d.removeNoted(d.checkpointPath(name) + pendingSuffix)
	}
}

// recoverPending finishes or undoes a CheckpointCreateXML that was interrupted:
// QEMU tells whether the bitmaps were made. Those of an interrupted Begin are that
// backup's business.
func (d *domain) recoverPending(r *run) {
	for _, name := range d.pending() {
		c, err := d.readCheckpoint(d.checkpointPath(name) + pendingSuffix)
		if err == nil && c.Name == name && d.hasBitmaps(r, c) {
			d.adoptCheckpoint(name)
			continue
		}
		d.removeNoted(d.checkpointPath(name) + pendingSuffix)
	}
}

// hasBitmaps reports whether every bitmap of a checkpoint is in QEMU.
func (d *domain) hasBitmaps(r *run, c *checkpointdef.Checkpoint) bool {
	v, err := d.exec(r, qmp.QueryNamedBlockNodes{Flat: qmp.True})
	if err != nil {
		return false
	}
	nodes, err := qmp.NamedNodes(v)
	if err != nil {
		return false
	}
	bitmaps := checkpointBitmaps(d, r, c)
	for _, b := range bitmaps {
		node := findNode(nodes, b.Node)
		if node == nil {
			return false
		}
		if _, ok := node.Bitmap(b.Name); !ok {
			return false
		}
	}
	return len(bitmaps) > 0
}
