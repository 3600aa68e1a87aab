package driver

import "fleece/virt"

// DomainLookupByName finds a domain; 42 if there is none.
func (drv *Driver) DomainLookupByName(name string) (virt.DomainID, error) {
	if d := drv.get(name, false); d != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.definition() != nil {
			return d.id(), nil
		}
	}
	return virt.DomainID{}, virt.Errorf(virt.ERR_NO_DOMAIN, virt.FROM_QEMU, "no domain with matching name '%s'", name)
}

// DomainLookupByUUID finds a domain; 42 if there is none.
func (drv *Driver) DomainLookupByUUID(uuid string) (virt.DomainID, error) {
	for _, d := range drv.all() {
		d.mu.Lock()
		def, id := d.definition(), d.id()
		d.mu.Unlock()
		if def != nil && def.UUID == uuid {
			return id, nil
		}
	}
	return virt.DomainID{}, virt.Errorf(virt.ERR_NO_DOMAIN, virt.FROM_QEMU, "no domain with matching uuid '%s'", uuid)
}

// domainFilters are the groups of filters of ListAllDomains: of each, none or all mean no
// filter.
func domainFilters() [7]virt.ListAllDomainsFlags {
	return [...]virt.ListAllDomainsFlags{
		virt.CONNECT_LIST_DOMAINS_ACTIVE | virt.CONNECT_LIST_DOMAINS_INACTIVE,
		virt.CONNECT_LIST_DOMAINS_PERSISTENT | virt.CONNECT_LIST_DOMAINS_TRANSIENT,
		virt.CONNECT_LIST_DOMAINS_RUNNING | virt.CONNECT_LIST_DOMAINS_PAUSED |
			virt.CONNECT_LIST_DOMAINS_SHUTOFF | virt.CONNECT_LIST_DOMAINS_OTHER,
		virt.CONNECT_LIST_DOMAINS_MANAGEDSAVE | virt.CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE,
		virt.CONNECT_LIST_DOMAINS_AUTOSTART | virt.CONNECT_LIST_DOMAINS_NO_AUTOSTART,
		virt.CONNECT_LIST_DOMAINS_HAS_SNAPSHOT | virt.CONNECT_LIST_DOMAINS_NO_SNAPSHOT,
		virt.CONNECT_LIST_DOMAINS_HAS_CHECKPOINT | virt.CONNECT_LIST_DOMAINS_NO_CHECKPOINT,
	}
}

// ListAllDomains lists domains by name (virDomainObjMatchFilter).
func (drv *Driver) ListAllDomains(flags virt.ListAllDomainsFlags) ([]virt.DomainID, error) {
	groups := domainFilters()
	known := virt.ListAllDomainsFlags(0)
	for _, group := range groups {
		known |= group
	}
	if bits := flags &^ known; bits != 0 {
		return nil, virt.UnsupportedFlags(uint32(bits), "qemuConnectListAllDomains")
	}
	ids := []virt.DomainID{}
	for _, d := range drv.all() {
		d.mu.Lock()
		if d.definition() != nil && passes(flags, d.traits(), groups[:]) {
			ids = append(ids, d.id())
		}
		d.mu.Unlock()
	}
	return ids, nil
}

// traits are the filters that a domain passes, one of each group. It has never been saved
// by the driver on its own account, and nothing starts it by itself.
func (d *domain) traits() virt.ListAllDomainsFlags {
	is := virt.CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE | virt.CONNECT_LIST_DOMAINS_NO_AUTOSTART
	either := func(so bool, yes, no virt.ListAllDomainsFlags) {
		if so {
			is |= yes
		} else {
			is |= no
		}
	}
	either(d.run != nil, virt.CONNECT_LIST_DOMAINS_ACTIVE, virt.CONNECT_LIST_DOMAINS_INACTIVE)
	either(d.def != nil, virt.CONNECT_LIST_DOMAINS_PERSISTENT, virt.CONNECT_LIST_DOMAINS_TRANSIENT)
	either(d.snapshots.Len() > 0, virt.CONNECT_LIST_DOMAINS_HAS_SNAPSHOT, virt.CONNECT_LIST_DOMAINS_NO_SNAPSHOT)
	either(d.tree.Len() > 0, virt.CONNECT_LIST_DOMAINS_HAS_CHECKPOINT, virt.CONNECT_LIST_DOMAINS_NO_CHECKPOINT)
	switch {
	case d.run == nil:
		is |= virt.CONNECT_LIST_DOMAINS_SHUTOFF
	case d.run.paused:
		is |= virt.CONNECT_LIST_DOMAINS_PAUSED
	default:
		is |= virt.CONNECT_LIST_DOMAINS_RUNNING
	}
	return is
}

func passes(flags, is virt.ListAllDomainsFlags, groups []virt.ListAllDomainsFlags) bool {
	for _, group := range groups {
		if flags&group != 0 && flags&group&is == 0 {
			return false
		}
	}
	return true
}
