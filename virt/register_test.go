package virt_test

import (
	"testing"

	"fleece/rt"
	"fleece/virt"
)

var anEvent = virt.LifecycleEvent{Domain: aDomain, Event: virt.DOMAIN_EVENT_STARTED}

func TestAnEventReachesTheHandlerUntilItsCancelReturned(t *testing.T) {
	d := &full{}
	h := connect(d, virt.ConnOptions{})
	var seen []virt.Event
	cancel, err := h.conn.RegisterEvents(func(e virt.Event) { seen = append(seen, e) })
	ok(t, err)
	d.deliver(anEvent)
	cancel()
	d.deliver(anEvent) // it was on its way
	cancel()
	if len(seen) != 1 || d.cancelled != 1 {
		t.Errorf("seen %v, taken back %d times", seen, d.cancelled)
	}
}

func TestAHandlerMayTakeItsOwnRegistrationBackAndCallAnything(t *testing.T) { // EVT-02
	d := &full{}
	h := connect(d, virt.ConnOptions{})
	var cancel func()
	seen := 0
	cancel, err := h.conn.RegisterEvents(func(virt.Event) {
		seen++
		cancel()
		if _, err := h.dom.BackupEnd(1, 0); err != nil {
			t.Error(err)
		}
	})
	ok(t, err)
	d.deliver(anEvent)
	d.deliver(anEvent)
	if seen != 1 {
		t.Errorf("seen %d events", seen)
	}
}

func TestCloseTakesEveryRegistrationBack(t *testing.T) {
	d := &full{}
	h := connect(d, virt.ConnOptions{})
	for range 3 {
		_, err := h.conn.RegisterEvents(func(virt.Event) { t.Error("delivered after Close") })
		ok(t, err)
	}
	ok(t, h.conn.Close())
	d.deliver(anEvent)
	if d.cancelled != 3 {
		t.Errorf("%d of 3 were taken back", d.cancelled)
	}
}

func TestTheDriverIsToldOfACancelInItsOwnProcess(t *testing.T) {
	d := &full{}
	var names []string
	h := connect(d, virt.ConnOptions{Invoke: func(name string, f func()) error {
		names = append(names, name)
		before := d.cancelled
		f()
		if name == "virConnectDomainEventDeregisterAny" && d.cancelled != before+1 {
			t.Error("the registration was not taken back inside Invoke")
		}
		return nil
	}})
	cancel, err := h.conn.RegisterEvents(func(virt.Event) {})
	ok(t, err)
	cancel()
	if len(names) != 2 || names[1] != "virConnectDomainEventDeregisterAny" {
		t.Errorf("invoked %v", names)
	}
}

func TestACancelAfterTheDriverDiedDoesNothing(t *testing.T) {
	d := &full{}
	dead := false
	h := connect(d, virt.ConnOptions{Invoke: func(_ string, f func()) error {
		if dead {
			return rt.ErrKilled
		}
		f()
		return nil
	}})
	cancel, err := h.conn.RegisterEvents(func(virt.Event) {})
	ok(t, err)
	dead = true
	cancel()
	if d.cancelled != 0 || h.conn.LastError() != nil {
		t.Errorf("taken back %d times, last error %v", d.cancelled, h.conn.LastError())
	}
}

// closer closes the connection while it registers a handler.
type closer struct {
	full
	conn *virt.Conn
}

func (c *closer) RegisterEvents(deliver func(virt.Event)) func() {
	_ = c.conn.Close()
	return c.full.RegisterEvents(deliver)
}

func TestAConnectionThatIsClosedWhileAHandlerRegistersKeepsNoHandler(t *testing.T) {
	d := &closer{}
	h := connect(d, virt.ConnOptions{})
	d.conn = h.conn
	cancel, err := h.conn.RegisterEvents(func(virt.Event) { t.Error("delivered") })
	wants(t, err, virt.ERR_INVALID_CONN, virt.FROM_DOMAIN, "invalid connection pointer in virConnectDomainEventRegisterAny")
	if cancel != nil || d.cancelled != 1 {
		t.Errorf("a cancel beside the error, or taken back %d times", d.cancelled)
	}
	d.deliver(anEvent)
}

func TestAHandlerThatIsNilIsRefusedAndSoIsAWriteOnAReadOnlyConnection(t *testing.T) {
	h := connect(&full{}, virt.ConnOptions{ReadOnly: true})
	_, err := h.conn.RegisterEvents(nil)
	wants(t, err, virt.ERR_INVALID_ARG, virt.FROM_DOMAIN, "cb in virConnectDomainEventRegisterAny must not be NULL")
	_, err = h.conn.DomainDefineXML("<domain/>")
	wants(t, err, virt.ERR_OPERATION_DENIED, virt.FROM_DOMAIN, "operation forbidden: read only access prevents virDomainDefineXML")
	_, err = h.conn.LookupDomainByName("vm")
	ok(t, err)
	ok(t, h.conn.Close())
	_, err = h.conn.DomainDefineXML("<domain/>")
	wants(t, err, virt.ERR_INVALID_CONN, virt.FROM_DOMAIN, "invalid connection pointer in virDomainDefineXML")
}

func TestADriverThatWantsToKnowHearsOfACloseAndItsErrorIsReturned(t *testing.T) {
	failure := virt.Errorf(virt.ERR_OPERATION_FAILED, virt.FROM_QEMU, "busy")
	h := connect(&full{err: failure}, virt.ConnOptions{})
	if err := h.conn.Close(); asError(t, err) != failure {
		t.Errorf("got %v", err)
	}
	wants(t, h.conn.Close(), virt.ERR_INVALID_CONN, virt.FROM_NONE, "invalid connection pointer in virConnectClose")
}
