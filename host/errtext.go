package host

import (
	"errors"
	"syscall"
)

// Errno finds the system error under err; ok is false for an error that has
// none, for example rt.ErrKilled.
func Errno(err error) (errno syscall.Errno, ok bool) {
	ok = errors.As(err, &errno)
	return errno, ok
}

// ErrText is the text that glibc's strerror has for the system error under
// err, and err's own text if there is none under it. libvirt and QEMU print
// strerror's texts ("No space left on device"); Go's are in lower case.
func ErrText(err error) string {
	if err == nil {
		return ""
	}
	errno, ok := Errno(err)
	if !ok {
		return err.Error()
	}
	if text := strerror(errno); text != "" {
		return text
	}
	return errno.Error()
}

// strerror is glibc's table (sysdeps/gnu/errlist.h), as far as files, sockets
// and block devices can bring an error up. It is a switch and not a map, so that
// there is no package-level state.
func strerror(errno syscall.Errno) string {
	if text := strerrorFile(errno); text != "" {
		return text
	}
	return strerrorSocket(errno)
}

func strerrorFile(errno syscall.Errno) string {
	switch errno {
	case 0:
		return "Success"
	case syscall.EPERM:
		return "Operation not permitted"
	case syscall.ENOENT:
		return "No such file or directory"
	case syscall.EINTR:
		return "Interrupted system call"
	case syscall.EIO:
		return "Input/output error"
	case syscall.ENXIO:
		return "No such device or address"
	case syscall.E2BIG:
		return "Argument list too long"
	case syscall.EBADF:
		return "Bad file descriptor"
	case syscall.EAGAIN:
		return "Resource temporarily unavailable"
	case syscall.ENOMEM:
		return "Cannot allocate memory"
	case syscall.EACCES:
		return "Permission denied"
	case syscall.EFAULT:
		return "Bad address"
	case syscall.EBUSY:
		return "Device or resource busy"
	case syscall.EEXIST:
		return "File exists"
	case syscall.EXDEV:
		return "Invalid cross-device link"
	case syscall.ENODEV:
		return "No such device"
	case syscall.ENOTDIR:
		return "Not a directory"
	case syscall.EISDIR:
		return "Is a directory"
	case syscall.EINVAL:
		return "Invalid argument"
	case syscall.ENFILE:
		return "Too many open files in system"
	case syscall.EMFILE:
		return "Too many open files"
	}
	return strerrorFileRare(errno)
}

func strerrorFileRare(errno syscall.Errno) string {
	switch errno {
	case syscall.ESRCH:
		return "No such process"
	case syscall.ECHILD:
		return "No child processes"
	case syscall.ENOTTY:
		return "Inappropriate ioctl for device"
	case syscall.ETXTBSY:
		return "Text file busy"
	case syscall.EFBIG:
		return "File too large"
	case syscall.ENOSPC:
		return "No space left on device"
	case syscall.ESPIPE:
		return "Illegal seek"
	case syscall.EROFS:
		return "Read-only file system"
	case syscall.EMLINK:
		return "Too many links"
	case syscall.EPIPE:
		return "Broken pipe"
	case syscall.ERANGE:
		return "Numerical result out of range"
	case syscall.ENAMETOOLONG:
		return "File name too long"
	case syscall.ENOSYS:
		return "Function not implemented"
	case syscall.ENOTEMPTY:
		return "Directory not empty"
	case syscall.ELOOP:
		return "Too many levels of symbolic links"
	case syscall.ENODATA:
		return "No data available"
	case syscall.EPROTO:
		return "Protocol error"
	case syscall.EOVERFLOW:
		return "Value too large for defined data type"
	case syscall.EILSEQ:
		return "Invalid or incomplete multibyte or wide character"
	case syscall.ESTALE:
		return "Stale file handle"
	case syscall.EDQUOT:
		return "Disk quota exceeded"
	case syscall.ENOMEDIUM:
		return "No medium found"
	case syscall.ECANCELED:
		return "Operation canceled"
	}
	return ""
}

func strerrorSocket(errno syscall.Errno) string {
	switch errno {
	case syscall.ENOTSOCK:
		return "Socket operation on non-socket"
	case syscall.EPROTONOSUPPORT:
		return "Protocol not supported"
	case syscall.EOPNOTSUPP:
		return "Operation not supported"
	case syscall.EAFNOSUPPORT:
		return "Address family not supported by protocol"
	case syscall.EADDRINUSE:
		return "Address already in use"
	case syscall.EADDRNOTAVAIL:
		return "Cannot assign requested address"
	case syscall.ENETUNREACH:
		return "Network is unreachable"
	case syscall.ECONNABORTED:
		return "Software caused connection abort"
	case syscall.ECONNRESET:
		return "Connection reset by peer"
	case syscall.ENOBUFS:
		return "No buffer space available"
	case syscall.EISCONN:
		return "Transport endpoint is already connected"
	case syscall.ENOTCONN:
		return "Transport endpoint is not connected"
	case syscall.ESHUTDOWN:
		return "Cannot send after transport endpoint shutdown"
	case syscall.ETIMEDOUT:
		return "Connection timed out"
	case syscall.ECONNREFUSED:
		return "Connection refused"
	case syscall.EHOSTUNREACH:
		return "No route to host"
	}
	return ""
}
