package oshost

import (
	"errors"
	"io"
	"math"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"fleece/host"
	"fleece/rt"
)

// zerosMax is the step in which a range is zeroed where holes cannot be made.
const zerosMax = 1 << 20 // bytes

// file is an open file of one process.
type file struct {
	h    *Host
	os   *os.File
	path string // as the caller gave it

	// data is the extent that was found last. To look for its end may have the file
	// system walk the whole file, so that is not done for each read. Holes that others
	// make in it later read as zero, as they should.
	mu   sync.Mutex
	data host.Extent
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if !f.h.enter("read", f.path, false) {
		return 0, rt.ErrKilled
	}
	defer f.h.leave()
	n, err := f.os.ReadAt(p, off)
	if errors.Is(err, io.EOF) {
		return n, io.EOF
	}
	return n, wrap("read", f.path, err)
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if !f.h.enter("write", f.path, true) {
		return 0, rt.ErrKilled
	}
	defer f.h.leave()
	n, err := f.os.WriteAt(p, off)
	return n, wrap("write", f.path, err)
}

// change runs an operation that changes the file.
func (f *file) change(op string, do func() error) error {
	if !f.h.enter(op, f.path, true) {
		return rt.ErrKilled
	}
	defer f.h.leave()
	return wrap(op, f.path, do())
}

func (f *file) Truncate(size int64) error {
	return f.change("truncate", func() error {
		defer f.know(host.Extent{})
		return f.os.Truncate(size)
	})
}

func (f *file) Sync() error {
	return f.change("fsync", f.os.Sync)
}

func (f *file) PunchHole(off, length int64) error {
	return f.change("punch", func() error { return f.punch(off, length) })
}

func (f *file) punch(off, length int64) error {
	if off < 0 || length <= 0 {
		return syscall.EINVAL
	}
	if off > math.MaxInt64-length {
		return syscall.EFBIG
	}
	defer f.know(host.Extent{})
	var err error
	if ctlErr := f.control(func(fd int) {
		err = unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, length)
	}); ctlErr != nil {
		return ctlErr
	}
	if errors.Is(err, unix.EOPNOTSUPP) {
		return f.writeZeros(off, length)
	}
	return err
}

// writeZeros is PunchHole where the file system has no holes.
func (f *file) writeZeros(off, length int64) error {
	info, err := f.os.Stat()
	if err != nil {
		return err
	}
	end := min(off+length, info.Size())
	zeros := make([]byte, min(max(end-off, 0), zerosMax))
	for off < end {
		n := min(end-off, zerosMax)
		if _, err := f.os.WriteAt(zeros[:n], off); err != nil {
			return err
		}
		off += n
	}
	return nil
}

func (f *file) Size() (int64, error) {
	if !f.h.enter("stat", f.path, false) {
		return 0, rt.ErrKilled
	}
	defer f.h.leave()
	size, _, err := f.size()
	return size, wrap("stat", f.path, err)
}

// size is the size of a file or block device, and whether it is a device.
func (f *file) size() (size int64, device bool, err error) {
	info, err := f.os.Stat()
	if err != nil {
		return 0, false, err
	}
	if info.Mode()&os.ModeDevice == 0 {
		return info.Size(), false, nil
	}
	if ctlErr := f.control(func(fd int) { size, err = unix.Seek(fd, 0, unix.SEEK_END) }); ctlErr != nil {
		return 0, true, ctlErr
	}
	return size, true, err
}

func (f *file) NextData(off int64) (host.Extent, bool, error) {
	if !f.h.enter("read", f.path, false) {
		return host.Extent{}, false, rt.ErrKilled
	}
	defer f.h.leave()
	e, ok, err := f.nextData(off)
	return e, ok, wrap("read", f.path, err)
}

func (f *file) nextData(off int64) (e host.Extent, ok bool, err error) {
	if off < 0 {
		return e, false, syscall.EINVAL
	}
	if e, ok = f.known(off); ok {
		return e, true, nil
	}
	size, device, err := f.size()
	if err != nil || off >= size {
		return e, false, err
	}
	if device { // it does not tell its holes
		return host.Extent{Offset: off, Length: size - off}, true, nil
	}
	var start, end int64
	ctlErr := f.control(func(fd int) {
		if start, err = unix.Seek(fd, off, unix.SEEK_DATA); err == nil {
			end, err = unix.Seek(fd, start, unix.SEEK_HOLE)
		}
	})
	switch {
	case ctlErr != nil:
		return e, false, ctlErr
	case errors.Is(err, unix.ENXIO):
		return e, false, nil
	case errors.Is(err, unix.EINVAL): // a file system without SEEK_DATA: all is data
		return host.Extent{Offset: off, Length: size - off}, true, nil
	case err != nil:
		return e, false, err
	}
	e = host.Extent{Offset: start, Length: end - start}
	f.know(e)
	return e, true, nil
}

func (f *file) know(e host.Extent) {
	f.mu.Lock()
	f.data = e
	f.mu.Unlock()
}

// known is what is left from off of the extent that was found last.
func (f *file) known(off int64) (host.Extent, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	end := f.data.Offset + f.data.Length
	if off < f.data.Offset || off >= end {
		return host.Extent{}, false
	}
	return host.Extent{Offset: off, Length: end - off}, true
}

// control gives the descriptor to do, which must not keep it.
func (f *file) control(do func(fd int)) error {
	raw, err := f.os.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { do(int(fd)) })
}

func (f *file) Close() error {
	if !f.h.enter("close", f.path, false) {
		return rt.ErrKilled
	}
	defer f.h.leave()
	f.h.filesMu.Lock()
	delete(f.h.files, f)
	f.h.filesMu.Unlock()
	return wrap("close", f.path, f.os.Close())
}
