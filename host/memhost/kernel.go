package memhost

import (
	"io/fs"
	"math"
	"syscall"

	"github.com/tidwall/btree"

	"fleece/host"
	"fleece/rt"
)

// Unlimited is the capacity of a file system that never is full.
const Unlimited int64 = math.MaxInt64

// lockName is the kernel's lock in wait chains. Bodies under it neither block nor
// pass a point.
const lockName = "memhost"

// Options of a kernel. The zero value is a kernel without limits.
type Options struct {
	// Capacity of the root file system in bytes; 0 means Unlimited.
	Capacity int64
	// Pages is memory to use; nil means memory of the kernel's own.
	Pages *Pages
	_     struct{}
}

// Kernel is the file systems that the processes of a world share. Its own
// methods are the hand of the test: they are no choice points, and no process
// is behind them.
type Kernel struct {
	rt   rt.Runtime
	mu   rt.Mutex // protects all below; held only for short bodies
	root *inode
	// pages is the memory of all file systems.
	pages *Pages
	// log holds the changes of directories that are not durable yet, in order.
	log       []change
	faults    []*Armed
	ports     btree.Map[int, *listener]
	unix      []*listener // also those whose name or self is gone, while a stream is open
	observers []func(Event)
	// armed is true while there is a fault or an observer: the quick test of
	// the plain case.
	armed bool
}

// New makes an empty host: only the root directory.
func New(kernel rt.Runtime, opts Options) *Kernel {
	capacity := opts.Capacity
	if capacity == 0 {
		capacity = Unlimited
	}
	k := &Kernel{rt: kernel, mu: rt.NewLeafMutex(kernel, lockName), pages: opts.Pages}
	if k.pages == nil {
		k.pages = new(Pages)
	}
	k.root = newDir(newMount(capacity, k.pages), fs.ModeDir|0o755, kernel.Now())
	return k
}

// Mount gives a directory a file system of its own, of that many bytes: whole
// pages of 4096, of which only file content takes any. The directory is made,
// with those above it, if it is missing; it must be empty, and is durable.
func (k *Kernel) Mount(dir string, capacityBytes int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	node, err := k.mkdirDurable(dir)
	if err != nil {
		return &fs.PathError{Op: "mount", Path: dir, Err: err}
	}
	if node.entries.Len() > 0 || node.mountPoint {
		return &fs.PathError{Op: "mount", Path: dir, Err: syscall.EBUSY}
	}
	node.mount, node.mountPoint = newMount(capacityBytes, k.pages), true
	return nil
}

// MkdirAll makes a directory and those above it, durably: the state of the
// host before the world's first step.
func (k *Kernel) MkdirAll(dir string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, err := k.mkdirDurable(dir); err != nil {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	return nil
}

// Device makes a block device of that many bytes, all zero, in an existing
// directory, durably. It cannot be truncated or grown.
func (k *Kernel) Device(name string, bytes int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	parent, base, err := k.lookupParent(name)
	if err == nil {
		if _, there := parent.entries.Get(base); there {
			err = syscall.EEXIST
		}
	}
	if err != nil {
		return &fs.PathError{Op: "mknod", Path: name, Err: err}
	}
	node := newDevice(bytes, k.pages, k.rt.Now())
	parent.entries.Set(base, node)
	parent.durable.Set(base, node)
	return nil
}

// SetCapacity changes the capacity of the file system that holds path. What is
// stored beyond the new capacity stays; nothing more fits until there is room.
func (k *Kernel) SetCapacity(path string, capacityBytes int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	node, err := k.lookup(path)
	if err != nil {
		return &fs.PathError{Op: "setcapacity", Path: path, Err: err}
	}
	node.mount.capacity = capacityBytes / pageSize
	return nil
}

// Usage tells how many bytes are in use on the file system that holds path, and
// its capacity.
func (k *Kernel) Usage(path string) (used, capacity int64, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	node, err := k.lookup(path)
	if err != nil {
		return 0, 0, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	if node.mount.capacity > math.MaxInt64/pageSize-1 {
		return node.mount.used * pageSize, Unlimited, nil
	}
	return node.mount.used * pageSize, node.mount.capacity * pageSize, nil
}

// View is the host as process p sees it. When p is killed, each operation of
// the view and of the files opened through it answers rt.ErrKilled and does
// nothing; its files are closed.
func (k *Kernel) View(p rt.Process) host.Host {
	v := &view{k: k, p: p}
	p.OnKill(v.kill)
	return v
}

// mkdirDurable makes dir and those above it outside of the log.
func (k *Kernel) mkdirDurable(dir string) (*inode, error) {
	rest, err := checkPath(dir)
	if err != nil {
		return nil, err
	}
	node := k.root
	for rest != "" {
		var name string
		if name, rest, err = nextName(rest); err != nil {
			return nil, err
		}
		child, ok := node.entries.Get(name)
		if !ok {
			child = newDir(node.mount, fs.ModeDir|0o755, k.rt.Now())
			node.entries.Set(name, child)
			node.durable.Set(name, child)
		}
		if !child.dir {
			return nil, syscall.ENOTDIR
		}
		node = child
	}
	return node, nil
}
