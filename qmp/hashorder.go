package qmp

// QEMU keeps the members of an object in hash tables, so which of several faults
// it names is a matter of hashing. These are its two tables: QDict for requests,
// and GLib's GHashTable for what is left over of arguments.

// qdictBuckets is QDICT_BUCKET_MAX.
const qdictBuckets = 512

// qdictHash is tdb_hash of qobject/qdict.c.
func qdictHash(name string) uint32 {
	value := uint32(0x238f13af) * uint32(len(name))
	for i := range len(name) {
		value += uint32(name[i]) << (i * 5 % 24)
	}
	return (1103515243*value + 12345) % qdictBuckets
}

// qdictOrder lists the members in the order of a QDict. Within one bucket the
// newest comes first.
func qdictOrder(members []Member) []string {
	taken := make([]bool, len(members))
	names := make([]string, 0, len(members))
	for range members {
		lowest := -1
		for i := range members {
			if taken[i] {
				continue
			}
			if lowest < 0 || qdictHash(members[i].Name) <= qdictHash(members[lowest].Name) {
				lowest = i
			}
		}
		taken[lowest] = true
		names = append(names, members[lowest].Name)
	}
	return names
}

// gHashTable is GLib's open addressing table, as far as the order of its keys
// goes.
type gHashTable struct {
	slots    []gSlot
	mod      uint32
	nodes    int // keys
	occupied int // keys and graves
}

type gSlot struct {
	key   string
	state uint8 // 0 free, 1 used, 2 grave
}

const (
	gSlotFree = iota
	gSlotUsed
	gSlotGrave
)

// gTableMinSize is the smallest table, 8 slots.
const gTableMinSize = 8

// gModulus is the prime below a table's size.
func gModulus(size int) uint32 {
	for n := uint32(size); ; n-- {
		prime := true
		for d := uint32(2); d*d <= n; d++ {
			prime = prime && n%d != 0
		}
		if prime && n < uint32(size) {
			return n
		}
	}
}

func newGHashTable() *gHashTable {
	return &gHashTable{slots: make([]gSlot, gTableMinSize), mod: gModulus(gTableMinSize)}
}

// gStringHash is g_str_hash.
func gStringHash(s string) uint32 {
	h := uint32(5381)
	for i := range len(s) {
		h = h*33 + uint32(int32(int8(s[i])))
	}
	return h
}

// lookup returns where the key is, or where it would be put.
func (t *gHashTable) lookup(key string) int {
	i := int(gStringHash(key) * 11 % t.mod)
	grave := -1
	for step := 1; t.slots[i].state != gSlotFree; step++ {
		switch {
		case t.slots[i].state == gSlotUsed && t.slots[i].key == key:
			return i
		case t.slots[i].state == gSlotGrave && grave < 0:
			grave = i
		}
		i = (i + step) & (len(t.slots) - 1)
	}
	if grave >= 0 {
		return grave
	}
	return i
}

func (t *gHashTable) insert(key string) {
	s := &t.slots[t.lookup(key)]
	if s.state == gSlotUsed {
		return
	}
	if s.state == gSlotFree {
		t.occupied++
	}
	*s = gSlot{key, gSlotUsed}
	t.nodes++
	t.resize()
}

func (t *gHashTable) remove(key string) {
	s := &t.slots[t.lookup(key)]
	if s.state != gSlotUsed {
		return
	}
	*s = gSlot{state: gSlotGrave}
	t.nodes--
	t.resize()
}

// resize keeps the table between a quarter and 15/16 full.
func (t *gHashTable) resize() {
	size := len(t.slots)
	sparse := size > t.nodes*4 && size > gTableMinSize
	if !sparse && size > t.occupied+t.occupied/16 {
		return
	}
	size = gTableMinSize
	for size <= t.nodes*1333/1000 {
		size *= 2
	}
	t.rehash(size)
}

// rehash moves every key to its place in a table of the new size. A key that is
// in the way is moved on at once, as in GLib.
func (t *gHashTable) rehash(size int) {
	old := t.slots
	t.slots, t.mod = make([]gSlot, max(size, len(old))), gModulus(size)
	copy(t.slots, old)
	settled := make([]bool, size)
	for i := range old {
		if i < size && settled[i] {
			continue
		}
		carried := t.slots[i]
		t.slots[i] = gSlot{}
		for carried.state == gSlotUsed {
			h := int(gStringHash(carried.key) * 11 % t.mod)
			for step := 1; settled[h]; step++ {
				h = (h + step) & (size - 1)
			}
			settled[h] = true
			carried, t.slots[h] = t.slots[h], carried
		}
	}
	t.slots, t.occupied = t.slots[:size], t.nodes
}

// firstUnexpected is the member of v that QEMU names when neither the type nor
// its variant has it: the input visitor fills a GHashTable in the order of the
// QDict, takes out what the type has, and names the first that remains.
func (t *dataType) firstUnexpected(v Value) string {
	table := newGHashTable()
	for _, name := range qdictOrder(v.Members()) {
		table.insert(name)
	}
	t.takeOut(v, table)
	for _, s := range table.slots {
		if s.state == gSlotUsed {
			return s.key
		}
	}
	panic("qmp: no unexpected member in " + v.String())
}

// takeOut removes what visit finds, in the same order.
func (t *dataType) takeOut(v Value, table *gHashTable) {
	for i := range t.members {
		value := v.Get(t.members[i].name)
		if value.kind == KindAbsent {
			continue
		}
		table.remove(t.members[i].name)
	}
	if t.tag >= 0 {
		if variant := t.variant(v.Get(t.members[t.tag].name).S()); variant != nil {
			variant.takeOut(v, table)
		}
	}
}

// QDictOrder is v with the members of all its objects in the order in which QEMU's
// qobject_to_json prints them; it decides the text of json: file names.
func QDictOrder(v Value) Value {
	switch v.kind {
	case KindDict:
		names := qdictOrder(v.Members())
		out := make([]Member, len(names))
		for i, name := range names {
			out[i] = M(name, QDictOrder(v.Get(name)))
		}
		return Dict(out...)
	case KindList:
		out := make([]Value, len(v.Items()))
		for i, item := range v.Items() {
			out[i] = QDictOrder(item)
		}
		return List(out...)
	}
	return v
}
