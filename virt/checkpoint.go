package virt

// Checkpoint is a handle of a checkpoint: domain and name. A freed handle answers
// 102; one whose checkpoint was deleted answers 103.
type Checkpoint struct{ moment moment }

func (c *Checkpoint) is() kind { return kind{ERR_INVALID_DOMAIN_CHECKPOINT, FROM_DOMAIN_CHECKPOINT} }

// m is the moment of a handle that may be nil.
func (c *Checkpoint) m() *moment {
	if c == nil {
		return nil
	}
	return &c.moment
}

// begin begins a call that the driver answers.
func (c *Checkpoint) begin(function string) (CheckpointID, call) {
	at, k := c.m().begin(function, c.is())
	return CheckpointID{Domain: at.domain, Name: at.name}, k
}

// GetName is virDomainCheckpointGetName.
func (c *Checkpoint) GetName() (string, error) {
	id, k := c.begin("virDomainCheckpointGetName")
	return id.Name, k.end()
}

// GetDomain is virDomainCheckpointGetDomain: the domain, not a new reference to it.
func (c *Checkpoint) GetDomain() (*Domain, error) {
	return c.m().domain("virDomainCheckpointGetDomain", c.is())
}

// GetConnect is virDomainCheckpointGetConnect: the connection, not a new reference.
func (c *Checkpoint) GetConnect() (*Conn, error) {
	_, k := c.begin("virDomainCheckpointGetConnect")
	return k.conn, k.end()
}

// Ref is virDomainCheckpointRef: one more Free is needed.
func (c *Checkpoint) Ref() error { return c.m().count("virDomainCheckpointRef", c.is(), 1) }

// Free is virDomainCheckpointFree; one too many is an error (102).
func (c *Checkpoint) Free() error { return c.m().count("virDomainCheckpointFree", c.is(), -1) }

// CreateCheckpointXML is virDomainCheckpointCreateXML. Checks: handle 7, xml nil 8
// (E009), read-only 29 (E010), REDEFINE with QUIESCE 8 (E011), REDEFINE_VALIDATE
// without REDEFINE 8 (E012).
func (d *Domain) CreateCheckpointXML(xml *string, flags DomainCheckpointCreateFlags) (*Checkpoint, error) {
	const prefix = "VIR_DOMAIN_CHECKPOINT_CREATE_"
	redefine := flag{flags&DOMAIN_CHECKPOINT_CREATE_REDEFINE != 0, prefix + "REDEFINE"}
	id, k := d.beginFrom("virDomainCheckpointCreateXML", FROM_DOMAIN_CHECKPOINT)
	k.nonNull("xmlDesc", xml)
	k.writable()
	k.exclusive(redefine, flag{flags&DOMAIN_CHECKPOINT_CREATE_QUIESCE != 0, prefix + "QUIESCE"})
	k.requires(flag{flags&DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE != 0, prefix + "REDEFINE_VALIDATE"}, redefine)
	return d.checkpointResult(&k, ask(&k, func(v CheckpointCreator) (CheckpointID, error) {
		return v.DomainCheckpointCreateXML(id, *xml, flags)
	}))
}

// GetXMLDesc is virDomainCheckpointGetXMLDesc. Checks: handle 102, SECURE on a
// read-only connection 29 (E013); other flags are the driver's to refuse (E034).
func (c *Checkpoint) GetXMLDesc(flags DomainCheckpointXMLFlags) (string, error) {
	id, k := c.begin("virDomainCheckpointGetXMLDesc")
	k.notSecure(flags&DOMAIN_CHECKPOINT_XML_SECURE != 0)
	return k.text(ask(&k, func(v CheckpointXMLDescriber) (string, error) {
		return v.DomainCheckpointGetXMLDesc(id, flags)
	}))
}

// Delete is virDomainCheckpointDelete. Checks: handle 102, read-only 29 (E015),
// CHILDREN with CHILDREN_ONLY 8 (E016). The handle stays valid.
func (c *Checkpoint) Delete(flags DomainCheckpointDeleteFlags) error {
	const prefix = "VIR_DOMAIN_CHECKPOINT_DELETE_"
	id, k := c.begin("virDomainCheckpointDelete")
	k.writable()
	k.exclusive(
		flag{flags&DOMAIN_CHECKPOINT_DELETE_CHILDREN != 0, prefix + "CHILDREN"},
		flag{flags&DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY != 0, prefix + "CHILDREN_ONLY"})
	tell(&k, func(v CheckpointDeleter) error { return v.DomainCheckpointDelete(id, flags) })
	return k.end()
}

// checkpointResult ends a call that returns a checkpoint of the domain.
func (d *Domain) checkpointResult(k *call, id CheckpointID) (*Checkpoint, error) {
	k.possible(id.Name != "")
	if err := k.end(); err != nil {
		return nil, err
	}
	return newCheckpoint(d, id), nil
}

func newCheckpoint(d *Domain, id CheckpointID) *Checkpoint {
	return &Checkpoint{moment{dom: d, name: id.Name, refs: 1}}
}
