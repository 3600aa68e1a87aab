package driver

import (
	"fleece/driver/backupdef"
	"fleece/driver/domaindef"
	"fleece/driver/state"
	"fleece/virt"
)

// backup is a backup job from its preparation to BackupEnd. The domain's lock
// protects it.
type backup struct {
	// st is what is stored of it.
	st    *state.Backup
	def   *backupdef.Backup
	disks []*disk // those that take part, in order of the document
	// started says that the transaction was executed and Begin is past the
	// point of no return: only then ends of jobs are dealt with by the worker.
	started bool
	// serving says that QEMU's NBD server may run for this pull backup.
	serving bool
	// credentials says that the server's TLS credentials may be in QEMU.
	credentials bool
}

// disk is one disk of a backup.
type disk struct {
	*state.Disk
	def *backupdef.Disk
	// layers are the nodes of the domain's disk, the active one first.
	layers []domaindef.Node
	plan   diskPlan
	// storage and format say which of the target's nodes may exist.
	storage, format bool
	concluded       bool // QEMU has said so
	cancelling      bool // a cancel was sent, or is about to be
	dealt           bool // the worker is done with it
	inherited       bool // from a driver that died
}

// target is the node pair of the new image.
func (k *disk) target() domaindef.Node { return domaindef.Node(k.Node) }

// ours reports whether the target is a file that the driver makes, and deletes
// when the backup is no good.
func (k *disk) ours(reuse bool) bool { return !reuse && k.def.Type == "file" }

// visible reports whether callers may know of the backup.
func (b *backup) visible() bool { return b != nil && b.started }

// backupByID finds the job with that id, 0 being the current one (contract row 1);
// 104 if there is none (E047).
func (d *domain) backupByID(id int) (*backup, error) {
	if b := d.backup; b.visible() && (id == 0 || id == b.st.ID) {
		return b, nil
	}
	return nil, errNoBackup(id)
}

func errNoBackup(id int) error {
	return virt.Errorf(virt.ERR_NO_DOMAIN_BACKUP, virt.FROM_QEMU, "no domain backup job with id '%d'", id)
}

// setBackup makes b, which may be nil, the domain's backup, stored with the next
// save.
func (d *domain) setBackup(b *backup) {
	d.backup, d.stored.Backup = b, nil
	if b != nil {
		d.stored.Backup = b.st
	}
}

// DomainBackupGetXMLDesc returns the effective values of a backup, also of one
// that is done but not ended.
func (drv *Driver) DomainBackupGetXMLDesc(id virt.DomainID, job int, flags uint32) (string, error) {
	d, err := drv.find(id)
	if err != nil {
		return "", err
	}
	defer d.mu.Unlock()
	if flags != 0 {
		return "", virt.UnsupportedFlags(flags, "qemuBackupGetXMLDesc")
	}
	b, err := d.backupByID(job)
	if err != nil {
		return "", err
	}
	return b.def.Format(), nil
}

// DomainListJobIds lists the backup, running or waiting for BackupEnd (§3.4 row 5).
func (drv *Driver) DomainListJobIds(id virt.DomainID, flags uint32) ([]virt.DomainJobID, error) {
	if flags != 0 {
		return nil, virt.UnsupportedFlags(flags, "qemuDomainListJobIds")
	}
	d, err := drv.find(id)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	b := d.backup
	if !b.visible() {
		return []virt.DomainJobID{}, nil
	}
	kind := virt.DOMAIN_JOB_UNBOUNDED
	if b.st.Phase == state.Done {
		kind = virt.DomainJobType(b.st.Result)
	}
	return []virt.DomainJobID{{Type: kind, ID: b.st.ID}}, nil
}
