package schemaoracle

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// changesMax is how many changes a document gets at most.
const changesMax = 3

// Corpus makes n different documents: the seeds, and seeds that one to three changes
// were made to. Elements named in whole are never changed inside, only moved about
// and dropped.
func Corpus(n int, seeds []string, whole ...string) []string {
	m := &maker{rand: rand.New(rand.NewPCG(1, 2))} // a corpus is the same every time
	var trees []*element
	for _, s := range seeds {
		e := parse(s, whole)
		m.learn(e)
		trees = append(trees, e)
	}
	m.values = append(m.values, values()...)
	documents := slices.Clone(seeds)
	seen := make(map[string]bool)
	for len(documents) < n {
		if s := m.document(trees[m.rand.IntN(len(trees))]); !seen[s] {
			seen[s] = true
			documents = append(documents, s)
		}
	}
	return documents
}

// values are tried for any attribute and any text, beside those of the seeds.
func values() []string {
	return []string{"", " ", "x", "yes", "no", "maybe", " yes", "no ", "0", "1", "-1", "007", " 7 ", "65535", "65536",
		"4294967295", "4294967296", "18446744073709551615", "18446744073709551616", "9223372036854775808", "1.5", "0x10", "+1",
		"/", "//", "/x", "/x y", "rel/x", `C:\x`, `C:\`, `c:/x`, "/x&#10;y", "/x\ny", "/é", "vda", "ioemu:vda", "ioemu:", "vd", "vd_", "vda.1", "xvdb", "fda ",
		"1.2.3.4", "1.2.3", "256.1.1.1", "::1", "::", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7", ":1.2.3.4", "::1.2.3.4",
		"1::3:1.2.3.4", "1:::2", "g::1", "a_b", "a.b-c", ".a", "-a", "a/b", "a\tb", "ä", "a&lt;b", "&amp;", "&quot;", "push", "pull", "file", "block",
		"network", "volume", "full", "incremental", "raw", "qcow2", "luks", "vpc", "vhdx", "tcp", "unix", "rdma", "bitmap", "internal", "external", "manual"}
}

type maker struct {
	rand   *rand.Rand
	names  []string // of elements
	attrs  []string
	values []string
}

func (m *maker) learn(e *element) {
	add := func(list *[]string, s string) {
		if !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	if e.whole != "" {
		return
	}
	add(&m.names, e.name)
	for _, a := range e.attrs {
		add(&m.attrs, a.name)
		add(&m.values, a.value)
	}
	for _, c := range e.children {
		if c.e != nil {
			m.learn(c.e)
		}
	}
}

func (m *maker) document(seed *element) string {
	root := seed.clone()
	for range 1 + m.rand.IntN(changesMax) {
		m.change(root)
	}
	s := root.String()
	if m.rand.IntN(12) == 0 && !root.holdsWhole() {
		s = m.scratch(s)
	}
	return m.around(s)
}

// change makes one change somewhere in the tree.
func (m *maker) change(root *element) {
	all := root.all(nil)
	e := all[m.rand.IntN(len(all))]
	other := all[m.rand.IntN(len(all))]
	switch m.rand.IntN(16) {
	case 0, 1:
		m.dropAttr(e)
	case 2, 3, 4, 5:
		m.setAttr(e)
	case 6:
		e.attrs = append(e.attrs, attr{pick(m, m.attrs), pick(m, m.values)})
	case 7:
		e.name = pick(m, m.names)
	case 8, 9:
		e.drop(m.rand)
	case 10:
		e.twice(m.rand)
	case 11:
		m.rand.Shuffle(len(e.children), func(i, j int) { e.children[i], e.children[j] = e.children[j], e.children[i] })
	case 12:
		e.children = append(e.children, child{e: other.clone()})
	case 13:
		e.children = append(e.children, child{text: pick(m, texts())})
	case 14:
		e.children = append(e.children, child{e: &element{name: pick(m, m.names)}})
	case 15:
		m.space(e)
	}
}

func pick(m *maker, list []string) string { return list[m.rand.IntN(len(list))] }

// texts are put among the children of an element.
func texts() []string {
	return []string{" ", "\n", "x", "&amp;", "&#65;", "&#32;", "&nbsp;", "<![CDATA[x]]>", "<![CDATA[ ]]>", "<![CDATA[]]>", "<!-- c -->", "<!-- - -- -->",
		"<?pi x?>", "<?xml version='1.0'?>", "12", " 12 ", "c1", "]]>", "&", "<", "\u00a0", "\x01"}
}

// space declares a name space, or uses one.
func (m *maker) space(e *element) {
	switch m.rand.IntN(7) {
	case 0:
		e.attrs = append(e.attrs, attr{"xmlns", "urn:x"})
	case 1:
		e.attrs = append(e.attrs, attr{"xmlns", ""})
	case 2:
		e.attrs = append(e.attrs, attr{"xmlns:p", "urn:x"})
	case 3:
		e.name, e.attrs = "p:"+e.name, append(e.attrs, attr{"xmlns:p", "urn:x"})
	case 4:
		e.name = "p:" + e.name
	case 5:
		e.attrs = append(e.attrs, attr{"p:name", "x"}, attr{"xmlns:p", "urn:x"})
	case 6:
		e.attrs = append(e.attrs, attr{"xml:lang", "en"})
	}
}

func (m *maker) dropAttr(e *element) {
	if len(e.attrs) > 0 {
		i := m.rand.IntN(len(e.attrs))
		e.attrs = slices.Delete(e.attrs, i, i+1)
	}
}

// setAttr changes the value or the name of an attribute.
func (m *maker) setAttr(e *element) {
	switch {
	case len(e.attrs) == 0 && len(e.children) == 1 && e.children[0].e == nil:
		e.children[0].text = pick(m, m.values)
	case len(e.attrs) == 0:
	case m.rand.IntN(5) == 0:
		e.attrs[m.rand.IntN(len(e.attrs))].name = pick(m, m.attrs)
	default:
		e.attrs[m.rand.IntN(len(e.attrs))].value = pick(m, m.values)
	}
}

// scratch harms the text of a document.
func (m *maker) scratch(s string) string {
	at := m.rand.IntN(len(s))
	switch m.rand.IntN(4) {
	case 0:
		return s[:at]
	case 1:
		return s[:at] + s[at+1:]
	case 2:
		return s[:at] + string("<>&'\"/= x;\x00"[m.rand.IntN(11)]) + s[at:]
	default:
		return strings.Replace(s, "'", "", 1)
	}
}

// around puts something before or after the root now and then.
func (m *maker) around(s string) string {
	switch m.rand.IntN(40) {
	case 0:
		return "<?xml version='1.0' encoding='UTF-8'?>\n" + s
	case 1:
		return "<!-- c -->" + s + "<?pi?>\n"
	case 2:
		return s + "x"
	case 3:
		return " " + s
	case 4:
		return s + s
	case 5:
		return "\ufeff" + s
	}
	return s
}
