package virt

// Snapshot is a handle of a snapshot: domain and name.
type Snapshot struct {
	dom   *Domain
	name  string
	freed bool // protected by the connection's mu
}

// enter begins a call: handle (71), then the connection.
func (s *Snapshot) enter(function string) *Error {
	if s == nil || s.dom == nil || s.dom.conn == nil || s.isFreed() {
		return Errorf(ERR_INVALID_DOMAIN_SNAPSHOT, FROM_DOMAIN_SNAPSHOT, "%s", function)
	}
	return s.dom.conn.enter(function)
}

func (s *Snapshot) isFreed() bool {
	s.dom.conn.mu.Lock()
	defer s.dom.conn.mu.Unlock()
	return s.freed
}

func (s *Snapshot) leave(e *Error) error {
	if s == nil {
		return (*Conn)(nil).leave(e)
	}
	return s.dom.leave(e)
}

// GetName is virDomainSnapshotGetName.
func (s *Snapshot) GetName() (string, error) {
	if e := s.enter("virDomainSnapshotGetName"); e != nil {
		return "", s.leave(e)
	}
	return s.name, nil
}

// Free is virDomainSnapshotFree; a second time is an error (71).
func (s *Snapshot) Free() error {
	if e := s.enter("virDomainSnapshotFree"); e != nil {
		return s.leave(e)
	}
	s.dom.conn.mu.Lock()
	s.freed = true
	s.dom.conn.mu.Unlock()
	return nil
}

// SnapshotCreateXML is virDomainSnapshotCreateXML. Checks in order (SNP-04): handle
// 7, xml nil 8 (E025), read-only 29 (E026), CURRENT needs REDEFINE 8 (E027),
// REDEFINE excludes NO_METADATA 8 (E028), REDEFINE excludes HALT 8 (E029).
func (d *Domain) SnapshotCreateXML(xml *string, flags DomainSnapshotCreateFlags) (*Snapshot, error) {
	const function = "virDomainSnapshotCreateXML"
	e := d.checkSnapshotCreate(function, xml, flags)
	var id SnapshotID
	if e == nil {
		e = dispatch(d.conn, function, func(v SnapshotCreator) (err error) {
			id, err = v.DomainSnapshotCreateXML(d.id, *xml, flags)
			return err
		})
	}
	return d.snapshotResult(id, e)
}

// SnapshotCreateXML2 is virDomainSnapshotCreateXML2 of the seed: SnapshotCreateXML
// with a checkpoint at the same instant. After its checks: checkpointXML with
// REDEFINE 8 (E053).
func (d *Domain) SnapshotCreateXML2(xml, checkpointXML *string, flags DomainSnapshotCreateFlags) (*Snapshot, error) {
	const function = "virDomainSnapshotCreateXML2"
	e := d.checkSnapshotCreate(function, xml, flags)
	if e == nil && checkpointXML != nil && flags&DOMAIN_SNAPSHOT_CREATE_REDEFINE != 0 {
		e = plainError(ERR_INVALID_ARG, FROM_DOMAIN_SNAPSHOT, "Cannot create checkpoint when redefining snapshot")
	}
	var id SnapshotID
	if e == nil {
		e = dispatch(d.conn, function, func(v SnapshotCreator2) (err error) {
			id, err = v.DomainSnapshotCreateXML2(d.id, *xml, checkpointXML, flags)
			return err
		})
	}
	return d.snapshotResult(id, e)
}

func (d *Domain) checkSnapshotCreate(function string, xml *string, flags DomainSnapshotCreateFlags) *Error {
	const prefix = "VIR_DOMAIN_SNAPSHOT_CREATE_"
	e := d.enter(function)
	if e == nil && xml == nil {
		e = NonNullArg("xmlDesc", function)
	}
	if e == nil {
		e = d.conn.writable(function)
	}
	redefine := flags&DOMAIN_SNAPSHOT_CREATE_REDEFINE != 0
	switch {
	case e != nil:
	case !redefine && flags&DOMAIN_SNAPSHOT_CREATE_CURRENT != 0:
		e = RequiredFlag(prefix+"CURRENT", prefix+"REDEFINE")
	case redefine && flags&DOMAIN_SNAPSHOT_CREATE_NO_METADATA != 0:
		e = ExclusiveFlags(prefix+"REDEFINE", prefix+"NO_METADATA")
	case redefine && flags&DOMAIN_SNAPSHOT_CREATE_HALT != 0:
		e = ExclusiveFlags(prefix+"REDEFINE", prefix+"HALT")
	}
	return e
}

func (d *Domain) snapshotResult(id SnapshotID, e *Error) (*Snapshot, error) {
	if e == nil && id.Name == "" {
		e = unknownCause()
	}
	if e != nil {
		return nil, d.leave(e)
	}
	return &Snapshot{dom: d, name: id.Name}, nil
}
