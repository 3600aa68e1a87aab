package qmpfake

import (
	"errors"

	"fleece/qmp"
	"fleece/sim"
)

// peerGone is a connection that knows of its client's end before all is read.
type peerGone interface{ PeerGone() bool }

// Serve speaks QMP with one client until either side ends; it closes conn. It
// blocks, so it needs a task of the machine's process. Bytes that are no JSON are
// answered, and reading goes on (§1.3).
//
// Commands that were written just before the client left are dropped, as the real
// binary drops them ({04}).
func Serve(m *sim.Machine, conn qmp.Conn) {
	defer conn.Close()
	mon := m.AddMonitor(func(v qmp.Value) {
		if !v.Present() {
			_ = conn.Close() // the machine has quit
			return
		}
		_ = conn.Send(v) // a client that left reads nothing any more
	})
	converse(m, mon, conn)
	// Not deferred: a task that unwinds with its machine may have the machine's lock.
	mon.Close()
}

// converse greets and executes until either side ends.
func converse(m *sim.Machine, mon *sim.Monitor, conn qmp.Conn) {
	if conn.Send(m.Greeting()) != nil {
		return
	}
	gone, _ := conn.(peerGone)
	for {
		message, err := conn.Recv()
		var syntax *qmp.SyntaxError
		switch {
		case gone != nil && gone.PeerGone():
			return
		case errors.As(err, &syntax):
			mon.Refuse(syntax.Reply())
		case err != nil:
			return
		default:
			mon.Handle(message)
		}
		if m.Gone() {
			return
		}
	}
}
