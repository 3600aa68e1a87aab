package nbd

import (
	"errors"
	"fmt"
	"syscall"
)

// Errno is an error number on the wire; the protocol's own set, equal to Linux's.
type Errno uint32

// The error numbers that a server may send.
const (
	EPERM     Errno = 1
	EIO       Errno = 5
	ENOMEM    Errno = 12
	EINVAL    Errno = 22
	ENOSPC    Errno = 28
	EOVERFLOW Errno = 75
	ENOTSUP   Errno = 95
	ESHUTDOWN Errno = 108
)

// errnoOf maps an error of an export as QEMU maps an errno (nbd/server.c): what
// the wire cannot express is EINVAL.
func errnoOf(err error) Errno {
	var e syscall.Errno
	if !errors.As(err, &e) {
		return EIO
	}
	switch e {
	case syscall.EPERM, syscall.EROFS:
		return EPERM
	case syscall.ENOSPC, syscall.EFBIG, syscall.EDQUOT:
		return ENOSPC
	case syscall.EIO, syscall.ENOMEM, syscall.EOVERFLOW, syscall.ENOTSUP, syscall.ESHUTDOWN:
		return Errno(e)
	default:
		return EINVAL
	}
}

// RequestError is a server's refusal of a request.
type RequestError struct {
	Command Command
	Errno   Errno
	Message string // "" in simple replies
}

// Error says which request failed and what the server said.
func (e *RequestError) Error() string {
	text := fmt.Sprintf("nbd: %s: %s", e.Command, syscall.Errno(e.Errno))
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// Unwrap is the error number as the system has it.
func (e *RequestError) Unwrap() error { return syscall.Errno(e.Errno) }

// OptionError is a server's refusal of an option.
type OptionError struct {
	Option  Option
	Errno   OptionErrno
	Message string
}

// Error says which option was refused and what the server said.
func (e *OptionError) Error() string {
	return fmt.Sprintf("nbd: option %q: %s: %s", e.Option, e.Errno, e.Message)
}

// String is the error's name in the protocol document, without its prefix.
func (e OptionErrno) String() string {
	names := [...]string{"UNSUP", "POLICY", "INVALID", "PLATFORM", "TLS_REQD", "UNKNOWN", "SHUTDOWN", "BLOCK_SIZE_REQD", "TOO_BIG"}
	if i := int(e &^ errorBit); e&errorBit != 0 && i >= 1 && i <= len(names) {
		return names[i-1]
	}
	return fmt.Sprintf("reply %#x", uint32(e))
}

// ErrProtocol is wrapped by every error about a peer that broke the protocol; the
// session cannot go on.
var ErrProtocol = errors.New("nbd: the peer broke the protocol")

func protocolError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}
