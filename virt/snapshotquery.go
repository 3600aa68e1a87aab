package virt

// snapshotsMax is libvirt's limit on the length of a list of snapshots
// (REMOTE_DOMAIN_SNAPSHOT_LIST_MAX).
const snapshotsMax = 16384

// begin begins a call that the driver answers.
func (s *Snapshot) begin(function string) (SnapshotID, call) {
	at, k := s.m().begin(function, s.is())
	return SnapshotID{Domain: at.domain, Name: at.name}, k
}

// GetXMLDesc is virDomainSnapshotGetXMLDesc. Checks: handle 71, SECURE on a read-only
// connection 29; other flags are the driver's to refuse.
func (s *Snapshot) GetXMLDesc(flags DomainSnapshotXMLFlags) (string, error) {
	id, k := s.begin("virDomainSnapshotGetXMLDesc")
	k.notSecure(flags&DOMAIN_SNAPSHOT_XML_SECURE != 0)
	return k.text(ask(&k, func(v SnapshotXMLDescriber) (string, error) {
		return v.DomainSnapshotGetXMLDesc(id, flags)
	}))
}

// Delete is virDomainSnapshotDelete. Checks: handle 71, read-only 29, CHILDREN with
// CHILDREN_ONLY 8. The handle stays valid.
func (s *Snapshot) Delete(flags DomainSnapshotDeleteFlags) error {
	const prefix = "VIR_DOMAIN_SNAPSHOT_DELETE_"
	id, k := s.begin("virDomainSnapshotDelete")
	k.writable()
	k.exclusive(
		flag{flags&DOMAIN_SNAPSHOT_DELETE_CHILDREN != 0, prefix + "CHILDREN"},
		flag{flags&DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY != 0, prefix + "CHILDREN_ONLY"})
	tell(&k, func(v SnapshotDeleter) error { return v.DomainSnapshotDelete(id, flags) })
	return k.end()
}

// ListAllSnapshots is virDomainListAllSnapshots: the domain's snapshots that pass the
// filters; nil on an error. Checks: handle 7; more than 16384 results 39.
func (d *Domain) ListAllSnapshots(flags DomainSnapshotListFlags) ([]*Snapshot, error) {
	id, k := d.beginFrom("virDomainListAllSnapshots", FROM_DOMAIN_SNAPSHOT)
	return d.snapshotList(&k, ask(&k, func(v SnapshotLister) ([]SnapshotID, error) {
		return v.DomainListAllSnapshots(id, flags)
	}))
}

// ListAllChildren is virDomainSnapshotListAllChildren; nil on an error. Flags 0 is
// direct children; DESCENDANTS extends. Checks: handle 71; more than 16384 results 39.
func (s *Snapshot) ListAllChildren(flags DomainSnapshotListFlags) ([]*Snapshot, error) {
	id, k := s.begin("virDomainSnapshotListAllChildren")
	ids := ask(&k, func(v SnapshotChildLister) ([]SnapshotID, error) {
		return v.DomainSnapshotListAllChildren(id, flags)
	})
	return s.domainOf().snapshotList(&k, ids)
}

// domainOf is the domain handle that results belong to; nil for a bad handle.
func (s *Snapshot) domainOf() *Domain {
	if s == nil {
		return nil
	}
	return s.moment.dom
}

// snapshotList ends a call that returns snapshots.
func (d *Domain) snapshotList(k *call, ids []SnapshotID) ([]*Snapshot, error) {
	k.atMost(snapshotsMax, len(ids), "snapshots")
	if err := k.end(); err != nil {
		return nil, err
	}
	list := make([]*Snapshot, len(ids))
	for i, id := range ids {
		list[i] = &Snapshot{moment{dom: d, name: id.Name, refs: 1}}
	}
	return list, nil
}

// SnapshotLookupByName is virDomainSnapshotLookupByName; 72 if there is none. Checks:
// handle 7, name nil 8.
func (d *Domain) SnapshotLookupByName(name *string, flags uint32) (*Snapshot, error) {
	id, k := d.beginFrom("virDomainSnapshotLookupByName", FROM_DOMAIN_SNAPSHOT)
	k.nonNull("name", name)
	return d.snapshotResult(&k, ask(&k, func(v SnapshotLooker) (SnapshotID, error) {
		return v.DomainSnapshotLookupByName(id, *name, flags)
	}))
}

// GetParent is virDomainSnapshotGetParent; a root has none: 72. Checks: handle 71.
func (s *Snapshot) GetParent(flags uint32) (*Snapshot, error) {
	id, k := s.begin("virDomainSnapshotGetParent")
	return s.domainOf().snapshotResult(&k, ask(&k, func(v SnapshotParentGetter) (SnapshotID, error) {
		return v.DomainSnapshotGetParent(id, flags)
	}))
}

// HasCurrentSnapshot is virDomainHasCurrentSnapshot. Checks: handle 7.
func (d *Domain) HasCurrentSnapshot(flags uint32) (bool, error) {
	id, k := d.beginFrom("virDomainHasCurrentSnapshot", FROM_DOMAIN_SNAPSHOT)
	has := ask(&k, func(v CurrentSnapshotHaver) (bool, error) { return v.DomainHasCurrentSnapshot(id, flags) })
	return has, k.end()
}

// SnapshotCurrent is virDomainSnapshotCurrent; 72 if there is none. Checks: handle 7.
func (d *Domain) SnapshotCurrent(flags uint32) (*Snapshot, error) {
	id, k := d.beginFrom("virDomainSnapshotCurrent", FROM_DOMAIN_SNAPSHOT)
	return d.snapshotResult(&k, ask(&k, func(v CurrentSnapshotGetter) (SnapshotID, error) {
		return v.DomainSnapshotCurrent(id, flags)
	}))
}

// IsCurrent is virDomainSnapshotIsCurrent; 72 if the snapshot is gone. Checks: handle
// 71.
func (s *Snapshot) IsCurrent(flags uint32) (bool, error) {
	id, k := s.begin("virDomainSnapshotIsCurrent")
	is := ask(&k, func(v SnapshotCurrentTester) (bool, error) { return v.DomainSnapshotIsCurrent(id, flags) })
	return is, k.end()
}

// HasMetadata is virDomainSnapshotHasMetadata; 72 if the snapshot is gone. Checks:
// handle 71.
func (s *Snapshot) HasMetadata(flags uint32) (bool, error) {
	id, k := s.begin("virDomainSnapshotHasMetadata")
	has := ask(&k, func(v SnapshotMetadataTester) (bool, error) { return v.DomainSnapshotHasMetadata(id, flags) })
	return has, k.end()
}
