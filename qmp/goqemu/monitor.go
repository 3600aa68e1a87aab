// Package goqemu lets fleece and github.com/digitalocean/go-qemu work together:
// Monitor is a qmp.Monitor of go-qemu on a connection of ours, and NewConn makes
// a connection of ours out of any qmp.Monitor of go-qemu.
//
// It lives outside of worlds and uses goroutines and channels. It is no wrapper
// of go-qemu's SocketMonitor: it has none of that one's faults, which its tests
// list.
//
// The property it keeps: every reply reaches the call that asked for it, every
// event each listener, and nothing that a listener does or leaves undone holds up
// anybody else.
//
//	m, err := goqemu.Dial("unix", "/run/vm.sock")
//	…
//	if err := m.Connect(); err != nil { … }
//	domain, err := qemu.NewDomain(m, "vm1")
package goqemu

import (
	"context"
	"errors"
	"fmt"
	"sync"

	api "github.com/digitalocean/go-qemu/qmp"

	"fleece/qmp"
	"fleece/qmp/qmpnet"
	"fleece/rt/realrt"
)

// ErrConnected is returned by the second Connect of a monitor.
var ErrConnected = errors.New("goqemu: monitor was connected before")

// backlogMax is how many events a monitor keeps for its first listener.
const backlogMax = 4096

// Monitor is a QMP client with go-qemu's interface. Use New or Dial.
type Monitor struct {
	client *qmp.Monitor

	mu        sync.Mutex
	connected bool
	greeting  qmp.Greeting
	listeners []*listener
	// backlog holds the events before the first listener came; nil afterwards.
	backlog  []api.Event
	listened bool  // there was a listener: nothing is kept any more
	over     error // why the connection ended
}

var _ api.Monitor = (*Monitor)(nil)

// New makes a monitor on a fresh connection, which it owns.
func New(conn qmp.Conn) *Monitor {
	m := &Monitor{}
	m.client = qmp.NewMonitor(realrt.NewWorld().NewProcess("goqemu"), conn, qmp.MonitorOptions{
		OnEvent: m.dispatch, OnClose: m.end,
	})
	return m
}

// Dial connects to a QMP socket: network "unix" or "tcp".
func Dial(network, address string) (*Monitor, error) {
	conn, err := qmpnet.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return New(conn), nil
}

// Connect reads the greeting and negotiates.
func (m *Monitor) Connect() error {
	m.mu.Lock()
	again := m.connected
	m.connected = true
	m.mu.Unlock()
	if again {
		return ErrConnected
	}
	greeting, err := m.client.Negotiate()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.greeting = greeting
	return err
}

// Greeting is what QEMU said about itself, after Connect.
func (m *Monitor) Greeting() qmp.Greeting {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.greeting
}

// Disconnect ends the connection: commands that wait fail, channels of events
// are closed.
func (m *Monitor) Disconnect() error {
	err := m.client.Close()
	m.end(qmp.ErrClosed)
	return err
}

// Run executes a command in JSON, with or without a line end, and returns the
// reply in JSON: {"return": …}, with the id of the command if it had one. An
// error reply is a *qmp.CommandError. The bytes belong to the caller.
func (m *Monitor) Run(command []byte) ([]byte, error) {
	return m.RunContext(context.Background(), command)
}

// RunContext is Run that can be given up. QEMU still executes the command then;
// its reply is dropped.
func (m *Monitor) RunContext(ctx context.Context, command []byte) ([]byte, error) {
	message, err := qmp.Decode(command)
	if err != nil {
		return nil, fmt.Errorf("goqemu: command %q: %w", command, err)
	}
	request, bad := qmp.ParseRequest(message, false)
	if bad != nil {
		return nil, fmt.Errorf("goqemu: command %q: %w", command, bad)
	}
	type outcome struct {
		reply []byte
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		result, err := m.client.Run(request.Command)
		if err != nil {
			done <- outcome{nil, err}
			return
		}
		done <- outcome{qmp.Encode(qmp.Return(result, request.ID)), nil}
	}()
	select {
	case o := <-done:
		return o.reply, o.err
	case <-ctx.Done():
		return nil, fmt.Errorf("goqemu: gave up waiting for %s: %w", request.Command.Name, ctx.Err())
	}
}

// Events returns a channel with every event from now on; the first listener also
// gets those since Connect. The channel is closed when ctx ends, when the
// connection ends, or when the listener is 65536 events behind.
func (m *Monitor) Events(ctx context.Context) (<-chan api.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over != nil {
		return nil, fmt.Errorf("goqemu: no events: %w", m.over)
	}
	l := newListener(m.backlog)
	m.backlog, m.listened = nil, true
	m.listeners = append(m.listeners, l)
	go func() {
		l.deliver(ctx)
		m.remove(l)
		close(l.out)
	}()
	return l.out, nil
}

// Listeners is the number of channels of events that are open.
func (m *Monitor) Listeners() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.listeners)
}

func (m *Monitor) remove(l *listener) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.listeners {
		if m.listeners[i] == l {
			m.listeners = append(m.listeners[:i], m.listeners[i+1:]...)
			return
		}
	}
}

// dispatch runs in the reader task.
func (m *Monitor) dispatch(e qmp.Event) {
	event := fromEvent(e)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.listened && len(m.backlog) < backlogMax {
		m.backlog = append(m.backlog, event)
	}
	for _, l := range m.listeners {
		l.add(event)
	}
}

// end notes the end of the connection, once.
func (m *Monitor) end(why error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over != nil {
		return
	}
	m.over = why
	for _, l := range m.listeners {
		l.finish()
	}
}
