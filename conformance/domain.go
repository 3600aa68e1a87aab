package conformance

import (
	"fmt"
	"strings"

	"fleece/conformance/oracle"
	"fleece/virt"
)

// DiskSpec is one disk of a domain under test.
type DiskSpec struct {
	Target      string // "vda"
	Size        int64  // bytes, a multiple of 512
	ClusterSize int64  // bytes, 512 … 2 MiB; 0 means 64 KiB
	Format      string // "qcow2", also if empty, or "raw"
	ReadOnly    bool
	Transient   bool // changes are to be thrown away; libvirt refuses block jobs on it
	DataFile    bool // the image, qcow2, has the metadata, and another file the content
	DataFileRaw bool // with DataFile: that file alone is the disk, too
	DataDevice  bool // with DataFile: it is a block device (FeatureBlockDevice)
	NoMedium    bool // an empty cdrom drive; Target is then "hda" or another of bus ide
}

// DomainSpec is a domain under test. Its disks are images that the harness makes;
// they are empty, and the guest fills them.
type DomainSpec struct {
	Name  string // "" means "vm"
	Disks []DiskSpec
	// Agent is in the guest; nil means that the domain has no channel for one.
	Agent *Agent
	// Deaf gives the domain a channel in whose guest nobody listens.
	Deaf bool
}

// SmallDisk is a disk for specs that do not care: 4 MiB, clusters of 64 KiB.
func SmallDisk(target string) DiskSpec { return DiskSpec{Target: target, Size: 4 << 20} }

// Domain is a running domain with its guest.
type Domain struct {
	*virt.Domain
	Name      string
	t         *T
	disks     []*disk // changed with T.leaf held: the guest's tasks look disks up
	guest     *guest
	agent     *Agent   // nil: none
	deaf      string   // the socket of a channel that the guest does not open
	nodes     []string // the domain's own nodes, before any backup
	gone      bool     // powered off or destroyed
	undefined bool     // no driver knows it any more
	perhaps   bool     // the next driver may not know it
	stops     int      // times the driver told that it stopped, before Crash
	// checkpoints are the names whose bitmaps may be there, with the instant of each.
	checkpoints []string
	instants    []*oracle.Instant
	untracked   []string // CHECKPOINT/DISK for disks that a checkpoint leaves out
	unplugged   []unpluggedDisk
	absent      []unpluggedDisk // are to be plugged when it runs
	broken      []string        // names of bitmaps that the spec itself spoilt
	lastBegin   *oracle.Instant // of the newest call that may have made a checkpoint
	halted      bool            // the guest is suspended: its writes wait; guarded by T.mu
	writing     int             // writes that have been issued; guarded by T.mu
}

// disk is one disk of the domain with what the oracle knows of it.
type disk struct {
	DiskSpec
	Path   string
	data   string // path of the data file; "" if there is none
	device string // QEMU's device id
	// below are the images that Path was laid over by snapshots, the newest first.
	below []layer
}

// StartDomain makes the images, defines the domain and creates it.
func (t *T) StartDomain(s DomainSpec) *Domain {
	d := t.DefineDomain(s)
	d.Start()
	return d
}

// Start creates a domain that is defined and does not run.
func (d *Domain) Start() {
	d.t.Expect(d.Create()).To(succeed(), "create the domain")
	d.gone = false
	d.nodes = d.t.nodeNames(d)
	d.plugAbsent()
	d.expectDataNodes()
}

// MayBeUndefined says that the next driver may know the domain, or not.
func (d *Domain) MayBeUndefined() { d.perhaps = true }

// Known reports whether the driver knows the domain, as far as the harness has heard.
func (d *Domain) Known() bool { return !d.undefined }

// Undefined says that the driver does not know the domain any more; no later one may.
func (d *Domain) Undefined() { d.undefined = true }

// DefineDomain makes the images and defines the domain, which does not run.
func (t *T) DefineDomain(s DomainSpec) *Domain {
	if s.Name == "" {
		s.Name = "vm"
	}
	d := &Domain{Name: s.Name, t: t, gone: true}
	for i, ds := range s.Disks {
		d.disks = append(d.disks, t.makeDisk(s.Name, i, ds))
	}
	d.guest = newGuest(t, d)
	if t.plugs {
		d.setAbsent()
	}
	if d.agent = s.Agent; d.agent != nil {
		d.agent.d = d
	}
	if s.Deaf {
		d.deaf = t.Path(s.Name + "-channel")
		t.Keeps(d.deaf)
	}
	dom, err := t.Conn().DomainDefineXML(d.xml())
	t.Expect(err).NotTo(haveOccurred(), "define the domain")
	d.Domain = dom
	t.domains = append(t.domains, d)
	return d
}

func (t *T) makeDisk(domain string, index int, s DiskSpec) *disk {
	if s.ClusterSize == 0 {
		s.ClusterSize = 64 << 10
	}
	if s.Format == "" {
		s.Format = "qcow2"
	}
	d := &disk{
		DiskSpec: s,
		Path:     t.Path(fmt.Sprintf("%s-%s.%s", domain, s.Target, s.Format)),
		device:   fmt.Sprintf("virtio-disk%d", index),
	}
	switch {
	case s.NoMedium:
		return d
	case s.Format == "raw":
		t.RawFile(d.Path, s.Size)
	case s.DataFile || t.dataFiles:
		t.must(t.makeWithDataFile(d), "make the image of "+s.Target+" and its data file")
	default:
		t.must(t.createImage(d.Path, s.Size, s.ClusterSize), "make the image of "+s.Target)
	}
	t.Keeps(d.Path)
	return d
}

// disk finds a disk by target name.
func (d *Domain) disk(target string) *disk {
	d.t.leaf.Lock()
	disks := d.disks
	d.t.leaf.Unlock()
	for _, k := range disks {
		if k.Target == target {
			return k
		}
	}
	d.t.Broken("the spec names disk %q, which domain %s has not", target, d.Name)
	return nil
}

// DiskPath is the path of a disk's image.
func (d *Domain) DiskPath(target string) string { return d.disk(target).Path }

// xml is the domain's definition.
func (d *Domain) xml() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<domain type='qemu'><name>%s</name><uuid>%s</uuid>", d.Name, uuidOf(d.Name))
	b.WriteString("<memory unit='KiB'>32768</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>")
	for _, k := range d.disks {
		b.WriteString(k.xml())
	}
	if d.agent != nil {
		b.WriteString(d.agent.xml())
	}
	if d.deaf != "" {
		fmt.Fprintf(&b, "<channel type='unix'><source path='%s'/><target type='virtio' name='org.qemu.guest_agent.0'/></channel>", d.deaf)
	}
	b.WriteString("</devices></domain>")
	return b.String()
}

// xml is the disk within the definition.
func (k *disk) xml() string {
	if k.NoMedium {
		return fmt.Sprintf("<disk type='file' device='cdrom'><target dev='%s' bus='ide'/><readonly/></disk>", k.Target)
	}
	extra := ""
	if k.ReadOnly {
		extra = "<readonly/>"
	}
	if k.Transient {
		extra += "<transient/>"
	}
	return fmt.Sprintf("<disk type='file' device='disk'><driver name='qemu' type='%s'/><source file='%s'>%s</source><target dev='%s' bus='virtio'/>%s</disk>",
		k.Format, k.Path, k.dataStore(), k.Target, extra)
}

// uuidOf derives a UUID from a name, so that runs repeat exactly (FNV-1a, twice).
func uuidOf(name string) string {
	h := func(seed uint64) uint64 {
		for i := range len(name) {
			seed = (seed ^ uint64(name[i])) * 1099511628211
		}
		return seed
	}
	a, b := h(14695981039346656037), h(0x9e3779b97f4a7c15)
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", uint32(a>>32), uint16(a>>16), a&0xfff, b>>52, b&0xffffffffffff)
}

// MakeReadOnly defines a domain that does not run anew, with a disk that the guest may
// not write to any more.
func (d *Domain) MakeReadOnly(target string) {
	d.disk(target).ReadOnly = true
	_, err := d.t.Conn().DomainDefineXML(d.xml())
	d.t.Expect(err).NotTo(haveOccurred(), "define the domain with %s read-only", target)
}
