// Package qmpnet is QMP over real sockets: a qmp.Conn on a byte stream.
//
// It lives outside of worlds: it uses goroutines, locks of package sync and
// deadlines, and blocks in reads and writes. Code that runs in a world gets its
// connections as qmp.Conn and cannot tell.
//
// The property it keeps: Send never waits for the peer, messages leave in the
// order of Send, and Close ends every call that waits.
package qmpnet

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"fleece/qmp"
	"fleece/rt"
)

const (
	// queueBytesMax bounds what a peer may leave unread.
	queueBytesMax = 64 << 20
	// closeGrace is how long Close lets queued messages leave.
	closeGrace = time.Second
)

// Conn is a QMP connection on a byte stream. Use New.
type Conn struct {
	stream  io.ReadWriteCloser
	decoder *qmp.Decoder
	reading sync.Mutex    // held by the one Recv that reads
	written chan struct{} // closed when the writer has ended

	mu    sync.Mutex
	more  sync.Cond
	queue []byte // not handed to the writer yet
	// over is why nothing more can be sent: ErrClosed, rt.ErrKilled, or what
	// the stream said; nil while the connection lives.
	over   error
	unbind func()
}

var _ qmp.Conn = (*Conn)(nil)

// New makes a connection of a stream, for example a net.Conn, and owns it.
func New(stream io.ReadWriteCloser) *Conn {
	c := &Conn{stream: stream, decoder: qmp.NewDecoder(stream), written: make(chan struct{})}
	c.more.L = &c.mu
	go c.write()
	return c
}

// Dial connects to a QMP server: network "unix" or "tcp".
func Dial(network, address string) (*Conn, error) {
	stream, err := net.Dial(network, address)
	if err != nil {
		return nil, fmt.Errorf("qmp: %w", err)
	}
	return New(stream), nil
}

// Bind makes the connection p's: it is cut when p is killed, and answers
// rt.ErrKilled from then on.
func (c *Conn) Bind(p rt.Process) {
	cancel := p.OnKill(func() {
		c.end(rt.ErrKilled)
		_ = c.stream.Close()
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unbind = cancel
}

// Send queues a message. It fails with qmp.ErrNotWire, qmp.ErrQueueFull, and when
// the connection is over.
func (c *Conn) Send(m qmp.Value) error {
	if err := qmp.CheckWire(m); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over != nil {
		return c.over
	}
	if len(c.queue) > queueBytesMax {
		return fmt.Errorf("%w: %d bytes wait", qmp.ErrQueueFull, len(c.queue))
	}
	c.queue = append(qmp.Append(c.queue, m), "\r\n"...)
	c.more.Signal()
	return nil
}

// Recv reads the next message. A *qmp.SyntaxError is not the end: a server
// answers it and reads on.
func (c *Conn) Recv() (qmp.Value, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	m, err := c.decoder.Next()
	var syntax *qmp.SyntaxError
	if err == nil || errors.As(err, &syntax) {
		return m, err
	}
	c.end(lost(err))
	c.mu.Lock()
	defer c.mu.Unlock()
	return qmp.Value{}, c.over
}

// Close lets queued messages leave for a second at most and ends the connection.
func (c *Conn) Close() error {
	c.end(qmp.ErrClosed)
	timer := time.NewTimer(closeGrace)
	defer timer.Stop()
	select {
	case <-c.written:
	case <-timer.C:
	}
	_ = c.stream.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unbind != nil {
		c.unbind()
		c.unbind = nil
	}
	return nil
}

// end notes why the connection is over; the first reason counts.
func (c *Conn) end(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over == nil {
		c.over = why
	}
	c.more.Broadcast()
}

// write is the goroutine that hands queued messages to the stream.
func (c *Conn) write() {
	defer close(c.written)
	for {
		data := c.next()
		if data == nil {
			return
		}
		if _, err := c.stream.Write(data); err != nil {
			c.end(lost(err))
			return
		}
	}
}

// next waits for something to write; nil when there is nothing more.
func (c *Conn) next() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) == 0 && c.over == nil {
		c.more.Wait()
	}
	if c.over != nil && !errors.Is(c.over, qmp.ErrClosed) {
		return nil
	}
	data := c.queue
	c.queue = nil
	return data
}

// lost wraps io.EOF around what a stream says whose peer went away without
// reading everything.
func lost(err error) error {
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		return fmt.Errorf("qmp: %w (%w)", io.EOF, err)
	}
	return err
}
