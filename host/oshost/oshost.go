// Package oshost is the real host behind the host seam, over os and
// Linux's system calls.
//
// It is not deterministic, and it is no sandbox: it does what the user that
// runs it may do.
//
// The property it keeps: when a process is killed, operations that are under way
// end first, and no later one of that process has an effect.
package oshost

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"

	"fleece/host"
	"fleece/rt"
)

// Redirect serves paths at and beneath From from To instead. It is for a file
// system that exists in another mount namespace only and is reached as
// /proc/PID/root/…; error texts keep the path that the caller gave.
type Redirect struct{ From, To string }

// Options of a host. The zero value is the file system as it is.
type Options struct {
	// Redirect is searched in order; the first that fits is taken.
	Redirect []Redirect
	_        struct{}
}

// Host is the real host as one process of a world sees it.
type Host struct {
	p    rt.Process
	opts Options
	// mu is held for reading during each operation, and for writing by the kill.
	mu   sync.RWMutex
	dead bool
	// files and sockets are the open ones; filesMu protects the sets.
	filesMu sync.Mutex
	files   map[*file]struct{}
	sockets map[io.Closer]struct{}
}

var _ host.Host = (*Host)(nil)

// New makes the view of process p.
func New(p rt.Process, opts Options) *Host {
	h := &Host{p: p, opts: opts, files: make(map[*file]struct{}), sockets: make(map[io.Closer]struct{})}
	p.OnKill(h.kill)
	return h
}

// kill fences the view. The order in which files are closed has no meaning.
func (h *Host) kill() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dead = true
	h.filesMu.Lock()
	defer h.filesMu.Unlock()
	for f := range h.files {
		_ = f.os.Close() // nobody is left to hear of an error
	}
	for c := range h.sockets {
		_ = c.Close()
	}
	h.files, h.sockets = nil, make(map[io.Closer]struct{})
}

// enter begins an operation: it passes the choice point if the operation changes
// something. false means that the process is dead.
func (h *Host) enter(op, object string, changes bool) bool {
	if !h.p.Alive() {
		return false
	}
	if changes {
		rt.Point(h.p, op, object)
	}
	h.mu.RLock()
	if h.dead {
		h.mu.RUnlock()
		return false
	}
	return true
}

func (h *Host) leave() { h.mu.RUnlock() }

// resolve checks a caller's path and gives the one to use.
func (h *Host) resolve(name string) (string, error) {
	if !filepath.IsAbs(name) || filepath.Clean(name) != name {
		return "", syscall.EINVAL
	}
	for _, r := range h.opts.Redirect {
		if name == r.From {
			return r.To, nil
		}
		if rest, ok := strings.CutPrefix(name, strings.TrimSuffix(r.From, "/")+"/"); ok {
			return filepath.Join(r.To, rest), nil
		}
	}
	return name, nil
}

// wrap makes the error that the seam promises: the caller's path over an errno.
func wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: bare(err)}
}

// bare finds the errno under err. What package os says without one is said
// with the errno that it stands for.
func bare(err error) error {
	if errno, ok := host.Errno(err); ok {
		return errno
	}
	if errors.Is(err, os.ErrClosed) {
		return syscall.EBADF
	}
	return syscall.EINVAL
}

// OpenFile opens a regular file; a directory is EISDIR.
func (h *Host) OpenFile(name string, flags int, perm fs.FileMode) (host.File, error) {
	changes := flags&(host.Create|host.Truncate) != 0
	op := "open"
	if changes {
		op = "create"
	}
	if !h.enter(op, name, changes) {
		return nil, rt.ErrKilled
	}
	defer h.leave()
	f, err := h.open(name, osFlags(flags), perm)
	if err != nil {
		return nil, wrap(op, name, err)
	}
	opened := &file{h: h, os: f, path: name}
	h.filesMu.Lock()
	h.files[opened] = struct{}{}
	h.filesMu.Unlock()
	return opened, nil
}

func (h *Host) open(name string, flags int, perm fs.FileMode) (*os.File, error) {
	real, err := h.resolve(name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(real, flags, perm)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = syscall.EISDIR
	}
	if err != nil {
		_ = f.Close() // the first error is the one to tell
		return nil, err
	}
	return f, nil
}

func osFlags(flags int) int {
	to := os.O_RDONLY
	if flags&host.ReadWrite != 0 {
		to = os.O_RDWR
	}
	if flags&host.Create != 0 {
		to |= os.O_CREATE
	}
	if flags&host.Exclusive != 0 {
		to |= os.O_EXCL
	}
	if flags&host.Truncate != 0 {
		to |= os.O_TRUNC
	}
	return to
}

// change runs an operation on one path that changes the file system.
func (h *Host) change(op, name string, f func(real string) error) error {
	if !h.enter(op, name, true) {
		return rt.ErrKilled
	}
	defer h.leave()
	real, err := h.resolve(name)
	if err == nil {
		err = f(real)
	}
	return wrap(op, name, err)
}

// Mkdir makes a directory.
func (h *Host) Mkdir(name string, perm fs.FileMode) error {
	return h.change("mkdir", name, func(real string) error { return os.Mkdir(real, perm) })
}

// Remove unlinks a file or removes an empty directory.
func (h *Host) Remove(name string) error {
	return h.change("unlink", name, os.Remove)
}

// SyncDir makes the entries of a directory durable.
func (h *Host) SyncDir(name string) error {
	return h.change("fsyncdir", name, func(real string) error {
		d, err := os.OpenFile(real, os.O_RDONLY|syscall.O_DIRECTORY, 0)
		if err != nil {
			return err
		}
		defer d.Close()
		return d.Sync()
	})
}

// Rename replaces newName by oldName.
func (h *Host) Rename(oldName, newName string) error {
	if !h.enter("rename", oldName, true) {
		return rt.ErrKilled
	}
	defer h.leave()
	oldReal, err := h.resolve(oldName)
	var newReal string
	if err == nil {
		newReal, err = h.resolve(newName)
	}
	if err == nil {
		// Not os.Rename: it answers EEXIST for a directory where the kernel
		// says EISDIR or ENOTDIR.
		err = syscall.Rename(oldReal, newReal)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: oldName, New: newName, Err: bare(err)}
	}
	return nil
}

// Stat follows symbolic links.
func (h *Host) Stat(name string) (host.Info, error) {
	if !h.enter("stat", name, false) {
		return host.Info{}, rt.ErrKilled
	}
	defer h.leave()
	real, err := h.resolve(name)
	if err != nil {
		return host.Info{}, wrap("stat", name, err)
	}
	info, err := os.Stat(real)
	if err != nil {
		return host.Info{}, wrap("stat", name, err)
	}
	to := host.Info{Name: filepath.Base(name), Mode: info.Mode(), ModTime: info.ModTime()}
	if !info.IsDir() {
		to.Size = info.Size()
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			to.Allocated = st.Blocks * statBlock
		}
	}
	return to, nil
}

// statBlock is the unit of st_blocks in bytes (stat(3type)).
const statBlock = 512

// ReadDir lists a directory, sorted by name.
func (h *Host) ReadDir(name string) ([]string, error) {
	if !h.enter("readdir", name, false) {
		return nil, rt.ErrKilled
	}
	defer h.leave()
	real, err := h.resolve(name)
	if err != nil {
		return nil, wrap("readdir", name, err)
	}
	d, err := os.OpenFile(real, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, wrap("readdir", name, err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	sort.Strings(names)
	return names, wrap("readdir", name, err)
}
