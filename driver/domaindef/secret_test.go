package domaindef

import (
	"strings"
	"testing"
)

func TestWithoutSecrets_LeavesPasswordsOutAndTheDomainAsItIs(t *testing.T) {
	const graphics = "<graphics type='vnc' port='1' passwd='s3cret'/>"
	text := "<domain><name>vm</name><memory>1</memory><os><type>hvm</type></os><devices>%</devices></domain>"
	plain, err := Parse(strings.Replace(text, "%", "<graphics type='vnc'/>", 1))
	if err != nil {
		t.Fatal(err)
	}
	if plain.WithoutSecrets() != plain {
		t.Error("a domain without secrets is copied")
	}
	d, err := Parse(strings.Replace(text, "%", graphics+graphics, 1))
	if err != nil {
		t.Fatal(err)
	}
	public := d.WithoutSecrets().XML(-1)
	if strings.Contains(public, "s3cret") || strings.Count(public, "<graphics type='vnc' port='1'/>") != 2 {
		t.Errorf("shown is\n%s", public)
	}
	if strings.Count(d.XML(-1), "passwd='s3cret'") != 2 {
		t.Errorf("the domain has become\n%s", d.XML(-1))
	}
}
