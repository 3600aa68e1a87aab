package qmp

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// hexDigits are upper case, as in QEMU's json-writer.c.
const hexDigits = "0123456789ABCDEF"

// Encode gives v as QEMU writes it: on one line, ", " and ": " between, strings
// in ASCII with \uXXXX for everything else (qobject/json-writer.c). v must be
// wire clean for the result to be JSON: like QEMU it writes inf and nan, and it
// writes an absent value inside as null. Connections refuse both.
func Encode(v Value) []byte { return Append(nil, v) }

// Append appends Encode(v) to dst.
func Append(dst []byte, v Value) []byte {
	switch v.kind {
	case KindBool:
		return strconv.AppendBool(dst, v.num == 1)
	case KindInt:
		return strconv.AppendInt(dst, int64(v.num), 10)
	case KindUint:
		return strconv.AppendUint(dst, v.num, 10)
	case KindFloat:
		return appendFloat(dst, math.Float64frombits(v.num))
	case KindString:
		return appendString(dst, v.S())
	case KindList:
		return appendList(dst, v.Items())
	case KindDict:
		return appendDict(dst, v.Members())
	}
	return append(dst, "null"...)
}

// String shows the value as JSON, for messages and logs; "absent" if it is not
// there. For the text of a string use S, Text or TextOr.
func (v Value) String() string {
	if v.kind == KindAbsent {
		return "absent"
	}
	return string(Append(nil, v))
}

func appendList(dst []byte, items []Value) []byte {
	dst = append(dst, '[')
	for i := range items {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = Append(dst, items[i])
	}
	return append(dst, ']')
}

func appendDict(dst []byte, members []Member) []byte {
	dst = append(dst, '{')
	for i := range members {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = appendString(dst, members[i].Name)
		dst = append(dst, ": "...)
		dst = Append(dst, members[i].Value)
	}
	return append(dst, '}')
}

// floatDigits is the %.17g of qnum_to_string: 17 digits identify a double.
const floatDigits = 17

// appendFloat writes f as C's %.17g does.
func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "nan"...)
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	}
	return strconv.AppendFloat(dst, f, 'g', floatDigits, 64)
}

func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		r, size := utf8.DecodeRuneInString(s[i:])
		dst = appendEscape(dst, r)
		i += size
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	if r > 0xffff {
		r -= 0x10000
		dst = appendHex4(dst, 0xd800+r>>10)
		return appendHex4(dst, 0xdc00+r&0x3ff)
	}
	return appendHex4(dst, r)
}

func appendHex4(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
