package domaindef

import (
	"strconv"

	"fleece/machine"
	"fleece/qmp"
	"fleece/virt"
)

// Node is the pair of block nodes of one image, by the number that libvirt gives
// it.
type Node int

// Storage is the name of the node that opens the file.
func (n Node) Storage() string { return "libvirt-" + strconv.Itoa(int(n)) + "-storage" }

// Format is the name of the node that understands the format.
func (n Node) Format() string { return "libvirt-" + strconv.Itoa(int(n)) + "-format" }

// Plan is a machine with the names of what is in it.
type Plan struct {
	Spec machine.Spec
	// Disks has an entry per disk of the domain, in order.
	Disks []DiskPlan
	// NextNode is the first number that is not taken.
	NextNode int
}

// DiskPlan names what belongs to one disk.
type DiskPlan struct {
	Nodes    []Node // one per layer, the active one first
	Data     []DataNode
	DeviceID string // QEMU's
}

// DataNode is the node of the data file of an image. It has no format: QEMU reads it as
// it is.
type DataNode struct{ Image, Node Node }

// DataOf names the node of the data file of an image, "" if that has none.
func (p *DiskPlan) DataOf(image Node) string {
	for _, d := range p.Data {
		if d.Image == image {
			return d.Node.Storage()
		}
	}
	return ""
}

// Top is the node of the active image; the drive must not be empty.
func (p *DiskPlan) Top() Node { return p.Nodes[0] }

// Number names the nodes and devices of a domain: of two disks the first gets
// node 2, the second node 1, as libvirt has it; layers of one disk go upward from
// the active one, each with its data file behind it. Images that tell their number have
// that.
func (d *Domain) Number() ([]DiskPlan, int) {
	plans := make([]DiskPlan, len(d.Disks))
	next := 1
	for i := range d.Disks {
		for l := range d.Disks[i].Layers {
			next = max(next, d.Disks[i].Layers[l].Index+1)
			if data := d.Disks[i].Layers[l].Data; data != nil {
				next = max(next, data.Index+1)
			}
		}
	}
	for i := len(d.Disks) - 1; i >= 0; i-- {
		plans[i] = d.Disks[i].number(i, &next)
	}
	return plans, next
}

// number names what belongs to the disk at a place of the domain.
func (d *Disk) number(place int, next *int) DiskPlan {
	plan := DiskPlan{Nodes: make([]Node, len(d.Layers)), DeviceID: d.deviceID(place)}
	for l := range plan.Nodes {
		layer := &d.Layers[l]
		plan.Nodes[l] = number(layer.Index, next)
		if layer.Data != nil {
			plan.Data = append(plan.Data, DataNode{plan.Nodes[l], number(layer.Data.Index, next)})
		}
	}
	return plan
}

// number is the number that an image tells, or the next that is free.
func number(index int, next *int) Node {
	if index > 0 {
		return Node(index)
	}
	*next++
	return Node(*next - 1)
}

// Plan plans the machine. Errors: 67 for a disk that this driver cannot attach.
func (d *Domain) Plan() (Plan, error) {
	p := Plan{Spec: machine.Spec{
		Name: d.Name, UUID: d.UUID, MemoryKiB: d.MemoryKiB, VCPUs: d.VCPUs, Machine: d.Machine, Paused: true,
	}}
	if d.Agent != "" {
		p.Spec.Channels = []machine.Channel{{ID: "channel0", Name: agentName, Path: d.Agent, Listens: !d.AgentConnects}}
	}
	p.Disks, p.NextNode = d.Number()
	for i := range d.Disks {
		disk := &d.Disks[i]
		if err := disk.addNodes(&p.Spec, &p.Disks[i]); err != nil {
			return Plan{}, err
		}
		driver, err := disk.deviceDriver()
		if err != nil {
			return Plan{}, err
		}
		device := machine.Device{Driver: driver, ID: p.Disks[i].DeviceID, ReadOnly: disk.ReadOnly, Serial: disk.Serial}
		if !disk.Empty() {
			device.Drive = p.Disks[i].Top().Format()
		}
		p.Spec.Devices = append(p.Spec.Devices, device)
	}
	return p, nil
}

// addNodes adds the images from the base upward, as they must be opened.
func (d *Disk) addNodes(spec *machine.Spec, plan *DiskPlan) error {
	nodes := plan.Nodes
	for l := len(nodes) - 1; l >= 0; l-- {
		layer := &d.Layers[l]
		data := plan.DataOf(nodes[l])
		if layer.Data != nil {
			spec.Nodes = append(spec.Nodes, layer.Data.Options(data, d.ReadOnly, l > 0))
		}
		storage, err := layer.storage(nodes[l], d.Target)
		if err != nil {
			return err
		}
		backing := qmp.Null()
		if l+1 < len(nodes) {
			backing = qmp.Str(nodes[l+1].Format())
		}
		format, err := layer.format(nodes[l], d.ReadOnly || l > 0, data, backing)
		if err != nil {
			return err
		}
		spec.Nodes = append(spec.Nodes, storage.Options(), format.Options())
	}
	return nil
}

func unsupported(format string, args ...any) error {
	return virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_QEMU, format, args...)
}

func (l *Layer) storage(n Node, target string) (qmp.NodeOptions, error) {
	switch l.Type {
	case "file":
		return qmp.FileNode{NodeName: n.Storage(), Filename: l.Path, AutoReadOnly: qmp.True, Discard: "unmap"}, nil
	case "block":
		return HostDeviceNode{NodeName: n.Storage(), Filename: l.Path}, nil
	}
	return nil, unsupported("disk '%s' has a source of type '%s', which is not supported", target, l.Type)
}

func (l *Layer) format(n Node, readOnly bool, data string, backing qmp.Value) (qmp.NodeOptions, error) {
	switch l.Format {
	case "qcow2":
		return qmp.Qcow2Node{NodeName: n.Format(), ReadOnly: qmp.ToBool3(readOnly), File: n.Storage(), DataFile: data, Backing: backing}, nil
	case "raw":
		return qmp.RawNode{NodeName: n.Format(), ReadOnly: qmp.ToBool3(readOnly), File: n.Storage()}, nil
	}
	return nil, unsupported("storage format '%s' is not supported", l.Format)
}

// HostDeviceNode is a storage node over a block device of the host.
type HostDeviceNode struct{ NodeName, Filename string }

// Options gives the node's arguments, in libvirt's order.
func (n HostDeviceNode) Options() qmp.Value {
	return qmp.Dict(qmp.M("driver", qmp.Str("host_device")), qmp.M("filename", qmp.Str(n.Filename)),
		qmp.M("node-name", qmp.Str(n.NodeName)), qmp.M("auto-read-only", qmp.Bool(true)), qmp.M("discard", qmp.Str("unmap")))
}

// deviceID is the alias that libvirt assigns (qemuAssignDeviceDiskAlias); order
// is the disk's place in the domain, for targets without a number of their own.
func (d *Disk) deviceID(order int) string {
	index := targetIndex(d.Target, order)
	switch d.Bus {
	case "virtio":
		return "virtio-disk" + itoa(index)
	case "ide":
		return "ide" + itoa(index/4) + "-" + itoa(index%4/2) + "-" + itoa(index%2)
	case "scsi", "sata", "fdc":
		return d.Bus + "0-0-" + itoa(index)
	}
	return d.Bus + "-disk" + itoa(index)
}

// targetIndex is 0 for vda, 25 for vdz, 26 for vdaa (virDiskNameToIndex).
func targetIndex(target string, order int) int {
	letters := target
	for _, prefix := range []string{"xvd", "ubd", "fd", "hd", "sd", "vd"} {
		if len(target) > len(prefix) && target[:len(prefix)] == prefix {
			letters = target[len(prefix):]
			break
		}
	}
	index := 0
	for i := range len(letters) {
		c := letters[i]
		if c < 'a' || c > 'z' || index > 1<<20 {
			return order
		}
		index = index*26 + int(c-'a') + 1
	}
	return index - 1
}

func (d *Disk) deviceDriver() (string, error) {
	switch {
	case d.Bus == "virtio":
		return "virtio-blk-pci", nil
	case d.Bus == "ide" && d.Device == "cdrom":
		return "ide-cd", nil
	case d.Bus == "ide":
		return "ide-hd", nil
	}
	return "", unsupported("disk '%s' on bus '%s' is not supported", d.Target, d.Bus)
}
