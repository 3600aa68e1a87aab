package virt

import "slices"

// registration is one handler of events.
type registration struct {
	conn    *Conn
	handler func(Event)
	// Below is protected by the connection's mu.
	stopped bool   // no delivery begins from here on
	stop    func() // takes it back in the driver; nil before the driver answered
}

// RegisterEvents registers a handler for the events of all domains
// (virConnectDomainEventRegisterAny, once for every id of the set Event). The
// driver calls it from a task that holds no lock, so it may call anything. cancel
// takes the registration back (virConnectDomainEventDeregisterAny): no call of the
// handler begins after it returned; a second cancel does nothing.
//
// Checks: connection 6, handler nil 8 ("cb", as the C parameter is called).
func (c *Conn) RegisterEvents(handler func(Event)) (cancel func(), err error) {
	k := c.begin("virConnectDomainEventRegisterAny", FROM_DOMAIN)
	if k.fault == nil && handler == nil {
		k.set(NonNullArg("cb", k.function))
	}
	r := &registration{conn: c, handler: handler}
	stop := ask(&k, func(d EventSource) (func(), error) { return d.RegisterEvents(r.deliver), nil })
	k.possible(stop != nil)
	if err := k.end(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	r.stop = stop
	closed := c.closed
	if !closed {
		c.registrations = append(c.registrations, r)
	}
	c.mu.Unlock()
	if closed { // by another task, while the driver was asked
		r.cancel()
		k = k.refuse(ERR_INVALID_CONN, k.from)
		return nil, k.end()
	}
	return r.cancel, nil
}

// deliver passes an event on, unless the registration was taken back.
func (r *registration) deliver(e Event) {
	r.conn.mu.Lock()
	stopped := r.stopped
	r.conn.mu.Unlock()
	if !stopped {
		r.handler(e)
	}
}

// cancel takes the registration back, in the driver's process: its locks are not
// for tasks of another one. A driver that died has no registrations any more.
func (r *registration) cancel() {
	c := r.conn
	c.mu.Lock()
	stop := r.stop
	r.stopped, r.stop = true, nil
	if i := slices.Index(c.registrations, r); i >= 0 {
		c.registrations = slices.Delete(c.registrations, i, i+1)
	}
	c.mu.Unlock()
	if stop == nil {
		return
	}
	_, _, _ = invoke(c, "virConnectDomainEventDeregisterAny", func() (struct{}, error) {
		stop()
		return struct{}{}, nil
	})
}
