package virt

// Domain is a handle of a domain: a name for it, not the domain itself. It stays
// valid after the domain went away; calls then answer 42.
type Domain struct {
	conn  *Conn
	id    DomainID
	freed bool // protected by conn.mu
}

func (c *Conn) domain(id DomainID) *Domain { return &Domain{conn: c, id: id} }

// enter begins a call: handle (7), then connection (6).
func (d *Domain) enter(function string) *Error {
	if d == nil || d.conn == nil || d.isFreed() {
		return Errorf(ERR_INVALID_DOMAIN, FROM_DOM, "%s", function)
	}
	return d.conn.enter(function)
}

func (d *Domain) isFreed() bool {
	d.conn.mu.Lock()
	defer d.conn.mu.Unlock()
	return d.freed
}

// leave ends a call.
func (d *Domain) leave(e *Error) error {
	if d == nil {
		return (*Conn)(nil).leave(e)
	}
	return d.conn.leave(e)
}

// Free gives the handle up; a second time is an error (7).
func (d *Domain) Free() error {
	if e := d.enter("virDomainFree"); e != nil {
		return d.leave(e)
	}
	d.conn.mu.Lock()
	d.freed = true
	d.conn.mu.Unlock()
	return nil
}

// GetName is virDomainGetName.
func (d *Domain) GetName() (string, error) {
	if e := d.enter("virDomainGetName"); e != nil {
		return "", d.leave(e)
	}
	return d.id.Name, nil
}

// GetUUIDString is virDomainGetUUIDString.
func (d *Domain) GetUUIDString() (string, error) {
	if e := d.enter("virDomainGetUUIDString"); e != nil {
		return "", d.leave(e)
	}
	return d.id.UUID, nil
}

// GetConnect is virDomainGetConnect: the connection, not a new reference to it.
func (d *Domain) GetConnect() (*Conn, error) {
	if e := d.enter("virDomainGetConnect"); e != nil {
		return nil, d.leave(e)
	}
	return d.conn, nil
}

// write is a call that changes something and returns only an error: handle, read
// only, dispatch.
func (d *Domain) write(function string, call func() *Error) error {
	e := d.enter(function)
	if e == nil {
		e = d.conn.writable(function)
	}
	if e == nil {
		e = call()
	}
	return d.leave(e)
}

// Create is virDomainCreate: it starts a defined domain. Errors: 7, 29, 3, 55 if
// it runs already, and what QEMU says.
func (d *Domain) Create() error {
	const function = "virDomainCreate"
	return d.write(function, func() *Error {
		return dispatch(d.conn, function, func(v DomainCreator) error {
			id, err := v.DomainCreate(d.id, 0)
			if err == nil {
				d.id = id
			}
			return err
		})
	})
}

// Destroy is virDomainDestroy. Errors: 7, 29, 3, 55 if it does not run.
func (d *Domain) Destroy() error {
	const function = "virDomainDestroy"
	return d.write(function, func() *Error {
		return dispatch(d.conn, function, func(v DomainDestroyer) error { return v.DomainDestroy(d.id, 0) })
	})
}

// Undefine is virDomainUndefineFlags. Errors: 7, 29, 3, 55 (E241).
func (d *Domain) Undefine(flags DomainUndefineFlags) error {
	const function = "virDomainUndefineFlags"
	return d.write(function, func() *Error {
		return dispatch(d.conn, function, func(v DomainUndefiner) error { return v.DomainUndefine(d.id, flags) })
	})
}

// Suspend is virDomainSuspend. Errors: 7, 29, 3, 55.
func (d *Domain) Suspend() error {
	const function = "virDomainSuspend"
	return d.write(function, func() *Error {
		return dispatch(d.conn, function, func(v DomainSuspender) error { return v.DomainSuspend(d.id) })
	})
}

// Resume is virDomainResume. Errors: 7, 29, 3, 55.
func (d *Domain) Resume() error {
	const function = "virDomainResume"
	return d.write(function, func() *Error {
		return dispatch(d.conn, function, func(v DomainResumer) error { return v.DomainResume(d.id) })
	})
}

// GetState is virDomainGetState.
func (d *Domain) GetState() (state DomainState, reason int, err error) {
	const function = "virDomainGetState"
	e := d.enter(function)
	if e == nil {
		e = dispatch(d.conn, function, func(v DomainStater) (err error) {
			state, reason, err = v.DomainGetState(d.id, 0)
			return err
		})
	}
	if e != nil {
		return DOMAIN_NOSTATE, 0, d.leave(e)
	}
	return state, reason, nil
}

// GetXMLDesc is virDomainGetXMLDesc. SECURE is refused on a read-only connection (29).
func (d *Domain) GetXMLDesc(flags DomainXMLFlags) (string, error) {
	const function = "virDomainGetXMLDesc"
	e := d.enter(function)
	if e == nil && flags&DOMAIN_XML_SECURE != 0 && d.conn.opts.ReadOnly {
		e = Errorf(ERR_OPERATION_DENIED, FROM_DOMAIN, "%s with secure flag", function)
	}
	var xml string
	if e == nil {
		e = dispatch(d.conn, function, func(v DomainXMLDescriber) (err error) {
			xml, err = v.DomainGetXMLDesc(d.id, flags)
			return err
		})
	}
	if e != nil {
		return "", d.leave(e)
	}
	return xml, nil
}
