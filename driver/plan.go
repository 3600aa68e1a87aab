package driver

import (
	"fleece/driver/backupdef"
	"fleece/driver/checkpointdef"
	"fleece/driver/domaindef"
	"fleece/qmp"
	"fleece/virt"
)

// This file is pure: from what is known to what is to be sent.

// diskPlan is what Begin found out about a disk before it changed anything.
type diskPlan struct {
	size        int64 // bytes, of the source
	clusterSize int64 // bytes, of a qcow2 source; 0 otherwise
	// bitmaps are the instances of the checkpoint's bitmap, the active image's
	// first; none for a full backup.
	bitmaps     []qmp.Bitmap
	granularity int64 // bytes, of the first of them
	backing     string
	backingPath string
	backingFmt  string
}

// findNode finds a node by name; nil if there is none.
func findNode(nodes []qmp.NamedNode, name string) *qmp.NamedNode {
	for i := range nodes {
		if nodes[i].NodeName == name {
			return &nodes[i]
		}
	}
	return nil
}

// bitmapChain returns the instances of a bitmap in a backing chain, the active
// image's first. ok is false if the chain is not valid (§5.16): the bitmap must be
// in the active image and then in each image without a gap until it ends, and
// every instance persistent, recording and consistent. They must be of one size, too:
// QEMU merges no others, as they are once a disk was resized over an overlay.
func bitmapChain(nodes []qmp.NamedNode, layers []domaindef.Node, name string) (chain []qmp.DirtyBitmap, ok bool) {
	ended, size := false, int64(0)
	for _, layer := range layers {
		var bitmap qmp.DirtyBitmap
		found := false
		node := findNode(nodes, layer.Format())
		if node != nil {
			bitmap, found = node.Bitmap(name)
		}
		switch {
		case !found:
			ended = true
		case ended, !bitmap.Persistent, !bitmap.Recording, bitmap.Inconsistent, len(chain) > 0 && node.VirtualSize != size:
			return nil, false
		default:
			chain, size = append(chain, bitmap), node.VirtualSize
		}
	}
	return chain, len(chain) > 0
}

// planIncremental completes the plan of a disk that is copied from a checkpoint.
func (p *diskPlan) planIncremental(nodes []qmp.NamedNode, layers []domaindef.Node, name, target string) error {
	chain, ok := bitmapChain(nodes, layers, name)
	if !ok {
		return errBitmap(name, target)
	}
	p.granularity = chain[0].Granularity
	for i := range chain {
		p.bitmaps = append(p.bitmaps, qmp.Bitmap{Node: layers[i].Format(), Name: name})
	}
	return nil
}

// errBitmap is E140 and E222.
func errBitmap(name, target string) error {
	return virt.Errorf(virt.ERR_CHECKPOINT_INCONSISTENT, virt.FROM_QEMU,
		"missing or broken bitmap '%s' for disk '%s'", name, target)
}

// targetFormatError refuses the formats that QEMU calls otherwise (E134…E137).
func targetFormatError(format string) error {
	switch format {
	case "iso":
		return errConfig("storage format 'iso' is not directly supported by QEMU, use 'raw' instead")
	case "cow":
		return errConfig("'cow' storage format is not supported")
	case "dir":
		return errConfig("'directory' storage format is not directly supported by QEMU, use 'dir' disk type instead")
	case "fat":
		return errConfig("storage format 'fat' is supported only with 'dir' storage type")
	}
	return nil
}

func errConfig(text string) error {
	return virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_QEMU, "%s", text)
}

// uncreatable is E146: what QEMU, or this driver, cannot create. It comes after
// the file was looked for, as in libvirt.
func uncreatable(format string) error {
	if format == "qcow2" || format == "raw" {
		return nil
	}
	return virt.Errorf(virt.ERR_OPERATION_UNSUPPORTED, virt.FROM_QEMU, "can't create storage format '%s'", format)
}

// checkpointActions are the bitmaps of a new checkpoint, in the order of the
// domain's disks (§5.4).
func checkpointActions(c *checkpointdef.Checkpoint, dom *domaindef.Domain, plans []domaindef.DiskPlan) []qmp.Action {
	var actions []qmp.Action
	for i := range c.Disks {
		if at := dom.Disk(c.Disks[i].Name); c.Disks[i].Bitmap && at >= 0 {
			actions = append(actions, qmp.BitmapAdd{
				Node: plans[at].Top().Format(), Name: c.Name, Persistent: qmp.True, Disabled: qmp.False,
			})
		}
	}
	return actions
}

// actions are those of one disk of a push: the temporary bitmap with what is
// dirty, then the job.
func (k *disk) actions() []qmp.Action {
	job := qmp.BlockdevBackup{
		Device: k.Source, JobID: k.Job, Target: k.target().Format(), Sync: "full",
		AutoFinalize: qmp.True, AutoDismiss: qmp.False,
	}
	if k.Bitmap == "" {
		return []qmp.Action{job}
	}
	job.Sync, job.Bitmap = "incremental", k.Bitmap
	return []qmp.Action{
		qmp.BitmapAdd{Node: k.Source, Name: k.Bitmap, Persistent: qmp.False, Disabled: qmp.True, Granularity: k.plan.granularity},
		qmp.BitmapMerge{Node: k.Source, Target: k.Bitmap, Sources: k.plan.bitmaps},
		job,
	}
}

// storageNode is the node that opens the target.
func (k *disk) storageNode() qmp.NodeOptions {
	if k.def.Type == "block" {
		return domaindef.HostDeviceNode{NodeName: k.target().Storage(), Filename: k.def.Path}
	}
	if k.def.Remote != nil {
		return nbdNode{k.target().Storage(), k.def.Remote}
	}
	return qmp.FileNode{NodeName: k.target().Storage(), Filename: k.def.Path, AutoReadOnly: qmp.True, Discard: "unmap"}
}

// nbdNode is the storage node of a target that another host's server keeps.
type nbdNode struct {
	name   string
	remote *backupdef.Remote
}

// Options gives the arguments of blockdev-add.
func (n nbdNode) Options() qmp.Value {
	server := qmp.Dict(qmp.M("type", qmp.Str("inet")), qmp.M("host", qmp.Str(n.remote.Host)), qmp.M("port", qmp.Str(n.remote.Port)))
	if n.remote.Socket != "" {
		server = qmp.Dict(qmp.M("type", qmp.Str("unix")), qmp.M("path", qmp.Str(n.remote.Socket)))
	}
	return qmp.Dict(qmp.M("driver", qmp.Str("nbd")), qmp.M("node-name", qmp.Str(n.name)), qmp.M("server", server),
		qmp.M("export", qmp.Str(n.remote.Export)))
}

// formatNode is the node that the job writes to.
func (k *disk) formatNode() qmp.NodeOptions {
	n := k.target()
	if k.def.Format == "raw" {
		return qmp.RawNode{NodeName: n.Format(), ReadOnly: qmp.False, File: n.Storage()}
	}
	backing := qmp.Null()
	if k.plan.backing != "" {
		backing = qmp.Str(k.plan.backing)
	}
	return qmp.Qcow2Node{NodeName: n.Format(), ReadOnly: qmp.False, File: n.Storage(), Backing: backing}
}

// formatImage is the creation of the image in the storage node.
func (k *disk) formatImage() qmp.BlockdevCreate {
	n := k.target()
	return qmp.BlockdevCreate{JobID: "create-" + n.Format(), Image: qmp.Qcow2Create{
		File: n.Storage(), Size: k.plan.size, ClusterSize: k.plan.clusterSize,
		BackingFile: k.plan.backingPath, BackingFormat: k.plan.backingFmt,
	}}
}

// storageImage gives the file of a raw image its size.
func (k *disk) storageImage() qmp.BlockdevCreate {
	return qmp.BlockdevCreate{JobID: "create-" + k.target().Storage(), Image: qmp.FileCreate{Filename: k.def.Path, Size: k.plan.size}}
}
