package virt

// Domain is a handle of a domain: a name for it, not the domain itself. It stays
// valid until it is freed, even after the domain went away; calls then answer 42.
// A freed handle answers 7.
type Domain struct {
	conn *Conn
	// Below is protected by conn.mu.
	refs int // 0: freed
	id   DomainID
}

func newDomain(c *Conn, id DomainID) *Domain { return &Domain{conn: c, refs: 1, id: id} }

// begin begins a call: handle 7 (E001), connection 6 (E002). The error domain of
// both is what libvirt's macros have; all later faults are of libvirt-domain.c.
func (d *Domain) begin(function string) (DomainID, call) { return d.beginFrom(function, FROM_DOMAIN) }

// beginFrom is begin for a call that lives in another file of libvirt.
func (d *Domain) beginFrom(function string, from ErrorDomain) (DomainID, call) {
	k := call{function: function, from: from}
	if d == nil || !d.conn.made() {
		return DomainID{}, k.refuse(ERR_INVALID_DOMAIN, FROM_DOM)
	}
	k.conn = d.conn
	d.conn.mu.Lock()
	defer d.conn.mu.Unlock()
	if d.refs == 0 {
		return DomainID{}, k.refuse(ERR_INVALID_DOMAIN, FROM_DOM)
	}
	if k = d.conn.open(k); k.fault != nil {
		return DomainID{}, k
	}
	return d.id, k
}

// count adds to the references; it works on a closed connection too, so that
// handles can be given up in any order.
func (d *Domain) count(function string, n int) error {
	k := call{function: function, from: FROM_DOMAIN}
	if d == nil || !d.conn.made() {
		k = k.refuse(ERR_INVALID_DOMAIN, FROM_DOM)
		return k.end()
	}
	d.conn.mu.Lock()
	defer d.conn.mu.Unlock()
	if d.refs == 0 {
		k = k.refuse(ERR_INVALID_DOMAIN, FROM_DOM)
		return k.end()
	}
	d.refs += n
	return nil
}

// Ref is virDomainRef: one more Free is needed.
func (d *Domain) Ref() error { return d.count("virDomainRef", 1) }

// Free is virDomainFree: it gives a reference up; one too many is an error (7).
// Checkpoints and snapshots of the domain stay valid: they hold one of their own.
func (d *Domain) Free() error { return d.count("virDomainFree", -1) }

// GetName is virDomainGetName.
func (d *Domain) GetName() (string, error) {
	id, k := d.begin("virDomainGetName")
	return id.Name, k.end()
}

// GetUUIDString is virDomainGetUUIDString: canonical lower-case text.
func (d *Domain) GetUUIDString() (string, error) {
	id, k := d.begin("virDomainGetUUIDString")
	return id.UUID, k.end()
}

// GetConnect is virDomainGetConnect: the connection, not a new reference to it.
func (d *Domain) GetConnect() (*Conn, error) {
	_, k := d.begin("virDomainGetConnect")
	return k.conn, k.end()
}

// Create is virDomainCreate: it starts a defined domain. Checks: handle 7,
// read-only 29; 55 if it runs already, and what QEMU says, come from the driver.
func (d *Domain) Create() error {
	id, k := d.begin("virDomainCreate")
	k.writable()
	started := ask(&k, func(v DomainCreator) (DomainID, error) { return v.DomainCreate(id, 0) })
	k.possible(started.Name != "")
	if k.fault == nil {
		d.conn.mu.Lock()
		d.id = started
		d.conn.mu.Unlock()
	}
	return k.end()
}

// Destroy is virDomainDestroy. Checks: handle 7, read-only 29; 55 if it does not
// run comes from the driver.
func (d *Domain) Destroy() error {
	id, k := d.begin("virDomainDestroy")
	k.writable()
	tell(&k, func(v DomainDestroyer) error { return v.DomainDestroy(id, 0) })
	return k.end()
}

// Undefine is virDomainUndefineFlags. Checks: handle 7, read-only 29; 55 for a
// domain with checkpoints (E241) comes from the driver.
func (d *Domain) Undefine(flags DomainUndefineFlags) error {
	id, k := d.begin("virDomainUndefineFlags")
	k.writable()
	tell(&k, func(v DomainUndefiner) error { return v.DomainUndefine(id, flags) })
	return k.end()
}

// Suspend is virDomainSuspend: the vCPUs stop. Checks: handle 7, read-only 29.
func (d *Domain) Suspend() error {
	id, k := d.begin("virDomainSuspend")
	k.writable()
	tell(&k, func(v DomainSuspender) error { return v.DomainSuspend(id) })
	return k.end()
}

// Resume is virDomainResume: the vCPUs go on. Checks: handle 7, read-only 29.
func (d *Domain) Resume() error {
	id, k := d.begin("virDomainResume")
	k.writable()
	tell(&k, func(v DomainResumer) error { return v.DomainResume(id) })
	return k.end()
}

// GetState is virDomainGetState: the state, and a reason whose meaning depends on
// the state. Checks: handle 7.
func (d *Domain) GetState() (DomainState, int, error) {
	type state struct {
		state  DomainState
		reason int
	}
	id, k := d.begin("virDomainGetState")
	s := ask(&k, func(v DomainStater) (s state, err error) {
		s.state, s.reason, err = v.DomainGetState(id, 0)
		return s, err
	})
	return s.state, s.reason, k.end()
}

// GetXMLDesc is virDomainGetXMLDesc. Checks: handle 7, SECURE or MIGRATABLE on a
// read-only connection 29.
func (d *Domain) GetXMLDesc(flags DomainXMLFlags) (string, error) {
	id, k := d.begin("virDomainGetXMLDesc")
	k.notSecure(flags&(DOMAIN_XML_SECURE|DOMAIN_XML_MIGRATABLE) != 0)
	return k.text(ask(&k, func(v DomainXMLDescriber) (string, error) { return v.DomainGetXMLDesc(id, flags) }))
}
