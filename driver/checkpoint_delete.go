package driver

import (
	"errors"
	"io/fs"
	"slices"

	"fleece/driver/domaindef"
	"fleece/qmp"
	"fleece/virt"
)

// DomainCheckpointDelete removes checkpoints: first all their bitmaps in one
// transaction, then metadata and tree, leaves first (contract row 23, §8.4, 8.6,
// 8.7). A bitmap that is not there does not stand in the way (§8.19).
func (drv *Driver) DomainCheckpointDelete(id virt.CheckpointID, flags virt.DomainCheckpointDeleteFlags) error {
	const known = virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN | virt.DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY |
		virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY
	d, err := drv.find(id.Domain)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if bits := flags &^ known; bits != 0 {
		return virt.UnsupportedFlags(uint32(bits), "qemuCheckpointDelete")
	}
	if err := d.begin(jobModify, "virDomainCheckpointDelete"); err != nil {
		return err
	}
	defer d.end()
	bitmaps := flags&virt.DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY == 0
	if bitmaps && d.run == nil {
		return virt.Errorf(virt.ERR_OPERATION_UNSUPPORTED, virt.FROM_QEMU, "cannot delete checkpoint for inactive domain")
	}
	if d.tree.Get(id.Name) == nil {
		return errNoCheckpoint(id.Name)
	}
	names := d.doomed(id.Name, flags)
	if bitmaps {
		if err := d.removeBitmaps(d.run, names); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := d.removeCheckpoint(name); err != nil {
			return err
		}
	}
	return nil
}

// doomed lists what a Delete removes, children before parents.
func (d *domain) doomed(name string, flags virt.DomainCheckpointDeleteFlags) []string {
	var names []string
	if flags&(virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN|virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY) != 0 {
		f := filter(0)
		f.From = name
		names = d.tree.List(f)
	}
	slices.Reverse(names)
	if flags&virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY == 0 {
		names = append(names, name)
	}
	return names
}

// layerRef is an image of a disk's backing chain.
type layerRef struct{ disk, layer int }

// removeBitmaps removes the bitmaps of checkpoints from every image of the chains
// that has them. Images below the active one are opened for writing meanwhile.
func (d *domain) removeBitmaps(r *run, names []string) error {
	nodes, err := d.namedNodes(r)
	if err != nil {
		return err
	}
	var actions []qmp.Action
	var lower []layerRef
	for _, name := range names {
		for _, ref := range d.instances(r, nodes, name) {
			actions = append(actions, qmp.BitmapRemove{Node: r.disks[ref.disk].Nodes[ref.layer].Format(), Name: name})
			if ref.layer > 0 && !slices.Contains(lower, ref) {
				lower = append(lower, ref)
			}
		}
	}
	if len(actions) == 0 {
		return nil
	}
	if len(lower) > 0 {
		if _, err := d.exec(r, d.reopen(r, lower, false)); err != nil {
			return err
		}
		defer d.attempt(r, d.reopen(r, lower, true))
	}
	_, err = d.exec(r, qmp.Transaction{Actions: actions})
	return err
}

// instances lists the images that have a checkpoint's bitmap.
func (d *domain) instances(r *run, nodes []qmp.NamedNode, name string) []layerRef {
	var found []layerRef
	for _, k := range d.tree.Get(name).Disks {
		at := d.live.Disk(k.Name)
		if !k.Bitmap || at < 0 {
			continue
		}
		for l, layer := range r.disks[at].Nodes {
			node := findNode(nodes, layer.Format())
			if node == nil {
				continue
			}
			if _, ok := node.Bitmap(name); ok {
				found = append(found, layerRef{at, l})
			}
		}
	}
	return found
}

func (d *domain) reopen(r *run, refs []layerRef, readOnly bool) qmp.BlockdevReopen {
	var c qmp.BlockdevReopen
	for _, ref := range refs {
		c.Nodes = append(c.Nodes, d.layerNode(r, ref.disk, ref.layer, readOnly))
	}
	return c
}

// layerNode is an image of a disk's chain as blockdev-reopen wants it.
func (d *domain) layerNode(r *run, at, l int, readOnly bool) qmp.NodeOptions {
	plan := &r.disks[at]
	layers := plan.Nodes
	n, format := layers[l], d.live.Disks[at].Layers[l].Format
	if format == "raw" {
		return qmp.RawNode{NodeName: n.Format(), ReadOnly: qmp.ToBool3(readOnly), File: n.Storage()}
	}
	return qmp.Qcow2Node{
		NodeName: n.Format(), ReadOnly: qmp.ToBool3(readOnly), File: n.Storage(), DataFile: plan.DataOf(n), Backing: backingOf(layers, l),
	}
}

func backingOf(layers []domaindef.Node, l int) qmp.Value {
	if l+1 < len(layers) {
		return qmp.Str(layers[l+1].Format())
	}
	return qmp.Null()
}

// removeCheckpoint removes one checkpoint from disk and tree. Its children get its
// parent. From the moment its file has another name it is deleted: a driver that
// dies before the children's files are written leaves that to the next one.
func (d *domain) removeCheckpoint(name string) error {
	c, file := d.tree.Get(name), d.checkpointPath(name)
	f := filter(0)
	f.From, f.Shallow = name, true
	if len(d.tree.List(f)) == 0 {
		return d.removeLeaf(name)
	}
	if err := d.bury(file); err != nil {
		return err
	}
	if err := d.orphan(c); err != nil {
		if back := d.drv.h.Rename(file+deletedSuffix, file); back != nil {
			d.drv.p.Note("checkpoint-not-stored", d.name, back)
		}
		return err
	}
	return d.removeLeaf(name)
}

// removeLeaf removes a checkpoint without children. If it fails it can be called
// again.
func (d *domain) removeLeaf(name string) error {
	file := d.checkpointPath(name)
	for _, file := range []string{file, file + deletedSuffix} {
		if err := d.drv.remove(file); err != nil {
			return systemError(err, "cannot remove checkpoint file '%s'", file)
		}
	}
	if err := d.drv.h.SyncDir(d.checkpointDir()); err != nil {
		return systemError(err, "cannot remove checkpoint file '%s'", file)
	}
	d.tree.Remove(name)
	return nil
}

// bury renames the file of a checkpoint that is being deleted, durably. It may be
// missing.
func (d *domain) bury(file string) error {
	err := d.drv.h.Rename(file, file+deletedSuffix)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = d.drv.h.SyncDir(d.checkpointDir())
	}
	if err != nil {
		return systemError(err, "cannot remove checkpoint file '%s'", file)
	}
	return nil
}
