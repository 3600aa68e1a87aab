package conformance

import (
	"fmt"
	"sort"
	"strings"

	"fleece/conformance/oracle"
	"fleece/qmp"
	"fleece/virt"
)

// unpluggedDisk is a disk that the guest has let go, with what the oracle knows of it.
type unpluggedDisk struct {
	disk  *disk
	model *oracle.Disk
}

// PlugDisks makes every domain that is defined from now on start without its disks; they
// are plugged once it runs. The bodies of other specs then prove the same of disks that
// came later.
func (t *T) PlugDisks() { t.plugs = true }

// Plug makes an image and plugs it into the running domain, and into its definition.
func (d *Domain) Plug(s DiskSpec) {
	d.t.Expect(d.TryPlug(s, bothDefinitions)).To(succeed(), "plug disk %s", s.Target)
}

// TryPlug is Plug for a call that may fail; the image is there in any case.
func (d *Domain) TryPlug(s DiskSpec, flags virt.DomainDeviceModifyFlags) error {
	k := d.t.makeDisk(d.Name, targetNumber(s.Target), s)
	d.t.mu.Lock()
	model := d.guest.history.AddDisk(k.Target, max(k.Size, oracle.SectorSize))
	d.t.mu.Unlock()
	before := d.t.nodeNames(d)
	if err := d.AttachDeviceFlags(virt.XML(k.xml()), flags); err != nil {
		return err
	}
	if flags&virt.DOMAIN_DEVICE_MODIFY_LIVE != 0 {
		d.plugged(k, model, before)
	}
	return nil
}

// bothDefinitions are the running domain's and that of the next start.
const bothDefinitions = virt.DOMAIN_DEVICE_MODIFY_LIVE | virt.DOMAIN_DEVICE_MODIFY_CONFIG

// PlugAgain plugs a disk that was unplugged; its content is what it was.
func (d *Domain) PlugAgain(target string) {
	u, before := d.unpluggedDisk(target), d.t.nodeNames(d)
	d.t.Expect(d.AttachDeviceFlags(virt.XML(u.disk.xml()), bothDefinitions)).To(succeed(), "plug disk %s again", target)
	d.cameBack(target, before)
}

// PlugAgainUnseen is PlugAgain for a call whose result may be lost; SettlePlugged looks
// afterwards how it ended.
func (d *Domain) PlugAgainUnseen(target string) {
	_ = d.AttachDeviceFlags(virt.XML(d.unpluggedDisk(target).disk.xml()), bothDefinitions)
}

func (d *Domain) unpluggedDisk(target string) unpluggedDisk {
	for _, u := range d.unplugged {
		if u.disk.Target == target {
			return u
		}
	}
	d.t.Broken("disk %s was not unplugged", target)
	return unpluggedDisk{}
}

func (d *Domain) cameBack(target string, before []string) {
	for i, u := range d.unplugged {
		if u.disk.Target == target {
			d.unplugged = append(d.unplugged[:i:i], d.unplugged[i+1:]...)
			d.plugged(u.disk, u.model, before)
			return
		}
	}
}

// plugged says that a disk is the running domain's; before are the nodes that QEMU had.
func (d *Domain) plugged(k *disk, model *oracle.Disk, before []string) {
	d.t.leaf.Lock()
	d.disks = append(d.disks[:len(d.disks):len(d.disks)], k)
	d.guest.disks = append(d.guest.disks[:len(d.guest.disks):len(d.guest.disks)], model)
	d.t.leaf.Unlock()
	for _, name := range d.t.nodeNames(d) {
		if !contains(before, name) {
			d.nodes = append(d.nodes, name)
		}
	}
	sort.Strings(d.nodes)
}

// SettlePlugged looks, after the driver died, whether a disk is plugged: its document
// must say what QEMU has, and QEMU have nothing else.
func (d *Domain) SettlePlugged(target string) {
	xml, err := d.GetXMLDesc(0)
	d.t.Expect(err).NotTo(haveOccurred(), "the document of the domain")
	there := strings.Contains(xml, "dev='"+target+"'")
	known := false
	for _, k := range d.disks {
		known = known || k.Target == target
	}
	switch {
	case there && !known:
		d.cameBack(target, d.nodes)
	case !there && known:
		d.Unplugged(target)
	}
	nodes := 0
	for _, k := range d.disks {
		if !k.NoMedium {
			nodes += k.nodes()
		}
	}
	d.nodes = d.t.nodeNames(d)
	d.t.Expect(d.nodes).To(haveLen(nodes), "the block nodes of the disks in the document")
	d.t.second(d.Name, func(m *qmp.Monitor) {
		blocks := d.t.query(m, qmp.Command{Name: "query-block"}).Items()
		d.t.Expect(blocks).To(haveLen(len(d.disks)), "the devices of the disks in the document")
	})
}

// nodes counts the block nodes of a disk.
func (k *disk) nodes() int {
	n := 2 * (1 + len(k.below))
	if k.data != "" {
		n++
	}
	return n
}

// setAbsent leaves the disks that can be plugged to plugAbsent.
func (d *Domain) setAbsent() {
	var here []*disk
	var models []*oracle.Disk
	for i, k := range d.disks {
		if k.NoMedium {
			here, models = append(here, k), append(models, d.guest.disks[i])
			continue
		}
		d.absent = append(d.absent, unpluggedDisk{k, d.guest.disks[i]})
	}
	d.disks, d.guest.disks = here, models
}

// plugAbsent plugs what the domain was defined without.
func (d *Domain) plugAbsent() {
	absent := d.absent
	d.absent = nil
	for _, u := range absent {
		before := d.t.nodeNames(d)
		d.t.Expect(d.AttachDeviceFlags(virt.XML(u.disk.xml()), bothDefinitions)).To(succeed(), "plug disk %s", u.disk.Target)
		d.plugged(u.disk, u.model, before)
	}
}

// DiskXML is the element of a disk, as it is plugged and unplugged.
func (d *Domain) DiskXML(target string) *string { return virt.XML(d.disk(target).xml()) }

// Unplug takes a disk away, with a guest that lets it go as soon as it is asked.
func (d *Domain) Unplug(target string) {
	d.t.Expect(d.TryUnplug(target)).To(succeed(), "unplug disk %s", target)
}

// TryUnplug is Unplug for a call that may be refused.
func (d *Domain) TryUnplug(target string) error {
	return d.TryUnplugAfter(target, func() {})
}

// TryUnplugAfter is TryUnplug with a guest that does something else before it lets go.
func (d *Domain) TryUnplugAfter(target string, first func()) error {
	asked, never := d.GuestAsked()
	d.t.Go("guest", func() {
		if asked() {
			first()
			d.LetGo(target)
		}
	})
	if err := d.DetachDeviceFlags(d.DiskXML(target), bothDefinitions); err != nil {
		never()
		return err
	}
	d.Unplugged(target)
	return nil
}

// GuestAsked gives what waits until QEMU has taken the next request of the driver to
// unplug a device; it returns false if the driver died before, or if never was called.
func (d *Domain) GuestAsked() (wait func() bool, never func()) {
	t, process := d.t, d.t.driver.process
	asked, refused := false, false // guarded by t.mu
	rule := qmp.Rule{Reply: "device_del", Hold: func(qmp.Value) {
		t.mu.Lock()
		asked = true
		t.noteChange()
		t.mu.Unlock()
	}}
	var undo []func()
	for _, tap := range t.currentTaps() {
		undo = append(undo, tap.Add(rule))
	}
	never = func() {
		t.mu.Lock()
		refused = true
		t.noteChange()
		t.mu.Unlock()
	}
	return func() bool {
		was, over := false, false
		t.Await("the driver to ask the guest for a device", func() bool {
			t.mu.Lock()
			was, over = asked, refused
			t.mu.Unlock()
			return was || over || !process.Alive()
		})
		for _, f := range undo {
			f()
		}
		return was
	}, never
}

// LetGo is the guest's part of an unplugging: it lets the device go.
func (d *Domain) LetGo(target string) {
	d.t.must(d.t.env.Target.GuestEject(d.Name, d.disk(target).device), "let disk "+target+" go")
}

// Unplugged says that a disk is not the domain's any more, once QEMU has said so too.
func (d *Domain) Unplugged(target string) {
	for i, k := range d.disks {
		if k.Target != target {
			continue
		}
		d.unplugged = append(d.unplugged, unpluggedDisk{k, d.guest.disks[i]})
		d.t.leaf.Lock()
		d.disks = append(d.disks[:i:i], d.disks[i+1:]...)
		d.guest.disks = append(d.guest.disks[:i:i], d.guest.disks[i+1:]...)
		d.t.leaf.Unlock()
		was := d.nodes
		d.nodes = nil
		for _, name := range d.t.nodeNames(d) {
			if contains(was, name) {
				d.nodes = append(d.nodes, name)
			}
		}
		d.t.Expect(len(was)-len(d.nodes)).To(equal(k.nodes()), "block nodes that went with disk %s", target)
		return
	}
	d.t.Broken("the spec names disk %q, which domain %s has not", target, d.Name)
}

// AwaitDeviceRemoved waits until the driver has told that a disk is gone.
func (d *Domain) AwaitDeviceRemoved(target string) {
	device := fmt.Sprintf("virtio-disk%d", targetNumber(target))
	d.t.Await("the event of the removal of "+target, func() bool {
		for _, e := range d.t.Events() {
			if r, ok := e.(virt.DeviceRemovedEvent); ok && r.Device == device && r.Domain.Name == d.Name {
				return true
			}
		}
		return false
	})
}

// targetNumber is 0 for vda, 1 for vdb.
func targetNumber(target string) int { return int(target[len(target)-1] - 'a') }
