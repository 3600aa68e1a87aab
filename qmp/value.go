package qmp

import "math"

// Kind is the type of a Value.
type Kind uint8

// The kinds. KindAbsent is the zero Value: a member that is not there, which is
// not the same as null.
const (
	KindAbsent Kind = iota
	KindNull
	KindBool
	KindInt   // fits int64
	KindUint  // above the largest int64
	KindFloat // any other number
	KindString
	KindList
	KindDict
)

// Value is a node of a message tree. Values are immutable once built and may be
// shared between tasks and processes; whoever builds one must not change the
// slices that were handed in.
type Value struct {
	kind Kind
	num  uint64
	str  string
	list []Value
	dict []Member
}

// Member is one name and value of a dict; dicts keep the order they were built in.
type Member struct {
	Name  string
	Value Value
}

// Null is JSON's null.
func Null() Value { return Value{kind: KindNull} }

// Bool makes a boolean.
func Bool(b bool) Value {
	v := Value{kind: KindBool}
	if b {
		v.num = 1
	}
	return v
}

// Int makes an integer.
func Int(n int64) Value { return Value{kind: KindInt, num: uint64(n)} }

// Uint makes an integer; one that fits int64 is of KindInt.
func Uint(n uint64) Value {
	if n <= math.MaxInt64 {
		return Int(int64(n))
	}
	return Value{kind: KindUint, num: n}
}

// Float makes a number that is no integer.
func Float(f float64) Value { return Value{kind: KindFloat, num: math.Float64bits(f)} }

// Str makes a string.
func Str(s string) Value { return Value{kind: KindString, str: s} }

// List makes a list of the given items.
func List(items ...Value) Value { return Value{kind: KindList, list: items} }

// Dict makes a dict. Members whose value is absent are left out, so that an
// optional argument needs no condition around it.
func Dict(members ...Member) Value {
	n := 0
	for i := range members {
		if members[i].Value.kind != KindAbsent {
			n++
		}
	}
	if n == len(members) {
		return Value{kind: KindDict, dict: members}
	}
	kept := make([]Member, 0, n)
	for i := range members {
		if members[i].Value.kind != KindAbsent {
			kept = append(kept, members[i])
		}
	}
	return Value{kind: KindDict, dict: kept}
}

// M is a member of a dict under construction.
func M(name string, v Value) Member { return Member{Name: name, Value: v} }

// Kind tells the type; KindAbsent for the zero Value.
func (v Value) Kind() Kind { return v.kind }

// Present reports whether the value is there at all (null is there).
func (v Value) Present() bool { return v.kind != KindAbsent }

// Get returns the named member of a dict, absent if there is none or v is no dict.
func (v Value) Get(name string) Value {
	for i := range v.dict {
		if v.dict[i].Name == name {
			return v.dict[i].Value
		}
	}
	return Value{}
}

// Members returns the members of a dict in order; nil for other kinds.
func (v Value) Members() []Member { return v.dict }

// Items returns the items of a list; nil for other kinds.
func (v Value) Items() []Value { return v.list }

// Text returns the string, ok only for KindString.
func (v Value) Text() (s string, ok bool) { return v.str, v.kind == KindString }

// S returns the text of a string and "" for every other kind; for callers that
// have checked the kind or do not care.
func (v Value) S() string { return v.str }

// TextOr returns the text of a string, and other for every other kind.
func (v Value) TextOr(other string) string {
	if v.kind == KindString {
		return v.str
	}
	return other
}

// Int64 returns the integer, ok only for KindInt.
func (v Value) Int64() (n int64, ok bool) { return int64(v.num), v.kind == KindInt }

// Uint64 returns the integer as unsigned, ok for KindUint and non-negative KindInt.
func (v Value) Uint64() (n uint64, ok bool) {
	return v.num, v.kind == KindUint || (v.kind == KindInt && int64(v.num) >= 0)
}

// Float64 returns a number of any kind as a float.
func (v Value) Float64() (f float64, ok bool) {
	switch v.kind {
	case KindFloat:
		return math.Float64frombits(v.num), true
	case KindInt:
		return float64(int64(v.num)), true
	case KindUint:
		return float64(v.num), true
	}
	return 0, false
}

// IsTrue reports whether the value is the boolean true.
func (v Value) IsTrue() bool { return v.kind == KindBool && v.num == 1 }
