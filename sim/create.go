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

// createWork is the work of a create job: not known to block-job-* (§2.4).
type createWork struct{}

func (w *createWork) step(int) bool                    { return false }
func (w *createWork) idle() bool                       { return true }
func (w *createWork) finished(bool)                    {}
func (w *createWork) setSpeed(int64)                   {}
func (w *createWork) speed() int64                     { return 0 }
func (w *createWork) progress() (current, total int64) { return 1, 1 }

// blockdevCreate starts a create job. It runs at once; what fails before any I/O has
// failed before the reply, all else shows its outcome after it ({06}). The job never
// dismisses itself.
func (m *Machine) blockdevCreate(args qmp.Value) *qmp.ReplyError {
	j, err := m.newJob(args.Get("job-id").S(), "create")
	if err != nil {
		return err
	}
	j.work, j.autoDismiss = &createWork{}, false
	j.begin()
	failure := m.create(args.Get("options"))
	if failure != nil && !failure.late {
		j.end(failure.Desc)
		return nil
	}
	took := createTimeImage
	if args.Get("options").Get("driver").S() == "file" {
		took = createTimeFile
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
		if failure != nil {
			text = failure.Desc
		}
		j.end(text)
		m.commands.Signal()
	})
	return nil
}

// createError is how a creation failed: late if I/O had begun.
type createError struct {
	*qmp.ReplyError
	late bool
}

func early(err *qmp.ReplyError) *createError {
	if err == nil {
		return nil
	}
	return &createError{err, false}
}

func late(err *qmp.ReplyError) *createError {
	if err == nil {
		return nil
	}
	return &createError{err, true}
}

func (m *Machine) create(options qmp.Value) *createError {
	switch options.Get("driver").S() {
	case "file":
		size, _ := options.Get("size").Int64()
		return early(m.createFile(options.Get("filename").S(), size))
	case "qcow2":
		return m.createQcow2(options)
	}
	return early(qmp.Generic("Driver does not support blockdev-create"))
}

func (m *Machine) createFile(path string, size int64) *qmp.ReplyError {
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
	return nil
}

func (m *Machine) createQcow2(options qmp.Value) *createError {
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
	file, err := m.lookup(options.Get("file").S())
	if ref := options.Get("file"); ref.Kind() == qmp.KindDict {
		if file, err = m.open(ref, false); err == nil {
			defer func() { _ = m.closeNode(file) }()
		}
	}
	if err == nil {
		err = m.createConflict(file)
	}
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return early(err)
	}
	if err := o.checkSize(); err != nil {
		return late(err)
	}
	return late(m.createIn(file, o))
}

// createConflict tells whether the new backend may write to the storage node.
func (m *Machine) createConflict(file *node) *qmp.ReplyError {
	e := file.use("root", &user{label: "an unnamed block device", perm: permWrite | permResize, shared: permAll})
	defer e.drop()
	return file.conflict()
}

// createIn writes the image while an unnamed backend holds the storage node.
func (m *Machine) createIn(file *node, o imageOptions) *qmp.ReplyError {
	e := file.use("root", &user{label: "an unnamed block device", perm: permWrite | permResize, shared: permAll})
	defer e.drop() // the caller closes the node
	if err := createImage(file, o); err != nil {
		return ioError("Could not write qcow2 header", err)
	}
	return nil
}

// CreateImage writes an empty qcow2 image into a file of the host, as qemu-img
// create does. clusterSize 0 is 64 KiB; version is 2 or 3.
func CreateImage(h host.Host, path string, size, clusterSize int64, version int) error {
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
	o := imageOptions{size: size, clusterSize: clusterSize, version: uint32(version)}
	if clusterSize == 0 {
		o.clusterSize = 64 << 10
	}
	err = createImage(n, o)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
