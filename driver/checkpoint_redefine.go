package driver

import (
	"fleece/driver/checkpointdef"
	"fleece/host"
	"fleece/qmp"
	"fleece/virt"
)

// redefine stores the description of a checkpoint that exists elsewhere, in the
// bitmaps of images: new, or in place of the one of its name (§5.12). A sync job
// is held.
func (d *domain) redefine(c *checkpointdef.Checkpoint, validate bool) error {
	if err := d.tree.Check(c, virt.FROM_DOMAIN_CHECKPOINT); err != nil {
		return err
	}
	if d.reserved == c.Name {
		return errNameTaken(c.Name)
	}
	if err := d.alignRedefined(c); err != nil {
		return err
	}
	if validate {
		if err := d.validate(c); err != nil {
			return err
		}
	}
	if err := d.storeCheckpoint(c); err != nil {
		return err
	}
	current := d.tree.Current()
	d.tree.Put(c)
	if current == "" || c.Parent == current {
		d.tree.SetCurrent(c.Name)
	}
	return nil
}

// alignRedefined settles the disks: by the embedded domain, which must be this
// one (E220), or else only in that source paths become targets (§4.6), and that none is
// listed twice: its bitmap could then be neither measured nor deleted.
func (d *domain) alignRedefined(c *checkpointdef.Checkpoint) error {
	def := d.definition()
	if c.Domain != nil {
		if c.Domain.UUID != def.UUID {
			return virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_DOMAIN_CHECKPOINT,
				"definition for checkpoint %s must use uuid %s", c.Name, def.UUID)
		}
		return c.Align(c.Domain)
	}
	for i := range c.Disks {
		if at := def.DiskByPath(c.Disks[i].Name); at >= 0 {
			c.Disks[i].Name = def.Disks[at].Target
		}
	}
	return c.EachOnce()
}

// validate is REDEFINE_VALIDATE: the bitmaps must be there and good (E222), where
// the disks are there.
func (d *domain) validate(c *checkpointdef.Checkpoint) error {
	r := d.run
	if r == nil {
		return errInactive()
	}
	nodes, err := d.namedNodes(r)
	if err != nil {
		return err
	}
	for i := range c.Disks {
		at := d.live.Disk(c.Disks[i].Name)
		if !c.Disks[i].Bitmap || at < 0 {
			continue
		}
		if _, ok := bitmapChain(nodes, r.disks[at].Nodes, c.Name); !ok {
			return errBitmap(c.Name, c.Disks[i].Name)
		}
	}
	return nil
}

// namedNodes asks QEMU for its nodes; a sync job is held. QEMU 7.2 does not survive the
// question while a job formats an image: it meets the image half opened
// (docs/qemu-findings.md, "Asking for the nodes while an image is made").
func (d *domain) namedNodes(r *run) ([]qmp.NamedNode, error) {
	for r.creating > 0 && d.usable(r) == nil {
		d.cond.Wait()
	}
	v, err := d.exec(r, qmp.QueryNamedBlockNodes{Flat: qmp.True})
	if err != nil {
		return nil, err
	}
	nodes, err := qmp.NamedNodes(v)
	if err != nil {
		return nil, virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_QEMU, "%v", err).Because(err)
	}
	return nodes, nil
}

// storeCheckpoint writes metadata in force, atomically.
func (d *domain) storeCheckpoint(c *checkpointdef.Checkpoint) error {
	if err := host.MkdirAll(d.drv.h, d.checkpointDir(), 0o700); err != nil {
		return systemError(err, "cannot create checkpoint directory '%s'", d.checkpointDir())
	}
	text := c.Format(checkpointdef.FormatOptions{})
	if err := host.WriteFileAtomic(d.drv.h, d.checkpointPath(c.Name), []byte(text), 0o600); err != nil {
		return errMetadata(c.Name, err)
	}
	return nil
}
