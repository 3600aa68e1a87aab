package qmp

import (
	"errors"
	"strconv"
	"unicode/utf8"
)

// parser builds the value of one complete message (qobject/json-parser.c). The
// first error is the one that counts.
type parser struct {
	text   []byte
	tokens []token
	next   int
	err    error

	items   []Value  // of the lists that are open, inner ones on top
	members []Member // of the dicts that are open
}

// message parses a whole message.
func (p *parser) message(text []byte, tokens []token) (Value, error) {
	p.text, p.tokens, p.next, p.err = text, tokens, 0, nil
	v := p.value()
	p.release()
	if p.err != nil {
		return Value{}, p.err
	}
	return v, nil
}

// scratchValuesMax is how many values of scratch space a parser keeps.
const scratchValuesMax = 256

// release lets go of everything that belongs to the message.
func (p *parser) release() {
	p.text, p.tokens = nil, nil
	if cap(p.items) > scratchValuesMax || cap(p.members) > scratchValuesMax {
		p.items, p.members = nil, nil
		return
	}
	clear(p.items[:cap(p.items)])
	clear(p.members[:cap(p.members)])
	p.items, p.members = p.items[:0], p.members[:0]
}

func (p *parser) fail(desc string) Value {
	if p.err == nil {
		p.err = &SyntaxError{"JSON parse error, " + desc}
	}
	return Value{}
}

// pop returns the next token; kind 0 (inStart) is the end of the input.
func (p *parser) pop() token {
	if p.next == len(p.tokens) {
		p.fail("premature EOI")
		return token{}
	}
	p.next++
	return p.tokens[p.next-1]
}

func (p *parser) peek() lexState {
	if p.next == len(p.tokens) {
		return inStart
	}
	return p.tokens[p.next].kind
}

func (p *parser) value() Value {
	t := p.pop()
	switch t.kind {
	case inStart:
		return Value{}
	case tokenLCurly:
		return p.dict()
	case tokenLSquare:
		return p.list()
	case tokenKeyword:
		return p.keyword(t)
	case tokenInteger, tokenFloat:
		return numeral(p.text[t.begin:t.end], t.kind)
	case tokenString:
		return p.stringValue(t)
	}
	return p.fail("expecting value")
}

func (p *parser) dict() Value {
	base := len(p.members)
	var seen map[string]struct{}
	if p.peek() == tokenRCurly {
		p.next++
		return Dict()
	}
	for {
		m, ok := p.pair()
		if !ok {
			return Value{}
		}
		if p.isDuplicate(base, m.Name, &seen) {
			return p.fail("duplicate key")
		}
		p.members = append(p.members, m)
		switch t := p.pop(); {
		case p.err != nil:
			return Value{}
		case t.kind == tokenRCurly:
			out := make([]Member, len(p.members)-base)
			copy(out, p.members[base:])
			p.members = p.members[:base]
			return Dict(out...)
		case t.kind != tokenComma:
			return p.fail("expected separator in dict")
		}
	}
}

// isDuplicate looks name up among the members from base on; large dicts get an
// index so that hostile input costs no more than its size.
func (p *parser) isDuplicate(base int, name string, seen *map[string]struct{}) bool {
	open := p.members[base:]
	if len(open) < smallDict {
		for i := range open {
			if open[i].Name == name {
				return true
			}
		}
		return false
	}
	if *seen == nil {
		*seen = make(map[string]struct{}, 2*len(open))
		for i := range open {
			(*seen)[open[i].Name] = struct{}{}
		}
	}
	_, twice := (*seen)[name]
	(*seen)[name] = struct{}{}
	return twice
}

func (p *parser) pair() (Member, bool) {
	key := p.value()
	name, ok := key.Text()
	if !ok {
		p.fail("key is not a string in object")
		return Member{}, false
	}
	if t := p.pop(); t.kind != tokenColon {
		p.fail("missing : in object pair")
		return Member{}, false
	}
	v := p.value()
	return M(name, v), p.err == nil
}

func (p *parser) list() Value {
	base := len(p.items)
	if p.peek() == tokenRSquare {
		p.next++
		return List()
	}
	for {
		v := p.value()
		if p.err != nil {
			return Value{}
		}
		p.items = append(p.items, v)
		switch t := p.pop(); {
		case p.err != nil:
			return Value{}
		case t.kind == tokenRSquare:
			out := make([]Value, len(p.items)-base)
			copy(out, p.items[base:])
			p.items = p.items[:base]
			return List(out...)
		case t.kind != tokenComma:
			return p.fail("expected separator in list")
		}
	}
}

func (p *parser) keyword(t token) Value {
	switch word := string(p.text[t.begin:t.end]); word {
	case "true":
		return Bool(true)
	case "false":
		return Bool(false)
	case "null":
		return Null()
	default:
		return p.fail("invalid keyword '" + word + "'")
	}
}

// numeral keeps integers up to 2^64-1 exactly; everything else is a double.
func numeral(text []byte, kind lexState) Value {
	s := string(text)
	if kind == tokenInteger {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return Int(n)
		}
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			return Uint(n)
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		panic("qmp: the lexer took " + s + " for a number")
	}
	return Float(f)
}

// stringValue reads a string token without its quotes.
func (p *parser) stringValue(t token) Value {
	raw := p.text[t.begin+1 : t.end-1]
	if plain(raw) {
		return Str(string(raw))
	}
	out := make([]byte, 0, len(raw))
	for len(raw) > 0 {
		n := 0
		if raw[0] == '\\' {
			// QEMU reads on into the closing quote when an escape is cut.
			out, n = p.escape(out, raw, p.text[t.end-1])
		} else {
			out, n = p.rune(out, raw)
		}
		if p.err != nil {
			return Value{}
		}
		raw = raw[n:]
	}
	return Str(string(out))
}

func plain(raw []byte) bool {
	for _, c := range raw {
		if c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func (p *parser) rune(out, raw []byte) ([]byte, int) {
	r, n := codepoint(raw)
	if r < 0 {
		p.fail("invalid UTF-8 sequence in string")
		return out, n
	}
	return utf8.AppendRune(out, r), n
}

// escape appends what the escape sequence at the start of raw stands for and
// returns its length.
func (p *parser) escape(out, raw []byte, quote byte) ([]byte, int) {
	switch c := raw[1]; c {
	case '"', '\'', '\\', '/':
		return append(out, c), 2
	case 'b':
		return append(out, '\b'), 2
	case 'f':
		return append(out, '\f'), 2
	case 'n':
		return append(out, '\n'), 2
	case 'r':
		return append(out, '\r'), 2
	case 't':
		return append(out, '\t'), 2
	case 'u':
		return p.unicodeEscape(out, raw, quote)
	}
	p.fail("invalid escape sequence in string")
	return out, 2
}

const escapeLen = len(`\u0000`)

func (p *parser) unicodeEscape(out, raw []byte, quote byte) ([]byte, int) {
	r, n := hex4(raw), escapeLen
	if r >= 0xd800 && r <= 0xdbff && len(raw) >= escapeLen+2 && raw[6] == '\\' && raw[7] == 'u' {
		low := hex4(raw[escapeLen:])
		if low >= 0xdc00 && low <= 0xdfff {
			r, n = 0x10000+(r-0xd800)<<10+(low-0xdc00), 2*escapeLen
		}
	}
	if !utf8.ValidRune(r) || isNoncharacter(r) {
		shown := raw
		if len(shown) < escapeLen {
			shown = append(append([]byte{}, raw...), quote)
		}
		p.fail(printable(shown[:min(escapeLen, len(shown))]) + " is not a valid Unicode character")
		return out, n
	}
	return utf8.AppendRune(out, r), n
}

// hex4 reads the digits of \uXXXX at the start of raw; -1 if they are not there.
func hex4(raw []byte) rune {
	if len(raw) < escapeLen {
		return -1
	}
	n, err := strconv.ParseUint(string(raw[2:escapeLen]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}
