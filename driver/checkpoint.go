package driver

import (
	"fleece/driver/checkpointdef"
	"fleece/driver/chktree"
	"fleece/qmp"
	"fleece/virt"
)

// DomainCheckpointCreateXML makes a checkpoint of a running domain: a persistent
// bitmap on each of its disks, all at one instant (§5.11). With REDEFINE it takes
// over the description of one that exists.
func (drv *Driver) DomainCheckpointCreateXML(id virt.DomainID, xml string, flags virt.DomainCheckpointCreateFlags) (virt.CheckpointID, error) {
	const known = virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE | virt.DOMAIN_CHECKPOINT_CREATE_QUIESCE |
		virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE
	d, err := drv.find(id)
	if err != nil {
		return virt.CheckpointID{}, err
	}
	defer d.mu.Unlock()
	if bits := flags &^ known; bits != 0 {
		return virt.CheckpointID{}, virt.UnsupportedFlags(uint32(bits), "qemuCheckpointCreateXML")
	}
	c, err := d.parseCheckpoint(xml, flags)
	if err != nil {
		return virt.CheckpointID{}, err
	}
	if err := d.begin(jobModify, "virDomainCheckpointCreateXML"); err != nil {
		return virt.CheckpointID{}, err
	}
	defer d.end()
	if flags&virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE != 0 {
		err = d.redefine(c, flags&virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE != 0)
	} else {
		err = d.createCheckpoint(d.run, c, flags)
	}
	if err != nil {
		return virt.CheckpointID{}, err
	}
	return virt.CheckpointID{Domain: d.id(), Name: c.Name}, nil
}

func (d *domain) parseCheckpoint(xml string, flags virt.DomainCheckpointCreateFlags) (*checkpointdef.Checkpoint, error) {
	if flags&virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE != 0 {
		return checkpointdef.ParseRedefine(xml)
	}
	if d.run == nil {
		return nil, errChkInactive()
	}
	return checkpointdef.ParseNew(xml, d.drv.p.Now().Unix())
}

// errChkInactive is E198.
func errChkInactive() error {
	return virt.Errorf(virt.ERR_OPERATION_UNSUPPORTED, virt.FROM_QEMU, "cannot create checkpoint for inactive domain")
}

// createCheckpoint prepares the metadata, makes the bitmaps, and puts the metadata
// in force; the sync job is held. A failure leaves nothing (contract row 24).
func (d *domain) createCheckpoint(r *run, c *checkpointdef.Checkpoint, flags virt.DomainCheckpointCreateFlags) error {
	if r == nil {
		return errChkInactive()
	}
	quiesce := flags&virt.DOMAIN_CHECKPOINT_CREATE_QUIESCE != 0
	if quiesce && d.live.Agent == "" {
		return errNoAgent()
	}
	if err := d.alignCheckpoint(c); err != nil {
		return err
	}
	d.making = c.Name
	defer func() { d.making = "" }()
	c.Parent = d.tree.Current()
	if err := d.prepareCheckpoint(c); err != nil {
		return err
	}
	bitmaps := checkpointBitmaps(d, r, c)
	made, err := d.makeBitmaps(r, c, quiesce)
	if err != nil && !made {
		d.dropCheckpoint(c.Name)
		d.removeDirsOfGone()
		return err
	}
	if err == nil {
		err = d.commitCheckpoint(c.Name)
	}
	if err != nil {
		for _, b := range bitmaps {
			d.attempt(r, qmp.BitmapRemove(b))
		}
		d.dropCheckpoint(c.Name)
		d.removeDirsOfGone()
		return err
	}
	d.tree.Put(c)
	d.tree.SetCurrent(c.Name)
	return nil
}

// makeBitmaps is the instant of a checkpoint; quiesce has the guest's file systems
// frozen around it. made tells whether the bitmaps are there.
func (d *domain) makeBitmaps(r *run, c *checkpointdef.Checkpoint, quiesce bool) (made bool, err error) {
	if quiesce {
		if err := d.quiesce(r, d.jobs.api); err != nil {
			return false, err
		}
	}
	_, err = d.exec(r, qmp.Transaction{Actions: checkpointActions(c, d.live, r.disks)})
	made = err == nil
	if quiesce {
		if e := d.thaw(r); err == nil {
			err = e
		}
	}
	return made, err
}

// checkpoint finds the domain, locked, and a checkpoint of it; 103 (E225).
func (drv *Driver) checkpoint(id virt.CheckpointID) (*domain, *checkpointdef.Checkpoint, error) {
	d, err := drv.find(id.Domain)
	if err != nil {
		return nil, nil, err
	}
	if c := d.tree.Get(id.Name); c != nil {
		return d, c, nil
	}
	d.mu.Unlock()
	return nil, nil, errNoCheckpoint(id.Name)
}

func errNoCheckpoint(name string) error {
	return virt.Errorf(virt.ERR_NO_DOMAIN_CHECKPOINT, virt.FROM_DOMAIN_CHECKPOINT,
		"no domain checkpoint with matching name '%s'", name)
}

// DomainCheckpointGetXMLDesc returns the description of a checkpoint, with SIZE the
// bytes that are dirty since it on each disk.
func (drv *Driver) DomainCheckpointGetXMLDesc(id virt.CheckpointID, flags virt.DomainCheckpointXMLFlags) (string, error) {
	const known = virt.DOMAIN_CHECKPOINT_XML_SECURE | virt.DOMAIN_CHECKPOINT_XML_NO_DOMAIN | virt.DOMAIN_CHECKPOINT_XML_SIZE
	d, err := drv.find(id.Domain)
	if err != nil {
		return "", err
	}
	defer d.mu.Unlock()
	if bits := flags &^ known; bits != 0 {
		return "", virt.UnsupportedFlags(uint32(bits), "qemuCheckpointGetXMLDesc")
	}
	c := d.tree.Get(id.Name)
	if c == nil {
		return "", errNoCheckpoint(id.Name)
	}
	options := checkpointdef.FormatOptions{NoDomain: flags&virt.DOMAIN_CHECKPOINT_XML_NO_DOMAIN != 0}
	if flags&virt.DOMAIN_CHECKPOINT_XML_SIZE != 0 {
		if err := d.begin(jobModify, "virDomainCheckpointGetXMLDesc"); err != nil {
			return "", err
		}
		defer d.end()
		options.Sizes = true
		if c = d.tree.Get(id.Name); c == nil {
			return "", errNoCheckpoint(id.Name) // deleted while the job was waited for
		}
		if c, err = d.measureCheckpoint(c); err != nil {
			return "", err
		}
	}
	if flags&virt.DOMAIN_CHECKPOINT_XML_SECURE == 0 && c.Domain != nil {
		c = c.Clone()
		c.Domain = c.Domain.WithoutSecrets()
	}
	return c.Format(options), nil
}

// listFlags are those of both lists of checkpoints.
const listFlags = virt.DOMAIN_CHECKPOINT_LIST_ROOTS | virt.DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL |
	virt.DOMAIN_CHECKPOINT_LIST_LEAVES | virt.DOMAIN_CHECKPOINT_LIST_NO_LEAVES

func filter(flags virt.DomainCheckpointListFlags) chktree.Filter {
	return chktree.Filter{
		Leaves:   flags&virt.DOMAIN_CHECKPOINT_LIST_LEAVES != 0,
		NoLeaves: flags&virt.DOMAIN_CHECKPOINT_LIST_NO_LEAVES != 0,
	}
}

// DomainListAllCheckpoints lists checkpoints, parents before children.
func (drv *Driver) DomainListAllCheckpoints(id virt.DomainID, flags virt.DomainCheckpointListFlags) ([]virt.CheckpointID, error) {
	if bits := flags &^ listFlags; bits != 0 {
		return nil, virt.UnsupportedFlags(uint32(bits), "qemuDomainListAllCheckpoints")
	}
	d, err := drv.find(id)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	f := filter(flags)
	f.Shallow = flags&virt.DOMAIN_CHECKPOINT_LIST_ROOTS != 0
	return d.checkpointIDs(d.tree.List(f)), nil
}

// DomainCheckpointListAllChildren lists the children of a checkpoint, with
// DESCENDANTS all below it.
func (drv *Driver) DomainCheckpointListAllChildren(id virt.CheckpointID, flags virt.DomainCheckpointListFlags) ([]virt.CheckpointID, error) {
	if bits := flags &^ listFlags; bits != 0 {
		return nil, virt.UnsupportedFlags(uint32(bits), "qemuDomainCheckpointListAllChildren")
	}
	d, c, err := drv.checkpoint(id)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	f := filter(flags)
	f.From, f.Shallow = c.Name, flags&virt.DOMAIN_CHECKPOINT_LIST_DESCENDANTS == 0
	return d.checkpointIDs(d.tree.List(f)), nil
}

func (d *domain) checkpointIDs(names []string) []virt.CheckpointID {
	ids := make([]virt.CheckpointID, len(names))
	for i, name := range names {
		ids[i] = virt.CheckpointID{Domain: d.id(), Name: name}
	}
	return ids
}

// DomainCheckpointLookupByName finds a checkpoint.
func (drv *Driver) DomainCheckpointLookupByName(id virt.DomainID, name string, flags uint32) (virt.CheckpointID, error) {
	if flags != 0 {
		return virt.CheckpointID{}, virt.UnsupportedFlags(flags, "qemuDomainCheckpointLookupByName")
	}
	d, c, err := drv.checkpoint(virt.CheckpointID{Domain: id, Name: name})
	if err != nil {
		return virt.CheckpointID{}, err
	}
	defer d.mu.Unlock()
	return virt.CheckpointID{Domain: d.id(), Name: c.Name}, nil
}

// DomainCheckpointGetParent finds the parent; a root has none: 103 (E226).
func (drv *Driver) DomainCheckpointGetParent(id virt.CheckpointID, flags uint32) (virt.CheckpointID, error) {
	if flags != 0 {
		return virt.CheckpointID{}, virt.UnsupportedFlags(flags, "qemuDomainCheckpointGetParent")
	}
	d, c, err := drv.checkpoint(id)
	if err != nil {
		return virt.CheckpointID{}, err
	}
	defer d.mu.Unlock()
	if c.Parent == "" {
		return virt.CheckpointID{}, virt.Errorf(virt.ERR_NO_DOMAIN_CHECKPOINT, virt.FROM_DOMAIN_CHECKPOINT,
			"checkpoint '%s' does not have a parent", c.Name)
	}
	return virt.CheckpointID{Domain: d.id(), Name: c.Parent}, nil
}

// DomainHasCurrentCheckpoint tells whether there is a current checkpoint: the
// parent of the next one.
func (drv *Driver) DomainHasCurrentCheckpoint(id virt.DomainID, flags uint32) (bool, error) {
	if flags != 0 {
		return false, virt.UnsupportedFlags(flags, "qemuDomainHasCurrentCheckpoint")
	}
	d, err := drv.find(id)
	if err != nil {
		return false, err
	}
	defer d.mu.Unlock()
	return d.tree.Current() != "", nil
}

// DomainCheckpointCurrent finds the current checkpoint; 103 (E057).
func (drv *Driver) DomainCheckpointCurrent(id virt.DomainID, flags uint32) (virt.CheckpointID, error) {
	if flags != 0 {
		return virt.CheckpointID{}, virt.UnsupportedFlags(flags, "qemuDomainCheckpointCurrent")
	}
	d, err := drv.find(id)
	if err != nil {
		return virt.CheckpointID{}, err
	}
	defer d.mu.Unlock()
	name := d.tree.Current()
	if name == "" {
		return virt.CheckpointID{}, virt.Errorf(virt.ERR_NO_DOMAIN_CHECKPOINT, virt.FROM_DOMAIN_CHECKPOINT,
			"the domain does not have a current checkpoint")
	}
	return virt.CheckpointID{Domain: d.id(), Name: name}, nil
}

// DomainCheckpointIsCurrent tells whether a checkpoint is the current one.
func (drv *Driver) DomainCheckpointIsCurrent(id virt.CheckpointID, flags uint32) (bool, error) {
	if flags != 0 {
		return false, virt.UnsupportedFlags(flags, "qemuDomainCheckpointIsCurrent")
	}
	d, c, err := drv.checkpoint(id)
	if err != nil {
		return false, err
	}
	defer d.mu.Unlock()
	return d.tree.Current() == c.Name, nil
}

// DomainCheckpointHasMetadata is true for every checkpoint that is tracked.
func (drv *Driver) DomainCheckpointHasMetadata(id virt.CheckpointID, flags uint32) (bool, error) {
	if flags != 0 {
		return false, virt.UnsupportedFlags(flags, "qemuDomainCheckpointHasMetadata")
	}
	d, _, err := drv.checkpoint(id)
	if err != nil {
		return false, err
	}
	defer d.mu.Unlock()
	return true, nil
}
