package qmp

import (
	"errors"
	"fmt"

	"fleece/rt"
)

// ErrProtocol is wrapped by the error of a monitor whose peer does not speak QMP.
var ErrProtocol = errors.New("qmp: protocol violated")

// pendingCommandsMax bounds the commands of one monitor that wait for a reply.
const pendingCommandsMax = 1024

// MonitorOptions name a monitor and say who hears of events.
type MonitorOptions struct {
	// Name is the stem of the names of its task and locks; the default is "qmp".
	Name string
	// OnEvent gets every event, in order, in the reader task. It holds no lock
	// of the monitor and must not block: while it runs no reply is delivered.
	OnEvent func(Event)
	// OnClose is called once, in the reader task, after the last event: with
	// the reason why the connection ended (io.EOF when the peer went away).
	OnClose func(error)
}

// Monitor is a QMP client. Several tasks may Run commands at once; each gets the
// reply with its own id. There are no time-outs: QEMU may take as long as it
// likes, as with libvirt.
type Monitor struct {
	r    rt.Runtime
	conn Conn
	opts MonitorOptions
	mu   rt.Mutex

	// Below is protected by mu.
	nextID uint64
	slots  []*slot // of commands that wait, and free ones for reuse
	dead   error   // why the connection ended; nil while it lives
}

// slot is where one command waits for its reply. Slots are reused, lowest first,
// so that the names of their conditions are stable.
type slot struct {
	cond  rt.Cond
	id    uint64 // of the command; 0 if the slot is free
	done  bool
	reply Value // when done
	err   error // when done: the connection ended first
}

// NewMonitor makes a monitor on a fresh connection. Nothing is read or sent
// before Negotiate.
func NewMonitor(r rt.Runtime, c Conn, opts MonitorOptions) *Monitor {
	if opts.Name == "" {
		opts.Name = "qmp"
	}
	return &Monitor{r: r, conn: c, opts: opts, mu: r.NewMutex(opts.Name)}
}

// Negotiate reads the greeting, starts the reader task and sends
// qmp_capabilities. Events that come before its reply go to OnEvent. It is
// called once, before the first Run.
func (m *Monitor) Negotiate() (Greeting, error) {
	first, err := m.conn.Recv()
	if err != nil {
		return Greeting{}, fmt.Errorf("qmp: waiting for the greeting: %w", err)
	}
	greeting, ok := ParseGreeting(first)
	if !ok {
		return Greeting{}, fmt.Errorf("%w: %v instead of a greeting", ErrProtocol, first)
	}
	m.r.Go(m.opts.Name+"-reader", m.readAll)
	_, err = m.Run(Command{Name: "qmp_capabilities"})
	return greeting, err
}

// Run sends a command and waits for its reply. An error reply is a
// *CommandError. If the connection ended, the error wraps the reason: io.EOF,
// ErrClosed, or rt.ErrKilled; whether QEMU executed the command is then unknown.
func (m *Monitor) Run(cmd Command) (Value, error) {
	s, id, err := m.enter()
	if err != nil {
		return Value{}, lost(cmd, err)
	}
	if err := m.conn.Send(cmd.Message(Int(int64(id)))); err != nil {
		m.leave(s)
		return Value{}, lost(cmd, err)
	}
	m.mu.Lock()
	for !s.done {
		s.cond.Wait()
	}
	reply, err := s.reply, s.err
	s.free()
	m.mu.Unlock()
	if err != nil {
		return Value{}, lost(cmd, err)
	}
	return replyResult(cmd.Name, reply)
}

// Close ends the connection: commands that wait fail with ErrClosed. It does not
// wait for the reader task.
func (m *Monitor) Close() error { return m.conn.Close() }

func lost(cmd Command, err error) error {
	return fmt.Errorf("qmp: no reply to %s: %w", cmd.Name, err)
}

// enter takes a slot for a new command.
func (m *Monitor) enter() (*slot, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead != nil {
		return nil, 0, m.dead
	}
	s := m.freeSlot()
	if s == nil {
		return nil, 0, fmt.Errorf("%d commands wait already: %w", pendingCommandsMax, ErrQueueFull)
	}
	m.nextID++
	s.id = m.nextID
	return s, s.id, nil
}

// freeSlot runs with mu held; nil when there are too many.
func (m *Monitor) freeSlot() *slot {
	for _, s := range m.slots {
		if s.id == 0 {
			return s
		}
	}
	if len(m.slots) == pendingCommandsMax {
		return nil
	}
	s := &slot{cond: m.r.NewCond(fmt.Sprintf("%s-reply-%d", m.opts.Name, len(m.slots)), m.mu)}
	m.slots = append(m.slots, s)
	return s
}

// leave gives up a slot whose command was not sent.
func (m *Monitor) leave(s *slot) {
	m.mu.Lock()
	s.free()
	m.mu.Unlock()
}

// free runs with the monitor's mu held.
func (s *slot) free() { s.id, s.done, s.reply, s.err = 0, false, Value{}, nil }

// readAll is the reader task.
func (m *Monitor) readAll() {
	for {
		message, err := m.conn.Recv()
		if err == nil {
			err = m.dispatch(message)
		}
		if err != nil {
			m.die(err)
			return
		}
	}
}

// dispatch hands one message to whom it belongs.
func (m *Monitor) dispatch(message Value) error {
	if e, ok := ParseEvent(message); ok {
		if m.opts.OnEvent != nil {
			m.opts.OnEvent(e)
		}
		return nil
	}
	if !isReply(message) {
		m.r.Note("qmp-unknown", m.opts.Name, message)
		return nil
	}
	if failed := message.Get("error"); failed.Present() && !message.Get("id").Present() {
		// Every command of ours has an id, so QEMU could not read one of them
		// and will never answer it. Waiting on would hang its caller.
		return fmt.Errorf("%w: error without id: %s", ErrProtocol, failed.Get("desc").S())
	}
	m.deliver(message)
	return nil
}

// deliver gives a reply to the command with its id. One that nobody waits for is
// noted and dropped; it never answers another command.
func (m *Monitor) deliver(message Value) {
	id := commandID(message.Get("id"))
	m.mu.Lock()
	s := m.waiting(id)
	if s != nil {
		s.reply, s.done = message, true
	}
	m.mu.Unlock()
	if s == nil {
		m.r.Note("qmp-late-reply", m.opts.Name, message)
		return
	}
	s.cond.Signal()
}

// waiting runs with mu held.
func (m *Monitor) waiting(id uint64) *slot {
	for _, s := range m.slots {
		if s.id == id && id != 0 && !s.done {
			return s
		}
	}
	return nil
}

// die fails whatever waits, and everything after it, with the reason.
func (m *Monitor) die(reason error) {
	_ = m.conn.Close()
	m.mu.Lock()
	m.dead = reason
	var failed []*slot
	for _, s := range m.slots {
		if s.id != 0 && !s.done {
			s.err, s.done = reason, true
			failed = append(failed, s)
		}
	}
	m.mu.Unlock()
	for _, s := range failed {
		s.cond.Signal()
	}
	if m.opts.OnClose != nil {
		m.opts.OnClose(reason)
	}
}
