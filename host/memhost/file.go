package memhost

import (
	"io"
	"math"
	"syscall"

	"fleece/host"
	"fleece/rt"
)

// file is an open file of one process.
type file struct {
	v        *view
	node     *inode
	path     string // as it was opened
	writable bool
	closed   bool
	slot     int // index in v.open
}

// usable returns EBADF for a closed file, or the error of an armed fault.
func (f *file) usable(op Op) error {
	if f.closed {
		return syscall.EBADF
	}
	return f.v.check(op, f.path)
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if !f.v.enter(OpRead, f.path, false) {
		return 0, rt.ErrKilled
	}
	defer f.v.k.mu.Unlock()
	n, err := f.read(p, off)
	err = f.v.done(Event{Op: OpRead, Path: f.path, Offset: off, Length: int64(len(p)), Err: err})
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (f *file) read(p []byte, off int64) (int, error) {
	if err := f.usable(OpRead); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, syscall.EINVAL
	}
	c := &f.node.content
	n := int(max(min(int64(len(p)), c.size-off), 0))
	c.read(p[:n], off)
	return n, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if !f.v.enter(OpWrite, f.path, true) {
		return 0, rt.ErrKilled
	}
	defer f.v.k.mu.Unlock()
	n, err := f.write(p, off)
	return n, f.v.done(Event{Op: OpWrite, Path: f.path, Offset: off, Length: int64(len(p)), Err: err})
}

// write stores what fits, as write(2) called until it fails does.
func (f *file) write(p []byte, off int64) (int, error) {
	if err := f.usable(OpWrite); err != nil {
		return 0, err
	}
	switch {
	case !f.writable:
		return 0, syscall.EBADF
	case off < 0:
		return 0, syscall.EINVAL
	case off > fileSizeMax-int64(len(p)):
		return 0, syscall.EFBIG
	}
	fits := p
	if f.node.device {
		fits = p[:max(min(int64(len(p)), f.node.content.size-off), 0)]
	}
	n := f.node.content.write(fits, off, f.node.mount)
	if n > 0 {
		f.node.modTime = f.v.k.rt.Now()
	}
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (f *file) Truncate(size int64) error {
	if !f.v.enter(OpTruncate, f.path, true) {
		return rt.ErrKilled
	}
	defer f.v.k.mu.Unlock()
	return f.v.done(Event{Op: OpTruncate, Path: f.path, Offset: size, Err: f.truncate(size)})
}

func (f *file) truncate(size int64) error {
	if err := f.usable(OpTruncate); err != nil {
		return err
	}
	switch {
	case !f.writable, size < 0, f.node.device:
		return syscall.EINVAL
	case size > fileSizeMax:
		return syscall.EFBIG
	}
	f.node.content.truncate(size, f.node.mount)
	f.node.modTime = f.v.k.rt.Now()
	return nil
}

func (f *file) PunchHole(off, length int64) error {
	if !f.v.enter(OpPunch, f.path, true) {
		return rt.ErrKilled
	}
	defer f.v.k.mu.Unlock()
	return f.v.done(Event{Op: OpPunch, Path: f.path, Offset: off, Length: length, Err: f.punch(off, length)})
}

func (f *file) punch(off, length int64) error {
	if err := f.usable(OpPunch); err != nil {
		return err
	}
	switch {
	case !f.writable:
		return syscall.EBADF
	case off < 0, length <= 0:
		return syscall.EINVAL
	case off > math.MaxInt64-length:
		return syscall.EFBIG
	}
	f.node.content.punch(off, off+length, f.node.mount)
	f.node.modTime = f.v.k.rt.Now()
	return nil
}

func (f *file) Size() (int64, error) {
	if !f.v.enter(OpStat, f.path, false) {
		return 0, rt.ErrKilled
	}
	defer f.v.k.mu.Unlock()
	err := f.usable(OpStat)
	return f.node.content.size, f.v.done(Event{Op: OpStat, Path: f.path, Err: err})
}

func (f *file) NextData(off int64) (host.Extent, bool, error) {
	if !f.v.enter(OpRead, f.path, false) {
		return host.Extent{}, false, rt.ErrKilled
	}
	defer f.v.k.mu.Unlock()
	err := f.usable(OpRead)
	if err == nil && off < 0 {
		err = syscall.EINVAL
	}
	if err := f.v.done(Event{Op: OpRead, Path: f.path, Offset: off, Err: err}); err != nil {
		return host.Extent{}, false, err
	}
	start, end, ok := f.node.content.nextData(off)
	return host.Extent{Offset: start, Length: end - start}, ok, nil
}

func (f *file) Sync() error {
	if !f.v.enter(OpSync, f.path, true) {
		return rt.ErrKilled
	}
	defer f.v.k.mu.Unlock()
	err := f.usable(OpSync)
	if err == nil {
		f.node.content.sync()
	}
	return f.v.done(Event{Op: OpSync, Path: f.path, Err: err})
}

func (f *file) Close() error {
	if !f.v.enter(opClose, f.path, false) {
		return rt.ErrKilled
	}
	defer f.v.k.mu.Unlock()
	if f.closed {
		return f.v.done(Event{Op: opClose, Path: f.path, Err: syscall.EBADF})
	}
	f.closed = true
	last := len(f.v.open) - 1
	moved := f.v.open[last]
	f.v.open[f.slot], moved.slot = moved, f.slot
	f.v.open[last] = nil
	f.v.open = f.v.open[:last]
	f.node.opens--
	f.node.release()
	return nil
}
