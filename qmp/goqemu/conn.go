package goqemu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	api "github.com/digitalocean/go-qemu/qmp"

	"fleece/qmp"
)

// connQueueMax bounds the commands, and the replies and events, that wait.
const connQueueMax = 1 << 16

// Conn is a qmp.Conn on a monitor of go-qemu that its owner has connected. It
// greets, answers qmp_capabilities itself, and passes every other command to
// Run, one after the other.
//
// What go-qemu does not tell cannot be had back: the class of an error is
// GenericError, and an event and a reply that came close together may change
// places.
type Conn struct {
	monitor api.Monitor
	cancel  context.CancelFunc

	mu       sync.Mutex
	changed  sync.Cond
	commands []qmp.Value
	messages []qmp.Value // to be received
	over     error       // why nothing more is received after messages
	closed   bool
}

var _ qmp.Conn = (*Conn)(nil)

// NewConn makes a connection of a connected monitor and owns it from now on. It
// asks QEMU for its version, which the greeting tells.
func NewConn(monitor api.Monitor) (*Conn, error) {
	reply, err := monitor.Run(qmp.Encode(qmp.Dict(qmp.M("execute", qmp.Str("query-version")))))
	if err != nil {
		return nil, fmt.Errorf("goqemu: asking for the version: %w", err)
	}
	version, err := qmp.Decode(reply)
	if err != nil {
		return nil, fmt.Errorf("goqemu: asking for the version: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	events, err := monitor.Events(ctx)
	if err != nil && !errors.Is(err, api.ErrEventsNotSupported) {
		cancel()
		return nil, fmt.Errorf("goqemu: asking for events: %w", err)
	}
	greeting := qmp.Dict(qmp.M("QMP", qmp.Dict(qmp.M("version", version.Get("return")), qmp.M("capabilities", qmp.List()))))
	c := &Conn{monitor: monitor, cancel: cancel, messages: []qmp.Value{greeting}}
	c.changed.L = &c.mu
	go c.runCommands()
	if events != nil {
		go c.passEvents(events)
	}
	return c, nil
}

// Send queues a command.
func (c *Conn) Send(m qmp.Value) error {
	if err := qmp.CheckWire(m); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return qmp.ErrClosed
	case c.over != nil:
		return c.over
	case len(c.commands) >= connQueueMax:
		return qmp.ErrQueueFull
	}
	c.commands = append(c.commands, m)
	c.changed.Broadcast()
	return nil
}

// Recv returns the next reply or event.
func (c *Conn) Recv() (qmp.Value, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return qmp.Value{}, qmp.ErrClosed
		case len(c.messages) > 0:
			m := c.messages[0]
			c.messages = c.messages[1:]
			return m, nil
		case c.over != nil:
			return qmp.Value{}, c.over
		}
		c.changed.Wait()
	}
}

// Close disconnects the monitor. It does not wait for a Disconnect that hangs, as
// that of go-qemu's SocketMonitor may.
func (c *Conn) Close() error {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	c.changed.Broadcast()
	c.mu.Unlock()
	if again {
		return nil
	}
	c.cancel()
	go func() { _ = c.monitor.Disconnect() }()
	return nil
}

// arrive queues a message to be received.
func (c *Conn) arrive(m qmp.Value) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.messages) >= connQueueMax && c.over == nil {
		c.over = qmp.ErrQueueFull
	}
	if c.over == nil {
		c.messages = append(c.messages, m)
	}
	c.changed.Broadcast()
}

func (c *Conn) end(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over == nil {
		c.over = why
	}
	c.changed.Broadcast()
}

// nextCommand waits for a command; ok is false at the end.
func (c *Conn) nextCommand() (m qmp.Value, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.commands) == 0 && !c.closed && c.over == nil {
		c.changed.Wait()
	}
	if c.closed || c.over != nil {
		return qmp.Value{}, false
	}
	m = c.commands[0]
	c.commands = c.commands[1:]
	return m, true
}

// runCommands is the goroutine that runs commands in order.
func (c *Conn) runCommands() {
	for {
		m, ok := c.nextCommand()
		if !ok {
			return
		}
		id := m.Get("id")
		if m.Get("execute").S() == "qmp_capabilities" {
			c.arrive(qmp.Return(qmp.Dict(), id))
			continue
		}
		out, err := c.monitor.Run(qmp.Encode(m.With("id", qmp.Value{})))
		reply, err := replyOf(out, err, id)
		if err != nil {
			c.end(err)
			return
		}
		c.arrive(reply)
	}
}

// replyOf makes a reply of what Run returned; the error is the connection's.
func replyOf(out []byte, err error, id qmp.Value) (qmp.Value, error) {
	if err != nil {
		if lost(err) {
			return qmp.Value{}, fmt.Errorf("%w (%w)", io.EOF, err)
		}
		failure := qmp.ReplyError{Class: qmp.GenericError, Desc: err.Error()}
		var told *qmp.CommandError
		if errors.As(err, &told) {
			failure = qmp.ReplyError{Class: told.Class, Desc: told.Desc}
		}
		return failure.Message(id), nil
	}
	reply, err := qmp.Decode(out)
	if err != nil {
		return qmp.Value{}, fmt.Errorf("%w: reply %q: %w", qmp.ErrProtocol, out, err)
	}
	return qmp.Return(reply.Get("return"), id), nil
}

// lost tells the end of the connection from an error reply, which go-qemu
// returns as a bare text.
func lost(err error) bool {
	var network net.Error
	var syntax *json.SyntaxError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, qmp.ErrClosed) || errors.Is(err, qmp.ErrProtocol) ||
		errors.As(err, &network) || errors.As(err, &syntax)
}

// passEvents is the goroutine that reads events, always, so that a monitor whose
// Run waits for its listeners goes on.
func (c *Conn) passEvents(events <-chan api.Event) {
	for e := range events {
		event, err := toEvent(e)
		if err != nil {
			c.end(fmt.Errorf("%w: event %s: %w", qmp.ErrProtocol, e.Event, err))
			continue
		}
		c.arrive(event.Message())
	}
	c.end(io.EOF)
}
