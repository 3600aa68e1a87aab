package socket

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"fleece/qmpfake/session"
)

const (
	// flushBytes is how much output is gathered before it is written.
	flushBytes = 64 << 10
	// closeGrace is how long output of a session that has ended may take to leave.
	closeGrace = time.Second
)

// stream is what a client is connected by.
type stream interface {
	net.Conn
	syscall.Conn
}

// client is a connection to a monitor, from accept to close.
type client struct {
	s       *Server
	monitor int
	conn    stream
	raw     syscall.RawConn
	reader  *reader
	ended   chan struct{} // closed when the session is over and the connection closed

	// gathered belongs to the goroutine of the world.
	gathered []byte

	mu sync.Mutex
	// Below is protected by mu.
	more    sync.Cond // pending or closing changed
	pending []byte    // what the socket did not take at once; the writer's
	writing bool      // the writer has bytes in hand
	full    bool      // the session wants to know when all has left
	closing bool      // nothing more will be written
	broken  bool      // the socket takes nothing more
}

func newClient(s *Server, monitor int, conn stream) (*client, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	c := &client{s: s, monitor: monitor, conn: conn, raw: raw, ended: make(chan struct{})}
	c.more.L = &c.mu
	c.reader = newReader(c)
	return c, nil
}

// write takes output of the session; it does not block.
func (c *client) write(data []byte) {
	c.gathered = append(c.gathered, data...)
	if len(c.gathered) >= flushBytes {
		c.flush()
	}
}

// flush hands what was gathered to the socket, and to the writer what the socket
// does not take at once.
func (c *client) flush() {
	if len(c.gathered) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	rest := c.gathered
	if len(c.pending) == 0 && !c.writing && !c.broken {
		if rest = c.tryWrite(rest); c.broken {
			c.s.push(c, session.Input{Kind: session.Hangup})
		}
	}
	if !c.broken && len(rest) > 0 {
		c.pending = append(c.pending, rest...)
		c.more.Signal()
	}
	c.gathered = c.gathered[:0]
	if cap(c.gathered) > 4*flushBytes {
		c.gathered = nil
	}
}

// tryWrite writes as much as the socket takes at once, and returns the rest.
func (c *client) tryWrite(data []byte) (rest []byte) {
	err := c.raw.Write(func(fd uintptr) bool {
		for len(data) > 0 {
			n, err := rawWrite(fd, data)
			switch {
			case n > 0:
				data = data[n:]
			case errors.Is(err, syscall.EINTR):
			case errors.Is(err, syscall.EAGAIN):
				return true
			default:
				c.broken = true
				return true
			}
		}
		return true
	})
	c.broken = c.broken || err != nil
	return data
}

// wantDrained asks for an input when all output has left.
func (c *client) wantDrained() {
	c.mu.Lock()
	c.full = true
	c.mu.Unlock()
}

// drained gives the input that was asked for, if all output has left. It is called
// with what was gathered flushed.
func (c *client) drained() {
	c.mu.Lock()
	tell := c.full && len(c.pending) == 0 && !c.writing && !c.broken
	if tell {
		c.full = false
	}
	c.mu.Unlock()
	if tell {
		c.s.push(c, session.Input{Kind: session.Drained})
	}
}

// writeRest is the goroutine that writes what the socket did not take at once, and
// closes the connection when the session is over.
func (c *client) writeRest() {
	for {
		data, over := c.next()
		if over {
			break
		}
		_, err := c.conn.Write(data)
		c.mu.Lock()
		c.writing = false
		if err != nil {
			c.broken, c.pending = true, nil
		}
		c.mu.Unlock()
		if err != nil {
			c.s.push(c, session.Input{Kind: session.Hangup})
			continue
		}
		c.drained()
	}
	_ = c.conn.Close()
	close(c.ended)
}

// next waits for something to write.
func (c *client) next() (data []byte, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.pending) == 0 && !c.closing {
		c.more.Wait()
	}
	if len(c.pending) == 0 || c.broken {
		return nil, c.closing
	}
	data, c.pending, c.writing = c.pending, nil, true
	return data, false
}

// end closes the connection when what was flushed has left, or after closeGrace. Any
// goroutine may call it.
func (c *client) end() {
	_ = c.conn.SetDeadline(time.Now().Add(closeGrace))
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	c.more.Signal()
	c.reader.end()
}
