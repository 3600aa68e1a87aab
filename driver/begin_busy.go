package driver

import (
	"fleece/qmp"
	"fleece/virt"
)

// jobOn reports whether a block job of somebody else works on a disk: its filter
// lies over the disk's active image (E141). QEMU itself refuses a backup beside a
// mirror, commit or stream (E160), but not beside another backup of the same node
// (docs/qemu-findings.md). A filter is named after the file below it, and a backup
// of our own would have been refused before.
func jobOn(nodes []qmp.NamedNode, top *qmp.NamedNode) bool {
	if top == nil {
		return false
	}
	for i := range nodes {
		n := &nodes[i]
		switch n.Driver {
		case "copy-before-write", "mirror_top", "commit_top":
			if n.File == top.File {
				return true
			}
		}
	}
	return false
}

// errBusy is E141.
func errBusy(target string) error {
	return virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_QEMU, "disk '%s' has a blockjob assigned", target)
}
