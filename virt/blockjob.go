package virt

// The jobs that change the chain of images below a disk while the guest runs. Each
// call begins one; BlockJobAbort ends it, and a BlockJobEvent tells how it ended. An
// image of the chain is named by its path, or as "vda[7]" by its index.

// BlockPull is virDomainBlockPull: the active image takes over the content of all
// images below it. bandwidth is in MiB/s, or with BANDWIDTH_BYTES in bytes/s; 0 is no
// limit. Checks: handle 7, read-only 29, disk NULL 8.
func (d *Domain) BlockPull(disk *string, bandwidth uint64, flags DomainBlockPullFlags) error {
	id, k := d.begin("virDomainBlockPull")
	k.writable()
	k.nonNull("disk", disk)
	tell(&k, func(v BlockPuller) error { return v.DomainBlockPull(id, *disk, bandwidth, flags) })
	return k.end()
}

// BlockRebase is virDomainBlockRebase as far as it pulls: the active image takes over
// what lies above the image base, which may be NULL as for BlockPull. Checks: handle 7,
// read-only 29, disk NULL 8; the flags of its old form of a copy are the driver's to
// refuse.
func (d *Domain) BlockRebase(disk, base *string, bandwidth uint64, flags DomainBlockRebaseFlags) error {
	id, k := d.begin("virDomainBlockRebase")
	k.writable()
	k.nonNull("disk", disk)
	tell(&k, func(v BlockRebaser) error { return v.DomainBlockRebase(id, *disk, base, bandwidth, flags) })
	return k.end()
}

// BlockCommit is virDomainBlockCommit: the image base takes over the content of the
// images above it up to top. base NULL is the lowest image (with SHALLOW the one below
// top), top NULL the active one, which needs ACTIVE. Checks: handle 7, read-only 29,
// disk NULL 8.
func (d *Domain) BlockCommit(disk, base, top *string, bandwidth uint64, flags DomainBlockCommitFlags) error {
	id, k := d.begin("virDomainBlockCommit")
	k.writable()
	k.nonNull("disk", disk)
	tell(&k, func(v BlockCommitter) error { return v.DomainBlockCommit(id, *disk, base, top, bandwidth, flags) })
	return k.end()
}

// BlockCopy is virDomainBlockCopy: a copy of the disk is kept up to date until the
// guest is switched over to it (BlockJobAbort with PIVOT) or it is left as it is.
// destxml is a <disk> with driver and source. Checks: handle 7, read-only 29, disk and
// destxml NULL 8.
func (d *Domain) BlockCopy(disk, destxml *string, params []TypedParam, flags DomainBlockCopyFlags) error {
	id, k := d.begin("virDomainBlockCopy")
	k.writable()
	k.nonNull("disk", disk)
	k.nonNull("destxml", destxml)
	tell(&k, func(v BlockCopier) error { return v.DomainBlockCopy(id, *disk, *destxml, params, flags) })
	return k.end()
}

// BlockResize is virDomainBlockResize: size is in KiB, or with BYTES in bytes. Checks:
// handle 7, read-only 29, disk NULL 8.
func (d *Domain) BlockResize(disk *string, size uint64, flags DomainBlockResizeFlags) error {
	id, k := d.begin("virDomainBlockResize")
	k.writable()
	k.nonNull("disk", disk)
	tell(&k, func(v BlockResizer) error { return v.DomainBlockResize(id, *disk, size, flags) })
	return k.end()
}
