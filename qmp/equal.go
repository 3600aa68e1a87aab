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
		return equalLists(v.Items(), w.Items())
	case KindDict:
		return equalDicts(v, w)
	}
	return v.num == w.num && v.S() == w.S()
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
	mine, other := v.Members(), w.Members()
	if len(mine) != len(other) {
		return false
	}
	for i := range mine {
		// The same position is the usual case.
		same := other[i].Value
		if mine[i].Name != other[i].Name {
			same = w.Get(mine[i].Name)
		}
		if !mine[i].Value.Equal(same) {
			return false
		}
	}
	return true
}
