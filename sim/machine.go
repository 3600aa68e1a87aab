package sim

import (
	"errors"
	"fmt"
	"time"

	"fleece/host"
	"fleece/machine"
	"fleece/qmp"
	"fleece/rt"
)

// uuidNone is what a machine without a UUID shows.
const uuidNone = "00000000-0000-0000-0000-000000000000"

// sectorSize is the unit of guest I/O.
const sectorSize = 512

// Crash says what the machine does where the real binary dies (§11).
type Crash int

const (
	// CrashAnswers replies with an error.
	CrashAnswers Crash = iota
	// CrashDies kills the process, as the real binary's signal does.
	CrashDies
)

// Options of a machine.
type Options struct {
	// Version is Version72 by default.
	Version Version
	// Crash is CrashAnswers by default.
	Crash Crash
	// Schema checks arguments. It is immutable and may be shared; the default
	// is to load QEMU 7.2's, which costs more than a whole backup.
	Schema *qmp.Schema
	// ChunkTime is how long a job takes to copy 1 MiB. The default is a
	// millisecond, about the 1 GiB/s of §5.4.
	ChunkTime time.Duration
	// Chardevs are the sockets that connected to who listened, by id: monitors that
	// QEMU was started with.
	Chardevs []string
	// CreateTime tells how long the blockdev-create job of an id is to take, where that
	// is longer than usual. It is called with the machine's lock held.
	CreateTime func(id string) time.Duration
	// Output receives what the real binary prints on its stdout: the results of
	// qemu-io (§10). The default is to drop it. It is called with the machine's
	// lock held and must not call back.
	Output func(line string)
	// Crashed is called where the real binary would crash or hang (§11), with the
	// machine's lock held: who compares with it must not send this command there.
	Crashed func()
}

// Machine is a running QEMU. Its methods may be called by any task of its process.
type Machine struct {
	p      rt.Process
	host   host.Host
	opts   Options
	schema *qmp.Schema

	// mu is QEMU's big lock. A command holds it, but lets go while it waits for
	// I/O; executing keeps other commands out meanwhile (§1.1).
	mu        rt.Mutex
	commands  rt.Cond // executing became false
	io        rt.Cond // inflight, guestIO or drains changed, or a chunk ended
	executing bool

	// All below is protected by mu.
	nodes                []*node // oldest first
	devices              []*device
	unnamed              int // devices without an id so far
	objects              []object
	guestName, guestUUID string
	memory               int64 // bytes, 0 if nobody said
	migration            migration
	afterReply           []func() // what comes after the reply of the command that runs
	jobs                 []*job   // oldest first
	exports              []*export
	nbd                  *nbdServer // nil if none runs
	monitors             []*Monitor
	state                runState
	hasRun               bool // the guest's clock has gone on
	drains               int  // nested drained sections over the whole graph
	inflight             int  // chunks of jobs
	guestIO              int  // requests of devices
	heldWrites           int  // those that change something and wait for a section to end
	nodeIDs              int  // counter of generated node names
	gone                 bool
	// Memory that is used again: for readFull, for loading metadata, for chunks.
	full, meta, chunks reader
	images             imageMemory
}

// ErrGone is returned for I/O of a machine that has quit.
var ErrGone = errors.New("machine has quit")

// New builds the machine that spec describes. Errors are what the real binary
// prints before it exits.
func New(p rt.Process, h host.Host, spec machine.Spec, opts Options) (*Machine, error) {
	m := &Machine{p: p, host: h, guestName: spec.Name, guestUUID: spec.UUID, memory: spec.MemoryKiB << 10, opts: opts, schema: opts.Schema, state: stateRunning}
	if m.schema == nil {
		s, err := qmp.LoadSchema()
		if err != nil {
			return nil, fmt.Errorf("sim: %w", err)
		}
		m.schema = s
	}
	if m.opts.Version.Major == 0 {
		m.opts.Version = Version72()
	}
	if m.opts.ChunkTime == 0 {
		m.opts.ChunkTime = chunkTimeDefault
	}
	if m.guestUUID == "" {
		m.guestUUID = uuidNone
	}
	if m.hasRun = !spec.Paused; spec.Paused {
		m.state = statePrelaunch
	}
	m.mu = p.NewMutex("qemu-lock")
	m.commands = p.NewCond("qemu-commands", m.mu)
	m.io = p.NewCond("qemu-io", m.mu)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.build(spec); err != nil {
		m.closeAll()
		return nil, err
	}
	return m, nil
}

func (m *Machine) build(spec machine.Spec) error {
	for i := range spec.Nodes {
		cmd := qmp.Command{Name: "blockdev-add", Args: spec.Nodes[i]}
		err := m.schema.Check(cmd)
		if err == nil {
			err = m.blockdevAdd(spec.Nodes[i])
		}
		if err != nil {
			return fmt.Errorf("qemu-system-x86_64: -blockdev %v: %s", spec.Nodes[i], err.Desc)
		}
	}
	for i := range spec.Channels {
		if err := m.openChannel(&spec.Channels[i]); err != nil {
			return err
		}
	}
	for i := range spec.Devices {
		model, _ := modelOf(spec.Devices[i].Driver)
		if err := m.addDevice(specOfDevice(&spec.Devices[i]), model); err != nil {
			return fmt.Errorf("qemu-system-x86_64: -device %s,drive=%s,id=%s: %s",
				spec.Devices[i].Driver, spec.Devices[i].Drive, spec.Devices[i].ID, err.Desc)
		}
	}
	return nil
}

// Process is the process that the machine runs in.
func (m *Machine) Process() rt.Process { return m.p }

// Gone reports whether the machine has quit.
func (m *Machine) Gone() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gone
}

// die is what happens where the real binary crashes (§11).
func (m *Machine) die(desc string) *qmp.ReplyError {
	if m.opts.Crashed != nil {
		m.opts.Crashed()
	}
	if m.opts.Crash == CrashDies {
		// Not by this task, which would unwind with the machine's lock in its hand.
		m.p.Go("crash", m.p.Kill)
		for {
			m.io.Wait()
		}
	}
	return qmp.Generic(desc)
}

// hang is what happens where the real binary never answers again (§11).
func (m *Machine) hang() {
	if m.opts.Crashed != nil {
		m.opts.Crashed()
	}
	for m.opts.Crash == CrashDies {
		m.io.Wait() // executing stays set: no command is served any more
	}
}

func (m *Machine) print(line string) {
	if m.opts.Output != nil {
		m.opts.Output(line)
	}
}

// closeAll closes every node in the order of QEMU's shutdown: users go first, then
// whoever has no parents any more. Errors are dropped, as QEMU drops them.
func (m *Machine) closeAll() {
	for _, d := range m.devices {
		if d.root != nil {
			_ = d.root.detach()
			d.root = nil
		}
	}
	for len(m.nodes) > 0 {
		n := m.lastRoot()
		n.owned = false
		_ = m.closeNode(n)
	}
}

// lastRoot is the youngest node without parents.
func (m *Machine) lastRoot() *node {
	for i := len(m.nodes) - 1; i >= 0; i-- {
		if len(m.nodes[i].parents) == 0 {
			return m.nodes[i]
		}
	}
	n := m.nodes[len(m.nodes)-1]
	n.parents = nil // a user that outlived its job; cannot happen
	return n
}
