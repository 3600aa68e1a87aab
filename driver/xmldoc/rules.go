package xmldoc

import (
	"strconv"
	"strings"

	"fleece/virt"
)

// Rules checks a tree against the grammar of a document type. The first thing
// that is wrong is kept; later checks are then of no interest.
type Rules struct {
	// Schema is the name of libvirt's file with the grammar, for messages.
	Schema string
	err    error
	later  error
}

// Err is the first violation as libvirt reports one: code 92, the file of the
// schema, then what and where.
func (r *Rules) Err() error { return r.err }

// Later keeps the first error of code that a document runs into which the grammar
// lets through.
func (r *Rules) Later(err error) {
	if r.later == nil {
		r.later = err
	}
}

// Code is the first error that Later was told of; of interest only without Err.
func (r *Rules) Code() error { return r.later }

// Fail records that n is not as the grammar has it.
func (r *Rules) Fail(n *Node, format string, args ...any) {
	if r.err == nil {
		r.err = virt.Errorf(virt.ERR_XML_INVALID_SCHEMA, virt.FROM_XML,
			"Unable to validate doc against %s\n"+format+" (line %d)",
			append(append([]any{r.Schema}, args...), n.Line)...)
	}
}

// Attrs allows no attributes but those; declarations of a name space do not count.
func (r *Rules) Attrs(n *Node, allowed ...string) {
	for i := range n.Attrs {
		name := n.Attrs[i].Name
		declares := strings.HasPrefix(name, "xmlns:") || name == "xmlns" && n.Attrs[i].Value == ""
		if !has(allowed, name) && !declares {
			r.Fail(n, "Invalid attribute %s for element %s", name, n.Name)
		}
	}
}

// Children allows no child elements but those, each at most once, and no text.
func (r *Rules) Children(n *Node, allowed ...string) {
	r.NoText(n)
	var seen [16]bool
	for c := n.Child; c != nil; c = c.Next {
		i := index(allowed, c.Name)
		switch {
		case i < 0:
			r.Fail(c, "Did not expect element %s there", c.Name)
		case seen[i]:
			r.Fail(c, "Extra element %s in interleave", c.Name)
		default:
			seen[i] = true
		}
	}
}

// List allows only child elements of that name, at least one, and no text.
func (r *Rules) List(n *Node, name string) {
	r.NoText(n)
	if n.Child == nil {
		r.Fail(n, "Expecting an element %s, got nothing", name)
	}
	for c := n.Child; c != nil; c = c.Next {
		if c.Name != name {
			r.Fail(c, "Expecting element %s, got %s", name, c.Name)
		}
	}
}

// TextOnly allows text and nothing else.
func (r *Rules) TextOnly(n *Node) {
	r.Attrs(n)
	if n.Child != nil {
		r.Fail(n.Child, "Did not expect element %s there", n.Child.Name)
	}
}

// NoText allows no text but white space beside child elements.
func (r *Rules) NoText(n *Node) {
	if n.TrimmedText() != "" {
		r.Fail(n, "Did not expect text in element %s content", n.Name)
	}
}

// Value allows an attribute to be absent or one of the values, and returns it. The
// values are tokens: the grammar overlooks white space around them, libvirt's code
// then does not (virXMLPropEnum), so that such a value is for Later, code 27.
func (r *Rules) Value(n *Node, attr string, values ...string) string {
	v, ok := n.Attr(attr)
	if !ok || has(values, v) {
		return v
	}
	token := Token(v)
	if !has(values, token) {
		r.Fail(n, "Element %s failed to validate attribute %s", n.Name, attr)
		return v
	}
	r.Later(virt.Errorf(virt.ERR_XML_ERROR, virt.FROM_XML,
		"Invalid value for attribute '%s' in element '%s': '%s'.", attr, n.Name, v))
	return token
}

// OneOf is Value for an attribute that must be there.
func (r *Rules) OneOf(n *Node, attr string, values ...string) string {
	if _, ok := n.Attr(attr); !ok {
		r.Fail(n, "Element %s misses attribute %s", n.Name, attr)
	}
	return r.Value(n, attr, values...)
}

// Token is s as a grammar compares it with a token: the white space around it is gone,
// and one blank is left of any in it.
func Token(s string) string { return strings.Join(strings.FieldsFunc(s, blank), " ") }

func blank(c rune) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// Match wants an attribute to be there and to satisfy a test, and returns it.
func (r *Rules) Match(n *Node, attr string, test func(string) bool) string {
	v, ok := n.Attr(attr)
	if !ok {
		r.Fail(n, "Element %s misses attribute %s", n.Name, attr)
	} else if !test(v) {
		r.Fail(n, "Element %s failed to validate attribute %s", n.Name, attr)
	}
	return v
}

func index(list []string, s string) int {
	for i := range list {
		if list[i] == s {
			return i
		}
	}
	return -1
}

func has(list []string, s string) bool { return index(list, s) >= 0 }

// AbsFilePath is the pattern of that name of the schemas. It lets paths with the
// letter of a drive through, which only code refuses: AbsolutePath.
func AbsFilePath(s string) bool {
	if strings.ContainsAny(s, "\r\n") {
		return false
	}
	return len(s) > 1 && s[0] == '/' ||
		len(s) > 3 && Alphanumeric(s[0]) && s[0] > '9' && s[1] == ':' && s[2] == '\\'
}

// AbsolutePath reports whether a path that AbsFilePath let through is one of this host.
func AbsolutePath(s string) bool { return strings.HasPrefix(s, "/") }

// DiskTarget is the pattern diskTarget of the schemas.
func DiskTarget(s string) bool {
	s = strings.TrimPrefix(s, "ioemu:")
	for _, prefix := range []string{"fd", "hd", "sd", "vd", "xvd", "ubd"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok && rest != "" {
			return each(rest, func(c byte) bool { return Alphanumeric(c) || c == '_' })
		}
	}
	return false
}

// Alphanumeric is a letter or digit of ASCII.
func Alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// UnsignedInt is the pattern of that name of the schemas.
func UnsignedInt(s string) bool {
	_, err := strconv.ParseUint(s, 10, 32)
	return err == nil && digits(s)
}

// Digits reports whether s is a number without sign.
func Digits(s string) bool { return digits(s) }

func each(s string, test func(byte) bool) bool {
	for i := range len(s) {
		if !test(s[i]) {
			return false
		}
	}
	return s != ""
}

// WrongRoot is libvirt's error for a document of another type, code 27.
func WrongRoot(want, got string) error {
	return virt.Errorf(virt.ERR_XML_ERROR, virt.FROM_DOMAIN, "expecting root element of '%s', not '%s'", want, got)
}
