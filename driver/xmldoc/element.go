package xmldoc

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// tree reads the root element with all that is in it, without recursion.
func (p *parser) tree() *Node {
	var stack [DepthMax]*Node
	depth := 0
	for p.err == nil {
		n, open := p.startTag()
		if p.err != nil {
			return nil
		}
		if depth > 0 {
			stack[depth-1].Append(n)
		}
		switch {
		case open && depth == DepthMax:
			p.fail("elements are nested deeper than %d", DepthMax)
			return nil
		case open:
			stack[depth] = n
			depth++
		case depth == 0:
			return n
		}
		for depth > 0 && p.content(stack[depth-1]) {
			depth--
			if depth == 0 {
				return stack[0]
			}
		}
	}
	return nil
}

// content reads what is in n up to the next start tag or n's end tag; closed
// tells which of the two came.
func (p *parser) content(n *Node) (closed bool) {
	for p.err == nil {
		switch rest := p.rest(); {
		case rest == "":
			p.fail("Premature end of data in tag %s line %d", n.Name, n.Line)
		case rest[0] != '<':
			p.text(n)
		case strings.HasPrefix(rest, "</"):
			p.endTag(n)
			return p.err == nil
		case strings.HasPrefix(rest, "<!--"):
			p.comment()
		case strings.HasPrefix(rest, "<![CDATA["):
			p.pos += len("<![CDATA[")
			p.addText(n, newlines(p.until("]]>", "CData section not finished")))
		case strings.HasPrefix(rest, "<?"):
			p.instruction()
		default:
			return false
		}
	}
	return false
}

func (p *parser) endTag(n *Node) {
	at := p.pos
	p.pos += len("</")
	name := p.name("xmlParseEndTag: no name")
	p.space()
	if p.err == nil && (name != n.Name || !p.take(">")) {
		p.pos = at
		p.fail("Opening and ending tag mismatch: %s line %d and %s", n.Name, n.Line, name)
	}
}

// startTag reads a start tag; open is false for <empty/>.
func (p *parser) startTag() (n *Node, open bool) {
	line := p.line(p.pos)
	p.pos++ // '<'
	name := p.name("StartTag: invalid element name")
	if p.err != nil {
		return nil, false
	}
	if p.count++; p.count > ElementsMax {
		p.fail("document has more than %d elements", ElementsMax)
		return nil, false
	}
	n = p.node()
	n.Name, n.Line = name, line
	start := len(p.attrs)
	for p.err == nil {
		spaced := p.space()
		switch {
		case p.take("/>"):
			n.Attrs = p.attrs[start:len(p.attrs):len(p.attrs)]
			return n, false
		case p.take(">"):
			n.Attrs = p.attrs[start:len(p.attrs):len(p.attrs)]
			return n, true
		case p.rest() == "":
			p.fail("Couldn't find end of Start Tag %s line %d", name, line)
		case !spaced:
			p.fail("attributes construct error")
		default:
			p.attribute(start)
		}
	}
	return nil, false
}

func (p *parser) attribute(start int) {
	name := p.name("error parsing attribute name")
	p.space()
	if p.err == nil && !p.take("=") {
		p.fail("Specification mandates value for attribute %s", name)
	}
	p.space()
	if p.err != nil {
		return
	}
	value := p.attrValue()
	for i := start; i < len(p.attrs); i++ {
		if p.attrs[i].Name == name {
			p.fail("Attribute %s redefined", name)
			return
		}
	}
	if len(p.attrs)-start == AttributesPerElement {
		p.fail("element has more than %d attributes", AttributesPerElement)
		return
	}
	p.attrs = append(p.attrs, Attr{name, value})
}

func (p *parser) node() *Node {
	if len(p.nodes) == 0 {
		p.nodes = make([]Node, chunkElements)
	}
	n := &p.nodes[0]
	p.nodes = p.nodes[1:]
	return n
}

// attrValue reads a quoted value: white space becomes blanks, references their
// characters.
func (p *parser) attrValue() string {
	rest := p.rest()
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		p.fail("AttValue: \" or ' expected")
		return ""
	}
	p.pos++
	end := strings.IndexByte(p.rest(), rest[0])
	if end < 0 {
		p.fail("AttValue: ' expected")
		return ""
	}
	raw := p.src[p.pos : p.pos+end]
	if strings.IndexByte(raw, '<') >= 0 {
		p.fail("Unescaped '<' not allowed in attributes values")
		return ""
	}
	p.checkChars(raw)
	value := p.expand(blanks(raw))
	if p.err == nil {
		p.pos += end + 1
	}
	return value
}

// text reads character data up to the next '<'.
func (p *parser) text(n *Node) {
	end := strings.IndexByte(p.rest(), '<')
	if end < 0 {
		end = len(p.rest())
	}
	raw := p.src[p.pos : p.pos+end]
	if strings.Contains(raw, "]]>") {
		p.fail("Sequence ']]>' not allowed in content")
		return
	}
	value := p.expand(newlines(raw))
	if p.err == nil {
		p.pos += end
		p.addText(n, value)
	}
}

func (p *parser) addText(n *Node, s string) {
	p.checkChars(s)
	if n.Text == "" {
		n.Text = s
		return
	}
	n.pieces++
	if n.pieces > textPiecesMax || len(n.Text)+len(s) > joinedTextBytesMax {
		p.fail("text of element %s is in too many or too long pieces", n.Name)
		return
	}
	n.Text += s
}

// newlines is the normalisation of line ends (XML 1.0, 2.11).
func newlines(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// blanks is the normalisation of attribute values (XML 1.0, 3.3.3).
func blanks(s string) string {
	if !strings.ContainsAny(s, "\r\n\t") {
		return s
	}
	return strings.NewReplacer("\n", " ", "\t", " ").Replace(newlines(s))
}

// expand replaces references by their characters.
func (p *parser) expand(s string) string {
	i := strings.IndexByte(s, '&')
	if i < 0 {
		return s
	}
	var b strings.Builder
	for i >= 0 && p.err == nil {
		b.WriteString(s[:i])
		end := strings.IndexByte(s[i:], ';')
		if end < 0 {
			p.fail("EntityRef: expecting ';'")
			return ""
		}
		b.WriteRune(p.reference(s[i+1 : i+end]))
		s = s[i+end+1:]
		i = strings.IndexByte(s, '&')
	}
	b.WriteString(s)
	return b.String()
}

func (p *parser) reference(name string) rune {
	switch name {
	case "lt":
		return '<'
	case "gt":
		return '>'
	case "amp":
		return '&'
	case "quot":
		return '"'
	case "apos":
		return '\''
	}
	if !strings.HasPrefix(name, "#") {
		p.fail("Entity '%s' not defined", name)
		return utf8.RuneError
	}
	number, base := name[1:], 10
	if strings.HasPrefix(number, "x") {
		number, base = number[1:], 16
	}
	code, err := strconv.ParseUint(number, base, 32)
	if err != nil || code > utf8.MaxRune || !legalChar(rune(code)) || strings.ContainsAny(number, "+_") {
		p.fail("xmlParseCharRef: invalid value '%s'", name)
		return utf8.RuneError
	}
	return rune(code)
}

// name reads a name of XML 1.0 (fifth edition).
func (p *parser) name(missing string) string {
	start := p.pos
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == ':' ||
			p.pos > start && ('0' <= c && c <= '9' || c == '-' || c == '.') {
			p.pos++
			continue
		}
		if c < utf8.RuneSelf {
			break
		}
		r, size := utf8.DecodeRuneInString(p.rest())
		if !nameStart(r) && (p.pos == start || !nameRest(r)) {
			break
		}
		p.pos += size
	}
	if p.pos == start {
		p.fail("%s", missing)
	}
	return p.src[start:p.pos]
}

func within(r rune, ranges ...[2]rune) bool {
	for _, x := range ranges {
		if x[0] <= r && r <= x[1] {
			return true
		}
	}
	return false
}

// nameStart is NameStartChar beyond ASCII.
func nameStart(r rune) bool {
	return within(r, [2]rune{0xc0, 0xd6}, [2]rune{0xd8, 0xf6}, [2]rune{0xf8, 0x2ff}, [2]rune{0x370, 0x37d},
		[2]rune{0x37f, 0x1fff}, [2]rune{0x200c, 0x200d}, [2]rune{0x2070, 0x218f}, [2]rune{0x2c00, 0x2fef},
		[2]rune{0x3001, 0xd7ff}, [2]rune{0xf900, 0xfdcf}, [2]rune{0xfdf0, 0xfffc}, [2]rune{0x10000, 0xeffff})
}

// nameRest is what NameChar adds beyond ASCII.
func nameRest(r rune) bool {
	return r == 0xb7 || within(r, [2]rune{0x300, 0x36f}, [2]rune{0x203f, 0x2040})
}
