package qmp

import "unicode/utf8"

// codepoint reads one character as QEMU does (util/unicode.c): UTF-8 with up to
// six bytes, of which only valid characters count, and C0 80 for NUL. It returns
// -1 and the number of bytes that are bad otherwise.
func codepoint(raw []byte) (r rune, n int) {
	if raw[0] == 0xc0 && len(raw) > 1 && raw[1] == 0x80 {
		return 0, 2
	}
	r, n = utf8.DecodeRune(raw)
	if r == utf8.RuneError && n <= 1 {
		return -1, badSequence(raw)
	}
	if isNoncharacter(r) {
		return -1, n
	}
	return r, n
}

// badSequence is the length of a sequence that is no character: its lead byte
// and the continuation bytes that belong to it.
func badSequence(raw []byte) int {
	lead := raw[0]
	if lead < 0xc0 || lead >= 0xfe {
		return 1
	}
	want := 0
	for mask := byte(0x80); lead&mask != 0; mask >>= 1 {
		want++
	}
	n := 1
	for n < want && n < len(raw) && raw[n]&0xc0 == 0x80 {
		n++
	}
	return n
}

// printable is a piece of input as QEMU shows it in an error text: up to the
// first NUL, with U+FFFD for what is no character.
func printable(raw []byte) string {
	out := make([]byte, 0, len(raw))
	for len(raw) > 0 && raw[0] != 0 {
		r, n := codepoint(raw)
		if r < 0 {
			r = utf8.RuneError
		}
		out = utf8.AppendRune(out, r)
		raw = raw[n:]
	}
	return string(out)
}
