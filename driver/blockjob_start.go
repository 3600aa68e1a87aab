package driver

import (
	"strconv"
	"strings"

	"fleece/driver/domaindef"
	"fleece/driver/state"
	"fleece/qmp"
	"fleece/virt"
)

// mib is what bandwidths of block jobs count in, unless bytes are asked for.
const mib = 1 << 20

// bytesPerSecond converts a bandwidth; 45 if it is too large.
func bytesPerSecond(bandwidth uint64, bytes bool) (int64, error) {
	const most = 1<<63 - 1
	limit := uint64(most)
	if !bytes {
		limit = most / mib
	}
	if bandwidth > limit {
		return 0, virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU, "bandwidth must be less than %d", limit)
	}
	if !bytes {
		bandwidth *= mib
	}
	return int64(bandwidth), nil
}

// DomainBlockPull has the active image take over what is in all images below it.
func (drv *Driver) DomainBlockPull(id virt.DomainID, disk string, bandwidth uint64, flags virt.DomainBlockPullFlags) error {
	if bits := flags &^ virt.DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES; bits != 0 {
		return virt.UnsupportedFlags(uint32(bits), "qemuDomainBlockPull")
	}
	return drv.pullChain(id, disk, nil, bandwidth, flags != 0, "virDomainBlockPull")
}

// DomainBlockRebase is DomainBlockPull down to an image that stays. Its old form of a
// copy, and names relative to the image, are refused as unknown flags (8).
func (drv *Driver) DomainBlockRebase(id virt.DomainID, disk string, base *string, bandwidth uint64, flags virt.DomainBlockRebaseFlags) error {
	if bits := flags &^ virt.DOMAIN_BLOCK_REBASE_BANDWIDTH_BYTES; bits != 0 {
		return virt.UnsupportedFlags(uint32(bits), "qemuDomainBlockRebase")
	}
	return drv.pullChain(id, disk, base, bandwidth, flags != 0, "virDomainBlockRebase")
}

func (drv *Driver) pullChain(id virt.DomainID, disk string, base *string, bandwidth uint64, bytes bool, api string) error {
	speed, err := bytesPerSecond(bandwidth, bytes)
	if err != nil {
		return err
	}
	return drv.onChain(id, disk, api, func(c *chain) error {
		if err := c.d.diskFree(c.target); err != nil {
			return err
		}
		job := state.BlockJob{Kind: state.BlockPull, Disk: c.target, Top: int(c.nodes[0]), ID: "pull-" + c.target + "-" + c.nodes[0].Format()}
		command := qmp.BlockStream{
			JobID: job.ID, Device: c.nodes[0].Format(), Speed: speed, AutoFinalize: qmp.True, AutoDismiss: qmp.False,
		}
		if base != nil {
			at, err := c.find(*base, 1)
			if err != nil {
				return err
			}
			job.Base, command.BaseNode, command.BackingFile = int(c.nodes[at]), c.nodes[at].Format(), c.layers[at].Path
		}
		return c.d.startBlockJob(c.r, &blockJob{BlockJob: &job}, command)
	})
}

// DomainBlockCommit has an image take over what is in those above it, up to the image
// top. DELETE and RELATIVE are refused as unknown flags (8): files are their owner's.
func (drv *Driver) DomainBlockCommit(id virt.DomainID, disk string, base, top *string, bandwidth uint64, flags virt.DomainBlockCommitFlags) error {
	const known = virt.DOMAIN_BLOCK_COMMIT_SHALLOW | virt.DOMAIN_BLOCK_COMMIT_ACTIVE | virt.DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES
	if bits := flags &^ known; bits != 0 {
		return virt.UnsupportedFlags(uint32(bits), "qemuDomainBlockCommit")
	}
	speed, err := bytesPerSecond(bandwidth, flags&virt.DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES != 0)
	if err != nil {
		return err
	}
	return drv.onChain(id, disk, "virDomainBlockCommit", func(c *chain) error {
		if err := c.d.diskFree(c.target); err != nil {
			return err
		}
		from, to, err := c.commitRange(base, top, flags)
		if err != nil {
			return err
		}
		job := state.BlockJob{
			Kind: state.BlockCommit, Disk: c.target, Top: int(c.nodes[from]), Base: int(c.nodes[to]),
			ID: "commit-" + c.target + "-" + c.nodes[from].Format(),
		}
		command := qmp.BlockCommit{
			JobID: job.ID, Device: c.nodes[0].Format(), TopNode: c.nodes[from].Format(), BaseNode: c.nodes[to].Format(),
			Speed: speed, AutoFinalize: qmp.True, AutoDismiss: qmp.False,
		}
		if from == 0 {
			job.Kind = state.BlockActiveCommit
		} else {
			command.BackingFile = c.layers[to].Path
		}
		return c.d.startBlockJob(c.r, &blockJob{BlockJob: &job}, command)
	})
}

// commitRange finds the two ends of a commit, with libvirt's refusals in their order.
func (c *chain) commitRange(base, top *string, flags virt.DomainBlockCommitFlags) (from, to int, err error) {
	refuse := func(format string, args ...any) (int, int, error) {
		return 0, 0, virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU, format, args...)
	}
	active := flags&virt.DOMAIN_BLOCK_COMMIT_ACTIVE != 0
	if top != nil && *top != c.target {
		if from, err = c.find(*top, 0); err != nil {
			return 0, 0, err
		}
	}
	switch {
	case from == 0 && len(c.layers) > 1 && !active:
		return refuse("commit of '%s' active layer requires active flag", c.target)
	case from > 0 && active:
		return refuse("active commit requested but '%s' is not active", c.layers[from].Path)
	case from+1 == len(c.layers) && base == nil:
		return refuse("could not find base image in chain for '%s'", c.target)
	case from+1 == len(c.layers):
		return refuse("top '%s' in chain for '%s' has no backing file", c.layers[from].Path, c.layers[0].Path)
	}
	shallow := flags&virt.DOMAIN_BLOCK_COMMIT_SHALLOW != 0
	switch {
	case base != nil:
		if to, err = c.find(*base, from+1); err != nil {
			return 0, 0, err
		}
	case shallow:
		to = from + 1
	default:
		to = len(c.layers) - 1
	}
	if shallow && to != from+1 {
		return refuse("base '%s' is not immediately below '%s' in chain for '%s'", c.layers[to].Path, c.layers[from].Path, c.layers[0].Path)
	}
	return from, to, nil
}

// chain is a disk whose chain a call is about.
type chain struct {
	d      *domain
	r      *run
	at     int
	target string
	layers []domaindef.Layer
	nodes  []domaindef.Node
}

// onChain runs a call about the chain of a disk of a running domain, with the job modify.
func (drv *Driver) onChain(id virt.DomainID, disk, api string, call func(c *chain) error) error {
	d, err := drv.find(id)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if err := d.begin(jobModify, api); err != nil {
		return err
	}
	defer d.end()
	if d.run == nil {
		return errInactive()
	}
	target, err := d.diskTarget(disk)
	if err != nil {
		return err
	}
	at := d.live.Disk(target)
	c := &chain{d: d, r: d.run, at: at, target: target, layers: d.live.Disks[at].Layers, nodes: d.run.disks[at].Nodes}
	if len(c.layers) == 0 {
		return errUnsupported("disk '%s' has no source file", target)
	}
	if err := blockJobsSupported(&d.live.Disks[at]); err != nil {
		return err
	}
	return call(c)
}

// find finds an image by its path or as "vda[7]", at lowest-1 or below
// (virStorageSourceChainLookup).
func (c *chain) find(name string, lowest int) (int, error) {
	target, rest, indexed := strings.Cut(name, "[")
	index, err := strconv.Atoi(strings.TrimSuffix(rest, "]"))
	indexed = indexed && err == nil && target == c.target
	for l := lowest; l < len(c.layers); l++ {
		if c.layers[l].Path == name || indexed && int(c.nodes[l]) == index {
			return l, nil
		}
	}
	if lowest > 0 {
		return 0, virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU,
			"could not find image '%s' beneath '%s' in chain for '%s'", name, c.layers[lowest-1].Path, c.target)
	}
	return 0, virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU, "could not find image '%s' in chain for '%s'", name, c.target)
}
