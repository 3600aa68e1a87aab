package sim

import (
	"math/bits"
	"slices"

	"fleece/qmp"
)

// Limits of dirty bitmaps (§3.2).
const (
	bitmapGranularityMin = 512
	bitmapGranularityMax = 1 << 31
	bitmapNameMax        = 1023  // bytes
	bitmapsStoredMax     = 65535 // persistent bitmaps of one image
	bitmapStoredBytesMax = 512 << 20
)

// bitmap is a dirty bitmap of a node.
type bitmap struct {
	name  string // "" for an anonymous one
	shift uint   // granularity is 1<<shift bytes
	size  int64  // bytes covered: the node's size
	bits  runSet // in granules

	disabled     bool
	persistent   bool
	readonly     bool // loaded from a node that is open read-only
	inconsistent bool // stored as in use: not closed cleanly (§3.5)
	busy         bool
	// skipStore keeps a bitmap that a transaction is about to remove from
	// being written; cleared again if the transaction is aborted.
	skipStore bool
	// successor records while the bitmap feeds a job (§3.7).
	successor *bitmap
	released  bool // its successor took its place
	// notify is called before the first mark of a clean bitmap: a mirror waits
	// for it.
	notify func()
}

func newBitmap(name string, granularity, size int64) *bitmap {
	return &bitmap{name: name, shift: uint(bits.TrailingZeros64(uint64(granularity))), size: size}
}

func (b *bitmap) granularity() int64 { return 1 << b.shift }

// count is in bytes and may exceed the size on an unaligned tail (§3.1).
func (b *bitmap) count() int64 { return b.bits.count << b.shift }

// mark sets every granule that the bytes touch.
func (b *bitmap) mark(off, n int64) {
	if n > 0 {
		b.bits.add(off>>b.shift, (off+n-1)>>b.shift+1)
	}
}

// recording is what a query shows: a busy bitmap records through its successor.
func (b *bitmap) recording() bool {
	return !b.disabled || (b.successor != nil && !b.successor.disabled)
}

// mergeFrom sets what is set in src; granules round outward (§3.3).
func (b *bitmap) mergeFrom(src *bitmap) {
	if b.shift == src.shift && b.size >= src.size {
		b.bits.unite(&src.bits)
		return
	}
	for _, r := range src.bits.runs {
		lo, hi := r.lo<<src.shift, min(r.hi<<src.shift, src.size)
		b.mark(lo, hi-lo)
	}
}

// beyond reports whether a byte before end lies in no granule.
func (b *bitmap) beyond(end int64) bool { return (end-1)>>b.shift > (b.size-1)>>b.shift }

// resize grows with clean granules or cuts off (§3.4).
func (b *bitmap) resize(size int64) {
	end := (size + b.granularity() - 1) >> b.shift
	b.bits.remove(end, 1<<62)
	b.size = size
}

// Checks of a bitmap's state; which apply depends on the verb (§3.3).
const (
	checkBusy = 1 << iota
	checkReadonly
	checkInconsistent

	checkDefault = checkBusy | checkReadonly | checkInconsistent
	checkAllowRO = checkBusy | checkInconsistent
	// An inconsistent bitmap can only be removed.
	checkRemove = checkBusy | checkReadonly
)

func (b *bitmap) check(flags int) *qmp.ReplyError {
	switch {
	case flags&checkBusy != 0 && b.busy:
		return qmp.Generic("Bitmap '" + b.name + "' is currently in use by another operation and cannot be used")
	case flags&checkReadonly != 0 && b.readonly:
		return qmp.Generic("Bitmap '" + b.name + "' is readonly and cannot be modified")
	case flags&checkInconsistent != 0 && b.inconsistent:
		return qmp.Generic("Bitmap '" + b.name + "' is inconsistent and cannot be used")
	}
	return nil
}

// query is the entry of dirty-bitmaps.
func (b *bitmap) query() qmp.Value {
	var name, inconsistent qmp.Value
	if b.name != "" {
		name = qmp.Str(b.name)
	}
	if b.inconsistent {
		inconsistent = qmp.Bool(true)
	}
	return qmp.Dict(
		qmp.M("name", name),
		qmp.M("recording", qmp.Bool(b.recording())),
		qmp.M("persistent", qmp.Bool(b.persistent)),
		qmp.M("busy", qmp.Bool(b.busy)),
		qmp.M("inconsistent", inconsistent),
		qmp.M("granularity", qmp.Int(b.granularity())),
		qmp.M("count", qmp.Int(b.count())))
}

// bitmapList holds the bitmaps of a node, oldest first; queries show it newest
// first.
type bitmapList struct{ list []*bitmap }

func (l *bitmapList) find(name string) *bitmap {
	if name == "" {
		return nil
	}
	for _, b := range l.list {
		if b.name == name {
			return b
		}
	}
	return nil
}

func (l *bitmapList) insert(b *bitmap) { l.list = append(l.list, b) }

func (l *bitmapList) release(b *bitmap) {
	if i := slices.Index(l.list, b); i >= 0 {
		l.list = slices.Delete(l.list, i, i+1)
	}
}

// dirty marks a write in every bitmap that records.
// frozen reports whether a bitmap is read-only, which keeps the node from changing.
func (l *bitmapList) frozen() bool {
	for _, b := range l.list {
		if b.readonly {
			return true
		}
	}
	return false
}

func (l *bitmapList) dirty(off, n int64) {
	for _, b := range l.list {
		if b.disabled {
			continue
		}
		if b.notify != nil && b.bits.count == 0 {
			b.notify()
		}
		b.mark(off, n)
	}
}

func (l *bitmapList) query() qmp.Value {
	if len(l.list) == 0 {
		return qmp.Value{}
	}
	out := make([]qmp.Value, 0, len(l.list))
	for i := len(l.list) - 1; i >= 0; i-- {
		out = append(out, l.list[i].query())
	}
	return qmp.List(out...)
}

// split makes a successor that takes over recording, for a job that reads b.
func (l *bitmapList) split(b *bitmap) {
	s := &bitmap{shift: b.shift, size: b.size, disabled: b.disabled}
	b.disabled, b.busy, b.successor = true, true, s
	l.insert(s)
}

// abdicate ends a job's use of b: the successor takes its name, with only what
// was written since the split. It is a younger bitmap than b, so that the order
// of a query changes.
func (l *bitmapList) abdicate(b *bitmap) *bitmap {
	s := b.successor
	s.name, s.persistent = b.name, b.persistent
	b.name, b.successor, b.persistent, b.busy = "", nil, false, false
	l.release(b)
	b.released = true
	return s
}

// reclaim ends a job's use of b: what the successor recorded is merged back.
func (l *bitmapList) reclaim(b *bitmap) {
	s := b.successor
	b.mergeFrom(s)
	b.disabled, b.busy, b.successor = s.disabled, false, nil
	l.release(s)
}

// dropPersistent forgets what the image keeps.
func (l *bitmapList) dropPersistent() {
	l.list = slices.DeleteFunc(l.list, func(b *bitmap) bool { return b.persistent })
}
