package driver

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fleece/driver/domaindef"
	"fleece/qmp"
	"fleece/virt"
)

// image is one image of a disk that QEMU has open: of its chain, the data file of one of
// those, or the target or scratch of a backup.
type image struct {
	target string
	node   domaindef.Node
	path   string // "" if it has none on this host
	active bool
}

// images lists what a domain that runs has open, active images before those below.
func (d *domain) images() []image {
	var all []image
	for i := range d.live.Disks {
		disk := &d.live.Disks[i]
		for l, node := range d.run.disks[i].Nodes {
			all = append(all, image{disk.Target, node, disk.Layers[l].Path, l == 0})
		}
		for _, data := range d.run.disks[i].Data {
			if l := slices.Index(d.run.disks[i].Nodes, data.Image); l >= 0 {
				all = append(all, image{disk.Target, data.Node, disk.Layers[l].Data.Path, false})
			}
		}
	}
	if d.backup.visible() {
		for _, k := range d.backup.disks {
			path := k.def.Path
			if k.def.Remote != nil {
				path = ""
			}
			all = append(all, image{k.Name, k.target(), path, false})
		}
	}
	return all
}

// DomainSetBlockThreshold asks QEMU for one event when a write passes an offset of an
// image: "vda" is the active one, "vda[7]" the one with that index in the documents of
// domain and backup. Errors: 8 flags, 55 an inactive domain, 8 no such image (E263).
func (drv *Driver) DomainSetBlockThreshold(id virt.DomainID, dev string, threshold uint64, flags uint32) error {
	d, err := drv.find(id)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if flags != 0 {
		return virt.UnsupportedFlags(flags, "qemuDomainSetBlockThreshold")
	}
	if err := d.begin(jobModify, "virDomainSetBlockThreshold"); err != nil {
		return err
	}
	defer d.end()
	if d.run == nil {
		return errInactive()
	}
	im, ok := d.imageOf(dev)
	if !ok {
		return virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU, "failed to find disk '%s'", dev)
	}
	_, err = d.exec(d.run, qmp.BlockSetWriteThreshold{NodeName: im.node.Storage(), Threshold: threshold})
	return err
}

// imageOf finds an image by its device string.
func (d *domain) imageOf(dev string) (image, bool) {
	target, rest, indexed := strings.Cut(dev, "[")
	index, err := strconv.Atoi(strings.TrimSuffix(rest, "]"))
	if indexed && (err != nil || !strings.HasSuffix(rest, "]")) {
		return image{}, false
	}
	for _, im := range d.images() {
		if im.target == target && (!indexed && im.active || indexed && int(im.node) == index) {
			return im, true
		}
	}
	return image{}, false
}

// thresholdPassed tells callers, in the reader task.
func (d *domain) thresholdPassed(r *run, w qmp.WriteThreshold) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.run != r {
		return
	}
	for _, im := range d.images() {
		if im.node.Storage() != w.NodeName {
			continue
		}
		e := virt.BlockThresholdEvent{Domain: d.id(), Path: im.path, Threshold: w.Threshold, Excess: w.Exceeded}
		if im.active {
			e.Disk = im.target
			d.drv.emit(e)
		}
		e.Disk = fmt.Sprintf("%s[%d]", im.target, im.node)
		d.drv.emit(e)
		return
	}
}
