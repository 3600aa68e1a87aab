package memhost

import (
	"io/fs"
	"strings"
	"syscall"
	"time"

	"github.com/tidwall/btree"

	"fleece/host"
)

// Limits of names, as Linux has them.
const (
	nameMax = 255  // bytes of one component
	pathMax = 4095 // bytes of a path, without the closing NUL
)

// mount is one file system: the store that its files share.
type mount struct {
	capacity int64 // pages
	used     int64 // pages
	pages    *Pages
}

func newMount(capacityBytes int64, pages *Pages) *mount {
	return &mount{capacity: capacityBytes / pageSize, pages: pages}
}

// take takes one page; false if the file system is full.
func (m *mount) take() bool {
	if m.used >= m.capacity {
		return false
	}
	m.used++
	return true
}

func (m *mount) give(pages int64) { m.used -= pages }

// inode is a file or a directory.
type inode struct {
	dir     bool
	mode    fs.FileMode
	modTime time.Time
	mount   *mount
	// mountPoint marks a directory that Mount was called for: it cannot be
	// removed or renamed.
	mountPoint bool

	// Of a directory: its entries as processes see them, and as they would be
	// after a crash that loses everything that may be lost.
	entries btree.Map[string, *inode]
	durable btree.Map[string, *inode]

	// Of a file.
	content content
	// device marks a block device: its size is fixed.
	device bool
	// links counts entries (0 or 1), opens the open files; a file without
	// either gives its pages back.
	links, opens int

	// socket is who listens on a unix socket's file; it may be gone.
	socket *listener

	// source is set only while a crash clone is made: what this is a copy of.
	source *inode
}

func newDir(m *mount, mode fs.FileMode, now time.Time) *inode {
	return &inode{dir: true, mount: m, mode: mode, modTime: now}
}

func newFile(m *mount, mode fs.FileMode, now time.Time) *inode {
	return &inode{mount: m, mode: mode, modTime: now, links: 1}
}

// newDevice is a block device of that many bytes, on a store of its own.
func newDevice(bytes int64, pages *Pages, now time.Time) *inode {
	n := newFile(newMount(Unlimited, pages), fs.ModeDevice|0o600, now)
	n.device = true
	n.content.size = bytes
	return n
}

// info is what Stat tells; a device has no size there.
func (n *inode) info(name string) host.Info {
	i := host.Info{Name: name, Size: n.content.size, Allocated: n.content.pages * pageSize, Mode: n.mode, ModTime: n.modTime}
	if n.device {
		i.Size, i.Allocated = 0, 0
	}
	return i
}

// release gives the store back when nobody can reach the file any more. The
// content stays, since a crash may bring the file back.
func (n *inode) release() {
	if n.links == 0 && n.opens == 0 && !n.dir {
		n.mount.give(n.content.pages)
	}
}

// checkPath takes the leading slash off a path; "" is the root.
func checkPath(path string) (rest string, err error) {
	switch {
	case path == "":
		return "", syscall.ENOENT
	case path[0] != '/':
		return "", syscall.ENOENT // there is no working directory, and nothing in it
	case strings.IndexByte(path, 0) >= 0:
		return "", syscall.EINVAL
	case len(path) > pathMax:
		return "", syscall.ENAMETOOLONG
	}
	return path[1:], nil
}

// nextName cuts the first component off. Paths are clean: an empty component,
// "." or ".." is a mistake of the caller.
func nextName(rest string) (name, after string, err error) {
	name, after, _ = strings.Cut(rest, "/")
	switch {
	case len(name) > nameMax:
		return "", "", syscall.ENAMETOOLONG
	case name == "", name == ".", name == "..":
		return "", "", syscall.EINVAL
	}
	return name, after, nil
}

// lookup finds what is at path.
func (k *Kernel) lookup(path string) (*inode, error) {
	if path == "/" {
		return k.root, nil
	}
	parent, name, err := k.lookupParent(path)
	if err != nil {
		return nil, err
	}
	node, ok := parent.entries.Get(name)
	if !ok {
		return nil, syscall.ENOENT
	}
	return node, nil
}

// lookupParent finds the directory that holds, or would hold, path, and the
// name in it. The root has no parent: EBUSY.
func (k *Kernel) lookupParent(path string) (parent *inode, name string, err error) {
	rest, err := checkPath(path)
	if err != nil {
		return nil, "", err
	}
	if rest == "" {
		return nil, "", syscall.EBUSY
	}
	node := k.root
	for {
		if name, rest, err = nextName(rest); err != nil {
			return nil, "", err
		}
		if rest == "" {
			return node, name, nil
		}
		child, ok := node.entries.Get(name)
		if !ok {
			return nil, "", syscall.ENOENT
		}
		if !child.dir {
			return nil, "", syscall.ENOTDIR
		}
		node = child
	}
}
