package conformance

import (
	"strings"
	"sync"
	"syscall"

	"fleece/conformance/oracle"
)

// guest is a domain's guest as the oracle knows it: every write is reported
// before it is issued and after it ended. The history is guarded by T.mu.
type guest struct {
	t       *T
	domain  string
	history *oracle.History
	memory  *oracle.Memory
	disks   []*oracle.Disk // in the order of the domain's disks
	random  random         // draws Scribble's ranges
}

func newGuest(t *T, d *Domain) *guest {
	m := memories.Get().(*oracle.Memory)
	g := &guest{t: t, domain: d.Name, memory: m, history: oracle.NewIn(m), random: random{t.env.Seed}}
	for _, k := range d.disks {
		g.disks = append(g.disks, g.history.AddDisk(k.Target, max(k.Size, oracle.SectorSize)))
	}
	return g
}

// memories keeps the memory of histories between runs.
var memories = sync.Pool{New: func() any { return new(oracle.Memory) }}

// close gives the history's memory back, when the run is over and nobody writes.
func (g *guest) close() {
	g.memory.Reset()
	memories.Put(g.memory)
	g.memory, g.history = nil, nil
}

// model is the oracle's disk of a target.
func (d *Domain) model(target string) *oracle.Disk {
	d.t.leaf.Lock()
	disks, models := d.disks, d.guest.disks
	d.t.leaf.Unlock()
	for i, k := range disks {
		if k.Target == target {
			return models[i]
		}
	}
	d.t.Broken("the spec names disk %q, which domain %s has not", target, d.Name)
	return nil
}

// Write is one guest write of stamped sectors, acknowledged when it returns.
// Offset and length are multiples of 512.
func (d *Domain) Write(target string, off, length int64) {
	if err := d.TryWrite(target, off, length); err != nil {
		d.t.Fail("the guest's write of %d bytes at %d of %s failed: %v", length, off, target, err)
	}
}

// TryWrite is Write for a spec in which the guest's writes may fail.
func (d *Domain) TryWrite(target string, off, length int64) error {
	t, device := d.t, d.disk(target).device
	if d.agent != nil {
		d.agent.enter()
		defer d.agent.leave()
	}
	t.mu.Lock()
	d.enter()
	w := d.model(target).Issue(off, length)
	t.mu.Unlock()
	err := t.env.Target.GuestWrite(d.Name, device, off, w.Data())
	t.mu.Lock()
	if err == nil {
		w.Ack()
	} else {
		w.Fail()
	}
	d.writing--
	t.noteChange()
	t.mu.Unlock()
	return err
}

// Scribble makes n guest writes at offsets and of lengths that follow from the
// run's seed: mostly small, some over many clusters, some at the disk's tail.
func (d *Domain) Scribble(target string, n int) {
	size := d.disk(target).Size
	for range n {
		off, length := d.guest.draw(size)
		d.Write(target, off, length)
	}
}

// ScribbleDespite is Scribble where a write may fail, but only with that error:
// a full target breaks guest writes that must be copied first (qemu-behaviour
// §5.8).
func (d *Domain) ScribbleDespite(errno syscall.Errno, target string, n int) {
	size := d.disk(target).Size
	for range n {
		off, length := d.guest.draw(size)
		d.WriteDespite(errno, target, off, length)
	}
}

// WriteDespite is Write where it may fail, but only with that error.
func (d *Domain) WriteDespite(errno syscall.Errno, target string, off, length int64) {
	err := d.TryWrite(target, off, length)
	if err != nil && !strings.Contains(strings.ToLower(err.Error()), errno.Error()) {
		d.t.Fail("the guest's write of %d bytes at %d of %s failed: %v", length, off, target, err)
	}
}

// scribbleLengthMax bounds one write of Scribble, in bytes.
const scribbleLengthMax = 192 << 10

// draw chooses a range of whole sectors on a disk.
func (g *guest) draw(size int64) (off, length int64) {
	g.t.mu.Lock()
	defer g.t.mu.Unlock()
	length = int64(1+g.random.below(8)) * oracle.SectorSize
	if g.random.below(4) == 0 {
		length = int64(1+g.random.below(scribbleLengthMax/oracle.SectorSize)) * oracle.SectorSize
	}
	length = min(length, size)
	sectors := uint64((size-length)/oracle.SectorSize) + 1
	off = int64(g.random.below(sectors)) * oracle.SectorSize
	if g.random.below(6) == 0 {
		off = size - length
	}
	return off, length
}

// random is a generator of the harness's own (splitmix64), seeded by the run.
type random struct{ state uint64 }

// below is a number in [0,n).
func (r *random) below(n uint64) uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return (z ^ (z >> 31)) % n
}

// begin and returned report an instant to the history.
func (g *guest) begin() *oracle.Instant {
	g.t.mu.Lock()
	defer g.t.mu.Unlock()
	return g.history.Begin()
}

func (g *guest) returned(i *oracle.Instant) {
	g.t.mu.Lock()
	i.Returned()
	g.t.mu.Unlock()
}

// judge asks the oracle and fails the run on a finding.
func (g *guest) judge(what string, at *oracle.Instant, e oracle.Evidence) {
	g.t.mu.Lock()
	finding, err := g.history.Check(at, e)
	g.t.mu.Unlock()
	if err != nil {
		g.t.Fail("%s cannot be read: %v", what, err)
	}
	if finding != nil {
		g.t.found(what, finding)
	}
}
