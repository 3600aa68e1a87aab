package virt

// Checkpoint is a handle of a checkpoint: domain and name. It stays valid after
// the checkpoint was deleted; calls then answer 103, and a new checkpoint of that
// name revives it (§2.1).
type Checkpoint struct {
	dom   *Domain
	name  string
	refs  int // protected by the connection's mu
	freed bool
}

func (d *Domain) checkpoint(id CheckpointID) *Checkpoint {
	return &Checkpoint{dom: d, name: id.Name, refs: 1}
}

// enter begins a call: handle (102), then domain and connection.
func (k *Checkpoint) enter(function string) *Error {
	if k == nil || k.dom == nil || k.dom.conn == nil || k.isFreed() {
		return Errorf(ERR_INVALID_DOMAIN_CHECKPOINT, FROM_DOMAIN_CHECKPOINT, "%s", function)
	}
	return k.dom.conn.enter(function)
}

func (k *Checkpoint) isFreed() bool {
	k.dom.conn.mu.Lock()
	defer k.dom.conn.mu.Unlock()
	return k.freed
}

func (k *Checkpoint) leave(e *Error) error {
	if k == nil {
		return (*Conn)(nil).leave(e)
	}
	return k.dom.leave(e)
}

func (k *Checkpoint) id() CheckpointID { return CheckpointID{Domain: k.dom.id, Name: k.name} }

// GetName is virDomainCheckpointGetName.
func (k *Checkpoint) GetName() (string, error) {
	if e := k.enter("virDomainCheckpointGetName"); e != nil {
		return "", k.leave(e)
	}
	return k.name, nil
}

// GetDomain is virDomainCheckpointGetDomain: the domain, not a new reference to it.
func (k *Checkpoint) GetDomain() (*Domain, error) {
	if e := k.enter("virDomainCheckpointGetDomain"); e != nil {
		return nil, k.leave(e)
	}
	return k.dom, nil
}

// GetConnect is virDomainCheckpointGetConnect: the connection, not a new reference.
func (k *Checkpoint) GetConnect() (*Conn, error) {
	if e := k.enter("virDomainCheckpointGetConnect"); e != nil {
		return nil, k.leave(e)
	}
	return k.dom.conn, nil
}

// Ref is virDomainCheckpointRef: one more Free is needed.
func (k *Checkpoint) Ref() error {
	if e := k.enter("virDomainCheckpointRef"); e != nil {
		return k.leave(e)
	}
	k.dom.conn.mu.Lock()
	k.refs++
	k.dom.conn.mu.Unlock()
	return nil
}

// Free is virDomainCheckpointFree; one too many is an error (102).
func (k *Checkpoint) Free() error {
	if e := k.enter("virDomainCheckpointFree"); e != nil {
		return k.leave(e)
	}
	k.dom.conn.mu.Lock()
	k.refs--
	k.freed = k.refs == 0
	k.dom.conn.mu.Unlock()
	return nil
}

// CreateCheckpointXML is virDomainCheckpointCreateXML. Checks: handle 7, xml nil 8
// (E009), read-only 29 (E010), REDEFINE with QUIESCE 8 (E011), REDEFINE_VALIDATE
// without REDEFINE 8 (E012).
func (d *Domain) CreateCheckpointXML(xml *string, flags DomainCheckpointCreateFlags) (*Checkpoint, error) {
	const function = "virDomainCheckpointCreateXML"
	e := d.enter(function)
	if e == nil && xml == nil {
		e = NonNullArg("xmlDesc", function)
	}
	if e == nil {
		e = d.conn.writable(function)
	}
	if e == nil {
		e = checkCheckpointCreateFlags(flags)
	}
	var id CheckpointID
	if e == nil {
		e = dispatch(d.conn, function, func(v CheckpointCreator) (err error) {
			id, err = v.DomainCheckpointCreateXML(d.id, *xml, flags)
			return err
		})
	}
	return d.checkpointResult(id, e)
}

func checkCheckpointCreateFlags(flags DomainCheckpointCreateFlags) *Error {
	const redefine = "VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE"
	redefines := flags&DOMAIN_CHECKPOINT_CREATE_REDEFINE != 0
	switch {
	case redefines && flags&DOMAIN_CHECKPOINT_CREATE_QUIESCE != 0:
		return ExclusiveFlags(redefine, "VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE")
	case !redefines && flags&DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE != 0:
		return RequiredFlag("VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE", redefine)
	}
	return nil
}

// checkpointResult ends a call that returns a checkpoint of the domain.
func (d *Domain) checkpointResult(id CheckpointID, e *Error) (*Checkpoint, error) {
	if e == nil && id.Name == "" {
		e = unknownCause()
	}
	if e != nil {
		return nil, d.leave(e)
	}
	return d.checkpoint(id), nil
}

// checkpointList ends a call that returns checkpoints; nil on an error.
func (d *Domain) checkpointList(ids []CheckpointID, e *Error) ([]*Checkpoint, error) {
	if e != nil {
		return nil, d.leave(e)
	}
	list := make([]*Checkpoint, len(ids))
	for i, id := range ids {
		list[i] = d.checkpoint(id)
	}
	return list, nil
}

// ListAllCheckpoints is virDomainListAllCheckpoints; the list is nil on an error.
func (d *Domain) ListAllCheckpoints(flags DomainCheckpointListFlags) ([]*Checkpoint, error) {
	const function = "virDomainListAllCheckpoints"
	e := d.enter(function)
	var ids []CheckpointID
	if e == nil {
		e = dispatch(d.conn, function, func(v CheckpointLister) (err error) {
			ids, err = v.DomainListAllCheckpoints(d.id, flags)
			return err
		})
	}
	return d.checkpointList(ids, e)
}

// ListAllChildren is virDomainCheckpointListAllChildren; the list is nil on an error.
func (k *Checkpoint) ListAllChildren(flags DomainCheckpointListFlags) ([]*Checkpoint, error) {
	const function = "virDomainCheckpointListAllChildren"
	if e := k.enter(function); e != nil {
		return nil, k.leave(e)
	}
	var ids []CheckpointID
	e := dispatch(k.dom.conn, function, func(v CheckpointChildLister) (err error) {
		ids, err = v.DomainCheckpointListAllChildren(k.id(), flags)
		return err
	})
	return k.dom.checkpointList(ids, e)
}

// CheckpointLookupByName is virDomainCheckpointLookupByName. Checks: handle 7,
// name nil 8 (E014); flags are the driver's to refuse (E037).
func (d *Domain) CheckpointLookupByName(name *string, flags uint32) (*Checkpoint, error) {
	const function = "virDomainCheckpointLookupByName"
	e := d.enter(function)
	if e == nil && name == nil {
		e = NonNullArg("name", function)
	}
	var id CheckpointID
	if e == nil {
		e = dispatch(d.conn, function, func(v CheckpointLooker) (err error) {
			id, err = v.DomainCheckpointLookupByName(d.id, *name, flags)
			return err
		})
	}
	return d.checkpointResult(id, e)
}

// GetParent is virDomainCheckpointGetParent; a root has none: 103 (E226).
func (k *Checkpoint) GetParent(flags uint32) (*Checkpoint, error) {
	const function = "virDomainCheckpointGetParent"
	if e := k.enter(function); e != nil {
		return nil, k.leave(e)
	}
	var id CheckpointID
	e := dispatch(k.dom.conn, function, func(v CheckpointParentGetter) (err error) {
		id, err = v.DomainCheckpointGetParent(k.id(), flags)
		return err
	})
	return k.dom.checkpointResult(id, e)
}

// GetXMLDesc is virDomainCheckpointGetXMLDesc. SECURE is refused on a read-only
// connection: 29 (E013).
func (k *Checkpoint) GetXMLDesc(flags DomainCheckpointXMLFlags) (string, error) {
	const function = "virDomainCheckpointGetXMLDesc"
	e := k.enter(function)
	if e == nil && flags&DOMAIN_CHECKPOINT_XML_SECURE != 0 && k.dom.conn.opts.ReadOnly {
		e = Errorf(ERR_OPERATION_DENIED, FROM_DOMAIN_CHECKPOINT, "%s with secure flag", function)
	}
	var xml string
	if e == nil {
		e = dispatch(k.dom.conn, function, func(v CheckpointXMLDescriber) (err error) {
			xml, err = v.DomainCheckpointGetXMLDesc(k.id(), flags)
			return err
		})
	}
	if e == nil && xml == "" {
		e = unknownCause()
	}
	if e != nil {
		return "", k.leave(e)
	}
	return xml, nil
}

// Delete is virDomainCheckpointDelete. Checks: handle 102, read-only 29 (E015),
// CHILDREN with CHILDREN_ONLY 8 (E016).
func (k *Checkpoint) Delete(flags DomainCheckpointDeleteFlags) error {
	const function = "virDomainCheckpointDelete"
	e := k.enter(function)
	if e == nil {
		e = k.dom.conn.writable(function)
	}
	if e == nil && flags&DOMAIN_CHECKPOINT_DELETE_CHILDREN != 0 && flags&DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY != 0 {
		e = ExclusiveFlags("VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN", "VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY")
	}
	if e == nil {
		e = dispatch(k.dom.conn, function, func(v CheckpointDeleter) error {
			return v.DomainCheckpointDelete(k.id(), flags)
		})
	}
	return k.leave(e)
}
