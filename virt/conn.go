package virt

import "fleece/rt"

// ConnOptions say how a connection reaches its driver.
type ConnOptions struct {
	// Runtime makes the connection's lock. Required.
	Runtime rt.Runtime
	// ReadOnly refuses every call that changes something (29).
	ReadOnly bool
	// Invoke runs a driver call; nil runs it in the caller's task. A driver that
	// is a process of its own supplies rt.Process.Call. An error of Invoke says
	// that the driver went away: the call fails with code 39.
	Invoke func(name string, f func()) error
	// OnError is called once for every error that a call of this connection
	// returns (§1.3).
	OnError func(*Error)
}

// Conn is a connection to a driver. It is safe for use by several tasks.
type Conn struct {
	driver any
	opts   ConnOptions
	mu     rt.Mutex
	// Below is protected by mu.
	closed  bool
	last    *Error
	cancels []func() // of registrations that still stand
}

// NewConn makes a connection to a driver: any value that implements some of the
// interfaces of this package.
func NewConn(driver any, opts ConnOptions) *Conn {
	return &Conn{driver: driver, opts: opts, mu: rt.NewLeafMutex(opts.Runtime, "virt.Conn")}
}

// LastError is the error of the newest call that failed on this connection; nil
// if the newest call succeeded.
func (c *Conn) LastError() *Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// enter begins a public call: it forgets the last error and refuses a connection
// that is nil or closed (6).
func (c *Conn) enter(function string) *Error {
	if c == nil {
		return Errorf(ERR_INVALID_CONN, FROM_DOM, "%s", function)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = nil
	if c.closed {
		return Errorf(ERR_INVALID_CONN, FROM_DOM, "%s", function)
	}
	return nil
}

// leave ends a public call: a failure becomes the last error and is reported
// once. It returns a nil error interface for a nil *Error.
func (c *Conn) leave(e *Error) error {
	if e == nil {
		return nil
	}
	if c != nil {
		c.mu.Lock()
		c.last = e
		c.mu.Unlock()
		if c.opts.OnError != nil {
			c.opts.OnError(e)
		}
	}
	return e
}

// writable refuses a read-only connection (29).
func (c *Conn) writable(function string) *Error {
	if c.opts.ReadOnly {
		return Errorf(ERR_OPERATION_DENIED, FROM_DOMAIN, "read only access prevents %s", function)
	}
	return nil
}

// dispatch finds the interface I of the driver and runs call with it. A driver
// without it gives 3 with the function's name.
func dispatch[I any](c *Conn, function string, call func(driver I) error) *Error {
	driver, ok := c.driver.(I)
	if !ok {
		return Errorf(ERR_NO_SUPPORT, FROM_DOMAIN, "%s", function)
	}
	var failure error
	run := func() { failure = call(driver) }
	if c.opts.Invoke == nil {
		run()
	} else if gone := c.opts.Invoke(function, run); gone != nil {
		// What libvirt's client says when libvirtd goes away during a call
		// (virNetClientIOReadMessage); failure is not looked at: it may still
		// be written by a task that is on its way out.
		return Errorf(ERR_RPC, FROM_NONE, "End of file while reading data: Input/output error").Because(gone)
	}
	if failure != nil {
		return asError(failure)
	}
	return nil
}

// DomainDefineXML is virDomainDefineXML. Errors: 6, 29, 3, and the driver's.
func (c *Conn) DomainDefineXML(xml string) (*Domain, error) {
	const function = "virDomainDefineXML"
	return c.domainCall(function, true, func(id *DomainID) *Error {
		return dispatch(c, function, func(d DomainDefiner) (err error) {
			*id, err = d.DomainDefineXML(xml)
			return err
		})
	})
}

// LookupDomainByName is virDomainLookupByName. Errors: 6, 42, 3.
func (c *Conn) LookupDomainByName(name string) (*Domain, error) {
	const function = "virDomainLookupByName"
	return c.domainCall(function, false, func(id *DomainID) *Error {
		return dispatch(c, function, func(d DomainLookerByName) (err error) {
			*id, err = d.DomainLookupByName(name)
			return err
		})
	})
}

// LookupDomainByUUIDString is virDomainLookupByUUIDString. Errors: 6, 42, 3.
func (c *Conn) LookupDomainByUUIDString(uuid string) (*Domain, error) {
	const function = "virDomainLookupByUUIDString"
	return c.domainCall(function, false, func(id *DomainID) *Error {
		return dispatch(c, function, func(d DomainLookerByUUID) (err error) {
			*id, err = d.DomainLookupByUUID(uuid)
			return err
		})
	})
}

// domainCall is a call of the connection that returns a domain.
func (c *Conn) domainCall(function string, writes bool, call func(id *DomainID) *Error) (*Domain, error) {
	e := c.enter(function)
	if e == nil && writes {
		e = c.writable(function)
	}
	var id DomainID
	if e == nil {
		e = call(&id)
	}
	if e != nil {
		return nil, c.leave(e)
	}
	return c.domain(id), nil
}

// ListAllDomains is virConnectListAllDomains; the list is nil on an error.
func (c *Conn) ListAllDomains(flags ListAllDomainsFlags) ([]*Domain, error) {
	const function = "virConnectListAllDomains"
	e := c.enter(function)
	var ids []DomainID
	if e == nil {
		e = dispatch(c, function, func(d DomainLister) (err error) {
			ids, err = d.ListAllDomains(flags)
			return err
		})
	}
	if e != nil {
		return nil, c.leave(e)
	}
	list := make([]*Domain, len(ids))
	for i, id := range ids {
		list[i] = c.domain(id)
	}
	return list, nil
}

// RegisterEvents registers a handler for the events of all domains
// (virConnectDomainEventRegisterAny). The driver calls it from a task that holds
// no lock, so it may call anything. cancel takes the registration back.
func (c *Conn) RegisterEvents(handler func(Event)) (cancel func(), err error) {
	const function = "virConnectDomainEventRegisterAny"
	e := c.enter(function)
	if e == nil {
		e = dispatch(c, function, func(d EventSource) error {
			cancel = d.RegisterEvents(handler)
			return nil
		})
	}
	if e != nil {
		return nil, c.leave(e)
	}
	c.mu.Lock()
	c.cancels = append(c.cancels, cancel)
	c.mu.Unlock()
	return cancel, nil
}

// Close is virConnectClose: it takes every registration back and makes all later
// calls fail with 6. The driver itself goes on: it may have other connections.
func (c *Conn) Close() error {
	if e := c.enter("virConnectClose"); e != nil {
		return c.leave(e)
	}
	c.mu.Lock()
	c.closed = true
	cancels := c.cancels
	c.cancels = nil
	c.mu.Unlock()
	for _, cancel := range cancels {
		cancel()
	}
	return nil
}
