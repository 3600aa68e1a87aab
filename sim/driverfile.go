package sim

import (
	"errors"
	"io"
	"io/fs"
	"syscall"

	"fleece/host"
	"fleece/qmp"
)

// fileDriver is the storage driver "file" over the host.
type fileDriver struct {
	n    *node
	f    host.File
	size int64
	// promised is the end of what the format above has allocated, though not
	// written yet; QEMU's file has that length already.
	promised int64
	// device has a size that cannot change.
	device bool
}

// checkKind refuses what a storage driver does not open: "file" a block device,
// "host_device" anything else. What is missing is told when it is opened.
func checkKind(h host.Host, kind, path string) *qmp.ReplyError {
	info, err := h.Stat(path)
	switch device := err == nil && info.Mode&fs.ModeDevice != 0; {
	case kind == "host_device" && err == nil && !device:
		return qmp.Generic("'host_device' driver requires '" + path + "' to be either a character or block device")
	case kind == "file" && device:
		return qmp.Generic("'file' driver requires '" + path + "' to be a regular file")
	}
	return nil
}

// openFile opens the host file as QEMU does; the text is §2.2's.
func openFile(h host.Host, path string, readOnly, autoReadOnly bool) (host.File, *qmp.ReplyError) {
	info, err := h.Stat(path)
	if err == nil && info.Mode.IsDir() {
		if readOnly || autoReadOnly {
			return nil, qmp.Generic("'file' driver requires '" + path + "' to be a regular file")
		}
		return nil, qmp.Generic("Could not open '" + path + "': Is a directory")
	}
	flags := host.ReadWrite
	if readOnly {
		flags = host.ReadOnly
	}
	f, err := h.OpenFile(path, flags, 0)
	if err != nil && autoReadOnly && (errors.Is(err, fs.ErrPermission)) {
		f, err = h.OpenFile(path, host.ReadOnly, 0)
	}
	if err != nil {
		return nil, ioError("Could not open '"+path+"'", err)
	}
	return f, nil
}

func newFileDriver(n *node, f host.File) (*fileDriver, error) {
	size, err := f.Size()
	return &fileDriver{n: n, f: f, size: size, device: n.kind == "host_device"}, err
}

// read reports the data extents; holes cost nothing.
func (d *fileDriver) read(r *reader, off, n int64) error {
	end := min(off+n, d.size)
	for off < end {
		e, ok, err := d.f.NextData(off)
		if err != nil {
			return err
		}
		if !ok || e.Offset >= end {
			return nil
		}
		lo, hi := max(e.Offset, off), min(e.Offset+e.Length, end)
		p := r.alloc(int(hi - lo))
		got, err := d.f.ReadAt(p, lo)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		r.add(lo, p[:got])
		off = hi
	}
	return nil
}

func (d *fileDriver) write(off, n int64, segs []segment) error {
	at := off
	for i := range segs {
		s := &segs[i]
		if err := d.fill(at, s.off); err != nil {
			return err
		}
		if err := d.store(s.data, s.off); err != nil {
			return err
		}
		at = s.off + int64(len(s.data))
	}
	return d.fill(at, off+n)
}

func (d *fileDriver) store(p []byte, off int64) error {
	written, err := d.f.WriteAt(p, off)
	d.size = max(d.size, off+int64(written))
	return err
}

// punch makes [lo, hi) read as zero; what lies beyond the end does so already.
func (d *fileDriver) punch(lo, hi int64) error {
	hi = min(hi, d.size)
	if lo >= hi {
		return nil
	}
	e, ok, err := d.f.NextData(lo)
	if err != nil || !ok || e.Offset >= hi {
		return err
	}
	return d.f.PunchHole(lo, hi-lo)
}

// fill writes zeroes. Where the file was cut off through another node, which this one does
// not know, it is made longer again.
func (d *fileDriver) fill(lo, hi int64) error {
	hi = min(hi, d.size)
	if err := d.punch(lo, hi); err != nil || lo >= hi || d.device {
		return err
	}
	size, err := d.f.Size()
	if err == nil && size < hi {
		err = d.f.Truncate(hi)
	}
	return err
}

// zero leaves a hole, where QEMU would have allocated zeroes for raw images
// (§5.4); reads cannot tell.
func (d *fileDriver) zero(off, n int64) error    { return d.fill(off, off+n) }
func (d *fileDriver) discard(off, n int64) error { return d.punch(off, off+n) }

func (d *fileDriver) status(off, n int64) (bool, bool, int64, error) {
	if off >= d.size {
		return true, true, n, nil
	}
	e, ok, err := d.f.NextData(off)
	switch {
	case err != nil:
		return true, false, n, err
	case !ok || e.Offset >= off+n:
		return true, true, n, nil
	case e.Offset > off:
		return true, true, e.Offset - off, nil
	}
	return true, false, min(e.Offset+e.Length-off, n), nil
}

// length is in whole sectors, as QEMU counts them; the rest of the last one reads as
// zero.
func (d *fileDriver) length() int64 {
	if d.device {
		return d.size
	}
	return (max(d.size, d.promised) + sectorSize - 1) &^ (sectorSize - 1)
}

// cut is truncate for a device, whose size stays. What lies beyond reads as zero:
// QEMU leaves it, but a new image does not refer to it.
func (d *fileDriver) cut(size int64) error {
	if size > d.size {
		return syscall.EINVAL
	}
	return d.punch(size, d.size)
}

func (d *fileDriver) truncate(size int64) error {
	if d.device {
		return d.cut(size)
	}
	if err := d.f.Truncate(size); err != nil {
		return err
	}
	d.size = size
	if d.promised > size {
		d.promised = 0
	}
	return nil
}

func (d *fileDriver) flush() error { return nil }
func (d *fileDriver) close() error { return d.f.Close() }

func (d *fileDriver) info() imageInfo {
	info := imageInfo{hasFlags: true}
	if st, err := d.n.m.host.Stat(d.n.path); err == nil {
		info.allocated = st.Allocated
	}
	return info
}

// reopenWritable opens the file of a read-only node once more, to write to it.
func (d *fileDriver) reopenWritable() error {
	f, err := d.n.m.host.OpenFile(d.n.path, host.ReadWrite, 0)
	if err != nil {
		return err
	}
	_ = d.f.Close()
	d.f = f
	return nil
}
