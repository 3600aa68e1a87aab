package domaindef

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fleece/qmp"
	"fleece/virt"
)

// stored is a domain with one disk whose chain of two images has two data files.
const stored = `<domain><name>a</name><memory>1</memory><os><type>hvm</type></os><devices>
  <disk type='file'><driver name='qemu' type='qcow2'/>
    <source file='/x/top'><dataStore type='file'><format type='raw'/><source file='/x/top.raw'/></dataStore></source>
    <backingStore type='file'><format type='qcow2'/>
      <source file='/x/base'><dataStore type='block'><format type='raw'/><source dev='/dev/base'/></dataStore></source>
      <backingStore/></backingStore>
    <target dev='vda' bus='virtio'/></disk></devices></domain>`

// The numbers and arguments are those of libvirt's test
// qemuxmlconfdata/disk-qcow2-datafile-store (10.10.0), but for the access mode of a data
// file of an image below.
func TestPlan_OpensADataFileBeforeItsImageAndNumbersItBehind(t *testing.T) {
	p, err := parse(t, stored).Plan()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"driver": "host_device", "filename": "/dev/base", "node-name": "libvirt-4-storage", "auto-read-only": true}`,
		`{"driver": "file", "filename": "/x/base", "node-name": "libvirt-3-storage", "auto-read-only": true, "discard": "unmap"}`,
		`{"node-name": "libvirt-3-format", "read-only": true, "driver": "qcow2", "data-file": "libvirt-4-storage", "file": "libvirt-3-storage", "backing": null}`,
		`{"driver": "file", "filename": "/x/top.raw", "node-name": "libvirt-2-storage", "read-only": false}`,
		`{"driver": "file", "filename": "/x/top", "node-name": "libvirt-1-storage", "auto-read-only": true, "discard": "unmap"}`,
		`{"node-name": "libvirt-1-format", "read-only": false, "driver": "qcow2", "data-file": "libvirt-2-storage", "file": "libvirt-1-storage", "backing": "libvirt-3-format"}`,
	}
	var got []string
	for _, n := range p.Spec.Nodes {
		got = append(got, string(qmp.Encode(n)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if p.NextNode != 5 || p.Disks[0].DataOf(1) != "libvirt-2-storage" || p.Disks[0].DataOf(3) != "libvirt-4-storage" || p.Disks[0].DataOf(2) != "" {
		t.Errorf("got %+v", p.Disks)
	}
}

func TestWithIndices_NumbersDataFilesToo(t *testing.T) {
	d := parse(t, stored)
	plans, _ := d.Number()
	numbered, err := d.WithIndices(plans)
	if err != nil {
		t.Fatal(err)
	}
	over, err := numbered.WithOverlays([]Overlay{{Target: "vda", Below: "/x/top", Image: Layer{Type: "file", Path: "/x/over", Format: "qcow2", Index: 7}}})
	if err != nil {
		t.Fatal(err)
	}
	again, next := over.Number()
	if diff := cmp.Diff([]DiskPlan{{Nodes: []Node{7, 1, 3}, Data: []DataNode{{1, 2}, {3, 4}}, DeviceID: "virtio-disk0"}}, again); diff != "" || next != 8 {
		t.Errorf("next %d: %s", next, diff)
	}
	plain, err := numbered.WithoutIndices()
	if err != nil {
		t.Fatal(err)
	}
	if plain.XML(-1) != d.XML(-1) {
		t.Error(plain.XML(-1))
	}
}

func TestParse_RefusesADataStoreThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		format, store string
		code          virt.ErrorNumber
		text          string
	}{
		{"raw", "<dataStore type='file'><source file='/x/d'/></dataStore>", virt.ERR_CONFIG_UNSUPPORTED, "disk 'vda' has an image of format 'raw' with a data store, which only qcow2 has"},
		{"qcow2", "<dataStore type='file'><format type='qcow2'/><source file='/x/d'/></dataStore>", virt.ERR_CONFIG_UNSUPPORTED, "the data store of disk 'vda' has format 'qcow2': it can only be raw"},
		{"qcow2", "<dataStore type='network'><source name='d'/></dataStore>", virt.ERR_CONFIG_UNSUPPORTED, "the data store of disk 'vda' has a source of type 'network', which is not supported"},
		{"qcow2", "<dataStore type='file'><format type='raw'/></dataStore>", virt.ERR_XML_ERROR, "missing source of the data store of disk 'vda'"},
		{"qcow2", "<dataStore type='file'><source dev='/x/d'/></dataStore>", virt.ERR_XML_ERROR, "missing source of the data store of disk 'vda'"},
	} {
		_, err := Parse(fmt.Sprintf("<domain><name>a</name><memory>1</memory><os><type>hvm</type></os><devices><disk type='file'><driver type='%s'/><source file='/x/i'>%s</source><target dev='vda'/></disk></devices></domain>", c.format, c.store))
		var e *virt.Error
		if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Error(), c.text) {
			t.Errorf("%s: %v", c.store, err)
		}
	}
}
