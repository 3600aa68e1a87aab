package conformance

import (
	"strings"
	"time"

	"fleece/qmp"
	"fleece/virt"
)

// Images are the paths of a disk's images, the active one first.
func (d *Domain) Images(target string) []string {
	var paths []string
	for _, l := range d.disk(target).layers() {
		paths = append(paths, l.Path)
	}
	return paths
}

// PullInto has the active image of a disk take over what lies above base, "" for all, and
// waits until that is done.
func (d *Domain) PullInto(target, base string) {
	n := d.blockJobEvents(target, virt.DOMAIN_BLOCK_JOB_TYPE_PULL, virt.DOMAIN_BLOCK_JOB_COMPLETED)
	if base == "" {
		d.t.Expect(d.BlockPull(virt.XML(target), 0, 0)).To(succeed(), "pull into %s", target)
	} else {
		d.t.Expect(d.BlockRebase(virt.XML(target), &base, 0, 0)).To(succeed(), "pull into %s", target)
	}
	d.awaitBlockJob(target, virt.DOMAIN_BLOCK_JOB_TYPE_PULL, virt.DOMAIN_BLOCK_JOB_COMPLETED, n)
	layers := d.disk(target).layers()
	at := len(layers)
	for i, l := range layers {
		if l.Path == base {
			at = i
		}
	}
	d.HasImages(target, append(layers[:1:1], layers[at:]...))
}

// Commit has the image base take over what is in those above it up to top, and waits
// until that is done. From the active image the guest is switched over.
func (d *Domain) Commit(target, base, top string) {
	layers := d.disk(target).layers()
	from, to := indexOf(layers, top), indexOf(layers, base)
	kind, flags := virt.DOMAIN_BLOCK_JOB_TYPE_COMMIT, virt.DomainBlockCommitFlags(0)
	if from == 0 {
		kind, flags = virt.DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT, virt.DOMAIN_BLOCK_COMMIT_ACTIVE
	}
	n := d.blockJobEvents(target, kind, virt.DOMAIN_BLOCK_JOB_COMPLETED)
	ready := d.blockJobEvents(target, kind, virt.DOMAIN_BLOCK_JOB_READY)
	d.t.Expect(d.BlockCommit(virt.XML(target), &base, &top, 0, flags)).To(succeed(), "commit %s", target)
	if from == 0 {
		d.awaitBlockJob(target, kind, virt.DOMAIN_BLOCK_JOB_READY, ready)
		d.pivot(target, layers[to].Path)
	}
	d.awaitBlockJob(target, kind, virt.DOMAIN_BLOCK_JOB_COMPLETED, n)
	d.HasImages(target, append(layers[:from:from], layers[to:]...))
}

// pivot switches the guest over to an image. To one with a data file only a suspended guest
// is (docs/design/block-jobs.md): the call is refused first.
func (d *Domain) pivot(target, path string) {
	over := func() error { return d.BlockJobAbort(virt.XML(target), virt.DOMAIN_BLOCK_JOB_ABORT_PIVOT) }
	switched := func() { d.t.Expect(over()).To(succeed(), "switch %s over", target) }
	if d.t.dataOf[path] == "" {
		switched()
		return
	}
	d.t.ExpectError(over(), virt.ERR_OPERATION_INVALID,
		"disk '"+target+"' would be switched over to an image with a data file, which QEMU may not survive while the guest writes: suspend the domain first")
	d.Suspended(switched)
}

func indexOf(layers []layer, path string) int {
	for i, l := range layers {
		if l.Path == path {
			return i
		}
	}
	return -1
}

// StartCopy begins a copy of a disk to a file and waits until the guest can be switched
// over to it.
func (d *Domain) StartCopy(target, path string, flags virt.DomainBlockCopyFlags) {
	const kind = virt.DOMAIN_BLOCK_JOB_TYPE_COPY
	n := d.blockJobEvents(target, kind, virt.DOMAIN_BLOCK_JOB_READY)
	d.t.Keeps(path)
	d.t.Expect(d.BlockCopy(virt.XML(target), CopyXML(path), nil, flags|virt.DOMAIN_BLOCK_COPY_TRANSIENT_JOB)).To(succeed(), "copy %s", target)
	d.awaitBlockJob(target, kind, virt.DOMAIN_BLOCK_JOB_READY, n)
}

// ImageForCopy makes the image of a copy that is to be taken as it is (REUSE_EXT): an
// empty one, with a data file if the disks have such, or one over the images below the
// active one.
func (d *Domain) ImageForCopy(target, path string, shallow bool) {
	k := d.disk(target)
	if !shallow && d.t.dataFiles {
		twin := disk{DiskSpec: DiskSpec{Size: k.Size, ClusterSize: k.ClusterSize}, Path: path}
		d.t.must(d.t.makeWithDataFile(&twin), "make "+path+" and its data file")
		return
	}
	if !shallow {
		d.t.QcowFile(path, k.Size, k.ClusterSize)
		return
	}
	d.t.must(d.t.createOverlay(path, k.below[0].Path, k.below[0].Format, k.Size), "make "+path)
}

// CopyXML is the document of a copy to a qcow2 file.
func CopyXML(path string) *string {
	return virt.XML("<disk type='file'><driver type='qcow2'/><source file='" + path + "'/></disk>")
}

// CopyTo makes a copy of a disk and switches the guest over to it.
func (d *Domain) CopyTo(target, path string, flags virt.DomainBlockCopyFlags) {
	const kind = virt.DOMAIN_BLOCK_JOB_TYPE_COPY
	n := d.blockJobEvents(target, kind, virt.DOMAIN_BLOCK_JOB_COMPLETED)
	d.StartCopy(target, path, flags)
	d.pivot(target, path)
	d.awaitBlockJob(target, kind, virt.DOMAIN_BLOCK_JOB_COMPLETED, n)
	d.Copied(target, path, flags&virt.DOMAIN_BLOCK_COPY_SHALLOW != 0)
}

// Copied says that the guest was switched over to a copy.
func (d *Domain) Copied(target, path string, shallow bool) {
	layers := []layer{{path, "qcow2"}}
	if shallow {
		layers = append(layers, d.disk(target).layers()[1:]...)
	}
	d.HasImages(target, layers)
}

// HasImages says which images a disk has from now on: QEMU and the domain's document must
// say the same.
func (d *Domain) HasImages(target string, layers []layer) {
	k := d.disk(target)
	if was := k.layers(); indexOf(layers, was[len(was)-1].Path) < 0 {
		k.data = d.t.dataOf[layers[len(layers)-1].Path]
	}
	k.Path, k.Format, k.below = layers[0].Path, layers[0].Format, layers[1:]
	nodes := 0
	for _, k := range d.disks {
		nodes += k.nodes()
	}
	d.nodes = d.t.nodeNames(d)
	d.t.Expect(d.nodes).To(haveLen(nodes), "the block nodes of the disks' images")
	xml, err := d.GetXMLDesc(0)
	d.t.Expect(err).NotTo(haveOccurred(), "the document of the domain")
	for _, l := range layers {
		d.t.Expect(xml).To(containText("'"+l.Path+"'"), "the images in the document")
	}
	d.t.second(d.Name, func(m *qmp.Monitor) {
		for _, b := range d.t.query(m, qmp.Command{Name: "query-block"}).Items() {
			if b.Get("qdev").S() == "/machine/peripheral/"+k.device+"/virtio-backend" {
				d.t.Expect(b.Get("inserted").Get("file").S()).To(equal(k.Path), "the guest's image")
			}
		}
	})
}

// blockJobEvents counts events of a disk's job.
func (d *Domain) blockJobEvents(target string, kind virt.BlockJobType, status virt.BlockJobStatus) int {
	n := 0
	for _, e := range d.t.Events() {
		if b, ok := e.(virt.BlockJobEvent); ok && b.Disk == target && b.Type == kind && b.Status == status && b.Domain.Name == d.Name {
			n++
		}
	}
	return n
}

func (d *Domain) awaitBlockJob(target string, kind virt.BlockJobType, status virt.BlockJobStatus, before int) {
	d.t.Await("the event of the job on "+target, func() bool { return d.blockJobEvents(target, kind, status) > before })
}

// AwaitCopyCancelled waits until the driver has told that a copy was given up.
func (d *Domain) AwaitCopyCancelled(target string) {
	d.awaitBlockJob(target, virt.DOMAIN_BLOCK_JOB_TYPE_COPY, virt.DOMAIN_BLOCK_JOB_CANCELED, 0)
}

// CopyUnseen is CopyTo for calls whose result may be lost; SettleCopy looks afterwards how
// they ended.
func (d *Domain) CopyUnseen(target, path string) {
	const kind, ready = virt.DOMAIN_BLOCK_JOB_TYPE_COPY, virt.DOMAIN_BLOCK_JOB_READY
	process, n := d.t.driver.process, d.blockJobEvents(target, kind, ready)
	if d.BlockCopy(virt.XML(target), CopyXML(path), nil, virt.DOMAIN_BLOCK_COPY_TRANSIENT_JOB) != nil {
		return
	}
	d.t.Await("the copy to be ready, or the driver's end", func() bool {
		return d.blockJobEvents(target, kind, ready) > n || !process.Alive()
	})
	if process.Alive() {
		_ = d.BlockJobAbort(virt.XML(target), virt.DOMAIN_BLOCK_JOB_ABORT_PIVOT)
	}
}

// SettleCopy gives a copy up that a dead driver left running, and looks on which images
// the guest is.
func (d *Domain) SettleCopy(target, path string) {
	d.t.Poll("the end of the copy", settleInterval, func() bool {
		info, err := d.GetBlockJobInfo(virt.XML(target), 0)
		d.t.Expect(err).NotTo(haveOccurred(), "ask for the job of %s", target)
		if info.Type == virt.DOMAIN_BLOCK_JOB_TYPE_UNKNOWN {
			return true
		}
		_ = d.BlockJobAbort(virt.XML(target), 0) // it may be ending
		return false
	})
	xml, err := d.GetXMLDesc(0)
	d.t.Expect(err).NotTo(haveOccurred(), "the document of the domain")
	if strings.Contains(xml, "'"+path+"'") {
		d.Copied(target, path, false)
		return
	}
	d.HasImages(target, d.disk(target).layers())
}

// settleInterval is how often SettleCopy looks.
const settleInterval = 10 * time.Millisecond

// Resize gives a disk another size, in bytes; what is new reads as zero.
func (d *Domain) Resize(target string, size int64) {
	d.t.Expect(d.BlockResize(virt.XML(target), uint64(size), virt.DOMAIN_BLOCK_RESIZE_BYTES)).To(succeed(), "resize %s", target)
	d.disk(target).Size = size
	d.t.mu.Lock()
	d.model(target).Size = size
	d.t.mu.Unlock()
}
