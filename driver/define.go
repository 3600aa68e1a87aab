package driver

import (
	"fmt"
	"hash/fnv"

	"fleece/driver/domaindef"
	"fleece/host"
	"fleece/virt"
)

// DomainDefineXML defines a domain, or replaces the definition of one with the
// same name and UUID; a running domain uses it from its next start.
func (drv *Driver) DomainDefineXML(xml string) (virt.DomainID, error) {
	def, err := domaindef.Parse(xml)
	if err != nil {
		return virt.DomainID{}, err
	}
	if def, err = def.WithoutIndices(); err != nil {
		return virt.DomainID{}, err
	}
	if def.UUID != "" {
		if err := drv.checkUUID(def); err != nil {
			return virt.DomainID{}, err
		}
	}
	d, err := drv.named(def.Name)
	if err != nil {
		return virt.DomainID{}, err
	}
	defer d.mu.Unlock()
	defer d.end()
	id, err := d.define(def)
	if err != nil && d.definition() == nil {
		drv.drop(d)
	}
	return id, err
}

// named gives the domain of that name, a new one if there is none, locked and with a sync
// job: nobody starts it with one definition while it gets another. One that was dropped
// while its lock or the job was waited for is not the domain of that name any more.
func (drv *Driver) named(name string) (*domain, error) {
	for {
		d := drv.get(name, true)
		d.mu.Lock()
		if err := d.begin(jobConfig, "virDomainDefineXML"); err != nil {
			d.mu.Unlock()
			return nil, err
		}
		if drv.get(name, false) == d {
			return d, nil
		}
		d.end()
		d.mu.Unlock()
	}
}

// checkUUID refuses a UUID that another domain has.
func (drv *Driver) checkUUID(def *domaindef.Domain) error {
	for _, o := range drv.all() {
		if o.name == def.Name {
			continue
		}
		o.mu.Lock()
		other := o.definition()
		o.mu.Unlock()
		if other != nil && other.UUID == def.UUID {
			return virt.Errorf(virt.ERR_OPERATION_FAILED, virt.FROM_QEMU,
				"domain '%s' is already defined with uuid %s", o.name, def.UUID)
		}
	}
	return nil
}

func (d *domain) define(def *domaindef.Domain) (virt.DomainID, error) {
	if old := d.definition(); old != nil {
		if def.UUID == "" {
			def.WithUUID(old.UUID)
		}
		if old.UUID != def.UUID {
			return virt.DomainID{}, virt.Errorf(virt.ERR_OPERATION_FAILED, virt.FROM_QEMU,
				"domain '%s' already exists with uuid %s", d.name, old.UUID)
		}
	}
	if def.UUID == "" {
		def.WithUUID(d.newUUID())
	}
	if err := d.keepLive(); err != nil {
		return virt.DomainID{}, err
	}
	if err := d.drv.write(d.drv.configPath(d.name), def.XML(-1)); err != nil {
		return virt.DomainID{}, err
	}
	d.def = def
	if d.stored.Transient {
		d.stored.Transient = false
		d.trySave()
	}
	d.drv.emit(virt.LifecycleEvent{Domain: d.id(), Event: virt.DOMAIN_EVENT_DEFINED})
	return d.id(), nil
}

// keepLive stores the definition of the run before the persistent one becomes
// another.
func (d *domain) keepLive() error {
	if d.run == nil || d.live != d.def || d.inFlux {
		return nil
	}
	return d.drv.write(d.drv.livePath(d.name), d.live.XML(-1))
}

func (drv *Driver) write(name, text string) error {
	if err := host.WriteFileAtomic(drv.h, name, []byte(text), 0o600); err != nil {
		return systemError(err, "cannot write file '%s'", name)
	}
	return nil
}

// newUUID makes a UUID of name and time: random enough, and the same in each
// repetition of a simulated run.
func (d *domain) newUUID() string {
	h := fnv.New128a()
	fmt.Fprintf(h, "%s %d", d.name, d.drv.p.Now().UnixNano())
	b := h.Sum(nil)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// undefineFlags are libvirt's that need nothing done here (managed save, NVRAM)
// and those for checkpoints and snapshots.
const undefineFlags = 1<<5 - 1

// DomainUndefine removes a definition. A running domain goes on and is forgotten
// when it stops. Checkpoints of an inactive domain stand in the way (E241) unless
// CHECKPOINTS_METADATA is given; their bitmaps stay in the images.
func (drv *Driver) DomainUndefine(id virt.DomainID, flags virt.DomainUndefineFlags) error {
	d, err := drv.find(id)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if bits := uint32(flags) &^ undefineFlags; bits != 0 {
		return virt.UnsupportedFlags(bits, "qemuDomainUndefineFlags")
	}
	if err := d.begin(jobConfig, "virDomainUndefineFlags"); err != nil {
		return err
	}
	defer d.end()
	if err := d.mayGo(flags); err != nil {
		return err
	}
	if err := d.undefine(); err != nil {
		return err
	}
	drv.emit(virt.LifecycleEvent{Domain: id, Event: virt.DOMAIN_EVENT_UNDEFINED})
	return nil
}

// mayGo makes libvirt's checks of an Undefine, in its order.
func (d *domain) mayGo(flags virt.DomainUndefineFlags) error {
	refuse := func(format string, args ...any) error {
		return virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, format, args...)
	}
	switch {
	case d.definition() == nil:
		return errNoDomain(d.uuid, d.name)
	case d.def == nil:
		return refuse("cannot undefine transient domain")
	case d.run != nil:
		return nil
	}
	if n := d.snapshots.Len(); n > 0 && flags&virt.DOMAIN_UNDEFINE_SNAPSHOTS_METADATA == 0 {
		return refuse("cannot delete inactive domain with %d snapshots", n)
	}
	if n := d.tree.Len(); n > 0 && flags&virt.DOMAIN_UNDEFINE_CHECKPOINTS_METADATA == 0 {
		return refuse("cannot delete inactive domain with %d checkpoints", n)
	}
	return nil
}

func (d *domain) undefine() error {
	drv := d.drv
	if err := d.keepLive(); err != nil {
		return err
	}
	d.stored.Transient = true // a driver that dies over this leaves the rest to the next one
	if err := d.save(); err != nil {
		d.stored.Transient = false
		return err
	}
	if err := drv.remove(drv.configPath(d.name)); err != nil {
		return systemError(err, "cannot remove config %s", drv.configPath(d.name))
	}
	d.def = nil
	if d.run == nil {
		d.forget()
	}
	return nil
}

// forget removes all that is stored of a domain that is neither defined nor
// running, checkpoints included, and the domain.
func (d *domain) forget() {
	drv := d.drv
	for _, c := range d.tree.All() {
		d.dropCheckpoint(c.Name)
	}
	for _, s := range d.snapshots.All() {
		d.removeNoted(d.snapshotPath(s.Name))
	}
	d.removeDirsOfGone()
	d.removeNoted(drv.livePath(d.name))
	d.removeNoted(drv.statePath(d.name)) // the last: see forgetRemains
	drv.drop(d)
}

// removeDirsOfGone removes the directories of a domain that was forgotten. A call that is
// still on its way out may have a file there: it comes here again when that is removed.
func (d *domain) removeDirsOfGone() {
	if d.definition() != nil {
		return
	}
	for _, dir := range []string{d.checkpointDir(), d.files().snapshots} {
		if err := d.drv.remove(dir); err != nil {
			d.drv.p.Note("directory-not-removed", dir, err)
		}
	}
}
