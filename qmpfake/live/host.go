package live

import (
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"fleece/host"
)

// within is a host whose files lie in one directory: relative names are taken from
// there, and what lies elsewhere is not to be touched (EACCES). Sockets may be
// anywhere.
type within struct {
	host.Host
	dir string
}

// resolve gives the absolute name of a file.
func (w within) resolve(op, name string) (string, error) {
	p := name
	if !filepath.IsAbs(p) {
		p = filepath.Join(w.dir, p)
	}
	p = filepath.Clean(p)
	if p != w.dir && !strings.HasPrefix(p, w.dir+"/") {
		return "", &fs.PathError{Op: op, Path: name, Err: syscall.EACCES}
	}
	return p, nil
}

// OpenFile opens a file of the directory.
func (w within) OpenFile(name string, flags int, perm fs.FileMode) (host.File, error) {
	p, err := w.resolve("open", name)
	if err != nil {
		return nil, err
	}
	return w.Host.OpenFile(p, flags, perm)
}

// Mkdir makes a directory in it.
func (w within) Mkdir(name string, perm fs.FileMode) error {
	p, err := w.resolve("mkdir", name)
	if err != nil {
		return err
	}
	return w.Host.Mkdir(p, perm)
}

// Remove removes a file of it, or a socket wherever it is.
func (w within) Remove(name string) error {
	if info, err := w.Host.Stat(name); err == nil && info.Mode&fs.ModeSocket != 0 {
		return w.Host.Remove(name)
	}
	p, err := w.resolve("unlink", name)
	if err != nil {
		return err
	}
	return w.Host.Remove(p)
}

// Rename renames within it.
func (w within) Rename(from, to string) error {
	a, err := w.resolve("rename", from)
	if err != nil {
		return err
	}
	b, err := w.resolve("rename", to)
	if err != nil {
		return err
	}
	return w.Host.Rename(a, b)
}

// Stat looks anywhere that a socket may be: it changes nothing.
func (w within) Stat(name string) (host.Info, error) {
	if filepath.IsAbs(name) {
		return w.Host.Stat(filepath.Clean(name))
	}
	return w.Host.Stat(filepath.Join(w.dir, name))
}

// ReadDir and SyncDir are for directories in it.
func (w within) ReadDir(name string) ([]string, error) {
	p, err := w.resolve("readdir", name)
	if err != nil {
		return nil, err
	}
	return w.Host.ReadDir(p)
}

// SyncDir makes entries durable.
func (w within) SyncDir(name string) error {
	p, err := w.resolve("fsyncdir", name)
	if err != nil {
		return err
	}
	return w.Host.SyncDir(p)
}
