// Package checkpointdef is the <domaincheckpoint> document: parsing it by
// libvirt's grammar, aligning it with the disks of a domain, and writing it, for
// clients and as the metadata file of a checkpoint.
//
// It is not the checkpoint: it knows no bitmap, no tree and no file.
//
// The property it keeps: the order of failures is libvirt's, and the metadata
// document parses back to the same checkpoint.
package checkpointdef

import (
	"strconv"

	"fleece/driver/domaindef"
	"fleece/driver/xmldoc"
)

// NameBytesMax is the longest name of a checkpoint: its metadata is written to
// "<name>.xml.new", and a file name has at most 255 bytes (contract row 25).
const NameBytesMax = 255 - len(".xml.new")

// ReservedPrefix begins the names of libvirt's bitmaps for its own use, which are removed
// wherever they are found: a checkpoint of such a name would lose its bitmap.
const ReservedPrefix = "libvirt-tmp-"

// Checkpoint is a parsed document. Align completes it.
type Checkpoint struct {
	Name         string // "" before SetName if the document has none
	Description  string
	Parent       string // "" for a root
	CreationTime int64  // seconds since the Epoch; 0 if not given
	// Disks is nil if the document has no <disks>.
	Disks []Disk
	// Domain is the definition at the time of the checkpoint; nil if a
	// redefinition had none.
	Domain *domaindef.Domain
}

// Disk is one disk of a checkpoint.
type Disk struct {
	Name   string // target; a source path is possible before Align
	Bitmap bool   // checkpoint='bitmap'
	// BitmapName is the name on the disk's node; "" before Align if not given.
	BitmapName string
	Size       int64 // dirty bytes; negative if not known
}

// FormatOptions choose what a document shows.
type FormatOptions struct {
	NoDomain bool
	Sizes    bool
}

// Format writes the document (virDomainCheckpointDefFormat).
func (c *Checkpoint) Format(o FormatOptions) string {
	w := xmldoc.NewWriter()
	w.Open("domaincheckpoint")
	w.Leaf("name", c.Name)
	w.Leaf("description", c.Description)
	if c.Parent != "" {
		w.Open("parent")
		w.Leaf("name", c.Parent)
		w.Close("parent")
	}
	if c.CreationTime != 0 {
		w.Leaf("creationTime", strconv.FormatInt(c.CreationTime, 10))
	}
	if len(c.Disks) > 0 {
		w.Open("disks")
		for i := range c.Disks {
			c.Disks[i].format(w, o.Sizes)
		}
		w.Close("disks")
	}
	if c.Domain != nil && !o.NoDomain {
		c.Domain.AppendTo(w)
	}
	w.Close("domaincheckpoint")
	return w.String()
}

func (d *Disk) format(w *xmldoc.Writer, sizes bool) {
	if !d.Bitmap {
		w.Empty("disk", "name", d.Name, "checkpoint", "no")
		return
	}
	size := ""
	if sizes && d.Size >= 0 {
		size = strconv.FormatInt(d.Size, 10)
	}
	w.Empty("disk", "name", d.Name, "checkpoint", "bitmap", "bitmap", d.BitmapName, "size", size)
}

// Clone is a copy whose disks may be changed.
func (c *Checkpoint) Clone() *Checkpoint {
	d := *c
	d.Disks = append([]Disk(nil), c.Disks...)
	return &d
}

// Moment tells the name of the checkpoint and that of its parent.
func (c *Checkpoint) Moment() (name, parent string) { return c.Name, c.Parent }

// Move is the same checkpoint below another parent; the original stays as it is.
func (c *Checkpoint) Move(parent string) *Checkpoint {
	moved := *c
	moved.Parent = parent
	return &moved
}
