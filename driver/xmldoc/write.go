package xmldoc

import "strings"

// Writer builds a document as libvirt formats it: two blanks per level, single
// quotes around values.
type Writer struct {
	b     []byte
	depth int
}

// NewWriter makes a writer with room for a document of usual size.
func NewWriter() *Writer { return &Writer{b: make([]byte, 0, 1024)} }

// String is the document.
func (w *Writer) String() string { return string(w.b) }

// Bytes is the document; the writer must not be used afterwards.
func (w *Writer) Bytes() []byte { return w.b }

func (w *Writer) indent() {
	for range w.depth {
		w.b = append(w.b, ' ', ' ')
	}
}

// tag writes the name and attributes, given as name, value, name, value; an
// attribute whose value is "" is left out.
func (w *Writer) tag(name string, attrs []string) {
	w.indent()
	w.b = append(append(w.b, '<'), name...)
	for i := 0; i+1 < len(attrs); i += 2 {
		if attrs[i+1] != "" {
			w.attr(attrs[i], attrs[i+1])
		}
	}
}

func (w *Writer) attr(name, value string) {
	w.b = append(append(w.b, ' '), name...)
	w.b = append(w.b, '=', '\'')
	w.escape(value, "<>&'\"\t\r\n")
	w.b = append(w.b, '\'')
}

// Open writes a start tag on a line; attrs are name, value, …, and those with
// the value "" are left out.
func (w *Writer) Open(name string, attrs ...string) {
	w.tag(name, attrs)
	w.b = append(w.b, '>', '\n')
	w.depth++
}

// Close writes an end tag.
func (w *Writer) Close(name string) {
	w.depth--
	w.indent()
	w.b = append(append(append(w.b, '<', '/'), name...), '>', '\n')
}

// Empty writes an element without content.
func (w *Writer) Empty(name string, attrs ...string) {
	w.tag(name, attrs)
	w.b = append(w.b, '/', '>', '\n')
}

// Leaf writes an element that holds text only; nothing if text is "".
func (w *Writer) Leaf(name, text string, attrs ...string) {
	if text == "" {
		return
	}
	w.tag(name, attrs)
	w.b = append(w.b, '>')
	w.escape(text, "<>&'\"\r")
	w.b = append(append(append(w.b, '<', '/'), name...), '>', '\n')
}

// Tree writes a whole tree. Text beside child elements is written only if it is
// not white space.
func (w *Writer) Tree(n *Node) {
	w.indent()
	w.b = append(append(w.b, '<'), n.Name...)
	for i := range n.Attrs {
		w.attr(n.Attrs[i].Name, n.Attrs[i].Value)
	}
	text := n.Text
	if n.Child != nil {
		text = n.TrimmedText()
	}
	if n.Child == nil && text == "" {
		w.b = append(w.b, '/', '>', '\n')
		return
	}
	w.b = append(w.b, '>')
	w.escape(text, "<>&'\"\r")
	if n.Child != nil {
		w.b = append(w.b, '\n')
		w.depth++
		for c := n.Child; c != nil; c = c.Next {
			w.Tree(c)
		}
		w.depth--
		w.indent()
	}
	w.b = append(append(append(w.b, '<', '/'), n.Name...), '>', '\n')
}

// escape writes text with references for the special characters.
func (w *Writer) escape(s, special string) {
	for {
		i := strings.IndexAny(s, special)
		if i < 0 {
			w.b = append(w.b, s...)
			return
		}
		w.b = append(w.b, s[:i]...)
		w.b = append(w.b, reference(s[i])...)
		s = s[i+1:]
	}
}

func reference(c byte) string {
	switch c {
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '&':
		return "&amp;"
	case '\'':
		return "&apos;"
	case '"':
		return "&quot;"
	case '\t':
		return "&#x9;"
	case '\r':
		return "&#xD;"
	}
	return "&#xA;"
}
