package driver

import (
	"errors"
	"io/fs"

	"fleece/driver/backupdef"
	"fleece/driver/domaindef"
	"fleece/driver/state"
	"fleece/host"
	"fleece/qmp"
	"fleece/virt"
)

const copyFlags = virt.DOMAIN_BLOCK_COPY_SHALLOW | virt.DOMAIN_BLOCK_COPY_REUSE_EXT |
	virt.DOMAIN_BLOCK_COPY_TRANSIENT_JOB | virt.DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES

// DomainBlockCopy keeps a copy of a disk, until BlockJobAbort switches the guest over to
// it or leaves it. A domain with a persistent definition must say TRANSIENT_JOB (55). Of
// the parameters "bandwidth" (bytes/s), "granularity" and "buf-size" (bytes) are known.
func (drv *Driver) DomainBlockCopy(id virt.DomainID, disk, destxml string, params []virt.TypedParam, flags virt.DomainBlockCopyFlags) error {
	if bits := flags &^ copyFlags; bits != 0 {
		return virt.UnsupportedFlags(uint32(bits), "qemuDomainBlockCopy")
	}
	image, err := domaindef.ParseDestination(destxml)
	if err != nil {
		return err
	}
	command := qmp.BlockdevMirror{Sync: "full", AutoFinalize: qmp.True, AutoDismiss: qmp.False}
	if err := copyParams(&command, params); err != nil {
		return err
	}
	if flags&virt.DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES != 0 {
		command.CopyMode = "write-blocking"
	}
	return drv.onChain(id, disk, "virDomainBlockCopy", func(c *chain) error { return c.copy(image, command, flags) })
}

func copyParams(command *qmp.BlockdevMirror, params []virt.TypedParam) error {
	for _, p := range params {
		n := int64(0)
		switch v := p.Value.(type) {
		case uint64:
			n = int64(min(v, 1<<63-1))
		case uint32:
			n = int64(v)
		}
		switch p.Field {
		case "bandwidth":
			command.Speed = n
		case "granularity":
			if n&(n-1) != 0 {
				return virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU, "granularity must be power of 2")
			}
			command.Granularity = n
		case "buf-size":
			command.BufSize = n
		default:
			return virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU, "parameter '%s' is not supported", p.Field)
		}
	}
	return nil
}

// copy makes the image and starts the job; the sync job is held.
func (c *chain) copy(image domaindef.Layer, command qmp.BlockdevMirror, flags virt.DomainBlockCopyFlags) error {
	d, reuse := c.d, flags&virt.DOMAIN_BLOCK_COPY_REUSE_EXT != 0
	shallow := flags&virt.DOMAIN_BLOCK_COPY_SHALLOW != 0 && len(c.layers) > 1
	if err := d.diskFree(c.target); err != nil {
		return err
	}
	if d.def != nil && flags&virt.DOMAIN_BLOCK_COPY_TRANSIENT_JOB == 0 {
		return virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, "domain is not transient")
	}
	if image.Format == "" {
		image.Format = c.layers[0].Format
	}
	if shallow && !reuse && image.Format == "raw" {
		return virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU, "shallow copy of disk '%s' into a raw file is not possible", c.target)
	}
	if err := uncreatable(image.Format); err != nil {
		return err
	}
	fresh, err := c.checkDestination(&image, reuse)
	if err != nil {
		return err
	}
	nodes, err := d.namedNodes(c.r)
	if err != nil {
		return err
	}
	job := &state.BlockJob{
		Kind: state.BlockCopy, Disk: c.target, Top: int(c.nodes[0]), ID: "copy-" + c.target + "-" + c.nodes[0].Format(),
		Type: image.Type, Path: image.Path, Format: image.Format, Node: d.stored.NextNode, Shallow: shallow,
	}
	k := copyImage(job)
	if shallow {
		k.plan.backing, k.plan.backingPath, k.plan.backingFmt = c.nodes[1].Format(), c.layers[1].Path, c.layers[1].Format
		command.Sync = "top"
	}
	top := c.nodes[0].Format()
	if err := k.plan.measure(findNode(nodes, top), top, c.layers[0].Format, image.Format); err != nil {
		return err
	}
	command.JobID, command.Device, command.Target = job.ID, top, k.target().Format()
	return c.mirror(&blockJob{BlockJob: job}, k, command, fresh, !reuse)
}

// checkDestination looks at what is where the copy is to be; fresh says that the file is
// to be made (qemuDomainBlockCopyValidateMirror).
func (c *chain) checkDestination(image *domaindef.Layer, reuse bool) (fresh bool, err error) {
	info, err := c.d.drv.h.Stat(image.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && (reuse || image.Type == "block"):
		return false, systemError(err, "missing destination file for disk %s: %s", c.target, image.Path)
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, systemError(err, "unable to stat for disk %s: %s", c.target, image.Path)
	case !reuse && image.Type == "file" && info.Size > 0:
		return false, virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_QEMU,
			"external destination file for disk %s already exists and is not a block device: %s", c.target, image.Path)
	}
	return false, nil
}

// copyImage is the new image of a copy as far as its nodes and its file go.
func copyImage(j *state.BlockJob) *disk {
	return &disk{
		Disk: &state.Disk{Name: j.Disk, Node: j.Node, Made: j.Made},
		def:  &backupdef.Disk{Name: j.Disk, Type: j.Type, Path: j.Path, Format: j.Format},
	}
}

// mirror makes, formats and opens the image, and starts the job. What it needs is stored
// before it exists.
func (c *chain) mirror(j *blockJob, k *disk, command qmp.BlockdevMirror, fresh, format bool) error {
	d := c.d
	d.stored.NextNode++
	j.Made = fresh
	if err := d.addBlockJob(j); err != nil {
		return err
	}
	err := c.openMirror(j, k, format)
	if err == nil {
		_, err = d.exec(c.r, command)
	}
	if err != nil {
		d.undoCopy(c.r, j, k)
		return err
	}
	j.started = true
	d.kick()
	return nil
}

func (c *chain) openMirror(j *blockJob, k *disk, format bool) error {
	d := c.d
	if j.Made {
		f, err := d.drv.h.OpenFile(j.Path, host.ReadWrite|host.Create|host.Exclusive, 0o600)
		if err != nil {
			j.Made = false
			return errCreate(k, err)
		}
		if err := f.Close(); err != nil {
			return errCreate(k, err)
		}
	}
	return d.openImage(c.r, k, format, &d.mirroring, d.exec)
}

// undoCopy leaves nothing of a copy that did not start; the sync job is held.
func (d *domain) undoCopy(r *run, j *blockJob, k *disk) {
	if d.mirroring.job != "" {
		d.attempt(r, qmp.JobDismiss{ID: d.mirroring.job})
		d.mirroring = creation{}
	}
	if k.format {
		d.attempt(r, qmp.BlockdevDel{NodeName: k.target().Format()})
	}
	if k.storage {
		d.attempt(r, qmp.BlockdevDel{NodeName: k.target().Storage()})
	}
	if j.Made {
		d.removeNoted(j.Path)
	}
	d.removeBlockJob(j)
	d.trySave()
}
