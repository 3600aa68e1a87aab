package qcow2_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"fleece/qcow2"
)

// parts are offsets in a file with bitmaps that Write made.
type parts struct{ l1, l2, refTable, refBlock, dir, table int64 }

func partsOf(m *memory) (p parts) {
	p.l1, p.refTable = m.get(40), m.get(48)
	p.refBlock = m.get(p.refTable)
	p.l2 = m.get(p.l1) & 0x00fffffffffffe00
	p.dir = m.get(112 + 8 + 16)
	p.table = m.get(p.dir)
	return p
}

func (m *memory) get(off int64) int64 { return int64(binary.BigEndian.Uint64(m.b[off:])) }

func (m *memory) set(off int64, v uint64) { binary.BigEndian.PutUint64(m.b[off:], v) }

func (m *memory) set16(off int64, v uint16) { binary.BigEndian.PutUint16(m.b[off:], v) }

func (m *memory) flip(off int64, bit uint) { m.set(off, uint64(m.get(off))^1<<bit) }

// damages are faults in an image of everything(16), and what Check counts.
var damages = []struct {
	name          string
	do            func(m *memory, p parts)
	errors, leaks int64
	// stricter says that qemu-img check finds nothing: there is a second use of
	// a cluster whose refcount allows it.
	stricter bool
}{
	// The copied flag stands for a refcount of 1: it is wrong as well.
	{"a refcount too low", func(m *memory, p parts) { m.set16(p.refBlock+2*last(m), 0) }, 2, 0, false},
	{"a refcount too high", func(m *memory, p parts) { m.set16(p.refBlock+2*last(m), 2) }, 1, 1, false},
	{"a cluster that nobody uses", func(m *memory, p parts) { m.set(p.l2, 0) }, 0, 1, false},
	{"an L2 table that nobody uses", func(m *memory, p parts) { m.set(p.l1, 0) }, 0, 10, false},
	{"an entry without the copied flag", func(m *memory, p parts) { m.flip(p.l2, 63) }, 1, 0, false},
	{"an L1 entry without the copied flag", func(m *memory, p parts) { m.flip(p.l1, 63) }, 1, 0, false},
	// The cluster is used twice, and its refcount is too low.
	{"data over data", func(m *memory, p parts) { m.set(p.l2, uint64(m.get(p.l2+5*8))) }, 2, 1, false},
	{"data over data, counted", func(m *memory, p parts) {
		other := m.get(p.l2 + 5*8)
		m.set16(p.refBlock+2*(m.get(p.l2)&0x00fffffffffffe00>>m.b[23]), 0)
		m.set16(p.refBlock+2*(other&0x00fffffffffffe00>>m.b[23]), 2)
		m.set(p.l2, uint64(other)&^(1<<63))
		m.flip(p.l2+5*8, 63)
	}, 1, 0, true},
	{"data over the refcount block", func(m *memory, p parts) { m.set(p.l2, uint64(p.refBlock)|1<<63) }, 2, 1, false},
	{"data beyond the end", func(m *memory, p parts) { m.set(p.l2, uint64(len(m.b)+1<<m.b[23])|1<<63) }, 1, 1, false},
	// It reaches into the next cluster, which is then used twice.
	{"data that is not aligned", func(m *memory, p parts) { m.set(p.l2, uint64(m.get(p.l2)+512)) }, 3, 0, false},
	{"reserved bits in L2", func(m *memory, p parts) { m.flip(p.l2, 60) }, 1, 0, false},
	{"reserved bits in L1", func(m *memory, p parts) { m.flip(p.l1, 60) }, 1, 0, false},
	{"a bitmap cluster over guest data", func(m *memory, p parts) { m.set(p.table, uint64(m.get(p.l2))&^(1<<63)) }, 2, 1, false},
}

// last is the number of the last cluster of the file.
func last(m *memory) int64 { return int64(len(m.b))>>m.b[23] - 1 }

func TestCheckFindsDamage(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			m := written(t, everything(16))
			d.do(m, partsOf(m))
			got, err := qcow2.Check(m, int64(len(m.b)))
			if err != nil {
				t.Fatal(err)
			}
			if got.ErrorCount != d.errors || got.LeakCount != d.leaks {
				t.Errorf("%d errors, %d leaks; want %d, %d: %v %v", got.ErrorCount, got.LeakCount, d.errors, d.leaks, got.Errors, got.Leaks)
			}
		})
	}
}

func TestCheckAgreesWithQemuImgOnDamage(t *testing.T) {
	needTool(t, "qemu-img")
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			m := written(t, everything(16))
			d.do(m, partsOf(m))
			c := askCheck(t, stored(t, m, "damaged.qcow2"))
			if found := c.Corruptions+c.Errors > 0; found != (d.errors > 0 && !d.stricter) || c.Leaks != d.leaks {
				t.Errorf("qemu-img: %+v; ours: %d errors, %d leaks", c, d.errors, d.leaks)
			}
		})
	}
}

func TestCheckReadsSharedTablesOnce(t *testing.T) {
	img := &qcow2.Image{Size: 1 << 30, ClusterBits: 9, Runs: []qcow2.Run{{Length: 512}}}
	m := written(t, img)
	p := partsOf(m)
	for i := int64(1); i < 1<<30/(512*64); i++ {
		m.set(p.l1+8*i, uint64(m.get(p.l1)))
	}
	report, err := qcow2.Check(m, int64(len(m.b)))
	if err != nil || report.ErrorCount < 1<<15-1 || len(report.Errors) != qcow2.ProblemsMax {
		t.Errorf("%v: %d errors, %d listed", err, report.ErrorCount, len(report.Errors))
	}
	_, err = qcow2.Open(m, int64(len(m.b)), qcow2.Options{})
	if !errors.Is(err, qcow2.ErrCorrupt) {
		t.Errorf("Open: %v", err)
	}
}

func TestProblemsNameTheBytes(t *testing.T) {
	m := written(t, everything(16))
	m.set16(partsOf(m).refBlock+2*last(m), 7)
	report, err := qcow2.Check(m, int64(len(m.b)))
	if err != nil || len(report.Leaks) != 1 {
		t.Fatal(report, err)
	}
	if got, want := report.Leaks[0].Offset, last(m)<<16; got != want {
		t.Errorf("leak at %d, want %d", got, want)
	}
}
