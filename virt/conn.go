package virt

import "fleece/rt"

// domainsMax and checkpointsMax bound one list, as libvirt's remote protocol does
// (REMOTE_DOMAIN_LIST_MAX, REMOTE_DOMAIN_CHECKPOINT_LIST_MAX; E030).
const (
	domainsMax     = 16384
	checkpointsMax = 16384
)

// ConnOptions say how a connection reaches its driver.
type ConnOptions struct {
	// Runtime makes the connection's lock. Required. Tasks of several processes
	// share a connection (the driver's dispatcher delivers events through it), so
	// in a world of several processes this is its Kernel.
	Runtime rt.Runtime
	// ReadOnly refuses every call that changes something (29).
	ReadOnly bool
	// Invoke runs a driver call; nil runs it in the caller's task. A driver that
	// is a process of its own supplies rt.Process.Call. An error of Invoke says
	// that the driver went away: the call fails with code 38 and the text that
	// libvirt's client has for a libvirtd that died (connectionLost); errors.Is
	// finds the error of Invoke as well.
	Invoke func(name string, f func()) error
	// OnError is called exactly once for every error that a call of this
	// connection returns, bad handles apart: those belong to no connection. It
	// runs in the caller's task, which holds no lock of this package (§1.3).
	OnError func(*Error)
}

// Conn is a connection to a driver. Several tasks may use it.
type Conn struct {
	driver any         // any of the interfaces of driver.go
	opts   ConnOptions // never written after NewConn
	mu     rt.Mutex    // a leaf: nothing is called while it is held
	// Below is protected by mu, as are the references of this connection's handles.
	closed        bool
	last          *Error
	registrations []*registration // that still stand, oldest first
}

// NewConn makes a connection to a driver: any value that implements some of the
// interfaces of this package. Each call that it lacks answers NO_SUPPORT (3).
func NewConn(driver any, opts ConnOptions) *Conn {
	return &Conn{driver: driver, opts: opts, mu: rt.NewLeafMutex(opts.Runtime, "virt.Conn")}
}

// LastError is the error of the newest call on this connection, nil if that call
// succeeded (virConnGetLastError). Where several tasks use the connection, it is
// the newest of any of them.
func (c *Conn) LastError() *Error {
	if !c.made() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// made reports whether c came from NewConn.
func (c *Conn) made() bool { return c != nil && c.mu != nil }

// begin begins a call of the connection itself: a connection that is nil or closed
// is refused (6).
func (c *Conn) begin(function string, from ErrorDomain) call {
	k := call{function: function, from: from, conn: c}
	if !c.made() {
		return k.refuse(ERR_INVALID_CONN, from)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open(k)
}

// open refuses a closed connection (6, E002), and forgets the last error. mu is held.
func (c *Conn) open(k call) call {
	if c.closed {
		return k.refuse(ERR_INVALID_CONN, k.from)
	}
	c.last = nil
	return k
}

// failed keeps the error of a call and reports it.
func (c *Conn) failed(e *Error) {
	c.mu.Lock()
	c.last = e
	c.mu.Unlock()
	if c.opts.OnError != nil {
		c.opts.OnError(e)
	}
}

// DomainDefineXML is virDomainDefineXML. Checks: connection 6, read-only 29. (C's
// NULL for xml has no counterpart: the parameter is a string.)
func (c *Conn) DomainDefineXML(xml string) (*Domain, error) {
	k := c.begin("virDomainDefineXML", FROM_DOMAIN)
	k.writable()
	return c.domainResult(&k, ask(&k, func(d DomainDefiner) (DomainID, error) {
		return d.DomainDefineXML(xml)
	}))
}

// LookupDomainByName is virDomainLookupByName; 42 if there is none. Checks:
// connection 6.
func (c *Conn) LookupDomainByName(name string) (*Domain, error) {
	k := c.begin("virDomainLookupByName", FROM_DOMAIN)
	return c.domainResult(&k, ask(&k, func(d DomainLookerByName) (DomainID, error) {
		return d.DomainLookupByName(name)
	}))
}

// LookupDomainByUUIDString is virDomainLookupByUUIDString; 42 if there is none.
// Checks: connection 6.
func (c *Conn) LookupDomainByUUIDString(uuid string) (*Domain, error) {
	k := c.begin("virDomainLookupByUUIDString", FROM_DOMAIN)
	return c.domainResult(&k, ask(&k, func(d DomainLookerByUUID) (DomainID, error) {
		return d.DomainLookupByUUID(uuid)
	}))
}

// domainResult ends a call that returns a domain.
func (c *Conn) domainResult(k *call, id DomainID) (*Domain, error) {
	k.possible(id.Name != "")
	if err := k.end(); err != nil {
		return nil, err
	}
	return newDomain(c, id), nil
}

// ListAllDomains is virConnectListAllDomains; the list is nil on an error. Checks:
// connection 6, and more than 16384 results 39.
func (c *Conn) ListAllDomains(flags ListAllDomainsFlags) ([]*Domain, error) {
	k := c.begin("virConnectListAllDomains", FROM_DOMAIN)
	ids := ask(&k, func(d DomainLister) ([]DomainID, error) { return d.ListAllDomains(flags) })
	k.atMost(domainsMax, len(ids), "domains")
	if err := k.end(); err != nil {
		return nil, err
	}
	list := make([]*Domain, len(ids))
	for i, id := range ids {
		list[i] = newDomain(c, id)
	}
	return list, nil
}

// atMost refuses a list that is longer than the remote protocol carries (39, E030).
func (k *call) atMost(limit, n int, what string) {
	if k.fault == nil && n > limit {
		k.fault = Errorf(ERR_RPC, FROM_RPC, "Too many %s '%d' for limit '%d'", what, n, limit)
	}
}

// Close is virConnectClose: registrations are taken back, later calls of the
// connection and of its handles fail with 6; handles can still be freed. A driver
// that is a Closer hears of it, and its error is returned; the connection is
// closed all the same. Any other driver goes on: it may have other connections.
func (c *Conn) Close() error {
	k := c.begin("virConnectClose", FROM_NONE)
	if k.fault != nil {
		return k.end()
	}
	c.mu.Lock()
	c.closed = true
	registrations := c.registrations
	c.registrations = nil
	c.mu.Unlock()
	for _, r := range registrations {
		r.cancel()
	}
	if _, ok := c.driver.(Closer); ok {
		tell(&k, func(d Closer) error { return d.Close() })
	}
	return k.end()
}
