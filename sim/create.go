package sim

import (
	"io/fs"
	"time"

	"fleece/host"
	"fleece/qmp"
)

// How long the I/O of blockdev-create takes.
const (
	createTimeImage = time.Millisecond
	createTimeFile  = 100 * time.Microsecond
)

// newImageClusters is what an empty image is written in first: header, refcount table and
// block.
const newImageClusters = 3

// createWork is the work of a create job: not known to block-job-* (§2.4).
type createWork struct {
	done    bool
	formats bool // a qcow2 image
}

func (w *createWork) step(int) bool  { return false }
func (w *createWork) idle() bool     { return true }
func (w *createWork) finished(bool)  {}
func (w *createWork) setSpeed(int64) {}
func (w *createWork) speed() int64   { return 0 }

func (w *createWork) progress() (current, total int64) {
	if w.done {
		return 1, 1
	}
	return 0, 1
}

// meetsHalfOpen reports whether a question for all nodes may come when a job has just opened
// the image that it makes and has not read its header: an assertion of the real binary
// (docs/qemu-findings.md, "Asking for the nodes while an image is made"). There it is a
// matter of the moment; who is to be told of it is told always.
func (m *Machine) meetsHalfOpen() bool {
	if m.opts.Crash != CrashDies {
		return false // it is the moment that kills, not the command
	}
	for _, j := range m.jobs {
		if w, ok := j.work.(*createWork); ok && w.formats && !w.done {
			return true
		}
	}
	return false
}

// blockdevCreate starts a create job. It runs at once; what fails before any I/O has
// failed before the reply, all else shows its outcome after it ({06}). The job never
// dismisses itself.
func (m *Machine) blockdevCreate(args qmp.Value) *qmp.ReplyError {
	if !creates(args.Get("options").Get("driver").S()) {
		return qmp.Generic("Driver does not support blockdev-create")
	}
	j, err := m.newJob(args.Get("job-id").S(), "create")
	if err != nil {
		return err
	}
	w := &createWork{formats: args.Get("options").Get("driver").S() == "qcow2"}
	j.work, j.autoDismiss = w, false
	j.begin()
	rest, took, err := m.create(args.Get("options"))
	if slow := m.opts.CreateTime; slow != nil {
		took = max(took, slow(j.id))
	}
	if err != nil {
		w.done = true
		j.end(err.Desc)
		return nil
	}
	m.p.Go("job-"+j.id, func() {
		m.p.Sleep(took)
		m.mu.Lock()
		defer m.mu.Unlock()
		// QEMU's main loop runs it between commands.
		for m.executing {
			m.commands.Wait()
		}
		if j.completed || m.gone {
			return
		}
		text := ""
		w.done = true
		if err := rest(); err != nil {
			text = err.Desc
		}
		j.end(text)
		m.commands.Signal()
	})
	return nil
}

// creates reports whether QEMU's driver makes images.
func creates(driver string) bool {
	switch driver {
	case "file", "qcow2", "luks", "parallels", "qcow", "qed", "vdi", "vhdx", "vmdk", "vpc", "ssh", "rbd", "gluster", "nfs":
		return true
	}
	return false
}

// create does what needs no I/O and gives back the rest, with the time that it takes.
// Opening a new file is done at once.
func (m *Machine) create(options qmp.Value) (rest func() *qmp.ReplyError, took time.Duration, err *qmp.ReplyError) {
	switch options.Get("driver").S() {
	case "file":
		err = m.createFile(options)
		return func() *qmp.ReplyError { return nil }, createTimeFile, err
	case "qcow2":
		rest, err = m.createQcow2(options)
		return rest, createTimeImage, err
	}
	if ref, ok := options.Get("file").Text(); ok {
		if _, err := m.lookup(ref); err != nil {
			return nil, 0, err
		}
	}
	return nil, 0, qmp.Generic("Images of the format " + options.Get("driver").S() + " are not simulated")
}

func (m *Machine) createFile(options qmp.Value) *qmp.ReplyError {
	path := options.Get("filename").S()
	size, _ := options.Get("size").Int64()
	for _, o := range m.nodes {
		if o.isStorage() && o.path == path {
			if _, shared := o.cumulative(); shared&permWrite == 0 {
				return qmp.Generic("Failed to get \"write\" lock")
			}
		}
	}
	f, err := m.host.OpenFile(path, host.ReadWrite|host.Create|host.Truncate, 0o644)
	if err != nil {
		return qmp.Generic("Could not create '" + path + "': " + errText(err))
	}
	err = f.Truncate(size)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return ioError("Could not resize file", err)
	}
	if options.Get("preallocation").S() == "metadata" {
		return qmp.Generic("Unsupported preallocation mode: metadata")
	}
	return nil
}

func (m *Machine) createQcow2(options qmp.Value) (rest func() *qmp.ReplyError, err *qmp.ReplyError) {
	o := imageOptions{clusterSize: 64 << 10, version: 3}
	o.size, _ = options.Get("size").Int64()
	if n, ok := options.Get("cluster-size").Int64(); ok {
		o.clusterSize = n
	}
	if options.Get("version").S() == "v2" {
		o.version = 2
	}
	o.backingFile, o.backingFormat = options.Get("backing-file").S(), options.Get("backing-fmt").S()
	o.hasExtendedL2 = options.Get("extended-l2").IsTrue()
	o.lazyRefcounts = options.Get("lazy-refcounts").IsTrue()
	o.refcountBits = refcountWidth
	if n, ok := options.Get("refcount-bits").Int64(); ok {
		o.refcountBits = n
	}
	o.preallocates = options.Get("preallocation").TextOr("off") != "off"
	o.otherCompression = options.Get("compression-type").TextOr("zlib") != "zlib"
	o.data.raw = options.Get("data-file-raw").IsTrue()
	file, err := m.createFileNode(options.Get("file"))
	if err != nil {
		return nil, err
	}
	held := []*edge{file.use("root", &user{label: "an unnamed block device", perm: permWrite | permResize, shared: permAll})}
	release := func() {
		for _, e := range held {
			_ = e.detach()
		}
	}
	if ref := options.Get("data-file"); ref.Present() {
		o.data.external = true
		if o.data.node, err = m.createFileNode(ref); err != nil {
			release()
			return nil, err
		}
		o.data.name = o.data.node.filename()
		held = append(held, o.data.node.use("root", &user{label: "an unnamed block device", shared: permAll}))
	}
	if err = o.check(); err == nil {
		err = file.conflictBelow()
	}
	if err != nil {
		release()
		return nil, err
	}
	return func() *qmp.ReplyError {
		defer release()
		tooLarge := o.checkSize()
		if tooLarge != nil {
			o.size, o.backingFile, o.backingFormat = 0, "", "" // the image is made, and then does not grow
		}
		if d, isNull := file.drv.(*nullDriver); isNull {
			d.size = max(d.size, newImageClusters*o.clusterSize) // what is written beyond the end makes it longer
			return qmp.Generic("Image is not in qcow2 format")   // it reads back nothing
		}
		if err := createImage(file, o); err != nil {
			return ioError("Could not write qcow2 header", err)
		}
		return tooLarge
	}, nil
}

// createFileNode finds or opens the storage of a new image.
func (m *Machine) createFileNode(ref qmp.Value) (*node, *qmp.ReplyError) {
	if ref.Kind() == qmp.KindDict {
		return m.open(ref, access{}, asStorage)
	}
	return m.lookup(ref.S())
}

// createIn writes an image while an unnamed backend holds the storage node.
func (m *Machine) createIn(file *node, o imageOptions) *qmp.ReplyError {
	e := file.use("root", &user{label: "an unnamed block device", perm: permWrite | permResize, shared: permAll})
	defer e.drop() // the caller closes the node
	if err := file.conflict(); err != nil {
		return err
	}
	if err := createImage(file, o); err != nil {
		return ioError("Could not write qcow2 header", err)
	}
	return nil
}

// CreateImage writes an empty qcow2 image into a file of the host, as qemu-img
// create does. clusterSize 0 is 64 KiB; version is 2 or 3.
func CreateImage(h host.Host, path string, size, clusterSize int64, version int) error {
	return CreateOverlay(h, path, size, clusterSize, version, "", "")
}

// CreateOverlay is CreateImage with the name and the format of a backing file, which
// need not be there.
func CreateOverlay(h host.Host, path string, size, clusterSize int64, version int, backing, format string) error {
	f, err := h.OpenFile(path, host.ReadWrite|host.Create|host.Truncate, fs.FileMode(0o644))
	if err != nil {
		return err
	}
	n := &node{kind: "file", name: path, path: path}
	d, err := newFileDriver(n, f)
	if err != nil {
		return err
	}
	n.drv = d
	o := imageOptions{size: size, clusterSize: clusterSize, version: uint32(version), backingFile: backing, backingFormat: format}
	if clusterSize == 0 {
		o.clusterSize = 64 << 10
	}
	err = createImage(n, o)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
