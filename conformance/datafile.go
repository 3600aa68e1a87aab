package conformance

import (
	"fmt"
	"math/bits"
	"strings"

	"fleece/host"
	"fleece/qcow2"
)

// DataFiles lets the qcow2 disks of domains that are defined from now on keep their
// content in data files: a spec's body is run over such disks without a change.
func (t *T) DataFiles() { t.dataFiles = true }

// makeWithDataFile makes an empty image and its data file. With DataFileRaw all of the
// disk is mapped, as QEMU makes such images.
func (t *T) makeWithDataFile(k *disk) error {
	k.data = k.Path + ".data"
	t.Keeps(k.data)
	f, err := t.host.OpenFile(k.data, host.ReadWrite|host.Create|host.Exclusive, 0o644)
	if err != nil {
		return err
	}
	image := &qcow2.Image{
		Size: k.Size, ClusterBits: uint(bits.TrailingZeros64(uint64(k.ClusterSize))),
		DataFile: k.data, DataTo: f, DataFileRaw: k.DataFileRaw,
	}
	if k.DataFileRaw {
		image.Runs = []qcow2.Run{{Length: k.Size}}
	}
	if err := t.writeImage(k.Path, image); err != nil {
		return err
	}
	return f.Close()
}

// dataStore is the data file within the <source> of the disk's active image.
func (k *disk) dataStore() string {
	if k.data == "" || len(k.below) > 0 {
		return ""
	}
	return fmt.Sprintf("<dataStore type='file'><format type='raw'/><source file='%s'/></dataStore>", k.data)
}

// expectDataNodes asserts that the driver named the nodes of data files: QEMU opens those
// of which nobody speaks by itself, under names of its own.
func (d *Domain) expectDataNodes() {
	for _, k := range d.disks {
		if k.data == "" {
			continue
		}
		node := d.NodeOf(k.data, "file")
		d.t.Expect(strings.HasPrefix(node, "libvirt-") && strings.HasSuffix(node, "-storage")).To(beTrue(),
			"the node of the data file of %s is %s", k.Target, node)
	}
}

// DataFilePath is the path of a disk's data file.
func (d *Domain) DataFilePath(target string) string {
	k := d.disk(target)
	if k.data == "" {
		d.t.Broken("disk %s has no data file", target)
	}
	return k.data
}

// Rename gives a file another name.
func (t *T) Rename(from, to string) {
	t.must(t.host.Rename(from, to), "rename "+from)
}
