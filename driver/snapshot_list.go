package driver

import (
	"slices"

	"fleece/driver/chktree"
	"fleece/driver/snapshotdef"
	"fleece/virt"
)

// snapshot finds the domain, locked, and a snapshot of it; 72.
func (drv *Driver) snapshot(id virt.SnapshotID) (*domain, *snapshotdef.Snapshot, error) {
	d, err := drv.find(id.Domain)
	if err != nil {
		return nil, nil, err
	}
	if s := d.snapshots.Get(id.Name); s != nil {
		return d, s, nil
	}
	d.mu.Unlock()
	return nil, nil, errNoSnapshot("no domain snapshot with matching name '%s'", id.Name)
}

func errNoSnapshot(format string, args ...any) error {
	return virt.Errorf(virt.ERR_NO_DOMAIN_SNAPSHOT, virt.FROM_DOMAIN_SNAPSHOT, format, args...)
}

// DomainSnapshotGetXMLDesc returns the description of a snapshot.
func (drv *Driver) DomainSnapshotGetXMLDesc(id virt.SnapshotID, flags virt.DomainSnapshotXMLFlags) (string, error) {
	if bits := flags &^ virt.DOMAIN_SNAPSHOT_XML_SECURE; bits != 0 {
		return "", virt.UnsupportedFlags(uint32(bits), "qemuDomainSnapshotGetXMLDesc")
	}
	d, s, err := drv.snapshot(id)
	if err != nil {
		return "", err
	}
	defer d.mu.Unlock()
	if flags&virt.DOMAIN_SNAPSHOT_XML_SECURE == 0 && s.Domain != nil {
		public := *s
		public.Domain = s.Domain.WithoutSecrets()
		s = &public
	}
	return s.Format(), nil
}

// snapshotListFlags are those of both lists of snapshots.
const snapshotListFlags = virt.DOMAIN_SNAPSHOT_LIST_ROOTS | virt.DOMAIN_SNAPSHOT_LIST_METADATA |
	virt.DOMAIN_SNAPSHOT_LIST_LEAVES | virt.DOMAIN_SNAPSHOT_LIST_NO_LEAVES | virt.DOMAIN_SNAPSHOT_LIST_NO_METADATA |
	virt.DOMAIN_SNAPSHOT_LIST_INACTIVE | virt.DOMAIN_SNAPSHOT_LIST_ACTIVE | virt.DOMAIN_SNAPSHOT_LIST_DISK_ONLY |
	virt.DOMAIN_SNAPSHOT_LIST_INTERNAL | virt.DOMAIN_SNAPSHOT_LIST_EXTERNAL | virt.DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL

// DomainListAllSnapshots lists snapshots, parents before children.
func (drv *Driver) DomainListAllSnapshots(id virt.DomainID, flags virt.DomainSnapshotListFlags) ([]virt.SnapshotID, error) {
	if bits := flags &^ snapshotListFlags; bits != 0 {
		return nil, virt.UnsupportedFlags(uint32(bits), "qemuDomainListAllSnapshots")
	}
	d, err := drv.find(id)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	return d.snapshotIDs(chktree.Filter{Shallow: flags&virt.DOMAIN_SNAPSHOT_LIST_ROOTS != 0}, flags), nil
}

// DomainSnapshotListAllChildren lists the children of a snapshot, with DESCENDANTS all
// below it.
func (drv *Driver) DomainSnapshotListAllChildren(id virt.SnapshotID, flags virt.DomainSnapshotListFlags) ([]virt.SnapshotID, error) {
	if bits := flags &^ snapshotListFlags; bits != 0 {
		return nil, virt.UnsupportedFlags(uint32(bits), "qemuDomainSnapshotListAllChildren")
	}
	d, s, err := drv.snapshot(id)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	return d.snapshotIDs(chktree.Filter{From: s.Name, Shallow: flags&virt.DOMAIN_SNAPSHOT_LIST_DESCENDANTS == 0}, flags), nil
}

// snapshotIDs lists what passes the filters: of each group, none or all mean no filter.
func (d *domain) snapshotIDs(f chktree.Filter, flags virt.DomainSnapshotListFlags) []virt.SnapshotID {
	f.Leaves = flags&virt.DOMAIN_SNAPSHOT_LIST_LEAVES != 0
	f.NoLeaves = flags&virt.DOMAIN_SNAPSHOT_LIST_NO_LEAVES != 0
	if f.Leaves && f.NoLeaves {
		f.Leaves, f.NoLeaves = false, false
	}
	ids := []virt.SnapshotID{}
	for _, name := range d.snapshots.List(f) {
		if listed(d.snapshots.Get(name), flags) {
			ids = append(ids, virt.SnapshotID{Domain: d.id(), Name: name})
		}
	}
	return ids
}

// listed applies the filters by kind of snapshot.
func listed(s *snapshotdef.Snapshot, flags virt.DomainSnapshotListFlags) bool {
	const metadata = virt.DOMAIN_SNAPSHOT_LIST_METADATA | virt.DOMAIN_SNAPSHOT_LIST_NO_METADATA
	const state = virt.DOMAIN_SNAPSHOT_LIST_INACTIVE | virt.DOMAIN_SNAPSHOT_LIST_ACTIVE | virt.DOMAIN_SNAPSHOT_LIST_DISK_ONLY
	const place = virt.DOMAIN_SNAPSHOT_LIST_INTERNAL | virt.DOMAIN_SNAPSHOT_LIST_EXTERNAL
	is := virt.DOMAIN_SNAPSHOT_LIST_METADATA
	switch s.State {
	case snapshotdef.DiskSnapshot:
		is |= virt.DOMAIN_SNAPSHOT_LIST_DISK_ONLY
	case snapshotdef.Shutoff:
		is |= virt.DOMAIN_SNAPSHOT_LIST_INACTIVE
	default:
		is |= virt.DOMAIN_SNAPSHOT_LIST_ACTIVE
	}
	if s.External() {
		is |= virt.DOMAIN_SNAPSHOT_LIST_EXTERNAL
	} else {
		is |= virt.DOMAIN_SNAPSHOT_LIST_INTERNAL
	}
	for _, group := range []virt.DomainSnapshotListFlags{metadata, state, place} {
		if flags&group != 0 && flags&group&is == 0 {
			return false
		}
	}
	return true
}

// DomainSnapshotLookupByName finds a snapshot; 72 if there is none.
func (drv *Driver) DomainSnapshotLookupByName(id virt.DomainID, name string, flags uint32) (virt.SnapshotID, error) {
	if flags != 0 {
		return virt.SnapshotID{}, virt.UnsupportedFlags(flags, "qemuDomainSnapshotLookupByName")
	}
	d, s, err := drv.snapshot(virt.SnapshotID{Domain: id, Name: name})
	if err != nil {
		return virt.SnapshotID{}, err
	}
	defer d.mu.Unlock()
	return virt.SnapshotID{Domain: d.id(), Name: s.Name}, nil
}

// DomainSnapshotGetParent finds the parent; a root has none: 72.
func (drv *Driver) DomainSnapshotGetParent(id virt.SnapshotID, flags uint32) (virt.SnapshotID, error) {
	if flags != 0 {
		return virt.SnapshotID{}, virt.UnsupportedFlags(flags, "qemuDomainSnapshotGetParent")
	}
	d, s, err := drv.snapshot(id)
	if err != nil {
		return virt.SnapshotID{}, err
	}
	defer d.mu.Unlock()
	if s.Parent == "" {
		return virt.SnapshotID{}, errNoSnapshot("snapshot '%s' does not have a parent", s.Name)
	}
	return virt.SnapshotID{Domain: d.id(), Name: s.Parent}, nil
}

// DomainHasCurrentSnapshot tells whether there is a current snapshot: the parent of
// the next one.
func (drv *Driver) DomainHasCurrentSnapshot(id virt.DomainID, flags uint32) (bool, error) {
	if flags != 0 {
		return false, virt.UnsupportedFlags(flags, "qemuDomainHasCurrentSnapshot")
	}
	d, err := drv.find(id)
	if err != nil {
		return false, err
	}
	defer d.mu.Unlock()
	return d.stored.Current != "", nil
}

// DomainSnapshotCurrent finds the current snapshot; 72 if there is none.
func (drv *Driver) DomainSnapshotCurrent(id virt.DomainID, flags uint32) (virt.SnapshotID, error) {
	if flags != 0 {
		return virt.SnapshotID{}, virt.UnsupportedFlags(flags, "qemuDomainSnapshotCurrent")
	}
	d, err := drv.find(id)
	if err != nil {
		return virt.SnapshotID{}, err
	}
	defer d.mu.Unlock()
	if d.stored.Current == "" {
		return virt.SnapshotID{}, errNoSnapshot("the domain does not have a current snapshot")
	}
	return virt.SnapshotID{Domain: d.id(), Name: d.stored.Current}, nil
}

// DomainSnapshotIsCurrent tells whether a snapshot is the current one.
func (drv *Driver) DomainSnapshotIsCurrent(id virt.SnapshotID, flags uint32) (bool, error) {
	if flags != 0 {
		return false, virt.UnsupportedFlags(flags, "qemuDomainSnapshotIsCurrent")
	}
	d, s, err := drv.snapshot(id)
	if err != nil {
		return false, err
	}
	defer d.mu.Unlock()
	return d.stored.Current == s.Name, nil
}

// DomainSnapshotHasMetadata is true for every snapshot that is remembered.
func (drv *Driver) DomainSnapshotHasMetadata(id virt.SnapshotID, flags uint32) (bool, error) {
	if flags != 0 {
		return false, virt.UnsupportedFlags(flags, "qemuDomainSnapshotHasMetadata")
	}
	d, _, err := drv.snapshot(id)
	if err != nil {
		return false, err
	}
	defer d.mu.Unlock()
	return true, nil
}

// DomainSnapshotDelete forgets snapshots, children before parents. What is in images
// stays: without METADATA_ONLY external snapshots are refused, as libvirt 9.0 does.
func (drv *Driver) DomainSnapshotDelete(id virt.SnapshotID, flags virt.DomainSnapshotDeleteFlags) error {
	const known = virt.DOMAIN_SNAPSHOT_DELETE_CHILDREN | virt.DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY |
		virt.DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY
	d, err := drv.find(id.Domain)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if bits := flags &^ known; bits != 0 {
		return virt.UnsupportedFlags(uint32(bits), "qemuDomainSnapshotDelete")
	}
	if err := d.begin(jobModify, "virDomainSnapshotDelete"); err != nil {
		return err
	}
	defer d.end()
	s := d.snapshots.Get(id.Name)
	switch {
	case s == nil:
		return errNoSnapshot("no domain snapshot with matching name '%s'", id.Name)
	case d.snapshotIsMade():
		return virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, "a snapshot of domain '%s' is being made", d.name)
	}
	names := d.doomedSnapshots(s.Name, flags)
	if flags&virt.DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY == 0 {
		if err := d.refuseExternal(names); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := d.removeSnapshot(name); err != nil {
			return err
		}
	}
	return nil
}

// refuseExternal counts what is kept outside of images, which only a block commit
// could take back.
func (d *domain) refuseExternal(names []string) error {
	external := 0
	for _, name := range names {
		if d.snapshots.Get(name).External() {
			external++
		}
	}
	if external > 0 {
		return virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_QEMU,
			"deletion of %d external disk snapshots not supported yet", external)
	}
	return errUnsupported("deletion of snapshots within images is not supported")
}

// doomedSnapshots lists what a Delete forgets, children before parents.
func (d *domain) doomedSnapshots(name string, flags virt.DomainSnapshotDeleteFlags) []string {
	var names []string
	if flags&(virt.DOMAIN_SNAPSHOT_DELETE_CHILDREN|virt.DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY) != 0 {
		names = d.snapshots.List(chktree.Filter{From: name})
	}
	slices.Reverse(names)
	if flags&virt.DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY == 0 {
		names = append(names, name)
	}
	return names
}

// removeSnapshot forgets one snapshot. Its children get its parent, on disk first.
func (d *domain) removeSnapshot(name string) error {
	parent := d.snapshots.Get(name).Parent
	for _, s := range d.snapshots.All() {
		if s.Parent != name {
			continue
		}
		if err := d.storeSnapshot(s.Move(parent)); err != nil {
			return err
		}
	}
	file := d.snapshotPath(name)
	if err := d.drv.remove(file); err != nil {
		return systemError(err, "cannot remove snapshot file '%s'", file)
	}
	if err := d.drv.h.SyncDir(d.files().snapshots); err != nil {
		return systemError(err, "cannot remove snapshot file '%s'", file)
	}
	d.snapshots.Remove(name)
	if d.stored.Current == name {
		d.setCurrentSnapshot(parent)
		d.trySave()
	}
	return nil
}
