package schemaoracle

import (
	"encoding/xml"
	"math/rand/v2"
	"slices"
	"strings"
)

type attr struct{ name, value string } // the value as it is written

// child is an element or text as it is written.
type child struct {
	e    *element
	text string
}

type element struct {
	name     string
	attrs    []attr
	children []child
	whole    string // the element as it is written, if nothing in it may change
}

// parse reads a seed, which is well-formed.
func parse(text string, whole []string) *element {
	d := xml.NewDecoder(strings.NewReader(text))
	var stack []*element
	for {
		at := d.InputOffset()
		token, err := d.Token()
		if err != nil {
			panic("schemaoracle: a seed is not well-formed: " + text)
		}
		switch x := token.(type) {
		case xml.StartElement:
			e := &element{name: x.Name.Local}
			for _, a := range x.Attr {
				e.attrs = append(e.attrs, attr{a.Name.Local, escaped(a.Value)})
			}
			isWhole := slices.Contains(whole, e.name)
			if isWhole {
				_ = d.Skip()
				e.attrs, e.whole = nil, text[at:d.InputOffset()]
			}
			if len(stack) > 0 {
				top := stack[len(stack)-1]
				top.children = append(top.children, child{e: e})
			}
			if !isWhole {
				stack = append(stack, e)
			}
		case xml.EndElement:
			if len(stack) == 1 {
				return stack[0]
			}
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				top := stack[len(stack)-1]
				top.children = append(top.children, child{text: escaped(string(x))})
			}
		}
	}
}

func escaped(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", "'", "&apos;").Replace(s)
}

func (e *element) clone() *element {
	c := &element{name: e.name, attrs: slices.Clone(e.attrs), whole: e.whole}
	for _, x := range e.children {
		if x.e != nil {
			x.e = x.e.clone()
		}
		c.children = append(c.children, x)
	}
	return c
}

// all lists the elements that may be changed.
func (e *element) all(list []*element) []*element {
	if e.whole != "" {
		return list
	}
	list = append(list, e)
	for _, c := range e.children {
		if c.e != nil {
			list = c.e.all(list)
		}
	}
	return list
}

func (e *element) holdsWhole() bool {
	return e.whole != "" || slices.ContainsFunc(e.children, func(c child) bool { return c.e != nil && c.e.holdsWhole() })
}

func (e *element) drop(r *rand.Rand) {
	if len(e.children) > 0 {
		i := r.IntN(len(e.children))
		e.children = slices.Delete(e.children, i, i+1)
	}
}

func (e *element) twice(r *rand.Rand) {
	if len(e.children) > 0 {
		c := e.children[r.IntN(len(e.children))]
		if c.e != nil {
			c.e = c.e.clone()
		}
		e.children = slices.Insert(e.children, r.IntN(len(e.children)+1), c)
	}
}

func (e *element) String() string {
	var b strings.Builder
	e.write(&b)
	return b.String()
}

func (e *element) write(b *strings.Builder) {
	if e.whole != "" {
		b.WriteString(e.whole)
		return
	}
	b.WriteString("<" + e.name)
	for _, a := range e.attrs {
		b.WriteString(" " + a.name + "='" + a.value + "'")
	}
	if len(e.children) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteString(">")
	for _, c := range e.children {
		b.WriteString(c.text)
		if c.e != nil {
			c.e.write(b)
		}
	}
	b.WriteString("</" + e.name + ">")
}
