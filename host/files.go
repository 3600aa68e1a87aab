package host

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"syscall"
)

// tempSuffix marks the file that WriteFileAtomic writes before it renames it.
// It is libvirt's (virFileRewrite), so that leftovers look as they do there.
const tempSuffix = ".new"

// ReadFile reads a whole file of at most max bytes; a larger one is EFBIG.
func ReadFile(h Host, name string, max int64) ([]byte, error) {
	f, err := h.OpenFile(name, ReadOnly, 0)
	if err != nil {
		return nil, err
	}
	data, err := readAll(f, name, max)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return data, err
}

func readAll(f File, name string, max int64) ([]byte, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > max {
		return nil, &fs.PathError{Op: "read", Path: name, Err: syscall.EFBIG}
	}
	data := make([]byte, size)
	n, err := f.ReadAt(data, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return data[:n], nil
}

// WriteFileAtomic replaces the content of a file, or makes it: a reader, and a
// host that crashes, sees the old content or the new one, never a mixture. It
// writes name+".new", syncs it, renames it and syncs the directory. When it
// fails, name+".new" is gone and the file is as it was; only if the last step
// fails is the new content in place already, though perhaps not for good.
func WriteFileAtomic(h Host, name string, data []byte, perm fs.FileMode) error {
	temp := name + tempSuffix
	if err := writeSynced(h, temp, data, perm); err != nil {
		return err
	}
	if err := h.Rename(temp, name); err != nil {
		return discard(h, temp, err)
	}
	return h.SyncDir(path.Dir(name))
}

func writeSynced(h Host, name string, data []byte, perm fs.FileMode) error {
	f, err := h.OpenFile(name, ReadWrite|Create|Truncate, perm)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return discard(h, name, err)
	}
	return nil
}

// discard removes name and returns cause, with what went wrong in removing.
func discard(h Host, name string, cause error) error {
	err := h.Remove(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return cause
	}
	return errors.Join(cause, err)
}

// MkdirAll makes a directory and those above it that are missing.
func MkdirAll(h Host, name string, perm fs.FileMode) error {
	info, err := h.Stat(name)
	if err == nil {
		if info.Mode.IsDir() {
			return nil
		}
		return &fs.PathError{Op: "mkdir", Path: name, Err: syscall.ENOTDIR}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if parent := path.Dir(name); parent != name {
		if err := MkdirAll(h, parent, perm); err != nil {
			return err
		}
	}
	err = h.Mkdir(name, perm)
	if errors.Is(err, fs.ErrExist) {
		return nil // somebody else made it meanwhile
	}
	return err
}
