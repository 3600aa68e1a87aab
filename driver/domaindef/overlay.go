package domaindef

import (
	"fleece/driver/xmldoc"
	"fleece/virt"
)

// Overlay is a new active image of a disk.
type Overlay struct {
	Target string // of the disk
	Below  string // path of the image that is active until then
	Image  Layer
}

// WithOverlays is the definition with new active images; those that were active are
// below them. Disks that are not there, or whose active image is another one, stay as
// they are. The error is 67 for a chain that is too long.
func (d *Domain) WithOverlays(overlays []Overlay) (*Domain, error) {
	root := d.root.Clone()
	for _, o := range overlays {
		at := d.Disk(o.Target)
		if at < 0 || d.Disks[at].Empty() || d.Disks[at].Top().Path != o.Below {
			continue
		}
		if len(d.Disks[at].Layers) == LayersMax {
			return nil, virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_DOMAIN,
				"backing chain of disk '%s' is longer than %d", o.Target, LayersMax)
		}
		lay(diskNode(root, o.Target), d.Disks[at].Top(), &o.Image)
	}
	return FromTree(root)
}

// WithIndices is the definition with the numbers of the nodes of every image.
func (d *Domain) WithIndices(plans []DiskPlan) (*Domain, error) {
	root := d.root.Clone()
	for i := range d.Disks {
		n := diskNode(root, d.Disks[i].Target)
		for _, node := range plans[i].Nodes {
			source := n.First("source")
			source.SetAttr("index", itoa(int(node)))
			plans[i].numberData(source, node)
			n = n.First("backingStore")
		}
	}
	return FromTree(root)
}

// WithoutIndices is the definition as a client may give it: the numbers of nodes are
// output only.
func (d *Domain) WithoutIndices() (*Domain, error) {
	found := false
	for i := range d.Disks {
		for l := range d.Disks[i].Layers {
			found = found || d.Disks[i].Layers[l].Index > 0 || d.Disks[i].Layers[l].Data.numbered()
		}
	}
	if !found {
		return d, nil
	}
	root := d.root.Clone()
	for i := range d.Disks {
		for n := diskNode(root, d.Disks[i].Target); n != nil; n = n.First("backingStore") {
			if source := n.First("source"); source != nil {
				dropAttr(source, "index")
				if data := source.First("dataStore"); data != nil {
					dropAttr(data.First("source"), "index")
				}
			}
		}
	}
	return FromTree(root)
}

// diskNode is the element of a disk that is there.
func diskNode(root *xmldoc.Node, target string) *xmldoc.Node {
	for n := root.First("devices").Child; n != nil; n = n.Next {
		if n.Name == "disk" && n.First("target").AttrOr("dev", "") == target {
			return n
		}
	}
	return nil
}

// lay puts an image over the active one of a disk.
func lay(disk *xmldoc.Node, old, image *Layer) {
	below := &xmldoc.Node{Name: "backingStore"}
	below.SetAttr("type", old.Type)
	format := &xmldoc.Node{Name: "format"}
	format.SetAttr("type", old.Format)
	below.Append(format)
	below.Append(disk.First("source").Alone())
	if next := disk.First("backingStore"); next != nil {
		below.Append(next.Alone())
	} else {
		below.Append(&xmldoc.Node{Name: "backingStore"})
	}

	source := &xmldoc.Node{Name: "source"}
	attr := "file"
	if image.Type == "block" {
		attr = "dev"
	}
	source.SetAttr(attr, image.Path)
	if image.Index > 0 {
		source.SetAttr("index", itoa(image.Index))
	}
	driver := &xmldoc.Node{Name: "driver"}
	driver.SetAttr("name", "qemu")
	if given := disk.First("driver"); given != nil {
		driver = given.Alone()
	}
	driver.SetAttr("type", image.Format)

	rebuild(disk, image.Type, driver, source, below)
}
