package domaindef

import (
	"fleece/driver/xmldoc"
	"fleece/machine"
	"fleece/virt"
)

// ParseDisk reads the element of a disk, as a device or a destination is given alone;
// format and source are checked as those of a definition are. Errors: 35, 27; 84 for a
// device that is no disk.
func ParseDisk(text string) (Disk, *xmldoc.Node, error) {
	root, err := xmldoc.Parse("device_definition", text)
	if err != nil {
		return Disk{}, nil, err
	}
	if root.Name != "disk" {
		return Disk{}, nil, virt.Errorf(virt.ERR_OPERATION_UNSUPPORTED, virt.FROM_QEMU, "device '%s' cannot come or go", root.Name)
	}
	disk, err := parseDisk(root)
	return disk, root, err
}

// ParseDestination reads the <disk> that a block copy is to make: driver and source, the
// target is not looked at.
func ParseDestination(text string) (Layer, error) {
	root, err := xmldoc.Parse("disk_definition", text)
	if err != nil {
		return Layer{}, err
	}
	if root.Name != "disk" {
		return Layer{}, badXML("expecting root element of 'disk', not '%s'", root.Name)
	}
	kind := root.AttrOr("type", "file")
	l := Layer{Type: kind, Path: sourcePath(root.First("source"), kind), Format: root.First("driver").AttrOr("type", "")}
	if l.Path == "" {
		return Layer{}, badXML("missing source of the copy")
	}
	return l, nil
}

// WithDisk is the definition with one more disk, after the others. The error is 27 if
// its target is taken.
func (d *Domain) WithDisk(element *xmldoc.Node) (*Domain, error) {
	root := d.root.Clone()
	devices := root.First("devices")
	if devices == nil {
		devices = &xmldoc.Node{Name: "devices"}
		root.Append(devices)
	}
	rest := devices.Child
	devices.Child = nil
	added := false
	var last *xmldoc.Node
	for n := rest; n != nil; n = n.Next {
		if n.Name == "disk" {
			last = n
		}
	}
	for n := rest; n != nil; {
		next, after := n.Next, n == last
		n.Next = nil
		devices.Append(n)
		if after {
			devices.Append(element.Clone())
			added = true
		}
		n = next
	}
	if !added {
		devices.Append(element.Clone())
	}
	return FromTree(root)
}

// WithoutDisk is the definition without a disk; it is d if that is not there.
func (d *Domain) WithoutDisk(target string) (*Domain, error) {
	if d.Disk(target) < 0 {
		return d, nil
	}
	root := d.root.Clone()
	gone := diskNode(root, target)
	devices := root.First("devices")
	rest := devices.Child
	devices.Child = nil
	for n := rest; n != nil; {
		next := n.Next
		n.Next = nil
		if n != gone {
			devices.Append(n)
		}
		n = next
	}
	return FromTree(root)
}

// PlanDisk names the nodes and the device of the disk at that place, from the number
// next upward, and tells how it is attached.
func (d *Domain) PlanDisk(at, next int) (DiskPlan, machine.Spec, error) {
	disk := &d.Disks[at]
	plan := DiskPlan{DeviceID: disk.deviceID(at)}
	for l := range disk.Layers {
		plan.Nodes = append(plan.Nodes, number(0, &next))
		if disk.Layers[l].Data != nil {
			plan.Data = append(plan.Data, DataNode{plan.Nodes[l], number(0, &next)})
		}
	}
	var spec machine.Spec
	if err := disk.addNodes(&spec, &plan); err != nil {
		return DiskPlan{}, machine.Spec{}, err
	}
	driver, err := disk.deviceDriver()
	if err != nil {
		return DiskPlan{}, machine.Spec{}, err
	}
	device := machine.Device{Driver: driver, ID: plan.DeviceID, ReadOnly: disk.ReadOnly, Serial: disk.Serial}
	if !disk.Empty() {
		device.Drive = plan.Top().Format()
	}
	spec.Devices = []machine.Device{device}
	return plan, spec, nil
}

// Closing lists the nodes of a disk in the order in which they can be deleted.
func (p *DiskPlan) Closing() []string { return p.ClosingOf(p.Nodes) }

// ClosingOf is Closing for some images of the disk, upper ones before lower ones.
func (p *DiskPlan) ClosingOf(images []Node) []string {
	var names []string
	for _, n := range images {
		names = append(names, n.Format(), n.Storage())
		if data := p.DataOf(n); data != "" {
			names = append(names, data)
		}
	}
	return names
}
