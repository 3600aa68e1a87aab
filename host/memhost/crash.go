package memhost

import (
	"github.com/tidwall/btree"

	"fleece/rt"
)

// Limits of what is remembered for crashes.
const (
	// logMax bounds the changes of directories that wait for a sync. Beyond it
	// the older half becomes durable, as a kernel writes back by itself.
	logMax = 256
	// tornPagesMax bounds the pages of one file that a crash decides one by
	// one; those after it share the fate of the last.
	tornPagesMax = 64
)

// edit sets one entry of a directory; a nil node removes it.
type edit struct {
	dir  *inode
	name string
	node *inode
}

func apply(entries *btree.Map[string, *inode], e edit) {
	if e.node == nil {
		entries.Delete(e.name)
	} else {
		entries.Set(e.name, e.node)
	}
}

// change is one operation on directories: atomic, also over a crash.
type change struct {
	edits [2]edit
	n     int
}

func (c *change) touches(dir *inode) bool {
	return c.edits[0].dir == dir || c.n == 2 && c.edits[1].dir == dir
}

// edit applies one change to what processes see and remembers that it is not
// durable.
func (k *Kernel) edit(edits ...edit) {
	now := k.rt.Now()
	var c change
	for _, e := range edits {
		c.edits[c.n] = e
		c.n++
		apply(&e.dir.entries, e)
		e.dir.modTime = now
	}
	k.log = append(k.log, c)
	if len(k.log) > logMax {
		k.settle(logMax / 2)
	}
}

// settle makes the oldest n changes durable.
func (k *Kernel) settle(n int) {
	for i := range k.log[:n] {
		k.log[i].makeDurable()
	}
	rest := copy(k.log, k.log[n:])
	clear(k.log[rest:])
	k.log = k.log[:rest]
}

func (c *change) makeDurable() {
	for _, e := range c.edits[:c.n] {
		apply(&e.dir.durable, e)
	}
}

// unlink drops the entry of a node that was replaced or removed.
func (n *inode) unlink() {
	n.links--
	n.release()
}

// syncDir makes the changes that touch dir durable, and with them those that
// they stand on: earlier ones of a directory that they touch as well. Changes
// of one directory become durable in order, those of different directories
// are independent; so is the state of a file's content.
func (k *Kernel) syncDir(dir *inode) {
	need := []*inode{dir}
	settled := make([]bool, len(k.log))
	for i := len(k.log) - 1; i >= 0; i-- {
		c := &k.log[i]
		for _, d := range need {
			if c.touches(d) {
				settled[i] = true
				break
			}
		}
		if settled[i] && c.n == 2 && c.edits[0].dir != c.edits[1].dir {
			need = append(need, c.edits[0].dir, c.edits[1].dir)
		}
	}
	rest := k.log[:0]
	for i := range k.log {
		if settled[i] {
			k.log[i].makeDurable()
		} else {
			rest = append(rest, k.log[i])
		}
	}
	clear(k.log[len(rest):])
	k.log = rest
}

// CrashClone returns a host as it may be found after the power failed now. What
// was synced is there; each change since then may be there or not:
//
//   - changes of one directory survive up to some point in their order, each
//     whole; the entries of different directories are independent;
//   - of a file's content since its last Sync all survives, or nothing, or any
//     pages of it.
//
// choose(n) picks one of n ways, 0 being that all survives and 1 that nothing
// does. So a choose that answers 0 copies the host as it is, one that answers 1
// gives the worst. Faults and observers are not copied, and the clone has no views.
func (k *Kernel) CrashClone(choose func(n int) int) *Kernel {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := crash{
		choose: choose,
		nodes:  make(map[*inode]*inode),
		mounts: make(map[*mount]*mount),
	}
	k.pages.lent = true
	clone := &Kernel{rt: k.rt, mu: rt.NewLeafMutex(k.rt, lockName), pages: new(Pages)}
	c.pages = clone.pages
	clone.root = c.node(k.root)
	c.replay(k.log)
	c.fill(clone.root)
	return clone
}

// NewBoot is CrashClone for a world with another kernel runtime.
func (k *Kernel) NewBoot(kernel rt.Runtime, choose func(n int) int) *Kernel {
	clone := k.CrashClone(choose)
	clone.rt, clone.mu = kernel, rt.NewLeafMutex(kernel, lockName)
	return clone
}

// crash is one crash being decided. The maps are looked up, never ranged over.
type crash struct {
	choose func(n int) int
	nodes  map[*inode]*inode
	mounts map[*mount]*mount
	pages  *Pages // of the clone
}

// node returns the copy of a node: of a directory with its durable entries, of
// a file still without content.
func (c *crash) node(n *inode) *inode {
	if n == nil {
		return nil
	}
	if found, ok := c.nodes[n]; ok {
		return found
	}
	copied := &inode{
		dir: n.dir, mode: n.mode, modTime: n.modTime,
		mount: c.mount(n.mount), mountPoint: n.mountPoint, source: n,
	}
	c.nodes[n] = copied
	n.durable.Scan(func(name string, child *inode) bool {
		copied.entries.Set(name, c.node(child))
		return true
	})
	return copied
}

func (c *crash) mount(m *mount) *mount {
	if found, ok := c.mounts[m]; ok {
		return found
	}
	copied := &mount{capacity: m.capacity, pages: c.pages}
	c.mounts[m] = copied
	return copied
}

// replay applies the changes that survive.
func (c *crash) replay(log []change) {
	lost := make(map[*inode]bool) // directories of which a change was lost
	for i := range log {
		ch := &log[i]
		first, last := ch.edits[0].dir, ch.edits[ch.n-1].dir
		if lost[first] || lost[last] || c.choose(2) != 0 {
			lost[first], lost[last] = true, true
			continue
		}
		for _, e := range ch.edits[:ch.n] {
			apply(&c.node(e.dir).entries, edit{name: e.name, node: c.node(e.node)})
		}
	}
}

// fill walks what can be reached and decides the content of each file.
func (c *crash) fill(dir *inode) {
	dir.entries.Scan(func(name string, n *inode) bool {
		dir.durable.Set(name, n)
		if n.dir {
			c.fill(n)
		} else if n.source != nil {
			c.survive(&n.source.content, &n.content)
			n.links, n.source = 1, nil
			n.mount.used += n.content.pages
		}
		return true
	})
	dir.source = nil
}

// Ways in which the unsynced part of a file comes out of a crash.
const (
	allSurvives = iota
	nothingSurvives
	somePagesSurvive
	survivalWays
)

func (c *crash) survive(from, to *content) {
	way := allSurvives
	if len(from.dirty) > 0 || from.size != from.syncedSize {
		way = c.choose(survivalWays)
	}
	decided := 0
	keep := way == allSurvives
	next := func() bool {
		if way == somePagesSurvive && decided < tornPagesMax {
			decided++
			keep = c.choose(2) == 0
		}
		return keep
	}
	to.size = from.syncedSize
	if next() {
		to.size = from.size
	}
	from.chunks.Scan(func(index int64, ch *chunk) bool {
		if copied := ch.survive(next); copied.used > 0 {
			to.chunks.Set(index, copied)
			to.pages += int64(copied.used)
		}
		return true
	})
	// What lies beyond the size is zero when the file grows again.
	size := to.size
	to.size = max(from.size, from.syncedSize)
	to.truncate(size, &mount{})
	to.sync()
}

// survive copies a chunk. Pages that are not dirty are shared: neither side
// changes them in place.
func (ch *chunk) survive(keep func() bool) *chunk {
	copied := &chunk{}
	for i, pg := range ch.pages {
		if ch.dirty&(1<<i) != 0 {
			if !keep() {
				pg = nil
				if ch.old != nil {
					pg = ch.old[i]
				}
			} else if pg != nil {
				fresh := *pg
				pg = &fresh
			}
		}
		if copied.pages[i] = pg; pg != nil {
			copied.used++
		}
	}
	return copied
}
