// Package chktree is the tree of a domain's checkpoints: who is whose parent,
// which one is current, and what lists show.
//
// It is not their storage: it knows no file and no bitmap.
//
// The property it keeps: every parent named is in the tree and there is no cycle,
// so that each walk ends.
package chktree

import (
	"slices"
	"strings"

	"fleece/driver/checkpointdef"
	"fleece/virt"
)

// Tree holds checkpoints by name. The zero Tree is empty.
type Tree struct {
	list    []*checkpointdef.Checkpoint // sorted by name
	current string                      // "" if none
}

func (t *Tree) search(name string) (int, bool) {
	return slices.BinarySearchFunc(t.list, name, func(c *checkpointdef.Checkpoint, name string) int {
		return strings.Compare(c.Name, name)
	})
}

// Len is the number of checkpoints.
func (t *Tree) Len() int { return len(t.list) }

// All returns the checkpoints sorted by name; the slice must not be changed.
func (t *Tree) All() []*checkpointdef.Checkpoint { return t.list }

// Get finds a checkpoint; nil if there is none of that name.
func (t *Tree) Get(name string) *checkpointdef.Checkpoint {
	if i, ok := t.search(name); ok {
		return t.list[i]
	}
	return nil
}

// Put adds a checkpoint or replaces the one of its name. Its parent must be in
// the tree: Check says so.
func (t *Tree) Put(c *checkpointdef.Checkpoint) {
	i, ok := t.search(c.Name)
	if ok {
		t.list[i] = c
		return
	}
	t.list = slices.Insert(t.list, i, c)
}

// Remove takes a checkpoint out; its children become its parent's. If it was
// current its parent becomes that. The names of the children are returned.
func (t *Tree) Remove(name string) (children []string) {
	i, ok := t.search(name)
	if !ok {
		return nil
	}
	parent := t.list[i].Parent
	t.list = slices.Delete(t.list, i, i+1)
	for k, c := range t.list {
		if c.Parent == name {
			moved := *c
			moved.Parent = parent
			t.list[k] = &moved
			children = append(children, c.Name)
		}
	}
	if t.current == name {
		t.current = parent
	}
	return children
}

// Current is the name of the current checkpoint; "" if there is none.
func (t *Tree) Current() string { return t.current }

// SetCurrent makes a checkpoint current; "" makes none.
func (t *Tree) SetCurrent(name string) { t.current = name }

// Check tells whether a definition from a client fits into the tree
// (virDomainCheckpointRedefinePrep): E217, E218, E219, all 8.
func (t *Tree) Check(c *checkpointdef.Checkpoint) error {
	fail := func(format string, args ...any) error {
		return virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_DOMAIN_CHECKPOINT, format, args...)
	}
	if c.Parent == "" {
		return nil
	}
	if c.Parent == c.Name {
		return fail("cannot set moment %s as its own parent", c.Name)
	}
	parent := t.Get(c.Parent)
	if parent == nil {
		return fail("parent %s for moment %s not found", c.Parent, c.Name)
	}
	for parent != nil {
		if parent.Name == c.Name {
			return fail("parent %s would create cycle to %s", c.Parent, c.Name)
		}
		parent = t.Get(parent.Parent)
	}
	return nil
}

// Settle completes a tree whose checkpoints were loaded in any order: one with an
// unknown parent, or on a cycle, becomes a root. The current checkpoint is the
// leaf of a tree that is one unbranched chain, else there is none
// (virDomainMomentUpdateRelations, qemuDomainCheckpointLoad). It tells whether
// the relations were consistent.
func (t *Tree) Settle() (consistent bool) {
	consistent = true
	for i, c := range t.list {
		if c.Parent == "" || t.rooted(c) {
			continue
		}
		consistent = false
		root := *c
		root.Parent = ""
		t.list[i] = &root
	}
	t.current = ""
	if leaves := t.List(Filter{Leaves: true}); consistent && len(leaves) == 1 {
		t.current = leaves[0]
	}
	return consistent
}

// rooted reports whether the way upward from c ends at a root.
func (t *Tree) rooted(c *checkpointdef.Checkpoint) bool {
	for range len(t.list) + 1 {
		if c.Parent == "" {
			return true
		}
		if c = t.Get(c.Parent); c == nil {
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
func (t *Tree) List(f Filter) []string {
	var out []string
	queue := t.children(f.From)
	for len(queue) > 0 {
		c := queue[0]
		children := t.children(c.Name)
		queue = queue[1:]
		if !f.Shallow {
			queue = append(queue, children...)
		}
		if (!f.Leaves || len(children) == 0) && (!f.NoLeaves || len(children) > 0) {
			out = append(out, c.Name)
		}
	}
	return out
}

func (t *Tree) children(name string) []*checkpointdef.Checkpoint {
	var out []*checkpointdef.Checkpoint
	for _, c := range t.list {
		if c.Parent == name {
			out = append(out, c)
		}
	}
	return out
}
