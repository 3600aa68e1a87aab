package qmpfake

import (
	"io"

	"fleece/qmp"
	"fleece/rt"
	"fleece/sim"
)

// Limits of what a client of a port leaves unread, in bytes.
const (
	// unreadBytesHigh is where no more of its commands are executed.
	unreadBytesHigh = 1 << 20
	// unreadBytesMax is where the client is cut off: events come unasked. A reply
	// may be as long as it is; QEMU's longest is its schema.
	unreadBytesMax = 64 << 20
)

// Output is where a port's bytes go. Its methods must queue and return; they are
// called with locks of the machine held.
type Output interface {
	// Write sends to the client. The bytes are the callee's only during the call.
	Write(port int, data []byte)
	// Taken says that everything of the last Feed has been dealt with, and that
	// Feed may be called again.
	Taken(port int)
	// Full asks for a call of Drained as soon as all that was written is read.
	Full(port int)
	// Closed ends the session after what was written; Connect may be called again.
	Closed(port int)
}

// Port is a monitor on a socket chardev whose client is outside of the world: bytes
// come in by Feed and go out to an Output. It serves one client after the other;
// what a client leaves behind, unfinished input and unread output, goes with it
// (§1.1, {04}).
//
// Connect, Feed, EOF, Hangup and Drained are calls of what stands for the outside;
// they do not block.
type Port struct {
	n   int
	m   *sim.Machine
	out Output

	mu      rt.Mutex
	changed rt.Cond // one of those below

	// Below is protected by mu.
	connected bool
	fed       bool // bytes are with the decoder that were not Taken
	eof       bool // nothing will come behind what was fed
	gone      bool // the client has left, or was cut off
	closed    bool // the machine has ended the session
	unread    int  // bytes written since the last Drained
	asked     bool // Full was called since then
	decoder   *qmp.Decoder
	buf       []byte
}

var _ qmp.Conn = (*Port)(nil)

// NewPort makes the n-th port of a machine and serves it in a task of the machine's
// process p until the machine is gone; then it calls done.
func NewPort(p rt.Process, m *sim.Machine, n int, out Output, done func()) *Port {
	c := &Port{n: n, m: m, out: out}
	c.mu = p.NewMutex("qmp-port")
	c.changed = p.NewCond("qmp-port", c.mu)
	p.Go("qmp", func() {
		for !m.Gone() {
			c.await()
			Serve(m, c)
			c.end()
		}
		done()
	})
	return c
}

// await waits for a client.
func (c *Port) await() {
	c.mu.Lock()
	for !c.connected {
		c.changed.Wait()
	}
	c.mu.Unlock()
}

// end makes the port ready for the next client.
func (c *Port) end() {
	c.mu.Lock()
	c.connected, c.decoder = false, nil
	c.mu.Unlock()
	c.out.Closed(c.n)
}

// Connect says that a client is there. The one before must be Closed.
func (c *Port) Connect() {
	c.mu.Lock()
	c.connected, c.decoder = true, qmp.NewFeedDecoder()
	c.fed, c.eof, c.gone, c.closed, c.asked, c.unread = false, false, false, false, false, 0
	c.mu.Unlock()
	c.changed.Signal()
}

// change runs f for a client that is connected, and wakes the port.
func (c *Port) change(f func()) {
	c.mu.Lock()
	connected := c.connected
	if connected {
		f()
	}
	c.mu.Unlock()
	if connected {
		c.changed.Signal()
	}
}

// Feed brings bytes of the client, which must stay as they are until Taken.
func (c *Port) Feed(data []byte) {
	c.change(func() {
		c.decoder.Feed(data)
		c.fed = true
	})
}

// EOF says that the client will write no more, but may read: the session ends when
// everything has been dealt with.
func (c *Port) EOF() { c.change(func() { c.eof = true }) }

// Hangup says that the client has left.
func (c *Port) Hangup() { c.change(func() { c.gone = true }) }

// Drained says that the client has read everything.
func (c *Port) Drained() { c.change(func() { c.unread, c.asked = 0, false }) }

// PeerGone reports whether the client has left; its commands may still wait.
func (c *Port) PeerGone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone
}

// Recv waits for the next message of the client.
func (c *Port) Recv() (qmp.Value, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return qmp.Value{}, qmp.ErrClosed
		case c.gone:
			return qmp.Value{}, io.EOF
		case c.unread > unreadBytesHigh:
		default:
			v, ok, err := c.decoder.Take()
			if ok {
				return v, err
			}
			if c.fed {
				c.fed = false
				c.out.Taken(c.n)
			}
			if c.eof {
				return qmp.Value{}, io.EOF
			}
		}
		c.changed.Wait()
	}
}

// Send writes a message as QEMU does. A client that leaves too much unread is cut
// off.
func (c *Port) Send(m qmp.Value) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || c.closed {
		return io.EOF
	}
	c.buf = append(qmp.Append(c.buf[:0], m), "\r\n"...)
	if c.unread > unreadBytesHigh && c.unread+len(c.buf) > unreadBytesMax {
		c.gone = true
		c.changed.Signal()
		return qmp.ErrQueueFull
	}
	c.unread += len(c.buf)
	c.out.Write(c.n, c.buf)
	if cap(c.buf) > unreadBytesHigh {
		c.buf = nil
	}
	if c.unread > unreadBytesHigh && !c.asked {
		c.asked = true
		c.out.Full(c.n)
	}
	return nil
}

// Close ends the session from the machine's side.
func (c *Port) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.changed.Signal()
	return nil
}
