package memhost

import (
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"fleece/host"
	"fleece/rt"
)

// view is the host of one process.
type view struct {
	k *Kernel
	p rt.Process
	// dead is set once, under the kernel's lock: no effect comes after it.
	dead bool
	// open holds the open files, so that a kill can close them.
	open []*file
}

// enter begins an operation: it passes the choice point if the operation
// changes something, and takes the kernel's lock. It returns false, without the
// lock, if the process is dead.
func (v *view) enter(op Op, object string, changes bool) bool {
	if !v.p.Alive() {
		return false
	}
	if changes {
		rt.Point(v.p, string(op), object)
	}
	v.k.mu.Lock()
	if v.dead {
		v.k.mu.Unlock()
		return false
	}
	return true
}

// check returns the error of an armed fault, if any is.
func (v *view) check(op Op, name string) error {
	if !v.k.armed {
		return nil
	}
	return v.k.fault(v.p, op, name, "")
}

// done tells the observers what an operation did and wraps its error.
func (v *view) done(e Event) error {
	if e.Err != nil && e.NewPath != "" {
		e.Err = &os.LinkError{Op: string(e.Op), Old: e.Path, New: e.NewPath, Err: e.Err}
	} else if e.Err != nil {
		e.Err = &fs.PathError{Op: string(e.Op), Path: e.Path, Err: e.Err}
	}
	if v.k.armed {
		e.Process = v.p.Name()
		for _, f := range v.k.observers {
			f(e)
		}
	}
	return e.Err
}

// kill is the hook of the process's death.
func (v *view) kill() {
	v.k.mu.Lock()
	defer v.k.mu.Unlock()
	v.dead = true
	for _, f := range v.open {
		f.closed = true
		f.node.opens--
		f.node.release()
	}
	v.open = nil
}

func (v *view) OpenFile(name string, flags int, perm fs.FileMode) (host.File, error) {
	op := OpOpen
	if flags&(host.Create|host.Truncate) != 0 {
		op = OpCreate
	}
	if !v.enter(op, name, op == OpCreate) {
		return nil, rt.ErrKilled
	}
	defer v.k.mu.Unlock()
	op, node, err := v.openNode(name, flags, perm)
	if err := v.done(Event{Op: op, Path: name, Err: err}); err != nil {
		return nil, err
	}
	f := &file{v: v, node: node, path: name, writable: flags&host.ReadWrite != 0, slot: len(v.open)}
	v.open = append(v.open, f)
	node.opens++
	return f, nil
}

func (v *view) openNode(name string, flags int, perm fs.FileMode) (Op, *inode, error) {
	if name == "/" {
		return OpOpen, nil, syscall.EISDIR
	}
	parent, base, err := v.k.lookupParent(name)
	if err != nil {
		return OpOpen, nil, err
	}
	node, ok := parent.entries.Get(base)
	if !ok && flags&host.Create != 0 {
		if err := v.check(OpCreate, name); err != nil {
			return OpCreate, nil, err
		}
		node = newFile(parent.mount, perm.Perm(), v.k.rt.Now())
		v.k.edit(edit{parent, base, node})
		return OpCreate, node, nil
	}
	if err := v.check(OpOpen, name); err != nil {
		return OpOpen, nil, err
	}
	switch {
	case !ok:
		return OpOpen, nil, syscall.ENOENT
	case flags&host.Create != 0 && flags&host.Exclusive != 0:
		return OpOpen, nil, syscall.EEXIST
	case node.dir:
		return OpOpen, nil, syscall.EISDIR
	case node.mode&fs.ModeSocket != 0:
		return OpOpen, nil, syscall.ENXIO
	}
	if flags&host.Truncate != 0 && !node.device {
		node.content.truncate(0, node.mount)
		node.modTime = v.k.rt.Now()
	}
	return OpOpen, node, nil
}

func (v *view) Mkdir(name string, perm fs.FileMode) error {
	if !v.enter(OpMkdir, name, true) {
		return rt.ErrKilled
	}
	defer v.k.mu.Unlock()
	return v.done(Event{Op: OpMkdir, Path: name, Err: v.mkdir(name, perm)})
}

func (v *view) mkdir(name string, perm fs.FileMode) error {
	if err := v.check(OpMkdir, name); err != nil {
		return err
	}
	if name == "/" {
		return syscall.EEXIST
	}
	parent, base, err := v.k.lookupParent(name)
	if err != nil {
		return err
	}
	if _, ok := parent.entries.Get(base); ok {
		return syscall.EEXIST
	}
	v.k.edit(edit{parent, base, newDir(parent.mount, fs.ModeDir|perm.Perm(), v.k.rt.Now())})
	return nil
}

func (v *view) Remove(name string) error {
	if !v.enter(OpRemove, name, true) {
		return rt.ErrKilled
	}
	defer v.k.mu.Unlock()
	return v.done(Event{Op: OpRemove, Path: name, Err: v.remove(name)})
}

func (v *view) remove(name string) error {
	if err := v.check(OpRemove, name); err != nil {
		return err
	}
	parent, base, err := v.k.lookupParent(name)
	if err != nil {
		return err
	}
	node, ok := parent.entries.Get(base)
	switch {
	case !ok:
		return syscall.ENOENT
	case node.mountPoint:
		return syscall.EBUSY
	case node.entries.Len() > 0:
		return syscall.ENOTEMPTY
	}
	v.k.edit(edit{parent, base, nil})
	node.unlink()
	return nil
}

func (v *view) Rename(oldName, newName string) error {
	if !v.enter(OpRename, oldName, true) {
		return rt.ErrKilled
	}
	defer v.k.mu.Unlock()
	return v.done(Event{Op: OpRename, Path: oldName, NewPath: newName, Err: v.rename(oldName, newName)})
}

func (v *view) rename(oldName, newName string) error {
	if v.k.armed {
		if err := v.k.fault(v.p, OpRename, oldName, newName); err != nil {
			return err
		}
	}
	oldParent, oldBase, err := v.k.lookupParent(oldName)
	if err != nil {
		return err
	}
	newParent, newBase, err := v.k.lookupParent(newName)
	if err != nil {
		return err
	}
	if oldParent.mount != newParent.mount {
		return syscall.EXDEV
	}
	node, ok := oldParent.entries.Get(oldBase)
	if !ok {
		return syscall.ENOENT
	}
	target, _ := newParent.entries.Get(newBase)
	if target == node {
		return nil
	}
	if err := mayReplace(node, target); err != nil {
		return err
	}
	if node.dir && strings.HasPrefix(newName, oldName+"/") {
		return syscall.EINVAL
	}
	v.k.edit(edit{oldParent, oldBase, nil}, edit{newParent, newBase, node})
	if target != nil {
		target.unlink()
	}
	return nil
}

// mayReplace holds the rules of rename(2) for what was at the new path (nil:
// nothing).
func mayReplace(node, target *inode) error {
	switch {
	case node.mountPoint:
		return syscall.EBUSY
	case target == nil:
		return nil
	case target.mountPoint:
		return syscall.EBUSY
	case node.dir && !target.dir:
		return syscall.ENOTDIR
	case !node.dir && target.dir:
		return syscall.EISDIR
	case target.entries.Len() > 0:
		return syscall.ENOTEMPTY
	}
	return nil
}

func (v *view) Stat(name string) (host.Info, error) {
	if !v.enter(OpStat, name, false) {
		return host.Info{}, rt.ErrKilled
	}
	defer v.k.mu.Unlock()
	node, err := v.find(OpStat, name)
	if err := v.done(Event{Op: OpStat, Path: name, Err: err}); err != nil {
		return host.Info{}, err
	}
	return node.info(path.Base(name)), nil
}

func (v *view) find(op Op, name string) (*inode, error) {
	if err := v.check(op, name); err != nil {
		return nil, err
	}
	return v.k.lookup(name)
}

func (v *view) findDir(op Op, name string) (*inode, error) {
	node, err := v.find(op, name)
	if err == nil && !node.dir {
		return nil, syscall.ENOTDIR
	}
	return node, err
}

func (v *view) ReadDir(name string) ([]string, error) {
	if !v.enter(OpReadDir, name, false) {
		return nil, rt.ErrKilled
	}
	defer v.k.mu.Unlock()
	node, err := v.findDir(OpReadDir, name)
	if err := v.done(Event{Op: OpReadDir, Path: name, Err: err}); err != nil {
		return nil, err
	}
	return node.entries.Keys(), nil
}

func (v *view) SyncDir(name string) error {
	if !v.enter(OpSyncDir, name, true) {
		return rt.ErrKilled
	}
	defer v.k.mu.Unlock()
	node, err := v.findDir(OpSyncDir, name)
	if err == nil {
		v.k.syncDir(node)
	}
	return v.done(Event{Op: OpSyncDir, Path: name, Err: err})
}
