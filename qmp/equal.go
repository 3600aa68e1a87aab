package qmp

// Equal reports whether two values are the same message: dicts whatever the
// order of their members, lists in order, numbers of one kind only (1 is not
// 1.5's kind, and a float never equals an integer).
func (v Value) Equal(w Value) bool {
	if v.kind != w.kind {
		return false
	}
	switch v.kind {
	case KindList:
		return equalLists(v.list, w.list)
	case KindDict:
		return equalDicts(v, w)
	}
	return v.num == w.num && v.str == w.str
}

func equalLists(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}

func equalDicts(v, w Value) bool {
	if len(v.dict) != len(w.dict) {
		return false
	}
	for i := range v.dict {
		// The same position is the usual case.
		m, n := &v.dict[i], &w.dict[i]
		other := n.Value
		if m.Name != n.Name {
			other = w.Get(m.Name)
		}
		if !m.Value.Equal(other) {
			return false
		}
	}
	return true
}
