package memhost

import "fleece/rt"

// point marks the place before an effect at which a schedule may switch tasks,
// kill a process or crash the host. A runtime that explores offers Point; for
// others a point is nothing.
func point(r rt.Runtime, op Op, object string) {
	if p, ok := r.(interface{ Point(op, object string) }); ok {
		p.Point(string(op), object)
	}
}

// leafMutex makes the lock of the kernel. Bodies under it neither block nor
// pass a point, so a runtime that runs one task at a time offers a lock that is
// no choice point (NewLeafMutex); any other gives a plain one.
func leafMutex(r rt.Runtime, name string) rt.Mutex {
	if l, ok := r.(interface{ NewLeafMutex(name string) rt.Mutex }); ok {
		return l.NewLeafMutex(name)
	}
	return r.NewMutex(name)
}
