package simrt

import (
	"math/bits"
	"strconv"
)

// HashVersion names the definition of Result.Hash and of Address.Hash.
const HashVersion = 1

const (
	hashOffset = 14695981039346656037
	hashPrime  = 1099511628211
	golden     = 0x9e3779b97f4a7c15
	// ClockKey stands for the clock where a task's key would stand.
	ClockKey = 0x636c6f636b
)

// namesMax bounds the interned names that a pool keeps between runs.
const namesMax = 1 << 16

// name is an interned string. Its id depends on what the pool ran before and so
// must never reach a choice, an order or the hash.
type name struct {
	s    string
	hash uint64
	id   uint32
	// tasks counts the tasks of that name in the world number serial.
	tasks  uint32
	serial uint64
}

// names interns.
type names struct {
	m   map[string]*name
	all []string // by id - 1
	ops ops
	// recent saves most look-ups; where a name stands depends on its text only.
	recent [recentSize]*name
	// capped says that a world may run for ever: beyond namesMax all new names
	// are one.
	capped bool
}

const recentSize = 64 // a power of two

// ops are the operations of the world itself.
type ops struct {
	none, lock, wait, park, relock, sleep, wake, start, spawn, call, kill, exit, choose, clock, await *name
}

func newNames() *names {
	n := &names{m: make(map[string]*name, 64)}
	n.ops = ops{
		none: n.get(""), lock: n.get("lock"), wait: n.get("wait"), park: n.get("park"),
		relock: n.get("relock"), sleep: n.get("sleep"), wake: n.get("wake"), start: n.get("start"),
		spawn: n.get("go"), call: n.get("call"), kill: n.get("kill"), exit: n.get("exit"),
		choose: n.get("choose"), clock: n.get("clock"), await: n.get("await"),
	}
	return n
}

func (n *names) get(s string) *name {
	i := len(s)
	if i > 0 {
		i = (i*7 + int(s[0])*3 + int(s[i-1])*5 + int(s[i/2])) & (recentSize - 1)
	}
	if x := n.recent[i]; x != nil && x.s == s {
		return x
	}
	x := n.look(s)
	n.recent[i] = x
	return x
}

func (n *names) look(s string) *name {
	if x, ok := n.m[s]; ok {
		return x
	}
	if n.capped && len(n.m) >= namesMax {
		return n.ops.none
	}
	n.all = append(n.all, s)
	x := &name{s: s, hash: hashString(s), id: uint32(len(n.all))}
	n.m[s] = x
	return x
}

func (n *names) byID(id uint32) string { return n.all[id-1] }

func hashString(s string) uint64 {
	h := uint64(hashOffset)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * hashPrime
	}
	return h
}

func mix(h, word uint64) uint64 {
	h = (h ^ word) * hashPrime
	return h ^ h>>29
}

// taskKey is the stable identity of the k-th task of a name.
func taskKey(nameHash uint64, k uint32) uint64 { return mix(nameHash, uint64(k)) }

// eventWord is what a task with a pending operation adds to the hash.
func eventWord(key, op, object uint64) uint64 {
	return key ^ bits.RotateLeft64(op, 17) ^ bits.RotateLeft64(object, 34)
}

// TaskLabel writes the k-th task of a name, from 1, as traces do: "events",
// "events#2". Only a name that itself looks like a label gets a "#1".
func TaskLabel(name string, k int) string {
	if k == 1 {
		if _, _, numbered := cutNumber(name); !numbered {
			return name
		}
	}
	return name + "#" + strconv.Itoa(k)
}

// ParseTaskLabel is the inverse of TaskLabel.
func ParseTaskLabel(label string) (name string, k int) {
	if name, k, ok := cutNumber(label); ok {
		return name, k
	}
	return label, 1
}

// labelDigitsMax bounds the number in a label.
const labelDigitsMax = 9

// cutNumber splits "name#k".
func cutNumber(s string) (name string, k int, ok bool) {
	i := len(s)
	for i > 0 && s[i-1] >= '0' && s[i-1] <= '9' && len(s)-i <= labelDigitsMax {
		i--
	}
	if i == 0 || i == len(s) || s[i-1] != '#' || s[i] == '0' {
		return "", 0, false
	}
	k, err := strconv.Atoi(s[i:])
	return s[:i-1], k, err == nil && len(s)-i <= labelDigitsMax
}

// counter counts the points of one task per (operation, object).
type counter struct {
	keys []uint64 // 0 is free; the length is a power of two
	ns   []uint32
	used int
}

const counterSizeMin = 8

// next counts key once more and returns the new count.
func (c *counter) next(key uint64) uint32 {
	if c.used*4 >= len(c.keys)*3 {
		c.grow()
	}
	i := c.slot(key)
	if c.keys[i] == 0 {
		c.keys[i] = key
		c.used++
	}
	c.ns[i]++
	return c.ns[i]
}

func (c *counter) slot(key uint64) int {
	mask := len(c.keys) - 1
	i := int(key*golden>>32) & mask
	for c.keys[i] != key && c.keys[i] != 0 {
		i = (i + 1) & mask
	}
	return i
}

func (c *counter) grow() {
	keys, ns := c.keys, c.ns
	size := max(counterSizeMin, 2*len(keys))
	c.keys, c.ns = make([]uint64, size), make([]uint32, size)
	for i, key := range keys {
		if key != 0 {
			j := c.slot(key)
			c.keys[j], c.ns[j] = key, ns[i]
		}
	}
}

// reset forgets all counts and keeps the memory.
func (c *counter) reset() {
	clear(c.keys)
	clear(c.ns)
	c.used = 0
}
