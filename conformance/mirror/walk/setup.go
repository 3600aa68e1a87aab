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
	InUse   string // a stored bitmap that was not closed cleanly; "" if there is none
}

// Setup is what a session finds.
type Setup struct {
	Dir   string // absolute
	Files []File
	Spec  machine.Spec
	// Mistakes says that a part of the steps are made to be refused: those of the table in
	// mistakes.txt.
	Mistakes bool
}

// hugeSize is that of an image for which fine bitmaps are too large to be stored. Nothing
// but the mistakes opens it.
const hugeSize = 4 << 40

// spare are the files that no disk has and that may be used for all.
func (s Setup) spare() []File {
	var all []File
	for _, f := range s.Files[disks:] {
		if f.Size < hugeSize {
			all = append(all, f)
		}
	}
	return all
}

// mistakesEvery is how many sessions there are to one with mistakes.
const mistakesEvery = 4

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
		s.Files = append(s.Files, File{Name: name + ".qcow2", Size: sizes[i], Cluster: one(d, 0, 0, 65536, 4096, int64(16384)), Version: 3})
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
		s.Files = append(s.Files, File{Name: fmt.Sprintf("t%d.qcow2", i), Size: size, Cluster: one(d, 0, 0, 65536, 4096, int64(1<<20)), Version: 3})
	}
	s.Files = append(s.Files,
		File{Name: "r0.raw", Size: sizes[0]}, File{Name: "r1.raw", Size: sizes[1]},
		File{Name: "v2.qcow2", Size: sizes[0], Version: 2})
	if s.Mistakes = d.seed%mistakesEvery == 0; s.Mistakes {
		s.Files = append(s.Files,
			File{Name: "bad.qcow2", Size: sizes[0], Version: 3, InUse: "c1"},
			File{Name: "p0.qcow2", Size: sizes[0], Version: 3}, File{Name: "p1.qcow2", Size: 3 << 20, Version: 3},
			File{Name: "p2.qcow2", Size: sizes[0], Version: 2}, File{Name: "p3.qcow2", Size: sizes[0], Version: 3},
			File{Name: "p4.qcow2", Size: sizes[0], Version: 3}, File{Name: "huge.qcow2", Size: hugeSize, Version: 3})
	}
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
