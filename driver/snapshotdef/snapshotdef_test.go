package snapshotdef

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fleece/driver/domaindef"
	"fleece/virt"
)

func doc(s string) string { return "<domainsnapshot>" + s + "</domainsnapshot>" }

func disk(s string) string { return doc("<disks><disk name='vda' " + s + "</disks>") }

func TestParse_FailsInLibvirtsOrder(t *testing.T) {
	strict := Options{Validate: true, Now: 7}
	for _, c := range []struct {
		id, text, want string
		o              Options
		code           virt.ErrorNumber
	}{
		{"35", "<domainsnapshot>", "(domain_snapshot):1: Premature end", strict, virt.ERR_XML_DETAIL},
		{"27", "<domainbackup/>", "expecting root element of 'domainsnapshot', not 'domainbackup'", strict, virt.ERR_XML_ERROR},
		{"92", doc("<foo/>"), "element foo", strict, virt.ERR_XML_INVALID_SCHEMA},
		{"92 before 27", doc("<foo/><memory snapshot='external'/>"), "element foo", strict, virt.ERR_XML_INVALID_SCHEMA},
		{"E260", doc("<memory snapshot='external'/>"), "external memory snapshots require a filename", Options{}, virt.ERR_XML_ERROR},
		{"E261", doc("<memory snapshot='internal'/>"), "memory state cannot be saved with offline", Options{Offline: true}, virt.ERR_XML_ERROR},
		{"27", doc("<memory snapshot='no' file='/a'/>"), "memory filename '/a' requires external", Options{}, virt.ERR_XML_ERROR},
		{"27", disk("snapshot='maybe'/>"), "unknown disk snapshot setting 'maybe'", Options{}, virt.ERR_XML_ERROR},
		{"27", disk("><source file='a'/></disk>"), "disk snapshot image path 'a' must be absolute", Options{}, virt.ERR_XML_ERROR},
		{"27", disk("><driver type='zip'/></disk>"), "unknown disk snapshot driver 'zip'", Options{}, virt.ERR_XML_ERROR},
		{"27", doc("<disks><disk/></disks>"), "missing name from disk snapshot element", Options{}, virt.ERR_XML_ERROR},
		{"27", doc(""), "a redefined snapshot must have a name", Options{Redefine: true}, virt.ERR_XML_ERROR},
		{"27", doc("<name>a</name>"), "missing creationTime", Options{Redefine: true}, virt.ERR_XML_ERROR},
		{"27", doc("<name>a</name><creationTime>1</creationTime>"), "missing state", Options{Redefine: true}, virt.ERR_XML_ERROR},
		{"27", doc("<name>a</name><creationTime>1</creationTime><state>x</state>"), "Invalid state 'x'", Options{Redefine: true}, virt.ERR_XML_ERROR},
	} {
		_, err := Parse(c.text, c.o)
		if !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %.80s: got %v, want %d %q", c.id, c.text, err, int(c.code), c.want)
		}
	}
}

// The verdicts are those of xmllint --relaxng with libvirt 9.0's schema.
func TestParse_ValidatesByLibvirtsGrammar(t *testing.T) {
	for text, want := range map[string]bool{
		doc(""):                             true,
		doc("<name/><description/>"):        true,
		doc("<name>a</name><name>a</name>"): false,
		doc("<state>running</state><active> 1 </active>"): true,
		doc("<state>nostate</state>"):                     false,
		doc("<disks/>"):                                   true,
		doc("<disks>x</disks>"):                           false,
		doc("<memory/>"):                                  false,
		doc("<memory file='/a'/>"):                        true,
		doc("<memory snapshot='internal' file='/a'/>"):    false,
		doc("<parent/>"):                                  false,
		doc("<parent><name>p</name></parent><cookie><x y='1'>t<z/></x></cookie>"): true,
		disk("/>"):                                   true,
		disk("snapshot='manual'/>"):                  true,
		disk("snapshot='no' type='file'/>"):          false,
		disk("snapshot='internal'><source/></disk>"): false,
		disk("type='block'><source/></disk>"):        false,
		disk("type='block'><source dev='/d' index='3'/><driver type='qed'/></disk>"):                        true,
		disk("><source file='/a' startupPolicy='optional'/></disk>"):                                        false,
		disk("><source file='/a' index='0'/></disk>"):                                                       false,
		disk("><driver type='raw'/></disk>"):                                                                false,
		disk("><driver/><driver/></disk>"):                                                                  false,
		disk("><driver><metadata_cache><max_size unit='KiB'>4</max_size></metadata_cache></driver></disk>"): true,
		disk("><source file='/a'><seclabel relabel='no'/><encryption format='luks'/></source></disk>"):      true,
		disk("><source file='/a'><encryption format='luks'/><seclabel relabel='no'/></source></disk>"):      false,
		disk("><source file='/a'><seclabel/></source></disk>"):                                              false,
		disk("><source file='/a'><privateData/></source></disk>"):                                           false,
		disk("type='network'/>"): false,
		disk("type='network'><source protocol='nbd'><host name='h'/></source></disk>"):                                 true,
		disk("type='network'><source protocol='nbd'/></disk>"):                                                         false,
		disk("type='network'><source protocol='gluster' name='a/b'><host name='h'/><host name='i'/></source></disk>"):  true,
		disk("type='network'><source protocol='rbd' name='a'><snapshot name='s'/><config file='/c'/></source></disk>"): true,
		disk("type='network'><source protocol='http'><host name='h'/></source></disk>"):                                false,
		disk("type='network'><source protocol='https' name='n'><host name='h'/><ssl verify='no'/></source></disk>"):    true,
		disk("type='network'><source protocol='http' name='n'><host name='h'/><ssl verify='no'/></source></disk>"):     false,
		disk("type='network'><source protocol='nbd'><host transport='unix' socket='/s'/></source><driver/></disk>"):    false,
		disk("type='network'><source protocol='iscsi' name='n'><host name='h'/><initiator/></source></disk>"):          false,
		disk("type='network'><source protocol='nfs' name='n'><host name='h'/><identity user='+0'/></source></disk>"):   true,
		disk("type='network'><source protocol='smb' name='n'><host name='h'/></source></disk>"):                        false,
	} {
		_, err := Parse(text, Options{Validate: true})
		if refused := errors.Is(err, virt.ERR_XML_INVALID_SCHEMA); refused == want {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestParse_TakesNameAndTimeOfANewSnapshot(t *testing.T) {
	s, err := Parse(doc("<creationTime>3</creationTime><state>shutoff</state><parent><name>p</name></parent>"), Options{Now: 7})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Snapshot{Name: "7", CreationTime: 7}, s, cmp.AllowUnexported(Snapshot{})); diff != "" {
		t.Error(diff)
	}
}

func TestCheckName_RefusesWhatIsNoFile(t *testing.T) {
	for name, code := range map[string]virt.ErrorNumber{
		"a/b": virt.ERR_XML_DETAIL, ".a": virt.ERR_XML_DETAIL, "a\nb": virt.ERR_XML_DETAIL,
		strings.Repeat("n", NameBytesMax+1): virt.ERR_CONFIG_UNSUPPORTED,
	} {
		if err := (&Snapshot{Name: name}).CheckName(); !errors.Is(err, code) {
			t.Errorf("%.20q: %v", name, err)
		}
	}
	if err := (&Snapshot{Name: "a b.c"}).CheckName(); err != nil {
		t.Error(err)
	}
}

func domain(t testing.TB) *domaindef.Domain {
	d, err := domaindef.Parse(`<domain type='kvm'><name>vm</name><memory>1</memory><os><type>hvm</type></os><devices>
<disk><driver type='qcow2'/><source file='/i/a.qcow2'/><target dev='vda'/></disk>
<disk><driver type='raw'/><source file='/i/b'/><target dev='vdb'/><readonly/></disk>
<disk><driver type='raw'/><source file='/i.d/c'/><target dev='vdc'/></disk></devices></domain>`)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func parse(t *testing.T, text string, o Options) *Snapshot {
	t.Helper()
	s, err := Parse(text, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAlign_GivesEveryDiskItsOverlay(t *testing.T) {
	s := parse(t, doc("<name>s</name><disks><disk name='/i.d/c' type='file'/></disks>"), Options{})
	if err := s.Align(domain(t), Circumstances{Active: true, DiskOnly: true, State: Running}); err != nil {
		t.Fatal(err)
	}
	want := []Disk{
		{Name: "vda", Location: External, Type: "file", Path: "/i/a.s", Format: "qcow2"},
		{Name: "vdb", Location: No, Type: "file"},
		{Name: "vdc", Location: External, Type: "file", Path: "/i.d/c.s", Format: "qcow2"},
	}
	if diff := cmp.Diff(want, s.Disks, cmp.AllowUnexported(Disk{})); diff != "" || s.State != DiskSnapshot || s.Memory != No {
		t.Errorf("%s %s %s", diff, s.State, s.Memory)
	}
}

func TestAlign_RefusesWithLibvirtsTexts(t *testing.T) {
	running := Circumstances{Active: true, State: Running}
	diskOnly := Circumstances{Active: true, DiskOnly: true, State: Running}
	list := func(s string) string { return doc("<name>s</name><disks>" + s + "</disks>") }
	none := "<disk name='vda' snapshot='no'/><disk name='vdc' snapshot='no'/>"
	for _, c := range []struct {
		id, text string
		c        Circumstances
		want     string
		code     virt.ErrorNumber
	}{
		{"E253", list(none), Circumstances{State: Shutoff}, "nothing selected for snapshot", virt.ERR_CONFIG_UNSUPPORTED},
		{"E254", list("<disk name='vda'/><disk name='vdc' snapshot='external'/>"), running, "mixing internal and external", virt.ERR_CONFIG_UNSUPPORTED},
		{"E255", list(none), diskOnly, "disk-only snapshots require at least one disk", virt.ERR_CONFIG_UNSUPPORTED},
		{"E257", list("<disk name='vda'><driver type='qcow'/></disk>"), diskOnly, "external snapshot format for disk vda is unsupported: qcow", virt.ERR_CONFIG_UNSUPPORTED},
		{"E258", doc("<memory snapshot='no'/>"), running, "must include the memory state", virt.ERR_OPERATION_UNSUPPORTED},
		{"84", list("<disk name='vda' snapshot='manual'/>"), diskOnly, "snapshot mode 'manual' of disk 'vda' is not supported", virt.ERR_OPERATION_UNSUPPORTED},
		{"67", list("<disk name='vda' snapshot='internal'/>"), diskOnly, "disk vda requested internal", virt.ERR_CONFIG_UNSUPPORTED},
		{"67", list("<disk name='vda'/><disk name='vdc' snapshot='no'/>"), running, "require all disks to be selected", virt.ERR_CONFIG_UNSUPPORTED},
		{"67", list("<disk name='vdc'/><disk name='vda'/>"), running, "internal snapshot for disk vdc unsupported for storage type raw", virt.ERR_CONFIG_UNSUPPORTED},
		{"67", list("<disk name='vdz'/>"), diskOnly, "no disk named 'vdz'", virt.ERR_CONFIG_UNSUPPORTED},
		{"67", list("<disk name='vda'/><disk name='/i/a.qcow2'/>"), diskOnly, "disk 'vda' specified twice", virt.ERR_CONFIG_UNSUPPORTED},
		{"67", list("<disk name='vda'/><disk name='vdb'/><disk name='vdc'/><disk name='vdd'/>"), diskOnly, "too many disk snapshot requests", virt.ERR_CONFIG_UNSUPPORTED},
		{"67", list("<disk name='vda' type='block'/>"), diskOnly, "cannot generate external snapshot name for disk 'vda' on a 'block' device", virt.ERR_CONFIG_UNSUPPORTED},
		{"67", list("<disk name='vda'><source file='/x'/></disk><disk name='vdc'><source file='/x'/></disk>"), diskOnly, "collision with disk", virt.ERR_CONFIG_UNSUPPORTED},
	} {
		s := parse(t, c.text, Options{})
		err := s.Align(domain(t), c.c)
		if !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.id, err, c.want)
		}
	}
}

func TestFormat_IsTheMetadataDocument(t *testing.T) {
	s := parse(t, doc("<name>s</name><description>a&lt;b</description>"), Options{Now: 7})
	if err := s.Align(domain(t), Circumstances{Active: true, DiskOnly: true}); err != nil {
		t.Fatal(err)
	}
	s.Parent = "p"
	text := s.Format()
	want := "<domainsnapshot>\n  <name>s</name>\n  <description>a&lt;b</description>\n  <state>disk-snapshot</state>\n" +
		"  <parent>\n    <name>p</name>\n  </parent>\n  <creationTime>7</creationTime>\n  <memory snapshot='no'/>\n  <disks>\n" +
		"    <disk name='vda' snapshot='external' type='file'>\n      <driver type='qcow2'/>\n      <source file='/i/a.s'/>\n    </disk>\n" +
		"    <disk name='vdb' snapshot='no'/>\n"
	if !strings.HasPrefix(text, want) {
		t.Errorf("got\n%s", text)
	}
	again := parse(t, text, Options{Redefine: true, Validate: true})
	if got := again.Format(); got != text {
		t.Errorf("read again it is\n%s", got)
	}
}

// FuzzParse: no panic, and what is accepted as complete is written and read again.
func FuzzParse(f *testing.F) {
	f.Add(doc("<name>a</name><creationTime>3</creationTime><state>running</state><disks><disk name='vda'><driver type='qcow2'/><source file='/a'/></disk></disks>"))
	f.Add(disk("type='network'><source protocol='nbd'><host name='h'/></source></disk>"))
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = Parse(text, Options{Validate: true})
		s, err := Parse(text, Options{Redefine: true})
		if err != nil {
			return
		}
		if _, err := Parse(s.Format(), Options{Redefine: true}); err != nil {
			t.Fatal(err)
		}
	})
}
