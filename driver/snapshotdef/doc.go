// Package snapshotdef is the <domainsnapshot> document: parsing it by libvirt's
// grammar, aligning it with the disks of a domain, and writing it, for clients and
// as the metadata file of a snapshot.
//
// It is not the snapshot: it knows no overlay in QEMU, no tree and no file.
//
// The property it keeps: the order of failures is libvirt's (35 not well-formed,
// 27 another root, 92 grammar where VALIDATE asks for it, then the checks of the
// code), and the metadata document parses back to the same snapshot.
package snapshotdef

import (
	"strconv"

	"fleece/driver/domaindef"
	"fleece/driver/xmldoc"
)

// NameBytesMax is the longest name of a snapshot: its metadata is written to
// "<name>.xml.new", and a file name has at most 255 bytes.
const NameBytesMax = 255 - len(".xml.new")

// Where the state of a disk, or of the memory, is kept
// (virDomainSnapshotLocation). "" is not said.
const (
	No       = "no"
	Internal = "internal"
	External = "external"
	Manual   = "manual" // the caller copies the disk itself, while the guest is paused
)

// States of the domain at the time of a snapshot that are of interest here
// (virDomainSnapshotState).
const (
	Running      = "running"
	Paused       = "paused"
	Shutoff      = "shutoff"
	DiskSnapshot = "disk-snapshot" // only disks took part
)

// Snapshot is a parsed document. Align completes it.
type Snapshot struct {
	Name         string
	Description  string
	Parent       string // "" for a root
	CreationTime int64  // seconds since the Epoch
	State        string
	Memory       string // No, Internal, External or ""
	MemoryFile   string // absolute path, of External
	Disks        []Disk
	// Domain is the definition at the time of the snapshot; nil if a redefinition
	// had none, or the UUID only.
	Domain *domaindef.Domain
	// inactive and cookie are kept as they were written.
	inactive, cookie *xmldoc.Node
}

// Disk is one disk of a snapshot.
type Disk struct {
	Name     string // target; a source path is possible before Align
	Location string // "" before Align if not given
	Type     string // "file", "block" or "network"
	Path     string // of the overlay; "" before Align if not given
	Format   string // of the overlay; "" before Align if not given

	// extra are children of the source that are kept for output.
	extra []*xmldoc.Node
}

// Moment tells the name of the snapshot and that of its parent.
func (s *Snapshot) Moment() (name, parent string) { return s.Name, s.Parent }

// Move is the same snapshot below another parent; the original stays as it is.
func (s *Snapshot) Move(parent string) *Snapshot {
	moved := *s
	moved.Parent = parent
	return &moved
}

// External reports whether part of the snapshot is kept outside of the images.
func (s *Snapshot) External() bool {
	if s.Memory == External {
		return true
	}
	for i := range s.Disks {
		if s.Disks[i].Location == External {
			return true
		}
	}
	return false
}

// Format writes the document (virDomainSnapshotDefFormat).
func (s *Snapshot) Format() string {
	w := xmldoc.NewWriter()
	w.Open("domainsnapshot")
	w.Leaf("name", s.Name)
	w.Leaf("description", s.Description)
	w.Leaf("state", s.State)
	if s.Parent != "" {
		w.Open("parent")
		w.Leaf("name", s.Parent)
		w.Close("parent")
	}
	w.Leaf("creationTime", strconv.FormatInt(s.CreationTime, 10))
	if s.Memory != "" {
		w.Empty("memory", "snapshot", s.Memory, "file", s.MemoryFile)
	}
	if len(s.Disks) > 0 {
		w.Open("disks")
		for i := range s.Disks {
			s.Disks[i].format(w)
		}
		w.Close("disks")
	}
	if s.Domain != nil {
		s.Domain.AppendTo(w)
	}
	for _, kept := range []*xmldoc.Node{s.inactive, s.cookie} {
		if kept != nil {
			w.Tree(kept)
		}
	}
	w.Close("domainsnapshot")
	return w.String()
}

func (d *Disk) format(w *xmldoc.Writer) {
	if d.Location != External {
		w.Empty("disk", "name", d.Name, "snapshot", d.Location)
		return
	}
	w.Open("disk", "name", d.Name, "snapshot", d.Location, "type", d.Type)
	if d.Format != "" {
		w.Empty("driver", "type", d.Format)
	}
	attr := "file"
	if d.Type == "block" {
		attr = "dev"
	}
	switch {
	case len(d.extra) > 0:
		w.Open("source", attr, d.Path)
		for _, n := range d.extra {
			w.Tree(n)
		}
		w.Close("source")
	case d.Path != "":
		w.Empty("source", attr, d.Path)
	}
	w.Close("disk")
}
