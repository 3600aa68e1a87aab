package driver

import (
	"errors"
	"io/fs"

	"fleece/driver/domaindef"
	"fleece/driver/state"
	"fleece/host"
	"fleece/qmp"
	"fleece/virt"
)

// prepare is everything from the first effect to the return of the call. All that can
// fail is done before the transaction, since there is no way back from that: stored
// states tell a restarted driver how far it came.
func (s *snapshotting) prepare() error {
	d := s.d
	d.stored.Snapshot = s.st
	d.stored.NextNode += len(s.disks)
	if err := d.save(); err != nil {
		return err
	}
	if err := s.makeFiles(); err != nil {
		return err
	}
	for _, k := range s.disks {
		if err := d.openTarget(s.r, k, !s.has(virt.DOMAIN_SNAPSHOT_CREATE_REUSE_EXT)); err != nil {
			return err
		}
	}
	return s.execute()
}

// makeFiles makes the overlays that are not there, empty.
func (s *snapshotting) makeFiles() error {
	for i, k := range s.disks {
		if !s.st.Disks[i].Made {
			continue
		}
		f, err := s.d.drv.h.OpenFile(k.def.Path, host.ReadWrite|host.Create|host.Exclusive, 0o600)
		if err != nil {
			s.st.Disks[i].Made = false
			if errors.Is(err, fs.ErrExist) {
				return virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_QEMU,
					"external snapshot file for disk %s already exists and is not a block device: %s", k.Name, k.def.Path)
			}
			return errCreate(k, err)
		}
		k.Made = true
		if err := f.Close(); err != nil {
			return errCreate(k, err)
		}
	}
	s.st.Phase = state.SnapshotCreated
	return s.d.save()
}

// execute writes the metadata, runs the transaction and makes the overlays the
// domain's disks. It holds a sync job throughout, so that no checkpoint comes or goes
// between the look at the bitmaps and the change.
func (s *snapshotting) execute() error {
	d := s.d
	if err := d.begin(jobNested, d.jobs.asyncAPI); err != nil {
		return err
	}
	defer d.end()
	nodes, err := d.namedNodes(s.r)
	if err != nil {
		return err
	}
	if err := s.prepareMetadata(); err != nil {
		return err
	}
	s.st.Phase = state.SnapshotReady
	if err := d.save(); err != nil {
		return err
	}
	if err := s.transact(nodes); err != nil {
		return err
	}
	s.switchOver()
	return nil
}

// transact is the instant of the snapshot; with QUIESCE the guest's file systems are
// frozen around it. There is no way back from the transaction, so a thaw that fails
// does not fail the call: it is tried again until it succeeds.
func (s *snapshotting) transact(nodes []qmp.NamedNode) error {
	d, quiesce := s.d, s.has(virt.DOMAIN_SNAPSHOT_CREATE_QUIESCE)
	if quiesce {
		if err := d.quiesce(s.r, d.jobs.asyncAPI); err != nil {
			return err
		}
	}
	_, err := d.exec(s.r, qmp.Transaction{Actions: s.actions(nodes)})
	s.executed = err == nil || !refused(err)
	if quiesce {
		if e := d.thaw(s.r); e != nil {
			d.drv.p.Note("snapshot-thaw", d.name, e)
		}
	}
	return err
}

// prepareMetadata settles the parents and writes the metadata of the snapshot and of
// its checkpoint.
func (s *snapshotting) prepareMetadata() error {
	d := s.d
	if !s.remembered() {
		return nil
	}
	if s.chk != nil && d.tree.Get(s.chk.Name) != nil {
		return errNameTaken(s.chk.Name)
	}
	s.def.Parent, s.prepared = d.stored.Current, true
	if err := d.storeSnapshot(s.def); err != nil {
		return err
	}
	if s.chk == nil {
		return nil
	}
	s.chk.Parent = d.tree.Current()
	return d.storeCheckpoint(s.chk)
}

// actions are those of the transaction, in libvirt's order (§5.19): what the active
// images record is recorded by the overlays from now on, and the new checkpoint too.
func (s *snapshotting) actions(nodes []qmp.NamedNode) []qmp.Action {
	var bitmaps, overlays []qmp.Action
	for _, k := range s.disks {
		over := k.target().Format()
		bitmaps = append(bitmaps, s.strays(nodes, k)...)
		if node := findNode(nodes, k.layers[0].Format()); node != nil {
			for _, b := range node.Bitmaps {
				if chain, ok := bitmapChain(nodes, k.layers, b.Name); ok && !s.makes(b.Name) {
					bitmaps = append(bitmaps, qmp.BitmapAdd{
						Node: over, Name: b.Name, Persistent: qmp.True, Disabled: qmp.False, Granularity: chain[0].Granularity,
					})
				}
			}
		}
		overlays = append(overlays, qmp.BlockdevSnapshot{Node: k.layers[0].Format(), Overlay: over})
	}
	if s.chk != nil {
		bitmaps = append(bitmaps, checkpointActions(s.chk, s.live, s.d.overPlans(s.r, s.st))...)
	}
	return append(bitmaps, overlays...)
}

// strays removes from an overlay of the caller's the bitmaps that have the names of
// checkpoints which are broken below it: over those they would pass for whole ones.
func (s *snapshotting) strays(nodes []qmp.NamedNode, k *disk) []qmp.Action {
	over := findNode(nodes, k.target().Format())
	if over == nil {
		return nil
	}
	var remove []qmp.Action
	for _, b := range over.Bitmaps {
		if _, ok := bitmapChain(nodes, k.layers, b.Name); !ok && s.d.tree.Get(b.Name) != nil {
			remove = append(remove, qmp.BitmapRemove{Node: over.NodeName, Name: b.Name})
		}
	}
	return remove
}

// makes reports whether the new checkpoint has that name: a bitmap of it that somebody
// left is not carried over.
func (s *snapshotting) makes(bitmap string) bool { return s.chk != nil && s.chk.Name == bitmap }

// overPlans are the nodes of a run's disks once the overlays are on them; some may be
// already.
func (d *domain) overPlans(r *run, st *state.Snapshot) []domaindef.DiskPlan {
	plans := append([]domaindef.DiskPlan(nil), r.disks...)
	for _, o := range st.Disks {
		if at := d.live.Disk(o.Name); at >= 0 && r.disks[at].Top() != domaindef.Node(o.Node) {
			plans[at].Nodes = append([]domaindef.Node{domaindef.Node(o.Node)}, r.disks[at].Nodes...)
		}
	}
	return plans
}

// switchOver makes the snapshot a fact: the domain runs on the overlays.
func (s *snapshotting) switchOver() {
	d := s.d
	s.r.disks = d.overPlans(s.r, s.st)
	d.live = s.live
	if d.def != s.from { // it was defined anew, or undefined, meanwhile
		s.next = d.overlayNext(s.st)
	}
	d.def = s.next
	if s.remembered() {
		d.snapshots.Put(s.def)
		d.setCurrentSnapshot(s.def.Name)
		if s.chk != nil {
			d.tree.Put(s.chk)
			d.tree.SetCurrent(s.chk.Name)
		}
	}
	if err := d.settleSnapshot(); err != nil {
		d.drv.p.Note("definition-not-saved", d.name, err)
	}
}

// overlayNext is the definition of the next start with the overlays that fit to it.
func (d *domain) overlayNext(st *state.Snapshot) *domaindef.Domain {
	_, next, err := d.overlay(nil, st)
	if err != nil { // no room in its chain: it stays as its author wrote it
		d.drv.p.Note("definition-without-overlays", d.name, err)
		return d.def
	}
	return next
}

func (d *domain) setCurrentSnapshot(name string) { d.stored.Current = name }

// settleSnapshot stores the definitions of a snapshot that was made; then it is
// nothing special any more. What fails here is done again at the next snapshot, or by
// a restarted driver.
func (d *domain) settleSnapshot() error {
	if d.live != nil {
		if err := d.drv.write(d.drv.livePath(d.name), d.live.XML(-1)); err != nil {
			return err
		}
	}
	if d.def != nil {
		if err := d.drv.write(d.drv.configPath(d.name), d.def.XML(-1)); err != nil {
			return err
		}
	}
	st := d.stored.Snapshot
	d.stored.Snapshot = nil
	if err := d.save(); err != nil {
		d.stored.Snapshot = st
		return err
	}
	return nil
}

// undo leaves nothing of a snapshot that failed. If QEMU died over the transaction,
// nobody knows whether the guest wrote to the overlays: they stay, since the disks are
// the same with them either way.
func (s *snapshotting) undo() {
	d := s.d
	if s.executed {
		for d.run == s.r { // the monitor is lost, and the machine goes with it
			d.cond.Wait()
		}
		d.adoptSnapshot(nil)
		return
	}
	u := undoing{d: d, r: s.r}
	if d.creating.job != "" {
		d.try(s.r, qmp.JobDismiss{ID: d.creating.job})
		d.creating = creation{}
	}
	for _, k := range s.disks {
		u.target(k)
		if k.Made {
			d.removeTarget(k)
		}
	}
	if s.prepared {
		d.dropSnapshotMetadata(s.st)
	}
	d.forgetSnapshot()
}

// forgetSnapshot stores that no snapshot is being made.
func (d *domain) forgetSnapshot() {
	d.stored.Snapshot = nil
	d.trySave()
	d.removeDirsOfGone()
}

// dropSnapshotMetadata removes what was written for a snapshot that is not to be.
func (d *domain) dropSnapshotMetadata(st *state.Snapshot) {
	if st.Metadata {
		d.removeNoted(d.snapshotPath(st.Name))
	}
	if st.Checkpoint != "" {
		d.dropCheckpoint(st.Checkpoint)
	}
}

// halt ends the machine after a snapshot with HALT, in order, so that QEMU stores the
// bitmaps. The async job is held; it is gone when the domain has stopped.
func (d *domain) halt(r *run) {
	r.halted = true
	d.take(jobNested, d.jobs.asyncAPI)
	_, err := d.exec(r, qmp.Quit{})
	d.end()
	if refused(err) {
		d.kill(r)
	}
	for d.run == r {
		d.cond.Wait()
	}
}
