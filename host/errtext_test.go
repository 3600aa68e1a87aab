package host_test

import (
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"fleece/host"
	"fleece/rt"
)

func TestErrText_IsWhatStrerrorSays(t *testing.T) {
	for errno, want := range map[syscall.Errno]string{
		syscall.ENOSPC:       "No space left on device",
		syscall.EEXIST:       "File exists",
		syscall.ENOENT:       "No such file or directory",
		syscall.EIO:          "Input/output error",
		syscall.EFBIG:        "File too large",
		syscall.ENAMETOOLONG: "File name too long",
		syscall.EADDRINUSE:   "Address already in use",
	} {
		err := fmt.Errorf("create target: %w", &fs.PathError{Op: "open", Path: "/a", Err: errno})
		if got := host.ErrText(err); got != want {
			t.Errorf("%v: %q, want %q", errno, got, want)
		}
	}
}

func TestErrText_OfAnErrorWithoutErrnoIsItsOwn(t *testing.T) {
	if got := host.ErrText(rt.ErrKilled); got != rt.ErrKilled.Error() {
		t.Errorf("got %q", got)
	}
	if got := host.ErrText(nil); got != "" {
		t.Errorf("got %q for no error", got)
	}
	if got := host.ErrText(syscall.EXFULL); got == "" {
		t.Errorf("an errno outside the table has no text")
	}
}
