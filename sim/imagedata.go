package sim

import "fleece/qmp"

// dataFile is the file of its own in which an image keeps the content of the disk, where
// the guest has it; the image itself has the metadata. It is the zero value where an
// image has none.
type dataFile struct {
	external bool // the image has one
	raw      bool // it is the disk, for whoever reads it as a raw image
	name     string
	node     *node
}

// openDataFile opens the data file that the options or the header name. A name in the
// header is one for the working directory, not for that of the image.
func (m *Machine) openDataFile(n *node, img *image) *qmp.ReplyError {
	given := n.options.Get("data-file").Present()
	switch {
	case given:
		c, err := m.openChild(n, "data-file", "data-file")
		if err != nil {
			return err
		}
		if !img.data.external {
			return qmp.Generic("'data-file' can only be set for images with an external data file")
		}
		img.data.node = c
	case !img.data.external:
		return nil
	case img.data.name == "":
		return qmp.Generic("'data-file' is required for this image")
	default:
		c, err := m.open(qmp.Dict(qmp.M("driver", qmp.Str("file")), qmp.M("filename", qmp.Str(img.data.name)),
			qmp.M("read-only", qmp.Bool(n.readOnly))), n.handsDown("data-file"), asChild)
		if err != nil {
			return err
		}
		c.heirOf = n
		n.attach("data-file", c)
		img.data.node = c
	}
	for x := img.data.node; x != nil; x = x.child("file") {
		if x.image() != nil {
			img.memory = &imageMemory{} // what works for it has the machine's
		}
	}
	return nil
}

// content is where the clusters of data lie.
func (img *image) content() *node {
	if img.data.node != nil {
		return img.data.node
	}
	return img.file
}

// clear lets a range of the data file read as zero.
func (d *dataFile) clear(off, n int64) error { return d.node.zero(off, n) }

// fill is clear of a whole cluster, with which the last one makes the file larger than
// the disk.
func (d *dataFile) fill(off, n int64) error {
	if off+n > d.node.length() {
		if err := d.node.drv.truncate(off + n); err != nil {
			return err
		}
	}
	return d.clear(off, n)
}

// tune sets what the options of an image's node say to the format.
func (n *node) tune(img *image) {
	img.passes = n.unmap
	if pass := n.options.Get("pass-discard-request"); pass.Present() {
		img.passes = pass.IsTrue()
	}
}

// letGo gives the host clusters of a run back, and discards them in the file if the
// image's node was opened with discard=unmap.
func (img *image) letGo(r mapRun) error {
	switch {
	case !r.hasHost():
		return nil
	case !img.data.external:
		img.freeClusters(r.host, r.n)
		if img.passes {
			_ = img.file.discard(r.host<<img.bits, r.n<<img.bits) // nobody looks at what it says (qcow2_process_discards)
		}
		return nil
	case !img.passes:
		return nil
	}
	off := r.host << img.bits
	return img.data.node.discard(off, min(r.n<<img.bits, img.size-off))
}

// fit makes the data file as large as the disk. Of one that is raw every cluster is
// mapped, and there to its end.
func (d *dataFile) fit(img *image, old, size int64) error {
	if !d.external {
		return nil
	}
	if err := d.node.drv.truncate(size); err != nil {
		return err
	}
	lo, hi := img.clustersFor(old), img.clustersFor(size)
	if !d.raw || hi <= lo {
		return nil
	}
	if err := d.node.drv.truncate(hi << img.bits); err != nil {
		return err
	}
	return img.setRun(mapRun{g: lo, n: hi - lo, host: lo, kind: mapData})
}

func (d *dataFile) incompatible() uint64 {
	if d.external {
		return qcow2IncompatData
	}
	return 0
}

func (d *dataFile) autoclear() uint64 {
	if d.raw {
		return qcow2AutoclearRaw
	}
	return 0
}

// shown is data-file-raw, which images without a data file do not show.
func (d *dataFile) shown() qmp.Value {
	if !d.external {
		return qmp.Value{}
	}
	return qmp.Bool(d.raw)
}

// allocated is what the data file takes, in bytes.
func (d *dataFile) allocated() int64 {
	if d.node == nil {
		return 0
	}
	return d.node.drv.info().allocated
}
