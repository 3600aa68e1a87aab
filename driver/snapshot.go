package driver

import (
	"strings"

	"fleece/driver/checkpointdef"
	"fleece/driver/snapshotdef"
	"fleece/virt"
)

// The calls that make a snapshot; they are the names of the async job too.
const (
	snapshotAPI  = "virDomainSnapshotCreateXML"
	snapshot2API = "virDomainSnapshotCreateXML2"
)

// snapshotFlags are those that SnapshotCreateXML knows. ATOMIC asks for what always
// holds: all disks or none.
const snapshotFlags = virt.DOMAIN_SNAPSHOT_CREATE_REDEFINE | virt.DOMAIN_SNAPSHOT_CREATE_CURRENT |
	virt.DOMAIN_SNAPSHOT_CREATE_NO_METADATA | virt.DOMAIN_SNAPSHOT_CREATE_HALT |
	virt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | virt.DOMAIN_SNAPSHOT_CREATE_REUSE_EXT |
	virt.DOMAIN_SNAPSHOT_CREATE_QUIESCE | virt.DOMAIN_SNAPSHOT_CREATE_ATOMIC |
	virt.DOMAIN_SNAPSHOT_CREATE_LIVE | virt.DOMAIN_SNAPSHOT_CREATE_VALIDATE

// DomainSnapshotCreateXML makes a snapshot of a running domain's disks: overlays, all
// put on at one instant. With REDEFINE it takes over the description of one that
// exists. A failure leaves nothing behind.
func (drv *Driver) DomainSnapshotCreateXML(id virt.DomainID, xml string, flags virt.DomainSnapshotCreateFlags) (virt.SnapshotID, error) {
	return drv.createSnapshot(id, xml, nil, flags, snapshotAPI)
}

// DomainSnapshotCreateXML2 makes a checkpoint at the same instant (SNP-01): its
// bitmaps are on the overlays.
func (drv *Driver) DomainSnapshotCreateXML2(id virt.DomainID, xml string, checkpointXML *string, flags virt.DomainSnapshotCreateFlags) (virt.SnapshotID, error) {
	return drv.createSnapshot(id, xml, checkpointXML, flags, snapshot2API)
}

func (drv *Driver) createSnapshot(id virt.DomainID, xml string, checkpointXML *string, flags virt.DomainSnapshotCreateFlags, api string) (virt.SnapshotID, error) {
	d, err := drv.find(id)
	if err != nil {
		return virt.SnapshotID{}, err
	}
	defer d.mu.Unlock()
	if err := checkSnapshotFlags(flags); err != nil {
		return virt.SnapshotID{}, err
	}
	s := &snapshotting{d: d, flags: flags}
	if err := s.parse(xml, checkpointXML); err != nil {
		return virt.SnapshotID{}, err
	}
	if err := d.beginAsync(api, true); err != nil {
		return virt.SnapshotID{}, err
	}
	if s.has(virt.DOMAIN_SNAPSHOT_CREATE_REDEFINE) {
		err = s.redefine()
	} else {
		err = s.start()
	}
	if d.jobs.asyncAPI == api { // the domain may have stopped, and another call begun
		d.endAsync()
	}
	if err != nil {
		return virt.SnapshotID{}, err
	}
	return virt.SnapshotID{Domain: d.id(), Name: s.def.Name}, nil
}

// checkSnapshotFlags is E042, E251 and E252.
func checkSnapshotFlags(flags virt.DomainSnapshotCreateFlags) error {
	const prefix = "VIR_DOMAIN_SNAPSHOT_CREATE_"
	if bits := flags &^ snapshotFlags; bits != 0 {
		return virt.UnsupportedFlags(uint32(bits), "qemuSnapshotCreateXML")
	}
	if flags&virt.DOMAIN_SNAPSHOT_CREATE_QUIESCE != 0 && flags&virt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY == 0 {
		return virt.RequiredFlag(prefix+"QUIESCE", prefix+"DISK_ONLY").In(virt.FROM_QEMU)
	}
	if flags&virt.DOMAIN_SNAPSHOT_CREATE_LIVE != 0 && flags&virt.DOMAIN_SNAPSHOT_CREATE_REDEFINE != 0 {
		return virt.ExclusiveFlags(prefix+"LIVE", prefix+"REDEFINE").In(virt.FROM_QEMU)
	}
	return nil
}

// snapshotting is a SnapshotCreateXML under way.
type snapshotting struct {
	d     *domain
	r     *run
	flags virt.DomainSnapshotCreateFlags
	def   *snapshotdef.Snapshot
	chk   *checkpointdef.Checkpoint // nil without a checkpoint

	overlaid
	executed bool // the transaction was executed, or may have been
	prepared bool // metadata may have been written
}

func (s *snapshotting) has(flag virt.DomainSnapshotCreateFlags) bool { return s.flags&flag != 0 }

// remembered reports whether metadata is kept.
func (s *snapshotting) remembered() bool { return !s.has(virt.DOMAIN_SNAPSHOT_CREATE_NO_METADATA) }

// parse reads both documents and makes the checks that need no lock
// (qemuSnapshotCreateXMLValidateDef).
func (s *snapshotting) parse(xml string, checkpointXML *string) (err error) {
	d, now := s.d, s.d.drv.p.Now().Unix()
	active := d.run != nil
	s.def, err = snapshotdef.Parse(xml, snapshotdef.Options{
		Validate: s.has(virt.DOMAIN_SNAPSHOT_CREATE_VALIDATE),
		Redefine: s.has(virt.DOMAIN_SNAPSHOT_CREATE_REDEFINE),
		Offline:  s.has(virt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY) || !active,
		Now:      now,
	})
	if err != nil {
		return err
	}
	if s.remembered() {
		if err := s.def.CheckName(); err != nil {
			return err
		}
	}
	switch {
	case s.has(virt.DOMAIN_SNAPSHOT_CREATE_LIVE) && (!active || s.def.Memory != snapshotdef.External):
		return errUnsupported("live snapshot creation is supported only during full system snapshots")
	case d.def == nil && s.has(virt.DOMAIN_SNAPSHOT_CREATE_HALT):
		return virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, "cannot halt after transient domain snapshot")
	case checkpointXML == nil:
		return nil
	}
	s.chk, err = checkpointdef.ParseNew(*checkpointXML, now)
	return err
}

func errUnsupported(format string, args ...any) error {
	return virt.Errorf(virt.ERR_OPERATION_UNSUPPORTED, virt.FROM_QEMU, format, args...)
}

// redefine stores the description of a snapshot that exists: new, or in place of the
// one of its name (virDomainSnapshotRedefinePrep). A sync job is held meanwhile.
func (s *snapshotting) redefine() error {
	d, def := s.d, s.def
	if err := d.begin(jobNested, d.jobs.asyncAPI); err != nil {
		return err
	}
	defer d.end()
	if err := d.snapshots.Check(def, virt.FROM_DOMAIN_SNAPSHOT); err != nil {
		return err
	}
	fail := func(format string, args ...any) error {
		return virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_DOMAIN_SNAPSHOT, format, args...)
	}
	other, only := d.snapshots.Get(def.Name), def.State == snapshotdef.DiskSnapshot
	switch {
	case s.has(virt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY) && !only:
		return fail("disk-only flag for snapshot %s requires disk-snapshot state", def.Name)
	case def.Domain != nil && def.Domain.UUID != d.definition().UUID:
		return fail("definition for snapshot %s must use uuid %s", def.Name, d.definition().UUID)
	case other != nil && (other.State == snapshotdef.DiskSnapshot) != only:
		return fail("cannot change between disk only and full system in snapshot %s", def.Name)
	case other != nil && online(other.State) != online(def.State):
		return fail("cannot change between online and offline snapshot state in snapshot %s", def.Name)
	case other != nil && def.Domain == nil:
		def.Domain = other.Domain
	}
	if err := def.AlignComplete(); err != nil {
		return err
	}
	if err := d.storeSnapshot(def); err != nil {
		return err
	}
	d.snapshots.Put(def)
	if s.has(virt.DOMAIN_SNAPSHOT_CREATE_CURRENT) {
		d.setCurrentSnapshot(def.Name)
		d.trySave()
	}
	return nil
}

// online reports whether the guest ran, with its memory in the snapshot.
func online(state string) bool { return state == snapshotdef.Running || state == snapshotdef.Paused }

// snapshotIsMade reports whether the async job is a snapshot.
func (d *domain) snapshotIsMade() bool { return strings.HasPrefix(d.jobs.asyncAPI, snapshotAPI) }
