package nbd

import "strings"

// metaContext lists or chooses the meta contexts of an export.
func (o *option) metaContext() error {
	s := o.s
	if o.kind == OptSetMetaContext {
		s.contexts, s.metaExport = nil, ""
		if !s.structured {
			return o.finish(ErrInvalid, "request option '%s' when structured reply is not negotiated", o.kind)
		}
	}
	name, err := o.name()
	if err != nil {
		return answered(err)
	}
	e := s.find(name)
	if e == nil {
		return o.finish(ErrUnknown, "export '%s' not present", name)
	}
	found, err := o.queries(e)
	if err != nil {
		return answered(err)
	}
	for _, c := range found {
		id := c.ID
		if o.kind == OptListMetaContext {
			id = 0
		}
		o.reply(repMetaContext, append(be.AppendUint32(nil, id), c.Name...))
	}
	if o.kind == OptSetMetaContext {
		s.contexts, s.metaExport = found, name
	}
	return o.finish(0, "")
}

// queries reads the queries and gives the contexts that any of them names, by id.
func (o *option) queries(e Export) ([]Context, error) {
	known := append([]Context{{ContextBaseAllocation, NameBaseAllocation}}, e.Contexts()...)
	n, err := o.uint32()
	if err != nil {
		return nil, err
	}
	chosen := make([]bool, len(known))
	for range n {
		query, err := o.query()
		if err != nil {
			return nil, err
		}
		for i, c := range known {
			chosen[i] = chosen[i] || o.matches(query, c.Name)
		}
	}
	// QEMU does not look whether data are left, nor read them: they are taken for
	// the next option (seen with qemu-nbd 7.2), and so they are here.
	o.left = 0
	var found []Context
	for i, c := range known {
		if chosen[i] || n == 0 && o.kind == OptListMetaContext {
			found = append(found, c)
		}
	}
	return found, nil
}

// query reads one query; one that is too long to be any context's is "".
func (o *option) query() (string, error) {
	n, err := o.uint32()
	if err != nil {
		return "", err
	}
	if n > o.left {
		return "", o.refuse("Inconsistent lengths in option %s", o.kind)
	}
	if n > StringMax {
		return "", o.skip(n)
	}
	return o.text(n)
}

// matches tells whether a query names a context: its whole name or, when
// contexts are listed, its namespace with a colon at the end.
func (o *option) matches(query, name string) bool {
	if query == name {
		return true
	}
	wildcard := query == "base:" || query == "qemu:" || query == PrefixDirtyBitmap
	return wildcard && o.kind == OptListMetaContext && strings.HasPrefix(name, query)
}
