package xmldoc

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"fleece/virt"
)

func TestParse_TellsWhatIsNotWellFormed(t *testing.T) {
	cases := []struct{ text, want string }{
		{"", "(doc):1: Document is empty"},
		{"  ", "Start tag expected, '<' not found"},
		{"hello", "Start tag expected, '<' not found"},
		{"<a>", "Premature end of data in tag a line 1"},
		{"<a>\n<b>\n</a>", "(doc):3: Opening and ending tag mismatch: b line 2 and a"},
		{"<a/><b/>", "Extra content at the end of the document"},
		{"<a x='1' x='2'/>", "Attribute x redefined"},
		{"<a x/>", "Specification mandates value for attribute x"},
		{"<a x=1/>", "AttValue: \" or ' expected"},
		{"<a x='<'/>", "Unescaped '<' not allowed"},
		{"<a x='1'y='2'/>", "attributes construct error"},
		{"<a>&nbsp;</a>", "Entity 'nbsp' not defined"},
		{"<a>&#0;</a>", "invalid value"},
		{"<a>&amp</a>", "expecting ';'"},
		{"<a>]]></a>", "Sequence ']]>' not allowed"},
		{"<a>\x01</a>", "PCDATA invalid Char value 1"},
		{"<a>\xff</a>", "not proper UTF-8"},
		{"<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>", "document type declarations are not accepted"},
		{"<?xml version='1.0' encoding='latin-1'?><a/>", "Unsupported encoding"},
		{"<a><!-- -- --></a>", "Double hyphen"},
		{"<a><?xml version='1.0'?></a>", "XML declaration allowed only"},
		{strings.Repeat("<a>", DepthMax+1), "nested deeper than 64"},
	}
	for _, c := range cases {
		_, err := Parse("doc", c.text)
		if !errors.Is(err, virt.ERR_XML_DETAIL) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: got %v, want %q", c.text, err, c.want)
		}
	}
}

func TestParse_HasLimits(t *testing.T) {
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	within := "<a>" + many(ElementsMax-1, "<b/><!--%d-->") + "</a>"
	cases := []struct{ text, want string }{
		{within, ""},
		{"<a><b/>" + within[len("<a>"):], "(doc):1: document has more than 65536 elements"},
		{"<a " + many(AttributesPerElement, "x%d='' ") + "/>", ""},
		{"<a\n" + many(AttributesPerElement+1, "x%d='' ") + "/>", "(doc):2: element has more than 64 attributes"},
		{"<a>" + strings.Repeat("x", DocumentBytesMax-len("<a></a>")) + "</a>", ""},
		{"<a>" + strings.Repeat("x", DocumentBytesMax) + "</a>", "(doc):1: document of 4194311 bytes is larger than the limit of 4194304 bytes"},
		{strings.Repeat("<a>", DepthMax) + strings.Repeat("</a>", DepthMax), ""},
		{"<a>" + many(textPiecesMax, "x<!--%d-->") + "x</a>", ""},
		{"<a>\n" + many(textPiecesMax+1, "x<!--%d-->") + "x</a>", "(doc):2: text of element a is in too many or too long pieces"},
	}
	for _, c := range cases {
		_, err := Parse("doc", c.text)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: got %v, want %q", c.text, err, c.want)
		}
	}
}

func TestRules_NameTheLineOfWhatIsWrong(t *testing.T) {
	root, err := Parse("doc", "<a>\n<b\n x='1'/>\n<c/>\n</a>")
	if err != nil {
		t.Fatal(err)
	}
	r := Rules{Schema: "a.rng"}
	r.Children(root, "b")
	if got := r.Err(); got == nil || !strings.HasSuffix(got.Error(), "validate doc against a.rng\nDid not expect element c there (line 4)')") {
		t.Errorf("got %v", got)
	}
}

func TestRules_LeaveWhiteSpaceAroundATokenToTheCode(t *testing.T) {
	root, err := Parse("doc", "<a x=' yes\n' y='ye s' z='yes'/>")
	if err != nil {
		t.Fatal(err)
	}
	var r Rules
	if r.Value(root, "z", "yes") != "yes" || r.Value(root, "absent", "yes") != "" || r.Code() != nil {
		t.Errorf("a good value: %v", r.Code())
	}
	got := r.Value(root, "x", "yes")
	if got != "yes" || r.Err() != nil || !strings.Contains(r.Code().Error(), "Invalid value for attribute 'x' in element 'a': ' yes '.") {
		t.Errorf("got %q, %v, %v", got, r.Err(), r.Code())
	}
	if r.Value(root, "y", "yes"); r.Err() == nil {
		t.Error("white space inside is overlooked")
	}
}

func TestParse_KeepsNamesValuesAndText(t *testing.T) {
	root, err := Parse("doc", "<?xml version=\"1.0\"?><!-- c --><a q:x='1&lt;2' y=\"a\n'b\">t<b/>u<![CDATA[<v>]]><c>&#x41;&apos;</c></a>\n")
	if err != nil {
		t.Fatal(err)
	}
	x, _ := root.Attr("q:x")
	y, _ := root.Attr("y")
	if x != "1<2" || y != "a 'b" || root.Text != "tu<v>" || root.First("c").Text != "A'" || root.Child.Name != "b" {
		t.Errorf("got %q %q %q %+v", x, y, root.Text, root.Child)
	}
	if _, ok := root.Attr("z"); ok || root.First("z") != nil {
		t.Error("found what is not there")
	}
}

func TestWriter_WritesWhatParses(t *testing.T) {
	w := NewWriter()
	w.Open("a", "x", "1<'\n", "absent", "")
	w.Leaf("b", "t&u")
	w.Empty("c")
	w.Close("a")
	want := "<a x='1&lt;&apos;&#xA;'>\n  <b>t&amp;u</b>\n  <c/>\n</a>\n"
	if w.String() != want {
		t.Fatalf("got %q", w.String())
	}
	root, err := Parse("doc", want)
	if err != nil {
		t.Fatal(err)
	}
	again := NewWriter()
	again.Tree(root)
	if again.String() != want {
		t.Errorf("a tree is written as %q", again.String())
	}
}

// FuzzParse: no panic, and nothing is accepted that encoding/xml refuses.
func FuzzParse(f *testing.F) {
	f.Add("<domainbackup mode='push'><disks><disk name='vda' type='file'><target file='/x'/></disk></disks></domainbackup>")
	f.Add("<a x='&#65;'>t<!-- c --><b/><![CDATA[x]]></a>")
	f.Fuzz(func(t *testing.T, text string) {
		root, err := Parse("doc", text)
		if err != nil {
			return
		}
		w := NewWriter()
		w.Tree(root)
		if _, err := Parse("doc", w.String()); err != nil {
			t.Fatalf("written tree does not parse: %v\n%s", err, w.String())
		}
		d := xml.NewDecoder(strings.NewReader(text))
		for {
			_, err := d.RawToken()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				// encoding/xml wants declared UTF-8 and version 1.0 exactly, and
				// refuses some names and colons that XML 1.0 allows.
				if strings.Contains(text, "<?xml") || strings.Contains(text, ":") || !ascii(text) {
					return
				}
				t.Fatalf("accepted %q, encoding/xml says %v", text, err)
			}
		}
	})
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		_, err := Parse("doc", "<domainbackup mode='push'><disks><disk name='vda' backup='yes' type='file'><target file='/x/y'/><driver type='qcow2'/></disk></disks></domainbackup>")
		if err != nil {
			b.Fatal(err)
		}
	}
}
