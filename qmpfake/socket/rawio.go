package socket

import (
	"syscall"
	"unsafe"
)

// rawRead and rawWrite are read(2) and write(2) for sockets that never block. They
// leave the Go scheduler out of it: telling it of a call that cannot block, and waking
// its monitor thread for that, takes longer than the call.

func rawRead(fd uintptr, p []byte) (int, error) { return rawIO(syscall.SYS_READ, fd, p) }

func rawWrite(fd uintptr, p []byte) (int, error) { return rawIO(syscall.SYS_WRITE, fd, p) }

func rawIO(call, fd uintptr, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, _, errno := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}
