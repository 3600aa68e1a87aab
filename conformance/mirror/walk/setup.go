package walk

import (
	"fmt"

	"fleece/machine"
	"fleece/qmp"
)

// File is an image that is there when the session begins, empty.
type File struct {
	Name    string // in the session's directory
	Size    int64  // bytes; virtual for qcow2
	Cluster int64  // bytes; 0 is the default
	Version int    // of qcow2; 0 is a plain file
}

// Setup is what a session finds.
type Setup struct {
	Dir   string // absolute
	Files []File
	Spec  machine.Spec
}

// Names of what every session has.
const (
	disks   = 2
	targets = 5
)

// NewSetup draws images and a machine with two disks. Sizes are small, so that a
// session is quick, but larger than the 1 MiB that a stalled job copies.
func NewSetup(d *Dice, dir string) Setup {
	s := Setup{Dir: dir}
	sizes := [disks]int64{4 << 20, 4 << 20}
	if d.In(3) {
		sizes[1] = one(d, 3<<20, 2<<20+512, 5<<20+66048, int64(2<<20))
	}
	s.Spec = machine.Spec{Name: "mirror", MemoryKiB: 32 << 10, VCPUs: 1, Paused: true}
	for i := range disks {
		name := fmt.Sprintf("d%d", i)
		s.Files = append(s.Files, File{name + ".qcow2", sizes[i], one(d, 0, 0, 65536, 4096, int64(16384)), 3})
		s.Spec.Nodes = append(s.Spec.Nodes,
			node("driver", "file", "filename", s.path(name+".qcow2"), "node-name", "s"+name, "discard", one(d, "unmap", "ignore")),
			node("driver", "qcow2", "file", "s"+name, "node-name", name, "discard", one(d, "unmap", "unmap", "ignore")))
		s.Spec.Devices = append(s.Spec.Devices, machine.Device{Driver: "virtio-blk-pci", ID: fmt.Sprintf("vd%d", i), Drive: name})
	}
	for i := range targets {
		size := sizes[0]
		if i >= targets-2 {
			size = sizes[1]
		}
		s.Files = append(s.Files, File{fmt.Sprintf("t%d.qcow2", i), size, one(d, 0, 0, 65536, 4096, int64(1<<20)), 3})
	}
	s.Files = append(s.Files,
		File{"r0.raw", sizes[0], 0, 0}, File{"r1.raw", sizes[1], 0, 0},
		File{"v2.qcow2", sizes[0], 0, 2})
	return s
}

func (s Setup) path(name string) string { return s.Dir + "/" + name }

// node is a dict of texts.
func node(pairs ...string) qmp.Value {
	var members []qmp.Member
	for i := 0; i < len(pairs); i += 2 {
		members = append(members, qmp.M(pairs[i], qmp.Str(pairs[i+1])))
	}
	return qmp.Dict(members...)
}
