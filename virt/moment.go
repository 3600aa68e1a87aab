package virt

// moment is what the handles of checkpoints and snapshots have in common (libvirt's
// word for both): a domain, a name, references. It stays valid until it is freed,
// even after the checkpoint was deleted: calls then answer 103, and a new one of
// that name revives it (§2.1).
type moment struct {
	dom  *Domain
	name string
	// Below is protected by the connection's mu.
	refs int     // 0: freed
	own  *Domain // what GetDomain returns once the caller freed dom; nil before
}

// kind says how a kind of moment fails.
type kind struct {
	invalid ErrorNumber // of a bad handle
	from    ErrorDomain // of libvirt's file
}

// at is a moment during one call.
type at struct {
	domain DomainID
	name   string
}

func (m *moment) made() bool { return m != nil && m.dom != nil && m.dom.conn.made() }

// begin begins a call: handle 102 or 71 (E003, E004), connection 6. The domain
// handle it was made from may be freed: a moment holds a reference of its own.
func (m *moment) begin(function string, is kind) (at, call) {
	k := call{function: function, from: is.from}
	if !m.made() {
		return at{}, k.refuse(is.invalid, is.from)
	}
	c := m.dom.conn
	k.conn = c
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.refs == 0 {
		return at{}, k.refuse(is.invalid, is.from)
	}
	if k = c.open(k); k.fault != nil {
		return at{}, k
	}
	return at{m.dom.id, m.name}, k
}

// count adds to the references, on a closed connection too.
func (m *moment) count(function string, is kind, n int) error {
	k := call{function: function, from: is.from}
	if !m.made() {
		k = k.refuse(is.invalid, is.from)
		return k.end()
	}
	c := m.dom.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.refs == 0 {
		k = k.refuse(is.invalid, is.from)
		return k.end()
	}
	m.refs += n
	if m.refs == 0 && m.own != nil {
		m.own.refs = 0
	}
	return nil
}

// domain is the handle of the domain. It is no new reference, and it is valid as
// long as the moment is, even if the caller freed the handle it came from.
func (m *moment) domain(function string, is kind) (*Domain, error) {
	_, k := m.begin(function, is)
	if k.fault != nil {
		return nil, k.end()
	}
	c := m.dom.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.dom.refs > 0 {
		return m.dom, nil
	}
	if m.own == nil || m.own.refs == 0 {
		m.own = newDomain(c, m.dom.id)
	}
	return m.own, nil
}
