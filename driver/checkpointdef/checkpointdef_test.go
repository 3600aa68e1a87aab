package checkpointdef

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"fleece/driver/domaindef"
	"fleece/virt"
)

func doc(s string) string { return "<domaincheckpoint>" + s + "</domaincheckpoint>" }

func TestParseNew_FailsInLibvirtsOrder(t *testing.T) {
	cases := []struct {
		id, text, want string
		code           virt.ErrorNumber
	}{
		{"E189", "<domaincheckpoint>", "(domain_checkpoint):1: Premature end", virt.ERR_XML_DETAIL},
		{"E190", "<domainbackup/>", "expecting root element of 'domaincheckpoint', not 'domainbackup'", virt.ERR_XML_ERROR},
		{"E191", doc("<name>a/b</name>"), "element name", virt.ERR_XML_INVALID_SCHEMA},
		{"E191", doc("<name>.a</name>"), "element name", virt.ERR_XML_INVALID_SCHEMA},
		{"E191", doc("<name></name>"), "element name", virt.ERR_XML_INVALID_SCHEMA},
		{"E192", doc("<foo/>"), "element foo", virt.ERR_XML_INVALID_SCHEMA},
		{"E193", doc("<disks/>"), "Expecting an element disk", virt.ERR_XML_INVALID_SCHEMA},
		{"E194", doc("<disks><disk/></disks>"), "misses attribute name", virt.ERR_XML_INVALID_SCHEMA},
		{"E194", doc("<disks><disk name='rel/path'/></disks>"), "attribute name", virt.ERR_XML_INVALID_SCHEMA},
		{"E195", doc("<disks><disk name='vda' checkpoint='maybe'/></disks>"), "attribute checkpoint", virt.ERR_XML_INVALID_SCHEMA},
		{"E196", doc("<disks><disk name='vda' checkpoint='no' bitmap='b'/></disks>"), "attribute bitmap", virt.ERR_XML_INVALID_SCHEMA},
		{"E197", doc("<creationTime>now</creationTime>"), "element creationTime", virt.ERR_XML_INVALID_SCHEMA},
		{"row 25", doc("<name>libvirt-tmp-size-xml</name>"), "begins with 'libvirt-tmp-', which is reserved", virt.ERR_CONFIG_UNSUPPORTED},
		{"row 25", doc("<name>" + strings.Repeat("n", NameBytesMax+1) + "</name>"), "longer than the limit of 247 bytes", virt.ERR_CONFIG_UNSUPPORTED},
	}
	for _, c := range cases {
		_, err := ParseNew(c.text, 7)
		if !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %.80s: got %v, want %d %q", c.id, c.text, err, int(c.code), c.want)
		}
	}
}

func TestParseNew_IgnoresWhatIsNotForAClientToSay(t *testing.T) {
	c, err := ParseNew(doc("<description>d</description><creationTime>3</creationTime><parent><name>p</name></parent><domain/>"), 7)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Checkpoint{Name: "7", Description: "d", CreationTime: 7}, c); diff != "" {
		t.Error(diff)
	}
}

func TestParseRedefine_WantsACompleteDocument(t *testing.T) {
	cases := []struct {
		id, text, want string
		code           virt.ErrorNumber
	}{
		{"E214", doc("<creationTime>3</creationTime>"), "a redefined checkpoint must have a name", virt.ERR_XML_ERROR},
		{"E215", doc("<name>a</name>"), "missing creationTime from existing checkpoint", virt.ERR_INTERNAL_ERROR},
		{"E216", doc("<name>a</name><creationTime>3</creationTime><domain><name>x</name><memory>1</memory></domain>"), "an os <type> must be specified", virt.ERR_XML_ERROR},
		{"row 22", doc("<name>a</name><creationTime>3</creationTime><disks><disk name='vda' bitmap='b'/></disks>"), "must match checkpoint name 'a'", virt.ERR_CONFIG_UNSUPPORTED},
	}
	for _, c := range cases {
		_, err := ParseRedefine(c.text)
		if !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %d %q", c.id, err, int(c.code), c.want)
		}
	}
}

func domain(t testing.TB) *domaindef.Domain {
	d, err := domaindef.Parse(`<domain><name>vm</name><memory>1</memory><os><type>hvm</type></os><devices>
<disk><driver type='qcow2'/><source file='/i/a'/><target dev='vda'/></disk>
<disk><driver type='qcow2'/><source file='/i/b'/><target dev='vdb'/><readonly/></disk>
<disk><driver type='qcow2'/><source file='/i/c'/><target dev='vdc'/></disk></devices></domain>`)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAlign_HasAnEntryPerDiskInTheDomainsOrder(t *testing.T) {
	some := &Checkpoint{Name: "c", Disks: []Disk{{Name: "/i/c", Bitmap: true, Size: -1}}}
	all := &Checkpoint{Name: "c"}
	for _, c := range []struct {
		got  *Checkpoint
		want []Disk
	}{
		{some, []Disk{{Name: "vda", Size: -1}, {Name: "vdb", Size: -1}, {Name: "vdc", Bitmap: true, BitmapName: "c", Size: -1}}},
		{all, []Disk{{Name: "vda", Bitmap: true, BitmapName: "c", Size: -1}, {Name: "vdb", Size: -1}, {Name: "vdc", Bitmap: true, BitmapName: "c", Size: -1}}},
	} {
		if err := c.got.Align(domain(t)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, c.got.Disks); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAlign_RefusesWithLibvirtsTexts(t *testing.T) {
	yes := func(names ...string) *Checkpoint {
		c := &Checkpoint{Name: "c"}
		for _, n := range names {
			c.Disks = append(c.Disks, Disk{Name: n, Bitmap: true})
		}
		return c
	}
	none, err := domaindef.Parse("<domain><name>a</name><memory>1</memory><os><type>hvm</type></os></domain>")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id   string
		dom  *domaindef.Domain
		chk  *Checkpoint
		want string
	}{
		{"E201", domain(t), yes("vda", "vdb", "vdc", "vdd"), "too many disk checkpoint requests for domain"},
		{"E202", none, yes(), "domain must have at least one disk to perform checkpoints"},
		{"E203", domain(t), yes("vdz"), "no disk named 'vdz'"},
		{"E204", domain(t), yes("vda", "/i/a"), "disk 'vda' specified twice"},
		{"E205", domain(t), yes("vdb"), "disk 'vdb' is empty or readonly"},
		{"E206", domain(t), &Checkpoint{Name: "c", Disks: []Disk{{Name: "vda", Bitmap: true, BitmapName: "x"}}}, "bitmap for disk 'vda' must match checkpoint name 'c'"},
	} {
		err := c.chk.Align(c.dom)
		if !errors.Is(err, virt.ERR_CONFIG_UNSUPPORTED) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.id, err, c.want)
		}
	}
}

func TestFormat_IsTheMetadataDocument(t *testing.T) {
	c := &Checkpoint{Name: "c", Description: "a<b", Parent: "p", CreationTime: 7, Domain: domain(t)}
	if err := c.Align(c.Domain); err != nil {
		t.Fatal(err)
	}
	text := c.Format(FormatOptions{})
	want := "<domaincheckpoint>\n  <name>c</name>\n  <description>a&lt;b</description>\n  <parent>\n    <name>p</name>\n  </parent>\n" +
		"  <creationTime>7</creationTime>\n  <disks>\n    <disk name='vda' checkpoint='bitmap' bitmap='c'/>\n    <disk name='vdb' checkpoint='no'/>\n"
	if !strings.HasPrefix(text, want) {
		t.Errorf("got\n%s", text)
	}
	again, err := ParseRedefine(text)
	if err != nil {
		t.Fatal(err)
	}
	if again.Format(FormatOptions{}) != text {
		t.Errorf("read again it is\n%s", again.Format(FormatOptions{}))
	}
	c.Disks[0].Size = 0
	if s := c.Format(FormatOptions{NoDomain: true, Sizes: true}); !strings.Contains(s, "size='0'") || strings.Contains(s, "<domain>") {
		t.Errorf("got\n%s", s)
	}
}

func TestFormat_IsWhatWasParsed(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		name := rapid.StringMatching(`[a-zA-Z0-9_\-][a-zA-Z0-9_.\-]{0,20}`)
		c := &Checkpoint{Name: name.Draw(r, "name"), CreationTime: rapid.Int64Range(1, math.MaxInt64).Draw(r, "time")}
		c.Description = rapid.StringMatching("[ -~\t\n\ré☃]{0,20}").Draw(r, "description")
		if rapid.Bool().Draw(r, "child") {
			c.Parent = name.Draw(r, "parent")
		}
		for _, disk := range []string{"vda", "vdb", "xvdc_1"}[:rapid.IntRange(0, 3).Draw(r, "disks")] {
			d := Disk{Name: disk, Size: -1, Bitmap: rapid.Bool().Draw(r, "bitmap")}
			if d.Bitmap {
				d.BitmapName = c.Name
			}
			c.Disks = append(c.Disks, d)
		}
		again, err := ParseRedefine(c.Format(FormatOptions{}))
		if err != nil {
			r.Fatalf("%v\n%s", err, c.Format(FormatOptions{}))
		}
		if diff := cmp.Diff(c, again); diff != "" {
			r.Fatal(diff)
		}
	})
}

// FuzzParse: no panic, and what is accepted as complete is written and read again.
func FuzzParse(f *testing.F) {
	f.Add(doc("<name>a</name><creationTime>3</creationTime><disks><disk name='vda' bitmap='a'/></disks>"))
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = ParseNew(text, 7)
		c, err := ParseRedefine(text)
		if err != nil {
			return
		}
		if _, err := ParseRedefine(c.Format(FormatOptions{})); err != nil {
			t.Fatal(err)
		}
	})
}
