package conformance

import (
	"errors"

	"fleece/conformance/linear"
	"fleece/virt"
)

// History records what several tasks ask of one domain and what they are told.
type History struct {
	t     *T
	clock int64              // guarded by T.leaf
	calls []linear.Operation // guarded by T.leaf
}

// NewHistory is a history without calls.
func (t *T) NewHistory() *History { return &History{t: t} }

// Do records a call, which fills in its result.
func (h *History) Do(c linear.Call, call func(r *linear.Result) error) linear.Result {
	o := linear.Operation{Call: c, Start: h.tick()}
	if err := call(&o.Result); err != nil {
		var e *virt.Error
		h.t.Expect(errors.As(err, &e)).To(beTrue(), "%v is no error of libvirt's", err)
		o.Code, o.Message = e.Code, e.Message
	}
	o.Return = h.tick()
	h.t.leaf.Lock()
	h.calls = append(h.calls, o)
	h.t.leaf.Unlock()
	return o.Result
}

func (h *History) tick() int64 {
	h.t.leaf.Lock()
	defer h.t.leaf.Unlock()
	h.clock++
	return h.clock
}

// ExpectOrder asserts that some order of the calls explains what their callers were
// told. Held says that no push could come to its end. Every call must have returned.
func (h *History) ExpectOrder(held bool) {
	m := linear.Model{Held: held, Impatient: !h.t.env.Virtual}
	if ok, why := m.Check(h.calls); !ok {
		h.t.Fail("%s", why)
	}
}
