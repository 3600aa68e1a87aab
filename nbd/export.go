package nbd

import "io"

// Conn is a stream of bytes to the peer. Read and Write block. Close ends both
// directions at once and may be called while they block.
type Conn interface {
	io.Reader
	io.Writer
	io.Closer
}

// Export is what a server offers under one name. Its methods are called by the
// tasks of all sessions that opened it; ranges are within Size. Errors should wrap
// a syscall.Errno, which decides what the client sees.
type Export interface {
	Name() string
	Description() string // "" for none
	Size() int64         // bytes
	ReadOnly() bool
	// MultiConn says that a flush on one connection covers writes of all.
	MultiConn() bool
	// Contexts lists the meta contexts other than base:allocation, by ascending id.
	Contexts() []Context
	// ReadAt fills p from off.
	ReadAt(p []byte, off int64) error
	// Status tells the state of the range at off in a context (by its id), and for
	// how many bytes it holds, at least 1 and at most n.
	Status(context uint32, off, n int64) (state uint32, length int64, err error)
	// Cache reads ahead; Flush makes what was written durable.
	Cache(off, n int64) error
	Flush() error
	// WriteAt, WriteZeroes and Trim are not called on a read-only export. With
	// fast, WriteZeroes answers ENOTSUP unless it is cheaper than WriteAt.
	WriteAt(p []byte, off int64) error
	WriteZeroes(off, n int64, noHole, fast bool) error
	Trim(off, n int64) error
}

// Context is a kind of metadata about the extents of an export.
type Context struct {
	ID   uint32
	Name string // for example "qemu:dirty-bitmap:b0"
}

// Source finds the exports of a server, at the moment of each option.
type Source interface {
	// Exports lists all, in the order of their creation.
	Exports() []Export
}

// Exports is a Source that does not change.
type Exports []Export

// Exports lists all.
func (x Exports) Exports() []Export { return x }

// flagsOf are the flags of an export without FlagSendDF, which depends on the
// session (§6.3).
func flagsOf(e Export) Flags {
	f := FlagHasFlags | FlagSendFlush | FlagSendFUA | FlagSendCache
	if e.ReadOnly() {
		f |= FlagReadOnly
	} else {
		f |= FlagSendTrim | FlagSendWriteZeroes | FlagSendFastZero
	}
	if e.MultiConn() {
		f |= FlagCanMultiConn
	}
	return f
}
