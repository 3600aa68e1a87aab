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
	f, err := t.dataFile(k)
	if err != nil {
		return err
	}
	image := &qcow2.Image{
		Size: k.Size, ClusterBits: uint(bits.TrailingZeros64(uint64(k.ClusterSize))),
		DataFile: k.data, DataTo: f, DataFileRaw: k.DataFileRaw,
	}
	if k.DataDevice {
		image.DataTo = device{f}
	}
	if k.DataFileRaw {
		image.Runs = []qcow2.Run{{Length: k.Size}}
	}
	if err := t.writeImage(k.Path, image); err != nil {
		return err
	}
	if t.dataOf == nil {
		t.dataOf = map[string]string{}
	}
	t.dataOf[k.Path] = k.data
	return f.Close()
}

// dataFile makes and opens the data file of a disk.
func (t *T) dataFile(k *disk) (host.File, error) {
	if k.DataDevice {
		k.data = t.BlockDevice(k.Target+"-data", k.Size)
		return t.host.OpenFile(k.data, host.ReadWrite, 0)
	}
	k.data = k.Path + ".data"
	t.Keeps(k.data)
	return t.host.OpenFile(k.data, host.ReadWrite|host.Create|host.Exclusive, 0o644)
}

// device is a block device to be written to, which has the size that it has.
type device struct{ host.File }

func (device) Truncate(int64) error { return nil }

// dataStore is the data file within the <source> of the disk's active image.
func (k *disk) dataStore() string {
	if k.data == "" || len(k.below) > 0 {
		return ""
	}
	kind, attr := "file", "file"
	if k.DataDevice {
		kind, attr = "block", "dev"
	}
	return fmt.Sprintf("<dataStore type='%s'><format type='raw'/><source %s='%s'/></dataStore>", kind, attr, k.data)
}

// expectDataNodes asserts that the driver named the nodes of data files: QEMU opens those
// of which nobody speaks by itself, under names of its own.
func (d *Domain) expectDataNodes() {
	for _, k := range d.disks {
		if k.data == "" {
			continue
		}
		driver := "file"
		if k.DataDevice {
			driver = "host_device"
		}
		node := d.NodeOf(k.data, driver)
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
