package domaindef

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"libvirt.org/go/libvirtxml"

	"fleece/qmp"
	"fleece/virt"
)

const twoDisks = `<domain type='kvm' id='7'><name>vm</name><uuid>11111111222233334444555555555555</uuid>
<memory unit='MiB'>32</memory><vcpu>2</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/x/disk1.qcow2'/><target dev='vda' bus='virtio'/></disk>
<disk type='file'><driver type='qcow2'/><source file='/x/ov'/><backingStore type='file'><format type='raw'/><source file='/x/base'/></backingStore><target dev='vdb'/><readonly/></disk>
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/></disk>
</devices></domain>`

func parse(t *testing.T, text string) *Domain {
	t.Helper()
	d, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestParse_ReadsWhatABackupNeeds(t *testing.T) {
	d := parse(t, twoDisks)
	want := []Disk{
		{Target: "vda", Bus: "virtio", Device: "disk", Layers: []Layer{{Type: "file", Path: "/x/disk1.qcow2", Format: "qcow2"}}},
		{Target: "vdb", Bus: "virtio", Device: "disk", ReadOnly: true, Layers: []Layer{{Type: "file", Path: "/x/ov", Format: "qcow2"}, {Type: "file", Path: "/x/base", Format: "raw"}}},
		{Target: "hdc", Bus: "ide", Device: "cdrom", ReadOnly: true},
	}
	if diff := cmp.Diff(want, d.Disks); diff != "" {
		t.Error(diff)
	}
	if d.UUID != "11111111-2222-3333-4444-555555555555" || d.MemoryKiB != 32768 || d.VCPUs != 2 || d.Machine != "pc" {
		t.Errorf("got %+v", d)
	}
	if d.DiskByPath("/x/ov") != 1 || d.DiskByPath("/x/base") != -1 || d.Disk("hdc") != 2 {
		t.Error("disks are not found by path or target")
	}
}

func TestParse_RefusesWhatIsNoDomain(t *testing.T) {
	whole := func(devices string) string {
		return "<domain><name>a</name><memory>1</memory><os><type>hvm</type></os><devices>" + devices + "</devices></domain>"
	}
	cases := []struct {
		text, want string
		code       virt.ErrorNumber
	}{
		{"<domain>", "Premature end", virt.ERR_XML_DETAIL},
		{"<vm/>", "unexpected root element <vm>", virt.ERR_XML_ERROR},
		{"<domain/>", "missing domain name", virt.ERR_XML_ERROR},
		{"<domain><name>a/b</name></domain>", "cannot contain '/'", virt.ERR_XML_ERROR},
		{"<domain><name>..</name></domain>", "invalid domain name", virt.ERR_XML_ERROR},
		{"<domain><name>a</name><uuid>x</uuid></domain>", "malformed uuid", virt.ERR_INTERNAL_ERROR},
		{"<domain><name>a</name></domain>", "Memory size", virt.ERR_XML_ERROR},
		{"<domain><name>a</name><memory unit='parsec'>1</memory></domain>", "unknown suffix", virt.ERR_XML_ERROR},
		{"<domain><name>a</name><memory>1</memory></domain>", "an os <type> must be specified", virt.ERR_XML_ERROR},
		{whole("<disk/>"), "missing target", virt.ERR_XML_ERROR},
		{whole("<disk><target dev='vda'/></disk>"), "missing source of disk 'vda'", virt.ERR_XML_ERROR},
		{whole(strings.Repeat("<disk><source file='/x'/><target dev='vda'/></disk>", 2)), "target 'vda' duplicated", virt.ERR_XML_ERROR},
	}
	for _, c := range cases {
		_, err := Parse(c.text)
		if !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.70s: got %v, want %d %q", c.text, err, int(c.code), c.want)
		}
	}
}

func TestXML_IsCanonicalAndMeansTheSame(t *testing.T) {
	d := parse(t, twoDisks)
	inactive := d.XML(-1)
	if strings.Contains(inactive, "id='7'") {
		t.Error("the id of the input is output only")
	}
	if !strings.Contains(d.XML(3), "<domain type='kvm' id='3'>") || strings.Contains(d.XML(-1), "id='3'") {
		t.Error("the id of the run is shown for a running domain only")
	}
	if again := parse(t, inactive).XML(-1); again != inactive {
		t.Errorf("the canonical form is not stable:\n%s", again)
	}
	var in, out libvirtxml.Domain
	if err := in.Unmarshal(twoDisks); err != nil {
		t.Fatal(err)
	}
	if err := out.Unmarshal(inactive); err != nil {
		t.Fatal(err)
	}
	in.ID, in.UUID = nil, out.UUID
	if diff := cmp.Diff(in, out); diff != "" {
		t.Error(diff)
	}
}

func TestWithUUID_PutsItAfterTheName(t *testing.T) {
	d := parse(t, "<domain><name>a</name><memory>1</memory><os><type>hvm</type></os></domain>")
	d.WithUUID("11111111-2222-3333-4444-555555555555")
	if !strings.Contains(d.XML(-1), "</name>\n  <uuid>11111111-2222-3333-4444-555555555555</uuid>\n  <memory>") {
		t.Error(d.XML(-1))
	}
}

func TestPlan_HasLibvirtsNamesAndArguments(t *testing.T) {
	p, err := parse(t, twoDisks).Plan()
	if err != nil {
		t.Fatal(err)
	}
	// The arguments are those of transcript 30's command line.
	want := []string{
		`{"driver": "file", "filename": "/x/disk1.qcow2", "node-name": "libvirt-3-storage", "auto-read-only": true, "discard": "unmap"}`,
		`{"node-name": "libvirt-3-format", "read-only": false, "driver": "qcow2", "file": "libvirt-3-storage", "backing": null}`,
		`{"driver": "file", "filename": "/x/base", "node-name": "libvirt-2-storage", "auto-read-only": true, "discard": "unmap"}`,
		`{"node-name": "libvirt-2-format", "read-only": true, "driver": "raw", "file": "libvirt-2-storage"}`,
		`{"driver": "file", "filename": "/x/ov", "node-name": "libvirt-1-storage", "auto-read-only": true, "discard": "unmap"}`,
		`{"node-name": "libvirt-1-format", "read-only": true, "driver": "qcow2", "file": "libvirt-1-storage", "backing": "libvirt-2-format"}`,
	}
	var got []string
	for _, n := range p.Spec.Nodes {
		got = append(got, string(qmp.Encode(n)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if p.NextNode != 4 || p.Spec.Devices[0].ID != "virtio-disk0" || p.Spec.Devices[0].Drive != "libvirt-3-format" ||
		p.Spec.Devices[1].ID != "virtio-disk1" || p.Spec.Devices[2].ID != "ide0-1-0" || p.Spec.Devices[2].Drive != "" {
		t.Errorf("got %+v", p)
	}
}

func TestTargetIndex_CountsAsLibvirt(t *testing.T) {
	for target, want := range map[string]int{"vda": 0, "vdz": 25, "vdaa": 26, "sdb": 1, "vd1": 9} {
		if got := targetIndex(target, 9); got != want {
			t.Errorf("%s: %d, want %d", target, got, want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		if _, err := Parse(twoDisks); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzParse: no panic, and the canonical form of what is accepted is a fixed point.
func FuzzParse(f *testing.F) {
	f.Add(twoDisks)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse(text)
		if err != nil {
			return
		}
		_, _ = d.Plan()
		first := d.XML(-1)
		again, err := Parse(first)
		if err != nil {
			t.Fatalf("canonical form does not parse: %v", err)
		}
		if again.XML(-1) != first {
			t.Fatalf("not a fixed point: %q", first)
		}
	})
}

func TestWithOverlays_PutsNewImagesOverTheActiveOnes(t *testing.T) {
	d := parse(t, twoDisks)
	plans, _ := d.Number()
	over, err := d.WithOverlays([]Overlay{
		{Target: "vda", Below: "/x/disk1.qcow2", Image: Layer{Type: "file", Path: "/x/a.s", Format: "qcow2"}},
		{Target: "vdb", Below: "/x/ov", Image: Layer{Type: "block", Path: "/dev/s", Format: "qcow2"}},
		{Target: "hdc", Below: "", Image: Layer{Type: "file", Path: "/x/no", Format: "qcow2"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := [][]Layer{
		{{Type: "file", Path: "/x/a.s", Format: "qcow2"}, {Type: "file", Path: "/x/disk1.qcow2", Format: "qcow2"}},
		{{Type: "block", Path: "/dev/s", Format: "qcow2"}, {Type: "file", Path: "/x/ov", Format: "qcow2"}, {Type: "file", Path: "/x/base", Format: "raw"}},
		nil,
	}
	for i := range want {
		if diff := cmp.Diff(want[i], over.Disks[i].Layers); diff != "" {
			t.Error(diff)
		}
	}
	if len(d.Disks[0].Layers) != 1 || !over.Disks[1].ReadOnly {
		t.Error("the original changed, or the rest of the disk is lost")
	}
	plans[0].Nodes = append([]Node{9}, plans[0].Nodes...)
	plans[1].Nodes = append([]Node{10}, plans[1].Nodes...)
	live, err := over.WithIndices(plans)
	if err != nil {
		t.Fatal(err)
	}
	got, next := parse(t, live.XML(-1)).Number()
	if diff := cmp.Diff(plans, got); diff != "" || next != 11 {
		t.Errorf("%s next %d", diff, next)
	}
	if plain, err := live.WithoutIndices(); err != nil || plain.XML(-1) != over.XML(-1) {
		t.Errorf("%v", err)
	}
}
