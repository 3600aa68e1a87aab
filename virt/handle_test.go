package virt_test

import (
	"testing"

	"fleece/virt"
)

// invalid is the error of a bad handle, by the type of the call.
func (a apiCall) invalid() (virt.ErrorNumber, virt.ErrorDomain, string) {
	switch {
	case a.method[0] == 'D':
		return virt.ERR_INVALID_DOMAIN, virt.FROM_DOM, "invalid domain pointer in " + a.symbol
	case a.method[0] == 'S':
		return virt.ERR_INVALID_DOMAIN_SNAPSHOT, virt.FROM_DOMAIN_SNAPSHOT, "Invalid domain snapshot: " + a.symbol
	case a.method[1] == 'h':
		return virt.ERR_INVALID_DOMAIN_CHECKPOINT, virt.FROM_DOMAIN_CHECKPOINT, "Invalid domain checkpoint: " + a.symbol
	}
	return virt.ERR_INVALID_CONN, a.from, "invalid connection pointer in " + a.symbol
}

func TestABadHandleIsRefusedWithItsOwnCodeAndTheNameOfTheCall(t *testing.T) { // E001 to E004
	freed := connect(&full{}, virt.ConnOptions{OnError: func(e *virt.Error) { t.Errorf("reported: %v", e) }})
	ok(t, freed.dom.Free())
	ok(t, freed.chk.Free())
	ok(t, freed.snap.Free())
	closed := connect(&full{}, virt.ConnOptions{})
	ok(t, closed.conn.Close())
	for name, h := range map[string]handles{
		"nil":   {},
		"zero":  {&virt.Conn{}, &virt.Domain{}, &virt.Checkpoint{}, &virt.Snapshot{}},
		"freed": {closed.conn, freed.dom, freed.chk, freed.snap},
	} {
		for _, a := range api {
			t.Run(name+" "+a.symbol, func(t *testing.T) {
				results, err := a.call(t, h)
				code, from, message := a.invalid()
				wants(t, err, code, from, message)
				noResult(t, results)
			})
		}
	}
	if freed.conn.LastError() != nil {
		t.Error("the error of a bad handle reached a connection")
	}
}

func TestAHandleOfAClosedConnectionIsRefusedButCanBeFreed(t *testing.T) { // E002
	for _, a := range api {
		t.Run(a.symbol, func(t *testing.T) {
			d := &full{}
			h := connect(d, virt.ConnOptions{})
			ok(t, h.conn.Close())
			d.asked = nil
			results, err := a.call(t, h)
			switch a.name() {
			case "Free", "Ref":
				ok(t, err)
			default:
				wants(t, err, virt.ERR_INVALID_CONN, a.from, "invalid connection pointer in "+a.symbol)
				noResult(t, results)
			}
			if len(d.asked) != 0 {
				t.Errorf("the driver was asked %v", d.asked)
			}
		})
	}
}

func TestEveryReferenceNeedsItsOwnFree(t *testing.T) { // CHK-07
	h := connect(&full{}, virt.ConnOptions{})
	for _, handle := range []interface {
		Ref() error
		Free() error
	}{h.dom, h.chk, h.snap} {
		ok(t, handle.Ref())
		ok(t, handle.Free())
		ok(t, handle.Free())
		if handle.Free() == nil || handle.Ref() == nil {
			t.Errorf("%T: freed once too often without an error", handle)
		}
	}
}

func TestACheckpointOutlivesTheDomainHandleItCameFrom(t *testing.T) { // CHK-07, §2.1
	h := connect(&full{}, virt.ConnOptions{})
	if d, err := h.chk.GetDomain(); err != nil || d != h.dom {
		t.Errorf("GetDomain is %p, %v; want the same handle, no new reference", d, err)
	}
	ok(t, h.dom.Free())
	if _, err := h.chk.GetParent(0); err != nil {
		t.Errorf("a call after the domain handle was freed: %v", err)
	}
	d, err := h.chk.GetDomain()
	ok(t, err)
	if name, err := d.GetName(); err != nil || name != "vm" {
		t.Errorf("the checkpoint's domain is %q, %v", name, err)
	}
	if again, _ := h.chk.GetDomain(); again != d {
		t.Error("GetDomain made a second handle")
	}
	ok(t, h.chk.Free())
	_, err = d.GetName()
	wants(t, err, virt.ERR_INVALID_DOMAIN, virt.FROM_DOM, "invalid domain pointer in virDomainGetName")
}

func TestHandlesKnowTheirConnection(t *testing.T) {
	h := connect(&full{}, virt.ConnOptions{})
	for _, handle := range []interface{ GetConnect() (*virt.Conn, error) }{h.dom, h.chk, h.snap} {
		if c, err := handle.GetConnect(); err != nil || c != h.conn {
			t.Errorf("%T: %v, %v", handle, c, err)
		}
	}
}

// idWatcher notes the run id that a call is made with.
type idWatcher struct {
	full
	ids []int
}

func (w *idWatcher) DomainSuspend(d virt.DomainID) error {
	w.ids = append(w.ids, d.ID)
	return nil
}

func TestCreateGivesTheHandleItsRunID(t *testing.T) {
	w := &idWatcher{}
	h := connect(w, virt.ConnOptions{})
	ok(t, h.dom.Suspend())
	ok(t, h.dom.Create())
	ok(t, h.dom.Suspend())
	if len(w.ids) != 2 || w.ids[0] != 1 || w.ids[1] != 2 {
		t.Errorf("run ids %v, want 1 and then the new one, 2", w.ids)
	}
}
