package qmp

import "fmt"

// viewer reads members of a reply and keeps the first thing that is not as
// QEMU's schema says.
type viewer struct {
	what string
	err  error
}

func (r *viewer) fail(name, want string, got Value) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s: member '%s' should be %s, is %v", ErrProtocol, r.what, name, want, got)
	}
}

func (r *viewer) text(v Value, name string) string {
	m := v.Get(name)
	s, ok := m.Text()
	if !ok {
		r.fail(name, "a string", m)
	}
	return s
}

func (r *viewer) optText(v Value, name string) string {
	if !v.Get(name).Present() {
		return ""
	}
	return r.text(v, name)
}

func (r *viewer) int(v Value, name string) int64 {
	m := v.Get(name)
	n, ok := m.Int64()
	if !ok {
		r.fail(name, "an integer", m)
	}
	return n
}

func (r *viewer) optInt(v Value, name string) int64 {
	if !v.Get(name).Present() {
		return 0
	}
	return r.int(v, name)
}

func (r *viewer) bool(v Value, name string) bool {
	m := v.Get(name)
	if m.Kind() != KindBool {
		r.fail(name, "a boolean", m)
	}
	return m.IsTrue()
}

func (r *viewer) optBool(v Value, name string) bool {
	return v.Get(name).Present() && r.bool(v, name)
}

// each reads a list with f.
func each[T any](what string, v Value, f func(*viewer, Value) T) ([]T, error) {
	if v.Kind() != KindList {
		return nil, fmt.Errorf("%w: %s: a list was expected, not %v", ErrProtocol, what, v)
	}
	r := viewer{what: what}
	out := make([]T, len(v.Items()))
	for i, item := range v.Items() {
		out[i] = f(&r, item)
	}
	if r.err != nil {
		return nil, r.err
	}
	return out, nil
}
