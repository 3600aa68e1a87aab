package domaindef

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fleece/virt"
)

const plugVDC = "<disk type='file'><driver type='qcow2'/><source file='/x/c'/><target dev='vdc' bus='virtio'/></disk>"

func TestWithDisk_AddsItAfterTheOthersAndWithoutDiskTakesItAway(t *testing.T) {
	d := parse(t, twoDisks)
	_, element, err := ParseDisk(plugVDC)
	if err != nil {
		t.Fatal(err)
	}
	more, err := d.WithDisk(element)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Disks) != 3 || len(more.Disks) != 4 || more.Disks[3].Target != "vdc" {
		t.Errorf("%d disks became %d", len(d.Disks), len(more.Disks))
	}
	if _, err := more.WithDisk(element); !errors.Is(err, virt.ERR_XML_ERROR) || !strings.Contains(err.Error(), "target 'vdc' duplicated") {
		t.Errorf("a second disk of that target: %v", err)
	}
	less, err := more.WithoutDisk("vdc")
	if err != nil || less.XML(-1) != d.XML(-1) {
		t.Errorf("%v\n%s", err, cmp.Diff(d.XML(-1), less.XML(-1)))
	}
	if same, _ := d.WithoutDisk("vdz"); same != d {
		t.Error("a disk that is not there cannot be taken away")
	}
	bare := parse(t, "<domain><name>a</name><memory>1</memory><os><type>hvm</type></os></domain>")
	if first, err := bare.WithDisk(element); err != nil || len(first.Disks) != 1 {
		t.Errorf("the first disk of a domain: %v", err)
	}
}

func TestPlanDisk_NumbersItsNodesFromTheNextNumberOn(t *testing.T) {
	d := parse(t, twoDisks)
	plan, spec, err := d.PlanDisk(1, 7)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"libvirt-7-format", "libvirt-7-storage", "libvirt-8-format", "libvirt-8-storage"}
	if diff := cmp.Diff(want, plan.Closing()); diff != "" || len(spec.Nodes) != 4 || spec.Devices[0].Drive != "libvirt-7-format" {
		t.Errorf("%s %+v", diff, spec)
	}
}

func TestParseDisk_RefusesWhatIsNoDisk(t *testing.T) {
	for text, code := range map[string]virt.ErrorNumber{
		"<disk": virt.ERR_XML_DETAIL, "<interface/>": virt.ERR_OPERATION_UNSUPPORTED, "<disk/>": virt.ERR_XML_ERROR,
	} {
		if _, _, err := ParseDisk(text); !errors.Is(err, code) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"<video/>", "<disk/>", "<disk type='file'><source/></disk>"} {
		if _, err := ParseDestination(text); !errors.Is(err, virt.ERR_XML_ERROR) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestWithChain_ReplacesTheImagesOfADiskThatHasThoseExpected(t *testing.T) {
	d := parse(t, twoDisks)
	from := d.Disks[1].Layers
	for _, c := range []struct {
		name string
		to   []Layer
	}{
		{"one image less", from[:1]},
		{"the lowest becomes the active one", from[1:]},
		{"another image over the lowest", []Layer{{Type: "block", Path: "/dev/new", Format: "qcow2"}, from[1]}},
	} {
		got, err := d.WithChain("vdb", from, c.to)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(got.XML(-1))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.to, again.Disks[1].Layers); diff != "" || !again.Disks[1].ReadOnly {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	if same, _ := d.WithChain("vdb", from[:1], from[1:]); same != d {
		t.Error("a disk with other images was changed")
	}
}
