package qmp

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// nestingMax is QEMU's limit of open brackets (MAX_NESTING in json-streamer.c).
const nestingMax = 1024

// ErrNotWire is wrapped by the error for a tree that bytes cannot carry.
var ErrNotWire = errors.New("qmp: message cannot be sent")

// wireForm returns what the peer would read if v went through bytes, or an error
// that wraps ErrNotWire. It is v itself unless a float is written without point
// and exponent, which comes back as an integer. It is what makes a typed
// connection refuse and change exactly what a wire refuses and changes.
func wireForm(v Value) (Value, error) {
	if v.kind != KindDict && v.kind != KindList {
		return wireScalar(v)
	}
	var w wireCheck
	if err := w.value(&v, 1); err != nil {
		return Value{}, err
	}
	if w.integral {
		return integralFloats(v), nil
	}
	return v, nil
}

// throughBytes encodes v and decodes it again.
func throughBytes(v Value) (Value, error) {
	if err := checkWire(v, 1); err != nil {
		return Value{}, err
	}
	out, err := Decode(Encode(v))
	if err != nil {
		return Value{}, fmt.Errorf("%w: %w", ErrNotWire, err)
	}
	return out, nil
}

func wireScalar(v Value) (Value, error) {
	if err := checkWire(v, 0); err != nil {
		return Value{}, err
	}
	return integralFloats(v), nil
}

// CheckWire tells why a connection would refuse to send v; the error wraps
// ErrNotWire. Refused are absent values inside, text that is not UTF-8 or has
// noncharacters, numbers that are not finite, one name twice in an object, and
// more than 1024 levels.
func CheckWire(v Value) error { return checkWire(v, 1) }

// checkWire refuses what JSON or QEMU's parser does not accept.
func checkWire(v Value, depth int) error {
	var w wireCheck
	return w.value(&v, depth)
}

// wireCheck is one walk over a message.
type wireCheck struct {
	integral bool // a float was met that is written like an integer
}

func (w *wireCheck) value(v *Value, depth int) error {
	switch v.kind {
	case KindAbsent:
		return fmt.Errorf("%w: an absent value inside", ErrNotWire)
	case KindFloat:
		if f := math.Float64frombits(v.num); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("%w: number %v", ErrNotWire, f)
		}
		w.integral = w.integral || isIntegral(*v)
	case KindString:
		return checkText(v.S())
	case KindList:
		return w.list(v.Items(), depth)
	case KindDict:
		return w.dict(v.Members(), depth)
	}
	return nil
}

func (w *wireCheck) list(items []Value, depth int) error {
	if depth > nestingMax {
		return fmt.Errorf("%w: nested deeper than %d", ErrNotWire, nestingMax)
	}
	for i := range items {
		if err := w.value(&items[i], depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *wireCheck) dict(members []Member, depth int) error {
	if depth > nestingMax {
		return fmt.Errorf("%w: nested deeper than %d", ErrNotWire, nestingMax)
	}
	for i := range members {
		if err := checkText(members[i].Name); err != nil {
			return err
		}
		if err := w.value(&members[i].Value, depth+1); err != nil {
			return err
		}
	}
	if name, twice := duplicateName(members); twice {
		return fmt.Errorf("%w: member '%s' twice in one object", ErrNotWire, name)
	}
	return nil
}

// smallDict is the number of members up to which pairs are compared directly.
const smallDict = 48

func duplicateName(members []Member) (string, bool) {
	if len(members) > smallDict {
		seen := make(map[string]struct{}, len(members))
		for i := range members {
			seen[members[i].Name] = struct{}{}
			if len(seen) != i+1 {
				return members[i].Name, true
			}
		}
		return "", false
	}
	for i := 1; i < len(members); i++ {
		for j := range i {
			if members[i].Name == members[j].Name {
				return members[i].Name, true
			}
		}
	}
	return "", false
}

// checkText refuses strings that QEMU's parser refuses: bytes that are no UTF-8
// and the code points that Unicode calls noncharacters (mod_utf8_codepoint).
func checkText(s string) error {
	rest := s
	for len(rest) >= 8 { // the compiler makes one load of this
		word := uint64(rest[0]) | uint64(rest[1])<<8 | uint64(rest[2])<<16 | uint64(rest[3])<<24 |
			uint64(rest[4])<<32 | uint64(rest[5])<<40 | uint64(rest[6])<<48 | uint64(rest[7])<<56
		if word&notASCII != 0 {
			return checkRunes(s)
		}
		rest = rest[8:]
	}
	for i := range len(rest) {
		if rest[i] >= utf8.RuneSelf {
			return checkRunes(s)
		}
	}
	return nil
}

// notASCII are the high bits of eight bytes.
const notASCII = 0x8080808080808080

func checkRunes(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%w: string %q is not UTF-8", ErrNotWire, s)
	}
	for _, r := range s {
		if isNoncharacter(r) {
			return fmt.Errorf("%w: string %q has the noncharacter %U", ErrNotWire, s, r)
		}
	}
	return nil
}

func isNoncharacter(r rune) bool {
	return r&0xfffe == 0xfffe || (r >= 0xfdd0 && r <= 0xfdef)
}

// integralFloatMax is where %.17g begins to write an exponent.
const integralFloatMax = 1e17

func isIntegral(v Value) bool {
	if v.kind != KindFloat {
		return false
	}
	f := math.Float64frombits(v.num)
	return f == math.Trunc(f) && math.Abs(f) < integralFloatMax
}

// integralFloats copies v with every float that is written like an integer
// replaced by that integer.
func integralFloats(v Value) Value {
	switch v.kind {
	case KindFloat:
		if isIntegral(v) {
			return Int(int64(math.Float64frombits(v.num)))
		}
	case KindList:
		items := make([]Value, len(v.Items()))
		for i, item := range v.Items() {
			items[i] = integralFloats(item)
		}
		return List(items...)
	case KindDict:
		members := make([]Member, len(v.Members()))
		for i, m := range v.Members() {
			members[i] = M(m.Name, integralFloats(m.Value))
		}
		return Dict(members...)
	}
	return v
}
