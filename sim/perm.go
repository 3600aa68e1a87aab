package sim

import "fleece/qmp"

// permSet is a set of block permissions (BLK_PERM_*).
type permSet uint8

const (
	permRead permSet = 1 << iota
	permWrite
	permUnchanged
	permResize

	permAll       = permRead | permWrite | permUnchanged | permResize
	permReadShare = permRead | permUnchanged
)

// names is the list as a conflict shows it.
func (p permSet) names() string {
	out := ""
	for i, name := range [...]string{"consistent read", "write", "write unchanged", "resize"} {
		if p&(1<<i) != 0 {
			if out != "" {
				out += ", "
			}
			out += name
		}
	}
	return out
}

// graphNames is the list in the order of x-debug-query-block-graph.
func (p permSet) graphNames() qmp.Value {
	var out []qmp.Value
	for _, x := range [...]struct {
		bit  permSet
		name string
	}{{permResize, "resize"}, {permUnchanged, "write-unchanged"}, {permWrite, "write"}, {permRead, "consistent-read"}} {
		if p&x.bit != 0 {
			out = append(out, qmp.Str(x.name))
		}
	}
	return qmp.List(out...)
}

// perms is what the edge's parent needs of the child, and what it lets others do.
func (e *edge) perms() (perm, shared permSet) {
	if e.user != nil {
		if e.user.isDevice && e.child.inactive {
			return 0, permAll
		}
		return e.user.perm, e.user.shared
	}
	n := e.parent
	if n.inactive {
		return 0, permAll
	}
	perm, shared = n.cumulative()
	switch {
	case n.jobPerms != nil:
		return n.jobPerms(perm, shared)
	case n.kind == "copy-before-write" && e.role == "target":
		// Shares write: the guest's disk may be in the target's backing chain.
		return permWrite, permAll &^ permResize
	case n.kind == "copy-before-write":
		if perm&permWrite != 0 {
			perm |= permRead
		}
		if len(n.parents) > 0 {
			shared &^= permWrite | permResize
		}
		return perm, shared
	case e.role == "backing":
		// Who can stand changing data does not mind a writable backing file.
		if shared&permWrite != 0 {
			return perm & permRead, permAll
		}
		return perm & permRead, permReadShare
	case n.kind == "raw" && n.isWindow(), e.role == "data-file":
		if perm&(permWrite|permUnchanged) != 0 {
			perm |= permWrite | permResize
		}
		return perm, shared &^ permResize
	case n.kind == "qcow2" && !n.readOnly:
		return perm | permRead | permWrite | permResize, shared &^ (permWrite | permResize)
	case n.kind == "qcow2":
		return perm | permRead, shared &^ (permWrite | permResize)
	}
	return perm, shared // raw and blkdebug pass on what their parents say
}

// cumulative is the union of the needs and the intersection of the sharing of all
// parents.
func (n *node) cumulative() (perm, shared permSet) {
	shared = permAll
	for _, e := range n.parents {
		p, s := e.perms()
		perm, shared = perm|p, shared&s
	}
	return perm, shared
}

func (e *edge) describe() string {
	who := ""
	switch {
	case e.user != nil:
		who = e.user.label
	default:
		who = "node '" + e.parent.name + "'"
	}
	return who + " (uses node '" + e.child.name + "' as '" + e.shownRole() + "' child)"
}

// conflict reports the first conflict between the parents of n, the youngest first as
// bdrv_parent_perms_conflict has them; the text is §2.2's.
func (n *node) conflict() *qmp.ReplyError {
	for i := len(n.parents) - 1; i >= 0; i-- {
		a := n.parents[i]
		_, shared := a.perms()
		if shared == permAll {
			continue
		}
		for k := len(n.parents) - 1; k >= 0; k-- {
			b := n.parents[k]
			if a == b {
				continue
			}
			need, _ := b.perms()
			if bad := need &^ shared; bad != 0 {
				return qmp.Generic("Permission conflict on node '" + n.name + "': permissions '" + bad.names() +
					"' are both required by " + b.describe() + " and unshared by " + a.describe() + ".")
			}
		}
	}
	return nil
}

// conflictBelow checks n and everything under it.
func (n *node) conflictBelow() *qmp.ReplyError {
	if err := n.conflict(); err != nil {
		return err
	}
	if perm, _ := n.cumulative(); (n.readOnly || n.inactive) && perm&permWrite != 0 {
		if n.turning {
			return qmp.Generic("Read-only block node '" + n.name + "' cannot support read-write users")
		}
		return qmp.Generic("Block node is read-only")
	}
	if n.isStorage() {
		return n.lockConflict()
	}
	for _, e := range n.children {
		if err := e.child.conflictBelow(); err != nil {
			return err
		}
	}
	return nil
}

// lockConflict is the image lock that QEMU takes on a file, when a user needs it
// and not when the node is added (§2.2).
func (n *node) lockConflict() *qmp.ReplyError {
	if n.options.Get("force-share").IsTrue() {
		return nil
	}
	perm, shared := n.cumulative()
	for _, o := range n.m.nodes {
		if o == n || !o.isStorage() || o.path != n.path || o.options.Get("force-share").IsTrue() {
			continue
		}
		operm, oshared := o.cumulative()
		if bad := perm &^ oshared; bad != 0 {
			return qmp.Generic("Failed to get \"" + bad.firstName() + "\" lock")
		}
		if bad := operm &^ shared; bad != 0 {
			return qmp.Generic("Failed to get shared \"" + bad.firstName() + "\" lock")
		}
	}
	return nil
}

func (p permSet) firstName() string { return (p & -p).names() }
