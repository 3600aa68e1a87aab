// Package chktree is the tree of a domain's checkpoints, or of its snapshots: who is
// whose parent, which one is current, and what lists show.
//
// It is not their storage: it knows no file and no bitmap.
//
// The property it keeps: every parent named is in the tree and there is no cycle,
// so that each walk ends.
package chktree

import (
	"slices"
	"strings"

	"fleece/virt"
)

// Moment is a checkpoint or a snapshot. It does not change once it is in a tree.
type Moment[M any] interface {
	comparable
	// Moment tells its name and that of its parent, "" for a root.
	Moment() (name, parent string)
	// Move is the same moment below another parent.
	Move(parent string) M
}

// Tree holds moments by name. The zero Tree is empty.
type Tree[M Moment[M]] struct {
	list    []M    // sorted by name
	current string // "" if none
}

func name[M Moment[M]](m M) string {
	n, _ := m.Moment()
	return n
}

func parent[M Moment[M]](m M) string {
	_, p := m.Moment()
	return p
}

func (t *Tree[M]) search(at string) (int, bool) {
	return slices.BinarySearchFunc(t.list, at, func(c M, at string) int {
		return strings.Compare(name(c), at)
	})
}

// Len is the number of checkpoints.
func (t *Tree[M]) Len() int { return len(t.list) }

// All returns the checkpoints sorted by name; the slice must not be changed.
func (t *Tree[M]) All() []M { return t.list }

// Get finds a checkpoint; nil if there is none of that name.
func (t *Tree[M]) Get(name string) M {
	if i, ok := t.search(name); ok {
		return t.list[i]
	}
	var none M
	return none
}

// Put adds a checkpoint or replaces the one of its name. Its parent must be in
// the tree: Check says so.
func (t *Tree[M]) Put(c M) {
	i, ok := t.search(name(c))
	if ok {
		t.list[i] = c
		return
	}
	t.list = slices.Insert(t.list, i, c)
}

// Remove takes a checkpoint out; its children become its parent's. If it was
// current its parent becomes that. The names of the children are returned.
func (t *Tree[M]) Remove(gone string) (children []string) {
	i, ok := t.search(gone)
	if !ok {
		return nil
	}
	above := parent(t.list[i])
	t.list = slices.Delete(t.list, i, i+1)
	for k, c := range t.list {
		if parent(c) == gone {
			t.list[k] = c.Move(above)
			children = append(children, name(c))
		}
	}
	if t.current == gone {
		t.current = above
	}
	return children
}

// Current is the name of the current checkpoint; "" if there is none.
func (t *Tree[M]) Current() string { return t.current }

// SetCurrent makes a checkpoint current; "" makes none.
func (t *Tree[M]) SetCurrent(name string) { t.current = name }

// Check tells whether a definition from a client fits into the tree
// (virDomainCheckpointRedefinePrep): E217, E218, E219, all 8.
func (t *Tree[M]) Check(c M, domain virt.ErrorDomain) error {
	fail := func(format string, args ...any) error {
		return virt.Errorf(virt.ERR_INVALID_ARG, domain, format, args...)
	}
	var none M
	own, above := c.Moment()
	if above == "" {
		return nil
	}
	if above == own {
		return fail("cannot set moment %s as its own parent", own)
	}
	at := t.Get(above)
	if at == none {
		return fail("parent %s for moment %s not found", above, own)
	}
	for at != none {
		if name(at) == own {
			return fail("parent %s would create cycle to %s", above, own)
		}
		at = t.Get(parent(at))
	}
	return nil
}

// Settle completes a tree whose checkpoints were loaded in any order: one with an
// unknown parent, or on a cycle, becomes a root. The current checkpoint is the
// leaf of a tree that is one unbranched chain, else there is none
// (virDomainMomentUpdateRelations, qemuDomainCheckpointLoad). It tells whether
// the relations were consistent.
func (t *Tree[M]) Settle() (consistent bool) {
	consistent = true
	for i, c := range t.list {
		if parent(c) == "" || t.rooted(c) {
			continue
		}
		consistent = false
		t.list[i] = c.Move("")
	}
	t.current = ""
	if leaves := t.List(Filter{Leaves: true}); consistent && len(leaves) == 1 {
		t.current = leaves[0]
	}
	return consistent
}

// rooted reports whether the way upward from c ends at a root.
func (t *Tree[M]) rooted(c M) bool {
	var none M
	for range len(t.list) + 1 {
		if parent(c) == "" {
			return true
		}
		if c = t.Get(parent(c)); c == none {
			return false
		}
	}
	return false
}

// Filter chooses what a list shows.
type Filter struct {
	// From starts below that checkpoint; "" lists the whole tree.
	From string
	// Shallow lists only roots, or only direct children of From.
	Shallow bool
	// Leaves and NoLeaves keep checkpoints without, and with, children. Both
	// together keep none.
	Leaves, NoLeaves bool
}

// List returns names, a parent before its children and siblings by name.
func (t *Tree[M]) List(f Filter) []string {
	var out []string
	queue := t.children(f.From)
	for len(queue) > 0 {
		c := queue[0]
		children := t.children(name(c))
		queue = queue[1:]
		if !f.Shallow {
			queue = append(queue, children...)
		}
		if (!f.Leaves || len(children) == 0) && (!f.NoLeaves || len(children) > 0) {
			out = append(out, name(c))
		}
	}
	return out
}

func (t *Tree[M]) children(above string) []M {
	var out []M
	for _, c := range t.list {
		if parent(c) == above {
			out = append(out, c)
		}
	}
	return out
}
