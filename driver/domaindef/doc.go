// Package domaindef is the definition of a domain: it parses domain XML once,
// keeps its canonical form, and plans the machine that runs it.
//
// It is not a validator of all of libvirt's domain XML: what a backup driver does
// not use is kept as it was written and given back.
//
// The property it keeps: the plan is a pure function of the definition, with the
// names that libvirt gives to nodes and devices.
package domaindef

import (
	"strings"

	"fleece/driver/xmldoc"
	"fleece/virt"
)

// Limits of a definition.
const (
	NameBytesMax = 200 // so that "<name>.status.new" is a file name
	DisksMax     = 256
	LayersMax    = 64 // images of one disk's backing chain
)

// Domain is a definition. It is immutable once parsed.
type Domain struct {
	Name      string
	UUID      string // canonical lower-case text; "" if the document has none
	MemoryKiB int64
	VCPUs     int
	Machine   string // QEMU's machine type
	Disks     []Disk // in the order of the document
	// Agent is the path of the unix socket of the channel to the guest's agent, "" if
	// there is none; QEMU listens there unless AgentConnects.
	Agent         string
	AgentConnects bool

	root *xmldoc.Node
}

// Disk is a disk device of the guest.
type Disk struct {
	Target    string // "vda"; unique in the domain
	Bus       string // "virtio", …
	Device    string // "disk", "cdrom", "floppy", "lun"
	ReadOnly  bool
	Transient bool
	VHostUser bool
	Serial    string
	// Layers are the images, the active one first; none for an empty drive.
	Layers []Layer
}

// Layer is one image of a disk.
type Layer struct {
	Type   string // "file", "block", "network", …
	Path   string // of a file or block device
	Format string // "qcow2", "raw", …
	// Data is the data file of a qcow2 image that has one, nil if it has none.
	Data *DataStore
	// Index is the number of the image's nodes in the run, as libvirt shows it in
	// a live definition; 0 if the plan gives the number.
	Index int
}

// DataStore is the file or block device that has the content of a qcow2 image, as raw.
type DataStore struct {
	Type  string // "file" or "block"
	Path  string
	Index int // as that of a Layer
}

// Empty reports whether the drive has no medium.
func (d *Disk) Empty() bool { return len(d.Layers) == 0 }

// Top is the active image. The drive must not be empty.
func (d *Disk) Top() *Layer { return &d.Layers[0] }

// Disk finds a disk by target; -1 if there is none.
func (d *Domain) Disk(target string) int {
	for i := range d.Disks {
		if d.Disks[i].Target == target {
			return i
		}
	}
	return -1
}

// DiskByPath finds a disk by the path of its active image; -1 if there is none or
// more than one.
func (d *Domain) DiskByPath(path string) int {
	found := -1
	for i := range d.Disks {
		if disk := &d.Disks[i]; !disk.Empty() && disk.Top().Path == path {
			if found >= 0 {
				return -1
			}
			found = i
		}
	}
	return found
}

// WithUUID gives the definition a UUID, for a document that had none.
func (d *Domain) WithUUID(uuid string) {
	d.UUID = uuid
	node := &xmldoc.Node{Name: "uuid", Text: uuid}
	name := d.root.First("name")
	node.Next, name.Next = name.Next, node
}

// XML is the canonical document; runID is that of a running domain, or negative.
func (d *Domain) XML(runID int) string {
	root := *d.root
	if runID >= 0 {
		root.SetAttr("id", itoa(runID))
	}
	w := xmldoc.NewWriter()
	w.Tree(&root)
	return w.String()
}

// AppendTo writes the canonical document into a larger one.
func (d *Domain) AppendTo(w *xmldoc.Writer) { w.Tree(d.root) }

func badXML(format string, args ...any) error {
	return virt.Errorf(virt.ERR_XML_ERROR, virt.FROM_DOMAIN, format, args...)
}

// canonicalUUID is the lower-case form with hyphens; ok is false for other text.
func canonicalUUID(s string) (uuid string, ok bool) {
	hex := make([]byte, 0, 32)
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '-' || c == ' ':
			continue
		case 'A' <= c && c <= 'F':
			c += 'a' - 'A'
		case '0' <= c && c <= '9' || 'a' <= c && c <= 'f':
		default:
			return "", false
		}
		hex = append(hex, c)
	}
	if len(hex) != 32 {
		return "", false
	}
	h := string(hex)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-"), true
}
