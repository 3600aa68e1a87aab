package virt

// The calls about one disk of a domain. A disk is named by its target ("vda") or
// by the path of its source; a threshold's device may also be "vda[1]".

// BlockJobAbort is virDomainBlockJobAbort: it ends the block job of a disk; on the
// disk of a backup, that whole backup (§5.8). Checks: handle 7, read-only 29, disk
// NULL 8; flags are the driver's to refuse.
func (d *Domain) BlockJobAbort(disk *string, flags DomainBlockJobAbortFlags) error {
	id, k := d.begin("virDomainBlockJobAbort")
	k.writable()
	k.nonNull("disk", disk)
	tell(&k, func(v BlockJobAborter) error { return v.DomainBlockJobAbort(id, *disk, flags) })
	return k.end()
}

// BlockJobSetSpeed is virDomainBlockJobSetSpeed: bandwidth is in MiB/s, or with
// BANDWIDTH_BYTES in bytes/s; 0 is no limit. Checks: handle 7, read-only 29, disk
// NULL 8.
func (d *Domain) BlockJobSetSpeed(disk *string, bandwidth uint64, flags DomainBlockJobSetSpeedFlags) error {
	id, k := d.begin("virDomainBlockJobSetSpeed")
	k.writable()
	k.nonNull("disk", disk)
	tell(&k, func(v BlockJobSpeedSetter) error { return v.DomainBlockJobSetSpeed(id, *disk, bandwidth, flags) })
	return k.end()
}

// GetBlockJobInfo is virDomainGetBlockJobInfo; the zero value says that the disk
// has no job. Allowed on a read-only connection. Checks: handle 7, disk NULL 8.
func (d *Domain) GetBlockJobInfo(disk *string, flags DomainBlockJobInfoFlags) (DomainBlockJobInfo, error) {
	id, k := d.begin("virDomainGetBlockJobInfo")
	k.nonNull("disk", disk)
	info := ask(&k, func(v BlockJobInfoGetter) (DomainBlockJobInfo, error) {
		return v.DomainGetBlockJobInfo(id, *disk, flags)
	})
	return info, k.end()
}

// SetBlockThreshold is virDomainSetBlockThreshold: one event when a write passes
// that offset in bytes; 0 takes the wish back. Checks: handle 7, read-only 29, dev
// NULL 8.
func (d *Domain) SetBlockThreshold(dev *string, threshold uint64, flags uint32) error {
	id, k := d.begin("virDomainSetBlockThreshold")
	k.writable()
	k.nonNull("dev", dev)
	tell(&k, func(v BlockThresholdSetter) error { return v.DomainSetBlockThreshold(id, *dev, threshold, flags) })
	return k.end()
}

// DomainBlockJobInfo is virDomainBlockJobInfo.
type DomainBlockJobInfo struct {
	Type      BlockJobType
	Bandwidth uint64 // MiB/s, or bytes/s if asked for; 0 is no limit
	Cur, End  uint64 // how far the job is, in units of its own
}
