package snapshotdef

import (
	"strings"

	"fleece/driver/domaindef"
	"fleece/virt"
)

func refuse(code virt.ErrorNumber, format string, args ...any) error {
	return virt.Errorf(code, virt.FROM_DOMAIN_SNAPSHOT, format, args...)
}

func unsupported(format string, args ...any) error {
	return refuse(virt.ERR_CONFIG_UNSUPPORTED, format, args...)
}

// Circumstances are what Align must know beside the definition of the domain.
type Circumstances struct {
	Active   bool   // the domain runs
	DiskOnly bool   // DISK_ONLY was given
	State    string // of the domain: Running, Paused or Shutoff
}

// Align fills the document in from the domain (qemuSnapshotCreateAlignDisks): state
// and memory, an entry per disk in the domain's order, names and formats of overlays.
// Errors: 84 (E258), then 67, and 84 for what the caller would have to copy itself.
func (s *Snapshot) Align(dom *domaindef.Domain, c Circumstances) error {
	location := External
	switch {
	case c.DiskOnly:
		s.State, s.Memory = DiskSnapshot, No
		if !c.Active {
			s.State = Shutoff
		}
	case s.Memory == External:
		s.State = c.State
	case c.Active && s.Memory == No:
		return virt.Errorf(virt.ERR_OPERATION_UNSUPPORTED, virt.FROM_QEMU,
			"internal snapshot of a running VM must include the memory state")
	default:
		s.State, s.Memory, location = c.State, Internal, Internal
		if !c.Active {
			s.Memory = No
		}
	}
	s.Domain = dom
	if err := s.alignDisks(dom, location); err != nil {
		return err
	}
	return s.checkSelection(dom, c.Active)
}

// AlignComplete gives a redefined document an entry per disk of the domain that it
// embeds.
func (s *Snapshot) AlignComplete() error {
	if s.Domain == nil {
		return nil
	}
	location := Internal
	if s.External() || s.State == DiskSnapshot {
		location = External
	}
	return s.alignDisks(s.Domain, location)
}

// alignDisks is virDomainSnapshotAlignDisks.
func (s *Snapshot) alignDisks(dom *domaindef.Domain, location string) error {
	if len(s.Disks) > len(dom.Disks) {
		return unsupported("too many disk snapshot requests for domain")
	}
	aligned := make([]Disk, len(dom.Disks))
	for i := range s.Disks {
		d := s.Disks[i]
		at := find(dom, d.Name)
		if at < 0 {
			return unsupported("no disk named '%s'", d.Name)
		}
		k := &dom.Disks[at]
		if aligned[at].Name != "" {
			return unsupported("disk '%s' specified twice", k.Target)
		}
		if d.Location == "" {
			d.Location = location
		}
		if d.Path != "" && d.Location != External {
			return unsupported("file '%s' for disk '%s' requires use of external snapshot mode", d.Path, k.Target)
		}
		d.Name = k.Target
		aligned[at] = d
	}
	for i := range aligned {
		k := &dom.Disks[i]
		if aligned[i].Name != "" {
			continue
		}
		aligned[i] = Disk{Name: k.Target, Location: location, Type: "file"}
		if k.Empty() || k.ReadOnly {
			aligned[i].Location = No
		}
	}
	s.Disks = aligned
	return s.nameOverlays(dom)
}

// find looks a disk up by target or by source path.
func find(dom *domaindef.Domain, name string) int {
	if at := dom.Disk(name); at >= 0 {
		return at
	}
	return dom.DiskByPath(name)
}

// nameOverlays generates the paths that are not given
// (virDomainSnapshotDefAssignExternalNames): the image's with the snapshot's name in
// place of what follows the last dot.
func (s *Snapshot) nameOverlays(dom *domaindef.Domain) error {
	for i := range s.Disks {
		d, k := &s.Disks[i], &dom.Disks[i]
		if d.Location != External || d.Path != "" {
			continue
		}
		if d.Type != "file" {
			return unsupported("cannot generate external snapshot name for disk '%s' on a '%s' device", d.Name, d.Type)
		}
		if k.Empty() || k.Top().Path == "" {
			return unsupported("cannot generate external snapshot name for disk '%s' without source", d.Name)
		}
		if k.Top().Type != "file" {
			return unsupported("cannot generate external snapshot name for disk '%s' on a '%s' device", d.Name, k.Top().Type)
		}
		stem := k.Top().Path
		if dot := strings.LastIndexByte(stem, '.'); dot > strings.LastIndexByte(stem, '/') {
			stem = stem[:dot]
		}
		d.Path = stem + "." + s.Name
	}
	for i := range s.Disks {
		for j := range i {
			if a, b := &s.Disks[i], &s.Disks[j]; a.Location == External && b.Location == External && a.Path == b.Path {
				return unsupported("cannot generate external snapshot name for disk '%s': collision with disk '%s'", a.Name, b.Name)
			}
		}
	}
	return nil
}

// checkSelection is qemuSnapshotPrepare, as far as no file is looked at. Of a running
// domain with DISK_ONLY and no disk it says so (E255), where libvirt says the more
// general E253 and E255 is never seen.
func (s *Snapshot) checkSelection(dom *domaindef.Domain, active bool) error {
	internal, external, excluded := false, false, false
	for i := range s.Disks {
		d, k := &s.Disks[i], &dom.Disks[i]
		switch d.Location {
		case Internal:
			internal = true
			if s.State == DiskSnapshot && active {
				return unsupported("active qemu domains require external disk snapshots; disk %s requested internal", d.Name)
			}
			if !k.Empty() && k.Top().Format != "qcow2" {
				return unsupported("internal snapshot for disk %s unsupported for storage type %s", d.Name, k.Top().Format)
			}
		case External:
			external = true
			if d.Format == "" {
				d.Format = "qcow2"
			}
			if d.Format != "qcow2" {
				return unsupported("external snapshot format for disk %s is unsupported: %s", d.Name, d.Format)
			}
		case Manual:
			return refuse(virt.ERR_OPERATION_UNSUPPORTED, "snapshot mode 'manual' of disk '%s' is not supported", d.Name)
		default:
			excluded = excluded || !k.Empty() && !k.ReadOnly
		}
	}
	switch {
	case s.State == DiskSnapshot && !external:
		return unsupported("disk-only snapshots require at least one disk to be selected for snapshot")
	case !internal && !external && s.Memory == No:
		return unsupported("nothing selected for snapshot")
	case internal && external || s.Memory == Internal && external || s.Memory == External && internal:
		return unsupported("mixing internal and external targets for a snapshot is not yet supported")
	case s.Memory == Internal && !internal || internal && excluded:
		return unsupported("internal and full system snapshots require all disks to be selected for snapshot")
	}
	return nil
}
