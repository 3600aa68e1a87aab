package driver

import (
	"fleece/driver/domaindef"
	"fleece/driver/xmldoc"
	"fleece/qmp"
	"fleece/virt"
)

// DomainAttachDevice plugs a disk: into the running domain, with LIVE, and into the
// definition of the next start, with CONFIG; without either into what the domain is now.
// A failure leaves nothing of it in QEMU. Errors: 55 for an inactive or a transient
// domain, 27 and 55 for a target that is taken (E-texts as libvirt 9.0 gives them), 38
// for an image that is not there, 84 for what is no disk.
func (drv *Driver) DomainAttachDevice(id virt.DomainID, xml string, flags virt.DomainDeviceModifyFlags) error {
	d, impact, err := drv.beginDevice(id, flags, "virDomainAttachDeviceFlags", "qemuDomainAttachDeviceLiveAndConfig")
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	defer d.end()
	_, element, err := domaindef.ParseDisk(xml)
	if err != nil {
		return err
	}
	change := func(def *domaindef.Domain) (*domaindef.Domain, error) { return withConfigDisk(def, element) }
	return d.changeDevices(impact, change, func() error { return d.plug(d.run, element) })
}

// changeDevices changes the definition of the next start, if it can be changed, after
// the running domain.
func (d *domain) changeDevices(does impact, change func(*domaindef.Domain) (*domaindef.Domain, error), live func() error) error {
	if does.config {
		if _, err := change(d.def); err != nil {
			return err
		}
	}
	if does.live {
		if err := live(); err != nil {
			return err
		}
	}
	if !does.config || d.def == nil { // it was undefined meanwhile
		return nil
	}
	next, err := change(d.def)
	if err != nil {
		return err
	}
	return d.configure(next)
}

// DomainDetachDevice takes a disk away: out of the running domain with LIVE, out of the
// next start's definition with CONFIG. The guest is given unplugWait to let it go; after
// that the call has succeeded, and the disk goes when the guest lets it. Checkpoints keep
// what they know of the disk (§5.10). Errors: 99 if there is no such disk, 84 and 83 for
// one with a block job (E243).
func (drv *Driver) DomainDetachDevice(id virt.DomainID, xml string, flags virt.DomainDeviceModifyFlags) error {
	d, impact, err := drv.beginDevice(id, flags, "virDomainDetachDeviceFlags", "qemuDomainDetachDeviceLiveAndConfig")
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	defer d.end()
	disk, _, err := domaindef.ParseDisk(xml)
	if err != nil {
		return err
	}
	change := func(def *domaindef.Domain) (*domaindef.Domain, error) {
		if def.Disk(disk.Target) < 0 {
			return nil, errDeviceMissing("no target device %s", disk.Target)
		}
		return def.WithoutDisk(disk.Target)
	}
	return d.changeDevices(impact, change, func() error { return d.unplug(d.run, disk.Target) })
}

func errDeviceMissing(format, target string) error {
	return virt.Errorf(virt.ERR_DEVICE_MISSING, virt.FROM_QEMU, format, target)
}

// impact says which of a domain's definitions a call changes.
type impact struct{ live, config bool }

// beginDevice finds the domain, locked and with the job modify, and resolves CURRENT
// (virDomainObjUpdateModificationImpact).
func (drv *Driver) beginDevice(id virt.DomainID, flags virt.DomainDeviceModifyFlags, api, function string) (*domain, impact, error) {
	const known = virt.DOMAIN_DEVICE_MODIFY_LIVE | virt.DOMAIN_DEVICE_MODIFY_CONFIG
	if bits := flags &^ known; bits != 0 {
		return nil, impact{}, virt.UnsupportedFlags(uint32(bits), function)
	}
	d, err := drv.find(id)
	if err != nil {
		return nil, impact{}, err
	}
	if err := d.begin(jobModify, api); err != nil {
		d.mu.Unlock()
		return nil, impact{}, err
	}
	does := impact{flags&virt.DOMAIN_DEVICE_MODIFY_LIVE != 0, flags&virt.DOMAIN_DEVICE_MODIFY_CONFIG != 0}
	if flags == virt.DOMAIN_DEVICE_MODIFY_CURRENT {
		does = impact{live: d.run != nil, config: d.run == nil}
	}
	switch {
	case does.live && d.run == nil:
		err = errInactive()
	case does.config && d.def == nil:
		err = virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, "transient domains do not have any persistent config")
	}
	if err != nil {
		d.end()
		d.mu.Unlock()
	}
	return d, does, err
}

func withConfigDisk(def *domaindef.Domain, element *xmldoc.Node) (*domaindef.Domain, error) {
	target := element.First("target").AttrOr("dev", "")
	if def.Disk(target) >= 0 {
		return nil, virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, "target %s already exists", target)
	}
	next, err := def.WithDisk(element)
	if err != nil {
		return nil, err
	}
	return next.WithoutIndices()
}

// configure makes next the definition of the next start.
func (d *domain) configure(next *domaindef.Domain) error {
	if err := d.keepLive(); err != nil {
		return err
	}
	if err := d.drv.write(d.drv.configPath(d.name), next.XML(-1)); err != nil {
		return err
	}
	d.def = next
	return nil
}

// plugging is a disk that is on its way into a running domain.
type plugging struct {
	d    *domain
	r    *run
	live *domaindef.Domain // with the disk
	plan domaindef.DiskPlan
	// opened are the nodes that may exist, in order.
	opened []string
}

// plug opens the images of a disk and attaches it; the sync job is held. The definition
// with the disk is on disk before anything of it is in QEMU, so that a restarted driver
// knows what to look for.
func (d *domain) plug(r *run, element *xmldoc.Node) error {
	live, err := d.live.WithDisk(element)
	if err != nil {
		return err
	}
	if live, err = live.WithoutIndices(); err != nil {
		return err
	}
	at := live.Disk(element.First("target").AttrOr("dev", ""))
	disk := &live.Disks[at]
	if err := d.accessible(disk); err != nil {
		return err
	}
	plan, spec, err := live.PlanDisk(at, d.stored.NextNode)
	if err != nil {
		return err
	}
	if live, err = live.WithIndices(append(append([]domaindef.DiskPlan(nil), r.disks...), plan)); err != nil {
		return err
	}
	p := &plugging{d: d, r: r, live: live, plan: plan}
	d.stored.NextNode += len(plan.Nodes) + len(plan.Data)
	if err := d.save(); err != nil {
		return err
	}
	d.inFlux = true
	defer func() { d.inFlux = false }()
	if err := d.drv.write(d.drv.livePath(d.name), live.XML(-1)); err != nil {
		return err
	}
	device := spec.Devices[0]
	if err = p.open(spec.Nodes); err == nil {
		_, err = d.exec(r, qmp.DeviceAdd(device.Driver, device.ID, device.Drive, device.Serial))
	}
	if err != nil {
		p.undo()
		return err
	}
	r.disks = append(r.disks[:len(r.disks):len(r.disks)], plan)
	d.live = live
	d.drv.emit(virt.DeviceAddedEvent{Domain: d.id(), Device: plan.DeviceID})
	return nil
}

// accessible looks for the files of a disk's images.
func (d *domain) accessible(disk *domaindef.Disk) error {
	for i := range disk.Layers {
		paths := []string{disk.Layers[i].Path}
		if data := disk.Layers[i].Data; data != nil {
			paths = append(paths, data.Path)
		}
		for _, path := range paths {
			if _, err := d.drv.h.Stat(path); err != nil {
				return systemError(err, "Cannot access storage file '%s' (as uid:0, gid:0)", path)
			}
		}
	}
	return nil
}

// open adds the nodes of a disk, from the base upward.
func (p *plugging) open(nodes []qmp.Value) error {
	for _, n := range nodes {
		p.opened = append(p.opened, n.Get("node-name").S())
		if _, err := p.d.exec(p.r, qmp.Command{Name: "blockdev-add", Args: n}); err != nil {
			if refused(err) {
				p.opened = p.opened[:len(p.opened)-1]
			}
			return err
		}
	}
	return nil
}

// undo leaves nothing of a disk that could not be attached.
func (p *plugging) undo() {
	d := p.d
	for i := len(p.opened) - 1; i >= 0; i-- {
		d.attempt(p.r, qmp.BlockdevDel{NodeName: p.opened[i]})
	}
	d.restoreLive()
}

// restoreLive stores the definition of the run as it is in memory.
func (d *domain) restoreLive() {
	if d.run == nil || d.live == d.def {
		d.removeNoted(d.drv.livePath(d.name))
		return
	}
	if err := d.drv.write(d.drv.livePath(d.name), d.live.XML(-1)); err != nil {
		d.drv.p.Note("definition-not-saved", d.name, err)
	}
}
