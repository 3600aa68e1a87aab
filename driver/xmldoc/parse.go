package xmldoc

import (
	"strings"
	"unicode/utf8"
)

// parser walks over the source once. A failure is kept and ends everything.
type parser struct {
	src   string
	pos   int
	what  string
	err   error
	nodes []Node // the rest of the current chunk
	attrs []Attr // likewise
	count int

	// The line of a position that was asked for before: positions only grow, so
	// that counting is linear in all.
	countedPos, countedLine int
}

// chunkElements is how many elements are allocated at a time.
const chunkElements = 24

// Parse reads a document. what names it in errors, as libvirt does:
// "domain_backup". The error is a *virt.Error of code 35.
func Parse(what, text string) (*Node, error) {
	p := &parser{src: text, what: what}
	if len(text) > DocumentBytesMax {
		return nil, detail(what, 1, "document of %d bytes is larger than the limit of %d bytes", len(text), DocumentBytesMax)
	}
	root := p.document()
	if p.err != nil {
		return nil, p.err
	}
	return root, nil
}

// line is the line of a position at or after the last one asked for, from 1.
func (p *parser) line(pos int) int {
	if pos > p.countedPos {
		p.countedLine += strings.Count(p.src[p.countedPos:pos], "\n")
		p.countedPos = pos
	}
	return p.countedLine + 1
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = detail(p.what, p.line(p.pos), format, args...)
	}
	p.pos = len(p.src)
}

func (p *parser) rest() string { return p.src[p.pos:] }

// take goes over s if it is next.
func (p *parser) take(s string) bool {
	if strings.HasPrefix(p.rest(), s) {
		p.pos += len(s)
		return true
	}
	return false
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// space goes over white space and tells whether there was any.
func (p *parser) space() bool {
	start := p.pos
	for p.pos < len(p.src) && isSpace(p.src[p.pos]) {
		p.pos++
	}
	return p.pos > start
}

// document is prolog, root element, and what may follow.
func (p *parser) document() *Node {
	p.take("\ufeff")
	if p.rest() == "" {
		p.fail("Document is empty")
		return nil
	}
	p.declaration()
	p.misc()
	if p.err != nil {
		return nil
	}
	if !strings.HasPrefix(p.rest(), "<") {
		p.fail("Start tag expected, '<' not found")
		return nil
	}
	root := p.tree()
	if p.err != nil {
		return nil
	}
	p.misc()
	if p.err == nil && p.pos < len(p.src) {
		p.fail("Extra content at the end of the document")
	}
	return root
}

// misc goes over comments, processing instructions and white space.
func (p *parser) misc() {
	for p.err == nil {
		p.space()
		switch {
		case strings.HasPrefix(p.rest(), "<!--"):
			p.comment()
		case strings.HasPrefix(p.rest(), "<?"):
			p.instruction()
		case strings.HasPrefix(p.rest(), "<!DOCTYPE"):
			p.fail("document type declarations are not accepted")
		default:
			return
		}
	}
}

// until returns the text up to the end mark and goes over both.
func (p *parser) until(end, unfinished string) string {
	i := strings.Index(p.rest(), end)
	if i < 0 {
		p.fail("%s", unfinished)
		return ""
	}
	text := p.src[p.pos : p.pos+i]
	p.pos += i + len(end)
	return text
}

func (p *parser) comment() {
	p.pos += len("<!--")
	text := p.until("--", "Comment not terminated")
	if p.err == nil && !p.take(">") {
		p.fail("Double hyphen within comment")
	}
	p.checkChars(text)
}

func (p *parser) instruction() {
	p.pos += len("<?")
	target := p.name("xmlParsePI : no target name")
	if strings.EqualFold(target, "xml") {
		p.fail("XML declaration allowed only at the start of the document")
		return
	}
	if p.err == nil && !strings.HasPrefix(p.rest(), "?>") && !p.space() {
		p.fail("ParsePI: PI %s space expected", target)
		return
	}
	p.checkChars(p.until("?>", "ParsePI: PI "+target+" never end ..."))
}

// declaration is the optional <?xml …?>.
func (p *parser) declaration() {
	if !strings.HasPrefix(p.rest(), "<?xml") || len(p.rest()) > 5 && !isSpace(p.rest()[5]) {
		return
	}
	p.pos += len("<?xml")
	version := p.pseudo("version")
	if p.err == nil && (!strings.HasPrefix(version, "1.") || !digits(version[2:])) {
		p.fail("Unsupported version '%s'", version)
	}
	if encoding := p.pseudo("encoding"); !acceptedEncoding(encoding) {
		p.fail("Unsupported encoding %s", encoding)
	}
	if s := p.pseudo("standalone"); s != "" && s != "yes" && s != "no" {
		p.fail("standalone accepts only 'yes' or 'no'")
	}
	p.space()
	if p.err == nil && !p.take("?>") {
		p.fail("parsing XML declaration: '?>' expected")
	}
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func acceptedEncoding(name string) bool {
	return name == "" || strings.EqualFold(name, "utf-8") || strings.EqualFold(name, "us-ascii")
}

// pseudo reads one pseudo attribute of the declaration; "" if it is not next.
func (p *parser) pseudo(name string) string {
	start := p.pos
	if !p.space() || !p.take(name) {
		p.pos = start
		return ""
	}
	p.space()
	if !p.take("=") {
		p.fail("Malformed declaration expecting %s", name)
		return ""
	}
	p.space()
	return p.attrValue()
}

// checkChars fails at what no XML document may hold.
func (p *parser) checkChars(s string) {
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf || c == '\n' || c == '\t' || c == '\r' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size <= 1 {
			p.fail("Input is not proper UTF-8, indicate encoding !")
			return
		}
		if !legalChar(r) {
			p.fail("PCDATA invalid Char value %d", r)
			return
		}
		i += size
	}
}

// legalChar is the production Char of XML 1.0.
func legalChar(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r':
		return true
	case r < 0x20, r == 0xfffe, r == 0xffff, r > utf8.MaxRune:
		return false
	}
	return r < 0xd800 || r > 0xdfff
}
