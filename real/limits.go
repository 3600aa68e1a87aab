package real

import (
	"context"
	"fmt"
	"os"
	"time"
)

// LimitFileSize makes every write of a machine beyond that offset of a file fail
// with "File too large" (prlimit of RLIMIT_FSIZE; SIGXFSZ is ignored).
func (h *Hypervisor) LimitFileSize(domain string, bytes int64) error {
	m, err := h.running(domain)
	if err != nil {
		return err
	}
	_, err = h.reaper.do(request{Op: opLimit, Pid: m.pid, Bytes: bytes})
	return err
}

// Pid is the process id of a running machine; 0 if it does not run.
func (h *Hypervisor) Pid(domain string) int {
	m, err := h.running(domain)
	if err != nil {
		return 0
	}
	return m.pid
}

// goneTimeout bounds AwaitGone.
const goneTimeout = 10 * time.Second

// AwaitGone waits until a process and a directory are gone, for ten seconds at
// most. It judges nothing: the caller looks.
func AwaitGone(ctx context.Context, pid int, dir string) {
	ctx, cancel := context.WithTimeout(ctx, goneTimeout)
	defer cancel()
	for ctx.Err() == nil {
		_, process := os.Stat(fmt.Sprintf("/proc/%d", pid))
		_, directory := os.Stat(dir)
		if process != nil && directory != nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}
