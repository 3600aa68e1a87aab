// Package xmldoc reads a small XML document into a tree and writes trees as
// libvirt does. It is the first stage of every document that a client hands in:
// well-formedness, limits and line numbers; what the elements mean is the
// business of the packages that parse the tree.
//
// It is not a general XML library: documents are UTF-8, document type
// declarations are refused (so there are no entities but the predefined five,
// and nothing outside the document is ever read), names with a prefix are kept as
// they are written.
//
// The property it keeps: a document that it accepts is well-formed XML 1.0, and
// the work is linear in its length. It is about ten times as fast as
// encoding/xml, which matters where a whole backup cycle has a budget of
// microseconds.
package xmldoc

import (
	"strings"

	"fleece/virt"
)

// Limits of a document.
const (
	DocumentBytesMax     = 4 << 20
	DepthMax             = 64
	ElementsMax          = 1 << 16
	AttributesPerElement = 64

	// Text in several pieces (around comments and children) is joined by copying.
	textPiecesMax      = 4096
	joinedTextBytesMax = 64 << 10
)

// Attr is one attribute of an element.
type Attr struct{ Name, Value string }

// Node is an element. Children are linked in document order.
type Node struct {
	Name  string
	Attrs []Attr
	// Text is the character data directly in the element, all pieces joined.
	Text  string
	Line  int // of the start tag, from 1
	Child *Node
	Next  *Node

	last   *Node
	pieces int // of text beyond the first
}

// Attr returns the value of an attribute; ok is false if it is absent. It may be
// called on a nil Node.
func (n *Node) Attr(name string) (value string, ok bool) {
	if n == nil {
		return "", false
	}
	for i := range n.Attrs {
		if n.Attrs[i].Name == name {
			return n.Attrs[i].Value, true
		}
	}
	return "", false
}

// AttrOr returns the value of an attribute, or other if it is absent.
func (n *Node) AttrOr(name, other string) string {
	if v, ok := n.Attr(name); ok {
		return v
	}
	return other
}

// First returns the first child of that name, nil if there is none. It may be
// called on a nil Node.
func (n *Node) First(name string) *Node {
	if n == nil {
		return nil
	}
	for c := n.Child; c != nil; c = c.Next {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Before reports whether n comes before another child of the same element.
func (n *Node) Before(other *Node) bool {
	for c := n.Next; c != nil; c = c.Next {
		if c == other {
			return true
		}
	}
	return false
}

// TrimmedText is Text without white space around it; "" for a nil Node.
func (n *Node) TrimmedText() string {
	if n == nil {
		return ""
	}
	return strings.Trim(n.Text, " \t\r\n")
}

// AllText is Text as it is; "" for a nil Node.
func (n *Node) AllText() string {
	if n == nil {
		return ""
	}
	return n.Text
}

// Append adds a child at the end.
func (n *Node) Append(c *Node) {
	if n.Child == nil {
		n.Child = c
	} else {
		n.last.Next = c
	}
	n.last = c
}

// Alone is the node with what is in it, without its siblings; what is in it is shared.
func (n *Node) Alone() *Node {
	alone := *n
	alone.Attrs = append([]Attr(nil), n.Attrs...)
	alone.Next = nil
	return &alone
}

// Clone is a copy of the node and of all that is in it, without its siblings.
func (n *Node) Clone() *Node {
	c := n.Alone()
	c.Child, c.last = nil, nil
	for child := n.Child; child != nil; child = child.Next {
		c.Append(child.Clone())
	}
	return c
}

// SetAttr sets an attribute, adding it at the end if it is absent.
func (n *Node) SetAttr(name, value string) {
	for i := range n.Attrs {
		if n.Attrs[i].Name == name {
			n.Attrs[i].Value = value
			return
		}
	}
	n.Attrs = append(n.Attrs[:len(n.Attrs):len(n.Attrs)], Attr{name, value})
}

// detail is libvirt's error for a document that is not well-formed
// (virXMLParseHelper): "(what):line: text", code 35.
func detail(what string, line int, format string, args ...any) *virt.Error {
	return virt.Errorf(virt.ERR_XML_DETAIL, virt.FROM_XML, "(%s):%d: "+format,
		append([]any{what, line}, args...)...)
}
