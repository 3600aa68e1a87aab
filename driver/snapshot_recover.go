package driver

import "fleece/driver/state"

// recoverSnapshot finishes or undoes a snapshot that a dead driver was making. While
// the machine runs QEMU tells whether the overlays are on; r is nil if it does not.
func (d *domain) recoverSnapshot(r *run) {
	st := d.stored.Snapshot
	switch {
	case st == nil:
	case r == nil && st.Phase == state.SnapshotReady:
		d.adoptSnapshot(nil)
	case r != nil && st.Phase == state.SnapshotReady && d.overlaysAreOn(r, st):
		d.adoptSnapshot(r)
	default:
		d.undoSnapshot(r, st)
	}
}

// overlaysAreOn asks QEMU whether the transaction of a snapshot was executed: an overlay is
// opened without a backing image, and has one afterwards.
func (d *domain) overlaysAreOn(r *run, st *state.Snapshot) bool {
	nodes, err := d.namedNodes(r)
	if err != nil {
		return true // the machine has died; nothing is to be deleted
	}
	for _, o := range st.Disks {
		if node := findNode(nodes, overlayNode(o).target().Format()); node == nil || node.BackingFile == "" {
			return false
		}
	}
	return true
}

// overlayNode is an overlay as far as its nodes and its file go.
func overlayNode(o *state.Overlay) *disk {
	return &disk{Disk: &state.Disk{Name: o.Name, Node: o.Node}, storage: true, format: true}
}

// adoptSnapshot puts the domain on the overlays: of the run r, or only for the next
// start, after the machine has died. Whether that died before or after the overlays
// were on is then not known, and does not matter to the disks: an overlay that was
// not used is empty. The checkpoint's bitmaps died with it.
func (d *domain) adoptSnapshot(r *run) {
	st := d.stored.Snapshot
	if d.definition() == nil {
		return // forgotten meanwhile
	}
	live, def, err := d.overlay(r, st)
	if err != nil {
		d.drv.p.Note("snapshot-not-adopted", d.name, err)
		return
	}
	if r != nil {
		r.disks = d.overPlans(r, st)
		d.live = live
	}
	d.def = def
	if r == nil && st.Checkpoint != "" {
		d.tree.Remove(st.Checkpoint)
		d.dropCheckpoint(st.Checkpoint)
	}
	if st.Metadata {
		if s, err := d.readSnapshot(st.Name); err == nil {
			d.snapshots.Put(s)
			d.setCurrentSnapshot(s.Name)
		}
	}
	if err := d.settleSnapshot(); err != nil {
		d.drv.p.Note("definition-not-saved", d.name, err)
	}
}

// undoSnapshot leaves nothing of a snapshot whose transaction was not executed.
func (d *domain) undoSnapshot(r *run, st *state.Snapshot) {
	u := undoing{d: d, r: r}
	if r != nil {
		var disks []*disk
		for _, o := range st.Disks {
			disks = append(disks, overlayNode(o))
		}
		d.endCreation(r, &backup{disks: disks})
		for _, k := range disks {
			u.target(k)
		}
	}
	for _, o := range st.Disks {
		info, err := d.drv.h.Stat(o.Path)
		if err == nil && o.Made && (st.Phase > state.SnapshotIntent || info.Size == 0) {
			d.removeNoted(o.Path)
		}
	}
	d.tree.Remove(st.Checkpoint)
	d.snapshots.Remove(st.Name)
	d.dropSnapshotMetadata(st)
	d.forgetSnapshot()
}
