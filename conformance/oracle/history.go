package oracle

import (
	"fmt"
	"math"
)

// SectorSize is the unit of stamps, in bytes. Guests write whole sectors; a
// write that does not bears the parts of the stamps that it covers.
const SectorSize = 512

// Limits of a history.
const (
	WritesMax      = 1 << 20  // writes of one history
	WriteLengthMax = 64 << 20 // bytes of one write
)

// never is the time of what has not happened.
const never = math.MaxUint64

// History is what happened to the disks of one domain, in the order of a counter
// that everybody who reports to it shares. It is not safe for use by several
// tasks at once: the caller has the lock.
type History struct {
	clock  uint64
	disks  []*Disk
	writes []*Write // by sequence number minus one
	memory *Memory
}

// New makes an empty history.
func New() *History { return NewIn(new(Memory)) }

// NewIn makes an empty history in memory that an earlier one may have used.
func NewIn(m *Memory) *History { return &History{memory: m} }

// Disk is one disk: empty (all zero) until the first write.
type Disk struct {
	Name   string
	Size   int64 // bytes
	h      *History
	number uint32 // index in h.disks, part of every stamp
	writes []*Write
}

// AddDisk adds a disk of that many bytes, at least one.
func (h *History) AddDisk(name string, size int64) *Disk {
	if size <= 0 {
		panic(fmt.Sprintf("oracle: disk %s: size %d is not positive", name, size))
	}
	d := &Disk{Name: name, Size: size, h: h, number: uint32(len(h.disks))}
	h.disks = append(h.disks, d)
	return d
}

// Write is one guest write as an interval of the history's counter.
type Write struct {
	Disk   *Disk
	Seq    uint32 // from 1, over all disks of the history
	Offset int64
	Length int64
	issued uint64
	acked  uint64 // never: not yet, or failed
	failed bool
	data   []byte
}

// Issue records that the guest is about to write; the data to write are Data.
// The range must lie within the disk. What a disk holds at first is such writes
// as well, acknowledged before all others.
func (d *Disk) Issue(offset, length int64) *Write {
	if offset < 0 || length <= 0 || length > WriteLengthMax || offset > d.Size-length {
		panic(fmt.Sprintf("oracle: write of %d bytes at %d does not fit disk %s of %d bytes", length, offset, d.Name, d.Size))
	}
	if len(d.h.writes) >= WritesMax {
		panic(fmt.Sprintf("oracle: more than %d writes in one history", WritesMax))
	}
	w := &Write{Disk: d, Seq: uint32(len(d.h.writes) + 1), Offset: offset, Length: length, acked: never}
	w.issued = d.h.tick()
	w.data = d.h.memory.take(length)
	fill(w.data, d.number, w.Seq, offset)
	d.writes = append(d.writes, w)
	d.h.writes = append(d.h.writes, w)
	return w
}

func (h *History) tick() uint64 {
	h.clock++
	return h.clock
}

// Data is what the guest must write. It must not be changed.
func (w *Write) Data() []byte { return w.data }

// Ack records that the guest learned that the write is done.
func (w *Write) Ack() {
	if w.acked != never || w.failed {
		panic(fmt.Sprintf("oracle: write %d ended twice", w.Seq))
	}
	w.acked = w.Disk.h.tick()
}

// Fail records that the guest learned of a failure: each sector of the write may
// or may not have been written, now or at any time later.
func (w *Write) Fail() {
	if w.acked != never || w.failed {
		panic(fmt.Sprintf("oracle: write %d ended twice", w.Seq))
	}
	w.failed = true
}

// end is the offset after the last byte.
func (w *Write) end() int64 { return w.Offset + w.Length }

// before reports whether w was acknowledged before v was issued: whoever has v
// has w.
func (w *Write) before(v *Write) bool { return w.acked < v.issued }

// String describes the write with its interval.
func (w *Write) String() string {
	end := "not acknowledged"
	switch {
	case w.failed:
		end = "failed"
	case w.acked != never:
		end = fmt.Sprintf("acknowledged at %d", w.acked)
	}
	return fmt.Sprintf("write %d: %s [%d, %d), issued at %d, %s", w.Seq, w.Disk.Name, w.Offset, w.end(), w.issued, end)
}

// covers reports whether w wrote all of [from, to).
func (w *Write) covers(from, to int64) bool { return w.Offset <= from && to <= w.end() }

// Instant is the interval in which a backup or checkpoint took its state.
type Instant struct {
	h        *History
	issued   uint64
	returned uint64 // never: the call has not returned, or its fate is unknown
}

// Begin records that the call is about to be made.
func (h *History) Begin() *Instant { return &Instant{h: h, issued: h.tick(), returned: never} }

// Returned records that the call came back with success.
func (i *Instant) Returned() { i.returned = i.h.tick() }

// has reports that w surely was in force at the instant.
func (i *Instant) has(w *Write) bool { return w.acked < i.issued }

// lacks reports that w surely was not issued yet at the instant.
func (i *Instant) lacks(w *Write) bool { return w.issued > i.returned }

// Now is the instant at which a disk itself is read: all acknowledged writes are in.
func (h *History) Now() *Instant {
	i := h.Begin()
	i.Returned()
	return i
}
