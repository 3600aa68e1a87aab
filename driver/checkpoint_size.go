package driver

import (
	"fleece/driver/checkpointdef"
	"fleece/qmp"
)

// sizeBitmap is libvirt's name for the bitmap that sizes are measured with.
const sizeBitmap = "libvirt-tmp-size-xml"

// measureCheckpoint returns a copy of c with the bytes that are dirty since it on
// each disk whose bitmaps are good; the others show no size (§5.14). A sync job is
// held.
func (d *domain) measureCheckpoint(c *checkpointdef.Checkpoint) (*checkpointdef.Checkpoint, error) {
	r := d.run
	if r == nil {
		return nil, errInactive()
	}
	nodes, err := d.namedNodes(r)
	if err != nil {
		return nil, err
	}
	c = c.Clone()
	var add, remove []qmp.Action
	var tops []string // per disk of c; "" if it is not measured
	for i := range c.Disks {
		c.Disks[i].Size = -1
		tops = append(tops, "")
		at := d.live.Disk(c.Disks[i].Name)
		if !c.Disks[i].Bitmap || at < 0 {
			continue
		}
		layers := r.disks[at].Nodes
		var p diskPlan
		if p.planIncremental(nodes, layers, c.Name, c.Disks[i].Name) != nil {
			continue
		}
		tops[i] = layers[0].Format()
		if _, left := findNode(nodes, tops[i]).Bitmap(sizeBitmap); left {
			add = append(add, qmp.BitmapRemove{Node: tops[i], Name: sizeBitmap})
		}
		add = append(add,
			qmp.BitmapAdd{Node: tops[i], Name: sizeBitmap, Persistent: qmp.False, Disabled: qmp.True, Granularity: p.granularity},
			qmp.BitmapMerge{Node: tops[i], Target: sizeBitmap, Sources: p.bitmaps})
		remove = append(remove, qmp.BitmapRemove{Node: tops[i], Name: sizeBitmap})
	}
	if len(remove) == 0 {
		return c, nil
	}
	return c, d.readSizes(r, c, tops, add, remove)
}

func (d *domain) readSizes(r *run, c *checkpointdef.Checkpoint, tops []string, add, remove []qmp.Action) error {
	if _, err := d.exec(r, qmp.Transaction{Actions: add}); err != nil {
		return err
	}
	nodes, err := d.namedNodes(r)
	d.attempt(r, qmp.Transaction{Actions: remove})
	if err != nil {
		return err
	}
	for i, top := range tops {
		if node := findNode(nodes, top); node != nil {
			if b, ok := node.Bitmap(sizeBitmap); ok {
				c.Disks[i].Size = min(b.Count, node.VirtualSize) // I17
			}
		}
	}
	return nil
}

// dropSizes removes what a driver that died while it measured left in QEMU.
func (d *domain) dropSizes(r *run) {
	nodes, err := d.namedNodes(r)
	if err != nil {
		return
	}
	for i := range nodes {
		if _, ok := nodes[i].Bitmap(sizeBitmap); ok {
			d.attempt(r, qmp.BitmapRemove{Node: nodes[i].NodeName, Name: sizeBitmap})
		}
	}
}
