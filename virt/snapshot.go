package virt

// Snapshot is a handle of a snapshot: domain and name. A freed handle answers 71.
type Snapshot struct{ moment moment }

func (s *Snapshot) is() kind { return kind{ERR_INVALID_DOMAIN_SNAPSHOT, FROM_DOMAIN_SNAPSHOT} }

// m is the moment of a handle that may be nil.
func (s *Snapshot) m() *moment {
	if s == nil {
		return nil
	}
	return &s.moment
}

// GetName is virDomainSnapshotGetName.
func (s *Snapshot) GetName() (string, error) {
	at, k := s.m().begin("virDomainSnapshotGetName", s.is())
	return at.name, k.end()
}

// GetDomain is virDomainSnapshotGetDomain: the domain, not a new reference to it.
func (s *Snapshot) GetDomain() (*Domain, error) {
	return s.m().domain("virDomainSnapshotGetDomain", s.is())
}

// GetConnect is virDomainSnapshotGetConnect: the connection, not a new reference.
func (s *Snapshot) GetConnect() (*Conn, error) {
	_, k := s.m().begin("virDomainSnapshotGetConnect", s.is())
	return k.conn, k.end()
}

// Ref is virDomainSnapshotRef: one more Free is needed.
func (s *Snapshot) Ref() error { return s.m().count("virDomainSnapshotRef", s.is(), 1) }

// Free is virDomainSnapshotFree; one too many is an error (71).
func (s *Snapshot) Free() error { return s.m().count("virDomainSnapshotFree", s.is(), -1) }

// SnapshotCreateXML is virDomainSnapshotCreateXML. Checks in order (SNP-04): handle
// 7, xml nil 8 (E025), read-only 29 (E026), CURRENT needs REDEFINE 8 (E027),
// REDEFINE excludes NO_METADATA 8 (E028), REDEFINE excludes HALT 8 (E029).
func (d *Domain) SnapshotCreateXML(xml *string, flags DomainSnapshotCreateFlags) (*Snapshot, error) {
	id, k := d.beginFrom("virDomainSnapshotCreateXML", FROM_DOMAIN_SNAPSHOT)
	k.snapshotCreate(xml, flags)
	return d.snapshotResult(&k, ask(&k, func(v SnapshotCreator) (SnapshotID, error) {
		return v.DomainSnapshotCreateXML(id, *xml, flags)
	}))
}

// SnapshotCreateXML2 is virDomainSnapshotCreateXML2 of the seed: SnapshotCreateXML
// with a checkpoint at the same instant. After the checks of SnapshotCreateXML:
// checkpointXML with REDEFINE 8 (E053, a text of its own and without a prefix).
func (d *Domain) SnapshotCreateXML2(xml, checkpointXML *string, flags DomainSnapshotCreateFlags) (*Snapshot, error) {
	id, k := d.beginFrom("virDomainSnapshotCreateXML2", FROM_DOMAIN_SNAPSHOT)
	k.snapshotCreate(xml, flags)
	if k.fault == nil && checkpointXML != nil && flags&DOMAIN_SNAPSHOT_CREATE_REDEFINE != 0 {
		k.set(plainError(ERR_INVALID_ARG, k.from, "Cannot create checkpoint when redefining snapshot"))
	}
	return d.snapshotResult(&k, ask(&k, func(v SnapshotCreator2) (SnapshotID, error) {
		return v.DomainSnapshotCreateXML2(id, *xml, checkpointXML, flags)
	}))
}

// snapshotCreate are the checks that both calls begin with.
func (k *call) snapshotCreate(xml *string, flags DomainSnapshotCreateFlags) {
	const prefix = "VIR_DOMAIN_SNAPSHOT_CREATE_"
	redefine := flag{flags&DOMAIN_SNAPSHOT_CREATE_REDEFINE != 0, prefix + "REDEFINE"}
	k.nonNull("xmlDesc", xml)
	k.writable()
	k.requires(flag{flags&DOMAIN_SNAPSHOT_CREATE_CURRENT != 0, prefix + "CURRENT"}, redefine)
	k.exclusive(redefine, flag{flags&DOMAIN_SNAPSHOT_CREATE_NO_METADATA != 0, prefix + "NO_METADATA"})
	k.exclusive(redefine, flag{flags&DOMAIN_SNAPSHOT_CREATE_HALT != 0, prefix + "HALT"})
}

func (d *Domain) snapshotResult(k *call, id SnapshotID) (*Snapshot, error) {
	k.possible(id.Name != "")
	if err := k.end(); err != nil {
		return nil, err
	}
	return &Snapshot{moment{dom: d, name: id.Name, refs: 1}}, nil
}
