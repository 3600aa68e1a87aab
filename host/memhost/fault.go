package memhost

import (
	"path"
	"syscall"

	"fleece/rt"
)

// Op names an operation in faults, in events and at choice points.
type Op string

// The operations. OpCreate is an OpenFile that makes the file; OpOpen is one
// that finds it.
const (
	OpOpen     Op = "open"
	OpBind     Op = "bind"
	OpConnect  Op = "connect"
	OpCreate   Op = "create"
	OpRead     Op = "read"
	OpWrite    Op = "write"
	OpTruncate Op = "truncate"
	OpPunch    Op = "punch"
	OpSync     Op = "fsync"
	OpMkdir    Op = "mkdir"
	OpRemove   Op = "unlink"
	OpRename   Op = "rename"
	OpStat     Op = "stat"
	OpReadDir  Op = "readdir"
	OpSyncDir  Op = "fsyncdir"

	opClose Op = "close" // not to be failed, not observed
)

// Event is one operation as an observer sees it: after its effect.
type Event struct {
	Process string // name of the process
	Op      Op
	Path    string
	NewPath string // of a rename
	Offset  int64  // of read, write, punch; the size of a truncate
	Length  int64  // of read, write, punch
	Err     error  // nil if it succeeded
	_       struct{}
}

// Fault makes operations fail.
type Fault struct {
	// Op is the operation; "" is any.
	Op Op
	// Path is a pattern of path.Match, matched with the whole path, or with
	// the last component if it has no slash; "" is any. A file keeps the path
	// that it was opened by. A rename matches by either of its paths.
	Path string
	// Nth is the first matching operation that fails, from 1; 0 means 1.
	Nth int
	// Forever makes all later ones fail as well. Else the fault fires once.
	Forever bool
	// Errno is the error, for example syscall.EIO.
	Errno syscall.Errno
	// Choice, if not empty, makes each firing a data choice of that label: the
	// operation fails only if the choice is 1 and not the plain 0.
	Choice string
	_      struct{}
}

// Armed is a fault that lies in wait.
type Armed struct {
	k       *Kernel
	fault   Fault
	matches int
	fired   int
}

// Fail arms a fault. Of several that match one operation the oldest fires.
func (k *Kernel) Fail(f Fault) *Armed {
	k.mu.Lock()
	defer k.mu.Unlock()
	if f.Nth == 0 {
		f.Nth = 1
	}
	a := &Armed{k: k, fault: f}
	k.faults = append(k.faults, a)
	k.armed = true
	return a
}

// Clear disarms the fault.
func (a *Armed) Clear() {
	a.k.mu.Lock()
	defer a.k.mu.Unlock()
	for i, b := range a.k.faults {
		if b == a {
			a.k.faults = append(a.k.faults[:i], a.k.faults[i+1:]...)
			break
		}
	}
	a.k.armed = len(a.k.faults) > 0 || len(a.k.observers) > 0
}

// Fired tells how many operations the fault has failed.
func (a *Armed) Fired() int {
	a.k.mu.Lock()
	defer a.k.mu.Unlock()
	return a.fired
}

// Observe calls f after each operation of every view, under the kernel's lock:
// f must not block and must not use the host.
func (k *Kernel) Observe(f func(Event)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.observers = append(k.observers, f)
	k.armed = true
}

// fault returns the error that an armed fault has for the operation.
func (k *Kernel) fault(r rt.Runtime, op Op, name, newName string) error {
	var err error
	for _, a := range k.faults {
		if !a.fault.matches(op, name, newName) {
			continue
		}
		a.matches++
		if err == nil && a.fires(r) {
			a.fired++
			err = a.fault.Errno
		}
	}
	return err
}

func (a *Armed) fires(r rt.Runtime) bool {
	f := &a.fault
	if a.matches < f.Nth || a.fired > 0 && !f.Forever {
		return false
	}
	return f.Choice == "" || r.Choose(f.Choice, 2) == 1
}

func (f *Fault) matches(op Op, name, newName string) bool {
	if f.Op != "" && f.Op != op {
		return false
	}
	return f.Path == "" || matchPath(f.Path, name) || newName != "" && matchPath(f.Path, newName)
}

func matchPath(pattern, name string) bool {
	if path.Base(pattern) == pattern {
		name = path.Base(name)
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
