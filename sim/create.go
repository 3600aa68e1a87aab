package sim

import (
	"io/fs"
	"time"

	"fleece/host"
	"fleece/qmp"
)

// createTime is how long blockdev-create takes.
const createTime = time.Millisecond

// createWork is the work of a create job: not known to block-job-* (§2.4).
type createWork struct{}

func (w *createWork) step(int) bool                    { return false }
func (w *createWork) idle() bool                       { return true }
func (w *createWork) finished(bool)                    {}
func (w *createWork) setSpeed(int64)                   {}
func (w *createWork) speed() int64                     { return 0 }
func (w *createWork) progress() (current, total int64) { return 1, 1 }

// blockdevCreate starts a create job. It runs at once but shows its outcome only
// after the reply, and it never dismisses itself.
func (m *Machine) blockdevCreate(args qmp.Value) *qmp.ReplyError {
	j, err := m.newJob(args.Get("job-id").S(), "create")
	if err != nil {
		return err
	}
	j.work, j.autoDismiss = &createWork{}, false
	j.begin()
	options := args.Get("options")
	m.p.Go("job-"+j.id, func() {
		m.p.Sleep(createTime)
		m.mu.Lock()
		defer m.mu.Unlock()
		// QEMU's main loop runs it between commands.
		for m.executing {
			m.commands.Wait()
		}
		if j.completed || m.gone {
			return
		}
		failure := ""
		if err := m.create(options); err != nil {
			failure = err.Desc
		}
		j.end(failure)
		m.commands.Signal()
	})
	return nil
}

func (m *Machine) create(options qmp.Value) *qmp.ReplyError {
	switch options.Get("driver").S() {
	case "file":
		size, _ := options.Get("size").Int64()
		return m.createFile(options.Get("filename").S(), size)
	case "qcow2":
		return m.createQcow2(options)
	}
	return qmp.Generic("Driver does not support blockdev-create")
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

func (m *Machine) createQcow2(options qmp.Value) *qmp.ReplyError {
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
	if err := o.check(); err != nil {
		return err
	}
	file, err := m.lookup(options.Get("file").S())
	if ref := options.Get("file"); ref.Kind() == qmp.KindDict {
		if file, err = m.open(ref, false); err == nil {
			defer func() { _ = m.closeNode(file) }()
		}
	}
	if err != nil {
		return err
	}
	return m.createIn(file, o)
}

// createIn writes the image while an unnamed backend holds the storage node.
func (m *Machine) createIn(file *node, o imageOptions) *qmp.ReplyError {
	e := file.use("root", &user{label: "an unnamed block device", perm: permWrite | permResize, shared: permAll})
	defer func() {
		owned := file.owned
		file.owned = true // the caller closes it
		_ = e.detach()
		file.owned = owned
	}()
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
