package driver

import (
	"errors"
	"io/fs"

	"fleece/driver/checkpointdef"
	"fleece/driver/domaindef"
	"fleece/driver/state"
	"fleece/host"
	"fleece/qmp"
	"fleece/virt"
)

// prepare is everything from the first effect to the return of Begin. Each effect
// is described by a stored state before it happens.
func (g *beginning) prepare() error {
	if err := g.checkTargets(); err != nil {
		return err
	}
	if g.b.pull() {
		if err := g.chooseAddress(); err != nil {
			return err
		}
	}
	if err := g.intend(); err != nil {
		return err
	}
	if err := g.makeFiles(); err != nil {
		return err
	}
	for _, k := range g.b.disks {
		if err := g.d.openTarget(g.r, k, !g.b.st.Reuse); err != nil {
			return err
		}
	}
	if g.b.pull() {
		if err := g.serve(); err != nil {
			return err
		}
	}
	return g.execute()
}

// checkTargets refuses files that are there already (E142) before anything is
// stored, so that no restarted driver takes them for ours. Two disks on one target
// are refused with REUSE_EXTERNAL too: QEMU lets both jobs write there.
func (g *beginning) checkTargets() error {
	for i, k := range g.b.disks {
		for _, other := range g.b.disks[:i] {
			if other.def.Path == k.def.Path {
				return errExists(k)
			}
		}
		if k.ours(g.b.st.Reuse) {
			if err := g.notThere(k); err != nil {
				return err
			}
		}
		if err := uncreatable(k.def.Format); err != nil {
			return err
		}
	}
	return nil
}

// notThere wants no file at a target's path.
func (g *beginning) notThere(k *disk) error {
	_, err := g.d.drv.h.Stat(k.def.Path)
	switch {
	case err == nil:
		return errExists(k)
	case !errors.Is(err, fs.ErrNotExist):
		return errCreate(k, err)
	}
	return nil
}

func errExists(k *disk) error {
	return virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU, "store '%s' for backup of '%s' exists", k.def.Path, k.Name)
}

// errCreate is E143.
func errCreate(k *disk, err error) error {
	return systemError(err, "failed to create image file '%s'", k.def.Path)
}

// intend stores that the backup is about to be made.
func (g *beginning) intend() error {
	d, b := g.d, g.b
	b.st.ID = d.stored.NextJob
	if g.chk != nil {
		b.st.Checkpoint = g.chk.Name
	}
	b.st.XML = b.stripped()
	d.stored.NextNode += len(b.disks)
	d.setBackup(b)
	return d.save()
}

// stripped is the document without what is output only, so that it parses again.
func (b *backup) stripped() string {
	for _, k := range b.disks {
		k.def.Index = 0
	}
	text := b.def.Format()
	for _, k := range b.disks {
		k.def.Index = k.Node
	}
	return text
}

// makeFiles makes the targets, empty, and stores which of them are ours.
func (g *beginning) makeFiles() error {
	made := false
	for _, k := range g.b.disks {
		if !k.ours(g.b.st.Reuse) {
			continue
		}
		f, err := g.d.drv.h.OpenFile(k.def.Path, host.ReadWrite|host.Create|host.Exclusive, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return errExists(k)
		}
		if err != nil {
			return errCreate(k, err)
		}
		k.Made, made = true, true
		if err := f.Close(); err != nil {
			return errCreate(k, err)
		}
	}
	g.b.st.Phase = state.Created
	if !made {
		return nil
	}
	return g.d.save()
}

// runner sends a command to a machine: nested, from within the async job, or exec, while
// a sync job is held.
type runner func(r *run, c qmp.Commander) (qmp.Value, error)

// openTarget is step 15 for one disk: the nodes of the new image, formatted if that
// is asked for. The async job is held.
func (d *domain) openTarget(r *run, k *disk, format bool) error {
	return d.openImage(r, k, format, &d.creating, d.nested)
}

// openImage opens a new image; made notes the job that formats it.
func (d *domain) openImage(r *run, k *disk, format bool, made *creation, send runner) error {
	if format && k.def.Format == "raw" && k.def.Type == "file" {
		if err := d.create(r, k.storageImage(), made, send); err != nil {
			return err
		}
	}
	k.storage = true
	if _, err := send(r, qmp.BlockdevAdd{Node: k.storageNode()}); err != nil {
		k.storage = !refused(err)
		return err
	}
	if format && k.def.Format != "raw" {
		if err := d.create(r, k.formatImage(), made, send); err != nil {
			return err
		}
	}
	k.format = true
	if _, err := send(r, qmp.BlockdevAdd{Node: k.formatNode()}); err != nil {
		k.format = !refused(err)
		return err
	}
	return nil
}

// create runs a blockdev-create job to its end (qemuBlockStorageSourceCreateGeneric).
func (d *domain) create(r *run, c qmp.BlockdevCreate, made *creation, send runner) error {
	*made = creation{job: c.JobID}
	if _, err := send(r, c); err != nil {
		if refused(err) {
			*made = creation{}
		}
		return err
	}
	for !made.concluded && d.usable(r) == nil {
		d.cond.Wait()
	}
	d.created(r)
	if d.usable(r) != nil {
		return virt.Errorf(virt.ERR_OPERATION_FAILED, virt.FROM_QEMU, "blockdev-create job was cancelled")
	}
	v, err := send(r, qmp.QueryJobs{})
	job, jobErr := findJob(v, err, c.JobID)
	if _, err := send(r, qmp.JobDismiss{ID: c.JobID}); err == nil {
		*made = creation{}
	} else if jobErr == nil {
		jobErr = err
	}
	if jobErr != nil {
		return jobErr // what is left in made is dismissed by the undoing
	}
	if job.Error != "" {
		return virt.Errorf(virt.ERR_OPERATION_FAILED, virt.FROM_QEMU, "failed to format image: '%s'", job.Error)
	}
	return nil
}

// findJob reads the reply to query-jobs; it is given the error of the command too.
func findJob(v qmp.Value, err error, id string) (qmp.Job, error) {
	if err != nil {
		return qmp.Job{}, err
	}
	jobs, err := qmp.Jobs(v)
	if err != nil {
		return qmp.Job{}, virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_QEMU, "%v", err).Because(err)
	}
	for _, j := range jobs {
		if j.ID == id {
			return j, nil
		}
	}
	return qmp.Job{}, virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_QEMU, "job '%s' is unknown to QEMU", id)
}

// execute is steps 16 to 20: metadata, transaction, and the states that make the
// backup a fact. It holds a sync job throughout, so that no checkpoint is made
// between the choice of the parent and the change of the current one, and none deleted
// that an increment starts from.
func (g *beginning) execute() error {
	d, b := g.d, g.b
	if err := d.begin(jobNested, beginAPI); err != nil {
		return err
	}
	defer d.end()
	if err := g.d.usable(g.r); err != nil {
		return err
	}
	if d.jobs.asyncAbort {
		return errAborted()
	}
	for _, k := range b.disks {
		if err := g.base(k.def); err != nil {
			return err // deleted while the targets were made
		}
	}
	if err := g.prepareMetadata(); err != nil {
		return err
	}
	if err := g.transact(); err != nil {
		return err
	}
	if err := g.exportAll(); err != nil {
		return err
	}
	if d.jobs.asyncAbort {
		return errAborted()
	}
	if g.prepared {
		if err := d.commitCheckpoint(g.chk.Name); err != nil {
			return err
		}
	}
	b.st.Phase = state.Running
	d.stored.NextJob = b.st.ID + 1
	if err := d.save(); err != nil {
		b.st.Phase = state.Created
		return err
	}
	g.begun()
	return nil
}

// transact is the instant of the backup; with QUIESCE the guest's file systems are
// frozen around it. A thaw that fails fails the call (BEG-11): who asked must know that
// the guest may stand still.
func (g *beginning) transact() error {
	d, quiesce := g.d, flagged(g.flags, virt.DOMAIN_BACKUP_BEGIN_QUIESCE)
	if quiesce {
		if err := d.quiesce(g.r, beginAPI); err != nil {
			return err
		}
	}
	_, err := d.exec(g.r, qmp.Transaction{Actions: g.actions()})
	g.executed = err == nil || !refused(err)
	if quiesce {
		if e := d.thaw(g.r); err == nil {
			err = e
		}
	}
	return err
}

// errAborted is a Begin that AbortJob ended during its preparation (§8.27).
func errAborted() error {
	return virt.Errorf(virt.ERR_OPERATION_ABORTED, virt.FROM_QEMU, "backup job: canceled by client")
}

// begun makes the backup visible: it runs.
func (g *beginning) begun() {
	d := g.d
	if g.prepared {
		d.tree.Put(g.chk)
		d.tree.SetCurrent(g.chk.Name)
	}
	g.b.started = true
	d.jobs.asyncAPI = ""
	d.cond.Broadcast()
	d.kick()
}

// prepareMetadata settles the parent and writes the checkpoint's metadata.
func (g *beginning) prepareMetadata() error {
	if g.chk == nil || g.b.st.NoMetadata {
		return nil
	}
	if g.d.tree.Get(g.chk.Name) != nil {
		return errNameTaken(g.chk.Name)
	}
	g.chk.Parent = g.d.tree.Current()
	g.prepared = true
	return g.d.prepareCheckpoint(g.chk)
}

// actions are those of the transaction, in libvirt's order (§5.4).
func (g *beginning) actions() []qmp.Action {
	var actions []qmp.Action
	if g.chk != nil {
		actions = checkpointActions(g.chk, g.d.live, g.r.disks)
	}
	for _, k := range g.b.disks {
		if g.b.pull() {
			actions = append(actions, k.pullActions()...)
		} else {
			actions = append(actions, k.actions()...)
		}
	}
	return actions
}

// blockJobsSupported is E130 to E132 (qemuDomainDiskBlockJobIsSupported).
func blockJobsSupported(k *domaindef.Disk) error {
	fail := func(format string) error {
		return virt.Errorf(virt.ERR_OPERATION_UNSUPPORTED, virt.FROM_QEMU, format, k.Target)
	}
	switch {
	case k.Bus == "sd":
		return fail("block jobs are not supported on disk '%s' using bus 'sd'")
	case k.Transient:
		return fail("block jobs are not supported on transient disk '%s'")
	case k.VHostUser:
		return fail("block jobs are not supported on vhostuser disk '%s'")
	}
	return nil
}

// alignCheckpoint is steps 5 to 8 of §5.11 for a new checkpoint: alignment, kind of
// image, and that the name is free.
func (d *domain) alignCheckpoint(c *checkpointdef.Checkpoint) error {
	return d.alignCheckpointOn(c, d.live)
}

// alignCheckpointOn is alignCheckpoint for disks as they are about to be.
func (d *domain) alignCheckpointOn(c *checkpointdef.Checkpoint, live *domaindef.Domain) error {
	c.Domain = d.def
	if c.Domain == nil {
		c.Domain = live
	}
	if err := c.Align(live); err != nil {
		return err
	}
	for i := range c.Disks {
		if !c.Disks[i].Bitmap {
			continue
		}
		k := &live.Disks[i]
		if format := k.Top().Format; format != "qcow2" {
			return virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_QEMU,
				"checkpoint for disk %s unsupported for storage type %s", k.Target, format)
		}
		if err := blockJobsSupported(k); err != nil {
			return err
		}
	}
	if d.nameTaken(c.Name) {
		return errNameTaken(c.Name)
	}
	return nil
}

// nameTaken reports whether a checkpoint of that name exists or is being made.
func (d *domain) nameTaken(name string) bool {
	return d.tree.Get(name) != nil || d.reserved == name || d.making == name
}

// errNameTaken is E208.
func errNameTaken(name string) error {
	return virt.Errorf(virt.ERR_OPERATION_FAILED, virt.FROM_DOMAIN_CHECKPOINT, "domain moment %s already exists", name)
}
