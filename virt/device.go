package virt

// Devices come and go while a domain runs. A device is told by its element of the
// domain's XML.

// AttachDeviceFlags is virDomainAttachDeviceFlags: a new device, in the running
// domain (LIVE), in the definition of its next start (CONFIG), or in both. Checks:
// handle 7, xml NULL 8, read-only 29; what the device may be is the driver's to say.
func (d *Domain) AttachDeviceFlags(xml *string, flags DomainDeviceModifyFlags) error {
	id, k := d.begin("virDomainAttachDeviceFlags")
	k.nonNull("xml", xml)
	k.writable()
	tell(&k, func(v DeviceAttacher) error { return v.DomainAttachDevice(id, *xml, flags) })
	return k.end()
}

// DetachDeviceFlags is virDomainDetachDeviceFlags. It waits a few seconds for the
// guest to let the device go; when that takes longer the call has succeeded, the
// device is still there, and a DeviceRemovedEvent tells when it is not. Checks:
// handle 7, xml NULL 8, read-only 29; 99 if there is no such device comes from the
// driver.
func (d *Domain) DetachDeviceFlags(xml *string, flags DomainDeviceModifyFlags) error {
	id, k := d.begin("virDomainDetachDeviceFlags")
	k.nonNull("xml", xml)
	k.writable()
	tell(&k, func(v DeviceDetacher) error { return v.DomainDetachDevice(id, *xml, flags) })
	return k.end()
}
