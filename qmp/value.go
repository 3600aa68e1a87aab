package qmp

import (
	"math"
	"unsafe"
)

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
// slices that were handed in. Compare with Equal.
//
// A backup cycle handles thousands of values, so one is three words: as in
// log/slog, ptr and num hold a string or slice in their bare form.
type Value struct {
	_    [0]func() // not comparable by ==
	kind Kind
	num  uint64         // the number; of text, lists and dicts the length
	ptr  unsafe.Pointer // to the bytes, []Value or []Member
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
func Str(s string) Value {
	return Value{kind: KindString, num: uint64(len(s)), ptr: unsafe.Pointer(unsafe.StringData(s))}
}

// List makes a list of the given items.
func List(items ...Value) Value {
	return Value{kind: KindList, num: uint64(len(items)), ptr: unsafe.Pointer(unsafe.SliceData(items))}
}

// Dict makes a dict and takes over the slice, if one is handed in. Members whose
// value is absent are left out, so that an optional argument needs no condition
// around it.
func Dict(members ...Member) Value {
	n := 0
	for i := range members {
		if members[i].Value.kind == KindAbsent {
			continue
		}
		if n < i {
			members[n] = members[i]
		}
		n++
	}
	return dict(members[:n])
}

func dict(members []Member) Value {
	return Value{kind: KindDict, num: uint64(len(members)), ptr: unsafe.Pointer(unsafe.SliceData(members))}
}

// M is a member of a dict under construction.
func M(name string, v Value) Member { return Member{Name: name, Value: v} }

// Kind tells the type; KindAbsent for the zero Value.
func (v Value) Kind() Kind { return v.kind }

// Present reports whether the value is there at all (null is there).
func (v Value) Present() bool { return v.kind != KindAbsent }

// Get returns the named member of a dict, absent if there is none or v is no dict.
func (v Value) Get(name string) Value {
	members := v.Members()
	for i := range members {
		if members[i].Name == name {
			return members[i].Value
		}
	}
	return Value{}
}

// Members returns the members of a dict in order; nil for other kinds.
func (v Value) Members() []Member {
	if v.kind != KindDict {
		return nil
	}
	return unsafe.Slice((*Member)(v.ptr), v.num)
}

// Items returns the items of a list; nil for other kinds.
func (v Value) Items() []Value {
	if v.kind != KindList {
		return nil
	}
	return unsafe.Slice((*Value)(v.ptr), v.num)
}

// Text returns the string, ok only for KindString.
func (v Value) Text() (s string, ok bool) { return v.S(), v.kind == KindString }

// S returns the text of a string and "" for every other kind; for callers that
// have checked the kind or do not care.
func (v Value) S() string {
	if v.kind != KindString {
		return ""
	}
	return unsafe.String((*byte)(v.ptr), v.num)
}

// TextOr returns the text of a string, and other for every other kind.
func (v Value) TextOr(other string) string {
	if v.kind == KindString {
		return v.S()
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
