package domaindef

import (
	"math"
	"strconv"
	"strings"

	"fleece/driver/xmldoc"
	"fleece/virt"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Parse reads domain XML. Errors: 35 for what is not well-formed, 27 for what is
// not a domain, 67 for what this driver cannot run.
func Parse(text string) (*Domain, error) {
	root, err := xmldoc.Parse("domain_definition", text)
	if err != nil {
		return nil, err
	}
	return FromTree(root)
}

// FromTree reads a parsed <domain> element; the definition keeps the tree.
func FromTree(root *xmldoc.Node) (*Domain, error) {
	if root.Name != "domain" {
		return nil, badXML("unexpected root element <%s>, expecting <domain>", root.Name)
	}
	d := &Domain{root: root, VCPUs: 1}
	dropAttr(root, "id")
	for _, step := range []func(*xmldoc.Node) error{d.identity, d.resources, d.system, d.disks} {
		if err := step(root); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// dropAttr removes an attribute that is output only.
func dropAttr(n *xmldoc.Node, name string) {
	for i := range n.Attrs {
		if n.Attrs[i].Name == name {
			n.Attrs = append(append([]xmldoc.Attr(nil), n.Attrs[:i]...), n.Attrs[i+1:]...)
			return
		}
	}
}

func (d *Domain) identity(root *xmldoc.Node) error {
	name := root.First("name")
	if name == nil || name.TrimmedText() == "" {
		return badXML("missing domain name")
	}
	d.Name = name.TrimmedText()
	name.Text = d.Name
	switch {
	case strings.Contains(d.Name, "/"):
		return badXML("name %s cannot contain '/'", d.Name)
	case d.Name == "." || d.Name == ".." || strings.ContainsAny(d.Name, "\n\x00"):
		return badXML("invalid domain name '%s'", d.Name)
	case len(d.Name) > NameBytesMax:
		return virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_DOMAIN,
			"domain name of %d bytes is longer than the limit of %d bytes", len(d.Name), NameBytesMax)
	}
	if node := root.First("uuid"); node != nil {
		uuid, ok := canonicalUUID(node.TrimmedText())
		if !ok {
			return virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_DOMAIN, "malformed uuid element")
		}
		d.UUID, node.Text = uuid, uuid
	}
	return nil
}

func (d *Domain) resources(root *xmldoc.Node) error {
	memory := root.First("memory")
	if memory == nil {
		return badXML("Memory size must be specified via <memory> or in the <numa> configuration")
	}
	kib, err := memoryKiB(memory)
	if err != nil {
		return err
	}
	d.MemoryKiB = kib
	if vcpu := root.First("vcpu"); vcpu != nil {
		n, err := strconv.ParseUint(vcpu.TrimmedText(), 10, 16)
		if err != nil || n == 0 {
			return badXML("invalid vcpu count '%s'", vcpu.TrimmedText())
		}
		d.VCPUs = int(n)
	}
	return nil
}

// memoryKiB is the size rounded up to KiB (virDomainParseScaledValue).
func memoryKiB(n *xmldoc.Node) (int64, error) {
	value, err := strconv.ParseUint(n.TrimmedText(), 10, 63)
	if err != nil || value == 0 {
		return 0, badXML("invalid memory size '%s'", n.TrimmedText())
	}
	scale, ok := unitBytes(n.AttrOr("unit", "KiB"))
	if !ok {
		return 0, badXML("unknown suffix '%s'", n.AttrOr("unit", ""))
	}
	if value > math.MaxInt64/scale-1023 {
		return 0, badXML("size value too large")
	}
	return int64((value*scale + 1023) / 1024), nil
}

func unitBytes(unit string) (uint64, bool) {
	switch unit {
	case "b", "byte", "bytes":
		return 1, true
	}
	const powers = "kmgtpe"
	lower := strings.ToLower(unit)
	if lower == "" {
		return 0, false
	}
	power := strings.IndexByte(powers, lower[0]) + 1
	base := uint64(1024)
	switch lower[1:] {
	case "", "ib":
	case "b":
		base = 1000
	default:
		return 0, false
	}
	scale := uint64(1)
	for range power {
		scale *= base
	}
	return scale, power > 0
}

func (d *Domain) system(root *xmldoc.Node) error {
	kind := root.First("os").First("type")
	if kind == nil {
		return badXML("an os <type> must be specified")
	}
	d.Machine = kind.AttrOr("machine", "pc")
	return nil
}

func (d *Domain) disks(root *xmldoc.Node) error {
	devices := root.First("devices")
	if devices == nil {
		return nil
	}
	for n := devices.Child; n != nil; n = n.Next {
		if n.Name == "channel" {
			if err := d.channel(n); err != nil {
				return err
			}
		}
		if n.Name != "disk" {
			continue
		}
		disk, err := parseDisk(n)
		if err != nil {
			return err
		}
		if i := d.Disk(disk.Target); i >= 0 {
			return badXML("target '%s' duplicated for disk sources '%s' and '%s'",
				disk.Target, d.Disks[i].source(), disk.source())
		}
		if d.Disks = append(d.Disks, disk); len(d.Disks) > DisksMax {
			return virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_DOMAIN, "more than %d disks", DisksMax)
		}
	}
	return nil
}

// agentName is the name of the port of the guest's agent.
const agentName = "org.qemu.guest_agent.0"

// channel takes the channel of the guest's agent; others are nobody's business here.
func (d *Domain) channel(n *xmldoc.Node) error {
	target := n.First("target")
	if target.AttrOr("type", "") != "virtio" || target.AttrOr("name", "") != agentName {
		return nil
	}
	source := n.First("source")
	path := source.AttrOr("path", "")
	if n.AttrOr("type", "") != "unix" || path == "" {
		return unsupported("the channel '%s' must be of type 'unix' and name the path of its socket", agentName)
	}
	if d.Agent != "" {
		return badXML("the channel '%s' is there twice", agentName)
	}
	d.Agent, d.AgentConnects = path, source.AttrOr("mode", "bind") == "connect"
	return nil
}

func (d *Disk) source() string {
	if d.Empty() {
		return ""
	}
	return d.Top().Path
}

func parseDisk(n *xmldoc.Node) (Disk, error) {
	target := n.First("target")
	dev := ""
	if target != nil {
		dev, _ = target.Attr("dev")
	}
	if dev == "" {
		return Disk{}, badXML("missing target device of a disk")
	}
	d := Disk{
		Target: dev, Bus: target.AttrOr("bus", defaultBus(dev)), Device: n.AttrOr("device", "disk"),
		ReadOnly: n.First("readonly") != nil, Transient: n.First("transient") != nil,
		Serial: n.First("serial").TrimmedText(), VHostUser: n.AttrOr("type", "") == "vhostuser",
	}
	if d.Device == "cdrom" {
		d.ReadOnly = true
	}
	format := "raw"
	if driver := n.First("driver"); driver != nil {
		format = driver.AttrOr("type", "raw")
	}
	return d, d.layers(n, n.AttrOr("type", "file"), format)
}

// layers reads the disk's images along <backingStore>.
func (d *Disk) layers(n *xmldoc.Node, kind, format string) error {
	for {
		path := sourcePath(n.First("source"), kind)
		if path == "" && kind != "network" {
			if len(d.Layers) == 0 && d.Device != "cdrom" && d.Device != "floppy" {
				return badXML("missing source of disk '%s'", d.Target)
			}
			return nil
		}
		if len(d.Layers) == LayersMax {
			return virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_DOMAIN,
				"backing chain of disk '%s' is longer than %d", d.Target, LayersMax)
		}
		data, err := d.dataStore(n.First("source"), format)
		if err != nil {
			return err
		}
		d.Layers = append(d.Layers, Layer{Type: kind, Path: path, Format: format, Data: data, Index: sourceIndex(n.First("source"))})
		next := n.First("backingStore")
		if next == nil || next.Child == nil {
			return nil
		}
		n, kind = next, next.AttrOr("type", "file")
		format = "raw"
		if f := n.First("format"); f != nil {
			format = f.AttrOr("type", "raw")
		}
	}
}

func sourcePath(source *xmldoc.Node, kind string) string {
	if source == nil {
		return ""
	}
	switch kind {
	case "file":
		return source.AttrOr("file", "")
	case "block":
		return source.AttrOr("dev", "")
	}
	return source.AttrOr("name", "")
}

// sourceIndex is the number of the image's nodes; 0 if it is not told.
func sourceIndex(source *xmldoc.Node) int {
	if source == nil {
		return 0
	}
	n, err := strconv.ParseUint(source.AttrOr("index", ""), 10, 31)
	if err != nil {
		return 0
	}
	return int(n)
}

// defaultBus guesses the bus by the target's prefix (virDomainDiskDefParse).
func defaultBus(target string) string {
	for _, p := range [][2]string{{"vd", "virtio"}, {"hd", "ide"}, {"sd", "scsi"}, {"fd", "fdc"}, {"xvd", "xen"}, {"ubd", "uml"}} {
		if strings.HasPrefix(target, p[0]) {
			return p[1]
		}
	}
	return "ide"
}
