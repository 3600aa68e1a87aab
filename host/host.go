// Package host is the seam to the operating system: files, directories and stream
// sockets that driver and QEMU of one world share, as two processes share one
// kernel. It is interfaces and small helpers; host/oshost is the real one,
// host/memhost a deterministic one in memory with capacity, faults and crash
// clones.
//
// It is not a complete file API: it has what libvirt and QEMU use to create,
// read, write, replace and remove images and metadata.
//
// The property it keeps: an operation of a killed process has no effect and
// answers rt.ErrKilled; every other error wraps a syscall.Errno, so that its
// text can be shown as strerror does.
package host

import (
	"io/fs"
	"time"
)

// Open flags. They have the meaning of open(2)'s, combined by or.
const (
	ReadOnly  = 0
	ReadWrite = 1 << 0
	Create    = 1 << 1 // make the file if it is not there
	Exclusive = 1 << 2 // with Create: EEXIST if it is there
	Truncate  = 1 << 3
)

// Host is one process's view of the host. Paths are absolute and clean.
// Errors are *fs.PathError (or *os.LinkError) over a syscall.Errno.
type Host interface {
	Network
	OpenFile(path string, flags int, perm fs.FileMode) (File, error)
	Mkdir(path string, perm fs.FileMode) error
	// Remove unlinks a file or removes an empty directory.
	Remove(path string) error
	Rename(oldPath, newPath string) error
	// Stat follows symbolic links. A missing file is ENOENT.
	Stat(path string) (Info, error)
	// ReadDir lists a directory, sorted by name.
	ReadDir(path string) ([]string, error)
	// SyncDir makes the entries of a directory durable (fsync on it).
	SyncDir(path string) error
}

// Info is what Stat tells.
type Info struct {
	Name      string
	Size      int64 // bytes
	Allocated int64 // bytes of backing store, as du counts
	Mode      fs.FileMode
	ModTime   time.Time
}

// Extent is the byte range [Offset, Offset+Length) of a file.
type Extent struct{ Offset, Length int64 }

// File is an open regular file. Reading beyond the end gives io.EOF with the
// bytes there are; holes read as zero.
type File interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	Truncate(size int64) error
	// PunchHole makes a range read as zero and frees its store where it can.
	PunchHole(off, length int64) error
	Size() (int64, error)
	// NextData returns the first extent of data at or after off, as
	// SEEK_DATA and SEEK_HOLE tell. ok is false when only a hole follows.
	// An implementation may report holes as data, never data as hole.
	NextData(off int64) (e Extent, ok bool, err error)
	Sync() error
	Close() error
}
