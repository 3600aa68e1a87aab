package qmp

import (
	"errors"
	"fmt"
	"io"

	"fleece/rt"
)

// ErrQueueFull is returned by Send when the peer has left too many messages
// unread.
var ErrQueueFull = errors.New("qmp: peer does not read")

// queueDefaultMessages bounds each direction of a pipe; far beyond any backlog
// of a peer that reads at all.
const queueDefaultMessages = 1 << 16

// PipeOptions say how a pipe behaves.
type PipeOptions struct {
	// Name is the stem of the names of its locks in traces: "qmp".
	Name string
	// Wire sends every message through bytes; otherwise trees are handed over.
	// Both refuse the same messages and pass the same choice points.
	Wire bool
	// Limit is the number of unread messages a direction may hold; the default
	// is 65536.
	Limit int
}

// PipeEnd is one end of a connection between two processes of a world.
type PipeEnd struct {
	in, out *pipeQueue
	wire    bool
	leaf    rt.Mutex // protects unbind: both sides of a client may close it
	unbind  func()
}

// pipeQueue is one direction. It is on the kernel's locks and so survives the
// processes at both ends.
type pipeQueue struct {
	mu    rt.Mutex
	cond  rt.Cond // signalled when a message comes or either side goes
	limit int

	// Below is protected by mu.
	messages   []Value
	head       int   // of the first unread message
	readerGone error // what the reader gets: ErrClosed or rt.ErrKilled
	writerGone error // what the writer gets
}

var _ Conn = (*PipeEnd)(nil)

// NewPipe makes a connection in a world. kernel is World.Kernel(), since the
// queue outlives its processes. Each Send and each Recv takes one lock.
func NewPipe(kernel rt.Runtime, opts PipeOptions) (a, b *PipeEnd) {
	if opts.Name == "" {
		opts.Name = "qmp"
	}
	if opts.Limit == 0 {
		opts.Limit = queueDefaultMessages
	}
	ab := newPipeQueue(kernel, opts.Name+"-ab", opts.Limit)
	ba := newPipeQueue(kernel, opts.Name+"-ba", opts.Limit)
	a = &PipeEnd{in: ba, out: ab, wire: opts.Wire, leaf: rt.NewLeafMutex(kernel, opts.Name+"-a")}
	b = &PipeEnd{in: ab, out: ba, wire: opts.Wire, leaf: rt.NewLeafMutex(kernel, opts.Name+"-b")}
	return a, b
}

func newPipeQueue(kernel rt.Runtime, name string, limit int) *pipeQueue {
	mu := kernel.NewMutex(name)
	return &pipeQueue{mu: mu, cond: kernel.NewCond(name, mu), limit: limit}
}

// Bind makes the end p's: when p is killed the end is closed as the kernel closes
// the sockets of a dead process. The peer reads what was sent, then io.EOF; this
// end answers rt.ErrKilled. Bind before p uses the end.
func (e *PipeEnd) Bind(p rt.Process) {
	e.unbound(p.OnKill(func() { e.shut(rt.ErrKilled) }))
}

// unbound puts another unbind in place and calls the old one.
func (e *PipeEnd) unbound(next func()) {
	e.leaf.Lock()
	old := e.unbind
	e.unbind = next
	e.leaf.Unlock()
	if old != nil {
		old()
	}
}

// Send queues m for the peer. It fails with ErrNotWire for a message that bytes
// could not carry, io.EOF when the peer is gone, ErrClosed after Close.
func (e *PipeEnd) Send(m Value) error {
	m, err := e.passed(m)
	if err != nil {
		return err
	}
	q := e.out
	q.mu.Lock()
	err = q.put(m)
	q.mu.Unlock()
	if err == nil {
		q.cond.Signal()
	}
	return err
}

// passed returns m as the peer will read it.
func (e *PipeEnd) passed(m Value) (Value, error) {
	if !e.wire {
		return wireForm(m)
	}
	return throughBytes(m)
}

// put runs with mu held.
func (q *pipeQueue) put(m Value) error {
	switch {
	case q.writerGone != nil:
		return q.writerGone
	case q.readerGone != nil:
		return fmt.Errorf("qmp: peer is gone: %w", io.EOF)
	case len(q.messages)-q.head >= q.limit:
		return fmt.Errorf("%w: %d messages wait", ErrQueueFull, q.limit)
	}
	if q.head > 0 && len(q.messages) == cap(q.messages) {
		n := copy(q.messages, q.messages[q.head:])
		clear(q.messages[n:])
		q.messages, q.head = q.messages[:n], 0
	}
	q.messages = append(q.messages, m)
	return nil
}

// Recv waits for the next message. When the peer is gone it returns what the peer
// had sent, then io.EOF.
func (e *PipeEnd) Recv() (Value, error) {
	q := e.in
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		switch {
		case q.readerGone != nil:
			return Value{}, q.readerGone
		case q.head < len(q.messages):
			m := q.messages[q.head]
			q.messages[q.head] = Value{}
			q.head++
			return m, nil
		case q.writerGone != nil:
			return Value{}, io.EOF
		}
		q.cond.Wait()
	}
}

// PeerGone reports whether the other end is closed; messages may still wait. A
// server uses it to drop commands that were written just before the client left.
func (e *PipeEnd) PeerGone() bool {
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	return e.in.writerGone != nil
}

// Close ends both directions for both sides. What was sent can still be read by
// the peer; what was not read here is lost. Closing twice is no error.
func (e *PipeEnd) Close() error {
	e.unbound(nil)
	e.shut(ErrClosed)
	return nil
}

// shut ends both directions, what leaves first: a task that the end of its Recv
// wakes must find Send shut, or a dead process would still be heard.
func (e *PipeEnd) shut(why error) {
	e.out.mu.Lock()
	if e.out.writerGone == nil {
		e.out.writerGone = why
	}
	e.out.mu.Unlock()
	e.out.cond.Broadcast()
	e.in.mu.Lock()
	if e.in.readerGone == nil {
		e.in.readerGone = why
		e.in.messages, e.in.head = nil, 0
	}
	e.in.mu.Unlock()
	e.in.cond.Broadcast()
}
