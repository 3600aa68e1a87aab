package driver

import (
	"strconv"

	"fleece/driver/backupdef"
	"fleece/driver/checkpointdef"
	"fleece/driver/state"
	"fleece/qmp"
	"fleece/virt"
)

const beginAPI = "virDomainBackupBegin"

// beginFlags are those that BackupBegin knows (contract row 3).
const beginFlags = virt.DOMAIN_BACKUP_BEGIN_NO_METADATA | virt.DOMAIN_BACKUP_BEGIN_QUIESCE |
	virt.DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL

// beginning is a BackupBegin under way. Its steps are libvirt's (§5.3), with two
// differences: the metadata of the checkpoint is written before the transaction
// (contract row 24), and files are made for all disks before the first is
// formatted, so that one stored state tells which files are ours.
type beginning struct {
	d     *domain
	r     *run
	flags virt.DomainBackupBeginFlags
	b     *backup
	chk   *checkpointdef.Checkpoint // nil without a checkpoint

	prepared bool // metadata is written
	executed bool // the transaction was executed

	portChosen bool // the port of a pull backup is our choice
}

// DomainBackupBegin starts a backup, and a checkpoint with it. It returns the
// id of the job. A failure leaves nothing behind (BEG-19).
func (drv *Driver) DomainBackupBegin(id virt.DomainID, diskXML, checkpointXML *string, flags virt.DomainBackupBeginFlags) (int, error) {
	d, err := drv.find(id)
	if err != nil {
		return -1, err
	}
	defer d.mu.Unlock()
	if bits := flags &^ beginFlags; bits != 0 {
		return -1, virt.UnsupportedFlags(uint32(bits), "qemuBackupBegin")
	}
	g := &beginning{d: d, flags: flags}
	suffix, err := g.parse(diskXML, checkpointXML)
	if err != nil {
		return -1, err
	}
	if err := d.beginAsync(beginAPI, false); err != nil {
		return -1, err
	}
	if err := g.start(suffix); err != nil {
		d.endAsync()
		return -1, err
	}
	return g.b.st.ID, nil
}

// parse reads both documents (steps 2 and 3) and gives the suffix of generated
// names: the checkpoint's name, else seconds since the Epoch.
func (g *beginning) parse(diskXML, checkpointXML *string) (suffix string, err error) {
	now := g.d.drv.p.Now()
	def := backupdef.Default()
	if diskXML != nil {
		if def, err = backupdef.Parse(*diskXML); err != nil {
			return "", err
		}
	}
	suffix = strconv.FormatInt(now.Unix(), 10)
	if checkpointXML != nil {
		if g.chk, err = checkpointdef.ParseNew(*checkpointXML, now.Unix()); err != nil {
			return "", err
		}
		suffix = g.chk.Name
	}
	g.b = &backup{def: def, st: &state.Backup{
		NoMetadata: flagged(g.flags, virt.DOMAIN_BACKUP_BEGIN_NO_METADATA),
		Reuse:      flagged(g.flags, virt.DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL),
		StartedMS:  now.UnixMilli(),
	}}
	return suffix, nil
}

func flagged(flags, bit virt.DomainBackupBeginFlags) bool { return flags&bit != 0 }

// start does everything under the async job.
func (g *beginning) start(suffix string) error {
	d := g.d
	if err := g.check(suffix); err != nil {
		return err
	}
	if g.chk != nil {
		d.reserved = g.chk.Name
		defer func() { d.reserved = "" }()
	}
	if err := g.look(); err != nil {
		return err
	}
	if err := g.prepare(); err != nil {
		g.undo()
		return err
	}
	return nil
}

// check is steps 5 to 11: what can be refused without asking QEMU.
func (g *beginning) check(suffix string) error {
	d := g.d
	if g.r = d.run; d.run == nil {
		return virt.Errorf(virt.ERR_OPERATION_UNSUPPORTED, virt.FROM_QEMU, "cannot perform disk backup for inactive domain")
	}
	if flagged(g.flags, virt.DOMAIN_BACKUP_BEGIN_QUIESCE) && d.live.Agent == "" {
		return errNoAgent()
	}
	if err := g.b.def.Align(d.live, suffix); err != nil {
		return err
	}
	if d.backup != nil {
		return virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, "another backup job is already running")
	}
	if g.b.pull() {
		if err := g.checkPull(); err != nil {
			return err
		}
	}
	if g.chk != nil {
		return d.alignCheckpoint(g.chk)
	}
	return nil
}

// look asks QEMU for its nodes and plans by them, under one sync job: no checkpoint
// whose bitmaps are being deleted is taken for a damaged one.
func (g *beginning) look() error {
	if err := g.d.begin(jobNested, beginAPI); err != nil {
		return err
	}
	defer g.d.end()
	nodes, err := g.d.namedNodes(g.r)
	if err != nil {
		return err
	}
	return g.plan(nodes)
}

// plan is steps 12 to 14: what each disk needs.
func (g *beginning) plan(nodes []qmp.NamedNode) error {
	d, b := g.d, g.b
	for i := range b.def.Disks {
		def := &b.def.Disks[i]
		if !def.Backup {
			continue
		}
		k, err := g.planDisk(def, nodes)
		if err != nil {
			return err
		}
		k.Node = d.stored.NextNode + len(b.disks)
		def.Index = k.Node
		b.disks = append(b.disks, k)
		b.st.Disks = append(b.st.Disks, k.Disk)
	}
	if len(b.disks) == 0 {
		return virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_QEMU, "no disks selected for backup")
	}
	return nil
}

// planDisk is step 13 for one disk.
func (g *beginning) planDisk(def *backupdef.Disk, nodes []qmp.NamedNode) (*disk, error) {
	d := g.d
	at := d.live.Disk(def.Name)
	source := &d.live.Disks[at]
	if err := blockJobsSupported(source); err != nil {
		return nil, err
	}
	if err := targetFormatError(def.Format); err != nil {
		return nil, err
	}
	if def.Remote != nil && def.Format != "raw" && !g.b.st.Reuse {
		return nil, virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_QEMU,
			"network target of disk '%s' needs format 'raw'", def.Name)
	}
	if secret := def.EncryptionSecret(); secret != "" {
		return nil, virt.Errorf(virt.ERR_NO_SECRET, virt.FROM_QEMU, "no secret with matching uuid '%s'", secret)
	}
	layers := g.r.disks[at].Nodes
	top := layers[0].Format()
	k := &disk{def: def, layers: layers, Disk: &state.Disk{
		Name: def.Name, Source: top, Job: "backup-" + def.Name + "-" + top,
	}}
	if def.Mode == backupdef.Incremental {
		if err := g.base(def); err != nil {
			return nil, err
		}
		if err := k.plan.planIncremental(nodes, layers, def.Incremental, def.Name); err != nil {
			return nil, err
		}
		if !g.b.pull() {
			k.Bitmap = "backup-" + def.Name
		}
		if def.Format == "qcow2" {
			k.plan.backing, k.plan.backingPath, k.plan.backingFmt = top, source.Top().Path, source.Top().Format
		}
	}
	if g.b.pull() {
		k.plan.backing, k.plan.backingPath, k.plan.backingFmt = top, source.Top().Path, source.Top().Format
	}
	node := findNode(nodes, top)
	if d.blockJobOn(def.Name) != nil || jobOn(nodes, node) {
		return nil, errBusy(def.Name)
	}
	return k, k.plan.measure(node, top, source.Top().Format, def.Format)
}

// base wants the checkpoint that a disk's increment starts from (E139).
func (g *beginning) base(def *backupdef.Disk) error {
	if def.Mode != backupdef.Incremental || g.d.tree.Get(def.Incremental) != nil || def.Incremental == g.d.reserved {
		return nil
	}
	return virt.Errorf(virt.ERR_NO_DOMAIN_CHECKPOINT, virt.FROM_QEMU,
		"Checkpoint '%s' for incremental backup of disk '%s' not found", def.Incremental, def.Name)
}

// measure takes size and cluster size over from the source; E145.
func (p *diskPlan) measure(node *qmp.NamedNode, name, sourceFormat, targetFormat string) error {
	if node == nil {
		return virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_QEMU,
			"failed to update capacity data for block node '%s'", name)
	}
	p.size = node.VirtualSize
	if sourceFormat == "qcow2" && targetFormat == "qcow2" {
		p.clusterSize = node.ClusterSize
	}
	return nil
}
