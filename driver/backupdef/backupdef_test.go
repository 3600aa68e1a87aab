package backupdef

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"fleece/driver/domaindef"
	"fleece/virt"
)

func disks(s string) string {
	return "<domainbackup><disks>" + s + "</disks></domainbackup>"
}

func pull(s string) string {
	return "<domainbackup mode='pull'><server name='localhost' port='10809'/><disks>" + s + "</disks></domainbackup>"
}

func TestParse_FailsInLibvirtsOrder(t *testing.T) {
	cases := []struct {
		id, text, want string
		code           virt.ErrorNumber
	}{
		{"E073", "", "(domain_backup):1: Document is empty", virt.ERR_XML_DETAIL},
		{"E073", "<domainbackup", "(domain_backup):1:", virt.ERR_XML_DETAIL},
		{"E074", "<domaincheckpoint bad='1'/>", "expecting root element of 'domainbackup', not 'domaincheckpoint'", virt.ERR_XML_ERROR},
		{"E075", "<domainbackup><foo/></domainbackup>", "Did not expect element foo", virt.ERR_XML_INVALID_SCHEMA},
		{"E075", "<domainbackup id='1'/>", "Invalid attribute id", virt.ERR_XML_INVALID_SCHEMA},
		{"E075", "<domainbackup>text</domainbackup>", "Did not expect text", virt.ERR_XML_INVALID_SCHEMA},
		{"E075", "<domainbackup><incremental>a</incremental><incremental>b</incremental></domainbackup>", "Extra element incremental", virt.ERR_XML_INVALID_SCHEMA},
		{"E076", "<domainbackup mode='shove'/>", "attribute mode", virt.ERR_XML_INVALID_SCHEMA},
		{"E077", "<domainbackup><server name='a'/></domainbackup>", "Did not expect element server", virt.ERR_XML_INVALID_SCHEMA},
		{"E079", "<domainbackup mode='pull'><server port='1'/></domainbackup>", "misses attribute name", virt.ERR_XML_INVALID_SCHEMA},
		{"E080", "<domainbackup mode='pull'><server transport='rdma' name='a'/></domainbackup>", "attribute transport", virt.ERR_XML_INVALID_SCHEMA},
		{"E081", "<domainbackup mode='pull'><server transport='unix' socket='rel'/></domainbackup>", "attribute socket", virt.ERR_XML_INVALID_SCHEMA},
		{"E081", "<domainbackup mode='pull'><server transport='unix'/></domainbackup>", "misses attribute socket", virt.ERR_XML_INVALID_SCHEMA},
		{"E082", "<domainbackup mode='pull'><server tls='maybe' name='a'/></domainbackup>", "attribute tls", virt.ERR_XML_INVALID_SCHEMA},
		{"E083", "<domainbackup><disks/></domainbackup>", "Expecting an element disk", virt.ERR_XML_INVALID_SCHEMA},
		{"E084", disks("<disk type='file'/>"), "misses attribute name", virt.ERR_XML_INVALID_SCHEMA},
		{"E085", disks("<disk name='/a/path' type='file'/>"), "attribute name", virt.ERR_XML_INVALID_SCHEMA},
		{"E086", disks("<disk name='vda'><target file='/x'/></disk>"), "misses attribute type", virt.ERR_XML_INVALID_SCHEMA},
		{"E087", disks("<disk name='vda' type='volume'/>"), "attribute type", virt.ERR_XML_INVALID_SCHEMA},
		{"E088", disks("<disk name='vda' type='file'><scratch file='/x'/></disk>"), "element scratch", virt.ERR_XML_INVALID_SCHEMA},
		{"E088", pull("<disk name='vda' type='file'><target file='/x'/></disk>"), "element target", virt.ERR_XML_INVALID_SCHEMA},
		{"E089", disks("<disk name='vda' type='file'><target file='x'/></disk>"), "attribute file", virt.ERR_XML_INVALID_SCHEMA},
		{"E090", disks("<disk name='vda' type='file' backupmode='half'/>"), "attribute backupmode", virt.ERR_XML_INVALID_SCHEMA},
		{"E091", disks("<disk name='vda' type='file' backupmode='full' incremental='c'/>"), "attribute incremental", virt.ERR_XML_INVALID_SCHEMA},
		{"E092", disks("<disk name='vda' type='file' exportname='x'/>"), "attribute exportname", virt.ERR_XML_INVALID_SCHEMA},
		{"E093", pull("<disk name='vda' type='file'><scratch file='/x'/><driver type='raw'/></disk>"), "attribute type", virt.ERR_XML_INVALID_SCHEMA},
		{"E094", disks("<disk name='vda' type='file'><driver type='vhdx'/></disk>"), "attribute type", virt.ERR_XML_INVALID_SCHEMA},
		{"E095", disks("<disk name='vda' type='file'><target file='/x'><encryption format='qcow'><secret type='passphrase'/></encryption></target></disk>"), "attribute format", virt.ERR_XML_INVALID_SCHEMA},
		{"E076", "<domainbackup mode=' push'/>", "unknown backup mode ' push'", virt.ERR_CONFIG_UNSUPPORTED},
		{"E076", "<domainbackup mode='pull'><server transport='tcp ' name='a'/></domainbackup>", "unknown protocol transport type 'tcp '", virt.ERR_CONFIG_UNSUPPORTED},
		{"E107", disks("<disk name='vda' type='file '/>"), "unknown storage source type 'file '", virt.ERR_XML_ERROR},
		{"E108", disks("<disk name='vda' type='file'><driver type=' raw'/></disk>"), "unknown storage source format ' raw'", virt.ERR_XML_ERROR},
		{"E089", disks("<disk name='vda' type='file'><target file='C:\\x'/></disk>"), "disk backup image path 'C:\\x' must be absolute", virt.ERR_XML_ERROR},
		{"E081", "<domainbackup mode='pull'><server transport='unix' socket='C:\\s'/></domainbackup>", "backup socket path 'C:\\s' must be absolute", virt.ERR_XML_ERROR},
		{"E079", "<domainbackup mode='pull'><server name='a_b'/></domainbackup>", "attribute name", virt.ERR_XML_INVALID_SCHEMA},
		{"E095", disks("<disk name='vda' type='file'><target file='/x'><encryption format='luks'><secret type='volume' usage='u'/></encryption></target></disk>"), "attribute type", virt.ERR_XML_INVALID_SCHEMA},
		{"E096", "<domainbackup mode='pull'><server name='a' port='65536'/></domainbackup>", "port '65536' out of range", virt.ERR_INVALID_ARG},
		{"E108", disks("<disk name='vda' type='file'><driver type='luks'/></disk>"), "unknown storage source format 'luks'", virt.ERR_XML_ERROR},
	}
	for _, c := range cases {
		_, err := Parse(c.text)
		if !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: got %v, want %d %q", c.id, c.text, err, int(c.code), c.want)
		}
	}
}

func TestParse_AcceptsWhatTheGrammarHas(t *testing.T) {
	for _, text := range []string{
		"<domainbackup/>",
		"<domainbackup mode='push'><incremental>c1</incremental></domainbackup>",
		disks("<disk name='vda' type='file'><driver type='raw'/><target file='/x'><seclabel model='dac' relabel='no'/></target></disk><disk name='vdb' backup='no' backupmode='full'/>"),
		disks("<disk name='vda' backup='yes'/>"),
		disks("<disk name='vda' type='block' backupmode='incremental' incremental='c1'><target dev='/dev/x'/></disk>"),
		pull("<disk name='vda' exportname='e' exportbitmap='b'><scratch file='/x'/></disk>"),
		"<domainbackup mode='pull'/>",
		"<domainbackup mode='pull'><server transport='unix' socket='/s' tls='yes'/></domainbackup>",
	} {
		if _, err := Parse(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func domain(t testing.TB) *domaindef.Domain {
	d, err := domaindef.Parse(`<domain><name>vm</name><memory>1</memory><os><type>hvm</type></os><devices>
<disk><driver type='qcow2'/><source file='/i/a'/><target dev='vda'/></disk>
<disk><driver type='qcow2'/><source file='/i/b'/><target dev='vdb'/><readonly/></disk>
<disk device='cdrom'><target dev='hdc'/></disk>
<disk type='block'><source dev='/dev/d'/><target dev='vdd'/></disk></devices></domain>`)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAlign_FillsInWhatIsNotSaid(t *testing.T) {
	b := Backup{Mode: Push, Incremental: "c1", Disks: []Disk{
		{Name: "vdb", Backup: true, Type: "file", Path: "/t/b", Format: "raw"},
		{Name: "vda", Backup: true, Type: "file", Mode: Full},
		{Name: "vdd"},
	}}
	if err := b.Align(domain(t), "123"); err != nil {
		t.Fatal(err)
	}
	want := []Disk{
		{Name: "vdb", Backup: true, Type: "file", Path: "/t/b", Format: "raw", Mode: Incremental, Incremental: "c1"},
		{Name: "vda", Backup: true, Type: "file", Path: "/i/a.123", Format: "qcow2", Mode: Full},
		{Name: "vdd"}, {Name: "hdc"},
	}
	if diff := cmp.Diff(want, b.Disks, cmp.AllowUnexported(Disk{})); diff != "" {
		t.Error(diff)
	}
}

func TestAlign_RefusesWithLibvirtsTexts(t *testing.T) {
	none, err := domaindef.Parse("<domain><name>a</name><memory>1</memory><os><type>hvm</type></os></domain>")
	if err != nil {
		t.Fatal(err)
	}
	yes := func(name string) Disk { return Disk{Name: name, Backup: true, Type: "file"} }
	cases := []struct {
		id   string
		dom  *domaindef.Domain
		b    Backup
		want string
	}{
		{"E112", none, Backup{}, "domain must have at least one disk to perform backup"},
		{"E113", domain(t), Backup{Disks: []Disk{yes("vdz")}}, "no disk named 'vdz'"},
		{"E114", domain(t), Backup{Disks: []Disk{yes("vda"), {Name: "vda"}}}, "disk 'vda' specified twice"},
		{"E115", domain(t), Backup{Disks: []Disk{{Name: "vda", Backup: true, Mode: Incremental}}},
			"'incremental' backup mode of disk 'vda' requires setting 'incremental' field for disk or backup"},
		{"E116", domain(t), Backup{Disks: []Disk{yes("hdc")}}, "disk 'hdc' has no media"},
		{"E117", domain(t), Backup{Disks: []Disk{yes("vdd")}}, "refusing to generate file name for disk 'vdd'"},
		{"E117", domain(t), Backup{}, "refusing to generate file name for disk 'vdd'"},
	}
	for _, c := range cases {
		err := c.b.Align(c.dom, "s")
		if !errors.Is(err, virt.ERR_CONFIG_UNSUPPORTED) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.id, err, c.want)
		}
	}
}

func TestFormat_IsWhatWasParsed(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		names := rapid.Permutation([]string{"vda", "vdb", "vdd"}).Draw(r, "names")[:rapid.IntRange(1, 3).Draw(r, "disks")]
		b := Backup{Mode: Push, Incremental: rapid.SampledFrom([]string{"", "c1", "a<b"}).Draw(r, "incremental")}
		for _, name := range names {
			d := Disk{Name: name, Backup: rapid.Bool().Draw(r, "backup")}
			if d.Backup {
				d.Type = "file"
				d.Path = rapid.SampledFrom([]string{"/t/x", "/t/'&"}).Draw(r, "path")
				d.Format = rapid.SampledFrom([]string{"", "raw", "qcow2"}).Draw(r, "format")
				d.Mode = rapid.SampledFrom([]string{"", Full, Incremental}).Draw(r, "mode")
				if d.Mode == Incremental {
					d.Incremental = "c2"
				}
			}
			b.Disks = append(b.Disks, d)
		}
		if err := b.Align(domain(t), "s"); err != nil {
			r.Fatal(err)
		}
		again, err := Parse(b.Format())
		if err != nil {
			r.Fatalf("%v\n%s", err, b.Format())
		}
		if diff := cmp.Diff(&b, again, cmp.AllowUnexported(Disk{})); diff != "" {
			r.Fatal(diff)
		}
	})
}

func TestFormat_IsWhatWasParsedOfAPull(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.SampledFrom([]string{"", "e", "a<b&'c\"", " x\t"})
		b := Backup{Mode: Pull, Server: &Server{Transport: "tcp", Name: "::1", Port: "10809"}}
		if rapid.Bool().Draw(r, "unix") {
			b.Server = &Server{Transport: "unix", Socket: "/run/'s"}
		}
		b.Server.TLS = rapid.SampledFrom([]string{"", "yes", "no"}).Draw(r, "tls")
		for _, name := range []string{"vda", "vdb"}[:rapid.IntRange(1, 2).Draw(r, "disks")] {
			d := Disk{Name: name, Backup: true, Type: "block", Path: "/dev/" + name, Mode: Full}
			d.ExportName, d.ExportBitmap = text.Draw(r, "export"), text.Draw(r, "bitmap")
			if rapid.Bool().Draw(r, "incremental") {
				d.Mode, d.Incremental = Incremental, "c0"
			}
			b.Disks = append(b.Disks, d)
		}
		if err := b.Align(domain(t), "s"); err != nil {
			r.Fatal(err)
		}
		again, err := Parse(b.Format())
		if err != nil {
			r.Fatalf("%v\n%s", err, b.Format())
		}
		if diff := cmp.Diff(&b, again, cmp.AllowUnexported(Disk{})); diff != "" {
			r.Fatal(diff)
		}
	})
}

// FuzzParse: no panic; what is accepted can be aligned and written, or refused.
func FuzzParse(f *testing.F) {
	f.Add(disks("<disk name='vda' type='file'><driver type='raw'/><target file='/x'/></disk>"))
	f.Add(pull("<disk name='vda' exportname='e'><scratch file='/x'/></disk>"))
	f.Fuzz(func(t *testing.T, text string) {
		b, err := Parse(text)
		if err != nil || b.Align(domain(t), "s") != nil {
			return
		}
		if _, err := Parse(b.Format()); err != nil {
			t.Fatalf("%v\n%s", err, b.Format())
		}
	})
}
