package domaindef

import "fleece/driver/xmldoc"

// WithChain is the definition in which a disk has another chain of images. A disk that
// is not there, or whose chain is not from (by its paths), stays as it is. Images of the
// new chain keep the elements that they have in the definition.
func (d *Domain) WithChain(target string, from, to []Layer) (*Domain, error) {
	at := d.Disk(target)
	if at < 0 || !samePaths(d.Disks[at].Layers, from) {
		return d, nil
	}
	root := d.root.Clone()
	disk := diskNode(root, target)
	sources := sourcesOf(disk)
	below := &xmldoc.Node{Name: "backingStore"}
	for l := len(to) - 1; l > 0; l-- {
		n := &xmldoc.Node{Name: "backingStore"}
		n.SetAttr("type", to[l].Type)
		format := &xmldoc.Node{Name: "format"}
		format.SetAttr("type", to[l].Format)
		n.Append(format)
		n.Append(to[l].source(sources))
		n.Append(below)
		below = n
	}
	driver := &xmldoc.Node{Name: "driver"}
	driver.SetAttr("name", "qemu")
	if given := disk.First("driver"); given != nil {
		driver = given.Alone()
	}
	driver.SetAttr("type", to[0].Format)
	rebuild(disk, to[0].Type, driver, to[0].source(sources), below)
	return FromTree(root)
}

// rebuild gives a disk other images; what else is in it stays, in its order.
func rebuild(disk *xmldoc.Node, kind string, driver, source, below *xmldoc.Node) {
	rest := disk.Child
	disk.SetAttr("type", kind)
	disk.Child = nil
	disk.Append(driver)
	disk.Append(source)
	disk.Append(below)
	for n := rest; n != nil; {
		next := n.Next
		if n.Name != "driver" && n.Name != "source" && n.Name != "backingStore" {
			disk.Append(n.Alone())
		}
		n = next
	}
}

func samePaths(a, b []Layer) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Path != b[i].Path {
			return false
		}
	}
	return true
}

// sourcesOf are the <source> elements of a disk's chain, the active image's first.
func sourcesOf(disk *xmldoc.Node) []*xmldoc.Node {
	var all []*xmldoc.Node
	for n := disk; n != nil; n = n.First("backingStore") {
		if source := n.First("source"); source != nil {
			all = append(all, source)
		}
	}
	return all
}

// source is the element of an image: the one that is there already, or a new one.
func (l *Layer) source(there []*xmldoc.Node) *xmldoc.Node {
	for _, n := range there {
		if sourcePath(n, l.Type) == l.Path {
			return n.Alone()
		}
	}
	attr := "file"
	if l.Type == "block" {
		attr = "dev"
	}
	n := &xmldoc.Node{Name: "source"}
	n.SetAttr(attr, l.Path)
	if l.Index > 0 {
		n.SetAttr("index", itoa(l.Index))
	}
	return n
}

// Over is the plan of a disk whose chain has become another one of numbered images.
func (p DiskPlan) Over(layers []Layer) DiskPlan {
	nodes := make([]Node, len(layers))
	var data []DataNode
	for l := range layers {
		nodes[l] = Node(layers[l].Index)
		for _, k := range p.Data {
			if k.Image == nodes[l] {
				data = append(data, k)
			}
		}
	}
	return DiskPlan{Nodes: nodes, Data: data, DeviceID: p.DeviceID}
}
