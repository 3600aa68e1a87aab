package checkpointdef

import (
	"fleece/driver/domaindef"
	"fleece/virt"
)

func unsupported(format string, args ...any) error {
	return virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_DOMAIN_CHECKPOINT, format, args...)
}

// Align fills the document in from the disks of the domain
// (virDomainCheckpointAlignDisks): an entry per disk, in the domain's order. All
// errors are 67.
func (c *Checkpoint) Align(dom *domaindef.Domain) error {
	if len(c.Disks) > len(dom.Disks) {
		return unsupported("too many disk checkpoint requests for domain")
	}
	if len(dom.Disks) == 0 {
		return unsupported("domain must have at least one disk to perform checkpoints")
	}
	aligned := make([]Disk, len(dom.Disks))
	for i := range c.Disks {
		d := c.Disks[i]
		at := find(dom, d.Name)
		if at < 0 {
			return unsupported("no disk named '%s'", d.Name)
		}
		k := &dom.Disks[at]
		if aligned[at].Name != "" {
			return unsupported("disk '%s' specified twice", k.Target)
		}
		if d.Bitmap && (k.Empty() || k.ReadOnly) {
			return unsupported("disk '%s' is empty or readonly", k.Target)
		}
		d.Name = k.Target
		aligned[at] = d
	}
	for i := range aligned {
		k := &dom.Disks[i]
		if aligned[i].Name == "" {
			aligned[i] = Disk{Name: k.Target, Size: -1, Bitmap: c.Disks == nil && !k.Empty() && !k.ReadOnly}
		}
	}
	c.Disks = aligned
	return c.checkBitmapNames()
}

// EachOnce refuses a disk that is listed twice (67), for documents that are not aligned.
func (c *Checkpoint) EachOnce() error {
	seen := make(map[string]bool, len(c.Disks))
	for i := range c.Disks {
		if seen[c.Disks[i].Name] {
			return unsupported("disk '%s' specified twice", c.Disks[i].Name)
		}
		seen[c.Disks[i].Name] = true
	}
	return nil
}

// find looks a disk up by target or by source path.
func find(dom *domaindef.Domain, name string) int {
	if at := dom.Disk(name); at >= 0 {
		return at
	}
	return dom.DiskByPath(name)
}

// checkBitmapNames settles that the bitmaps have the checkpoint's name.
func (c *Checkpoint) checkBitmapNames() error {
	for i := range c.Disks {
		d := &c.Disks[i]
		switch {
		case !d.Bitmap:
		case d.BitmapName == "":
			d.BitmapName = c.Name
		case d.BitmapName != c.Name:
			return virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_QEMU,
				"bitmap for disk '%s' must match checkpoint name '%s'", d.Name, c.Name)
		}
	}
	return nil
}
