package driver

import (
	"fleece/driver/domaindef"
	"fleece/driver/state"
	"fleece/qmp"
)

// activeWrites is the bitmap that records what the guest writes to the new active image
// from just before the switch until the bitmaps of checkpoints are there (§5.2).
const activeWrites = "libvirt-tmp-activewrite"

// records reports whether an image has the bitmap.
func (d *domain) records(r *run, image domaindef.Node) (bool, error) {
	nodes, err := d.namedNodes(r)
	if err != nil {
		return false, err
	}
	node := findNode(nodes, image.Format())
	if node == nil {
		return false, nil
	}
	_, there := node.Bitmap(activeWrites)
	return there, nil
}

// recordWrites has an image record what is written to it. A driver that died over a switch
// may have begun that: what was recorded since is more than need be, and lacks nothing.
func (d *domain) recordWrites(r *run, image domaindef.Node) error {
	there, err := d.records(r, image)
	if err != nil || there {
		return err
	}
	_, err = d.exec(r, qmp.Transaction{Actions: []qmp.Action{
		qmp.BitmapAdd{Node: image.Format(), Name: activeWrites, Persistent: qmp.False, Disabled: qmp.False},
	}})
	return err
}

// dropRecord ends recordWrites, if that was begun.
func (d *domain) dropRecord(r *run, image domaindef.Node) {
	if there, err := d.records(r, image); err == nil && there {
		d.attempt(r, qmp.BitmapRemove{Node: image.Format(), Name: activeWrites})
	}
}

// carryBitmaps puts what the bitmaps of images that go have recorded into those of the
// image that took over their content (§5.16). Every checkpoint is then as good as before.
func (d *domain) carryBitmaps(r *run, j *blockJob, at int) error {
	nodes, err := d.namedNodes(r)
	if err != nil {
		return err
	}
	target, sources := j.heir(r.disks[at].Nodes)
	node := findNode(nodes, target.Format())
	if node == nil {
		return nil
	}
	var actions []qmp.Action
	_, writes := node.Bitmap(activeWrites)
	names := bitmapNames(nodes, append(append([]domaindef.Node(nil), sources...), target))
	for _, name := range names {
		if j.spoilt(nodes, r.disks[at].Nodes, name) {
			d.forgo(r, target, name)
			continue
		}
		actions = append(actions, carryOne(nodes, node, target, sources, name, writes)...)
	}
	if writes {
		actions = append(actions, qmp.BitmapRemove{Node: target.Format(), Name: activeWrites})
	}
	if len(actions) == 0 {
		return nil
	}
	if j.Kind != state.BlockCommit {
		if _, err = d.exec(r, qmp.Transaction{Actions: actions}); err != nil && j.Kind != state.BlockActiveCommit {
			for _, name := range names {
				d.forgo(r, target, name)
			}
		}
		return err
	}
	// The base of a commit below the active image is read-only again.
	layer := nodeIndex(r.disks[at].Nodes, target)
	if _, err := d.exec(r, qmp.BlockdevReopen{Nodes: []qmp.NodeOptions{d.layerNode(r, at, layer, false)}}); err != nil {
		return err
	}
	_, err = d.exec(r, qmp.Transaction{Actions: actions})
	d.attempt(r, qmp.BlockdevReopen{Nodes: []qmp.NodeOptions{d.layerNode(r, at, layer, true)}})
	return err
}

// spoilt reports whether a bitmap was of no use before a job, and would seem to be of use
// after it, when the images that told are gone: QEMU does not record what a pull writes, and
// the caller's image of a copy may have a bitmap of that name, of whatever. A commit records
// what it writes.
func (j *blockJob) spoilt(nodes []qmp.NamedNode, chain []domaindef.Node, name string) bool {
	if j.Kind != state.BlockPull && j.Kind != state.BlockCopy {
		return false
	}
	_, ok := bitmapChain(nodes, chain, name)
	return !ok
}

// forgo removes the bitmap of a checkpoint that cannot be carried over, so that whoever
// starts from it is told (109). What is of somebody else stays.
func (d *domain) forgo(r *run, image domaindef.Node, name string) {
	if d.tree.Get(name) != nil {
		d.attempt(r, qmp.BitmapRemove{Node: image.Format(), Name: name})
	}
}

// heir is the image that took over, and those whose bitmaps count, the highest first.
func (j *blockJob) heir(chain []domaindef.Node) (heir domaindef.Node, sources []domaindef.Node) {
	top, base := nodeIndex(chain, domaindef.Node(j.Top)), nodeIndex(chain, domaindef.Node(j.Base))
	if j.Base == 0 {
		base = len(chain)
	}
	switch {
	case top < 0 || base < 0:
		return 0, nil
	case j.Kind == state.BlockPull:
		return chain[top], chain[top:base]
	case j.Kind == state.BlockCopy && j.Shallow:
		return j.newTop(), chain[:1]
	case j.Kind == state.BlockCopy:
		return j.newTop(), chain
	}
	return chain[base], chain[top : base+1]
}

func nodeIndex(chain []domaindef.Node, n domaindef.Node) int {
	for i := range chain {
		if chain[i] == n {
			return i
		}
	}
	return -1
}

// bitmapNames are the names of bitmaps on some images, in the order in which they are
// met.
func bitmapNames(nodes []qmp.NamedNode, images []domaindef.Node) []string {
	var names []string
	for _, image := range images {
		node := findNode(nodes, image.Format())
		if node == nil {
			continue
		}
		for _, b := range node.Bitmaps {
			known := b.Name == "" || b.Name == activeWrites
			for _, n := range names {
				known = known || n == b.Name
			}
			if !known {
				names = append(names, b.Name)
			}
		}
	}
	return names
}

// carryOne are the actions for one bitmap; a chain of it that is not valid is left alone.
func carryOne(nodes []qmp.NamedNode, node *qmp.NamedNode, target domaindef.Node, sources []domaindef.Node, name string, writes bool) []qmp.Action {
	chain, ok := bitmapChain(nodes, sources, name)
	if !ok {
		return nil
	}
	var actions []qmp.Action
	if _, there := node.Bitmap(name); !there {
		actions = append(actions, qmp.BitmapAdd{
			Node: target.Format(), Name: name, Persistent: qmp.True, Disabled: qmp.False, Granularity: chain[0].Granularity,
		})
	}
	merge := qmp.BitmapMerge{Node: target.Format(), Target: name}
	for _, image := range sources {
		from := findNode(nodes, image.Format())
		if from == nil || image == target {
			continue
		}
		if _, there := from.Bitmap(name); there {
			merge.Sources = append(merge.Sources, qmp.Bitmap{Node: image.Format(), Name: name})
		}
	}
	if writes {
		merge.Sources = append(merge.Sources, qmp.Bitmap{Node: target.Format(), Name: activeWrites})
	}
	if len(merge.Sources) == 0 {
		return actions
	}
	return append(actions, merge)
}
