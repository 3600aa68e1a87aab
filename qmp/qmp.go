// Package qmp speaks QEMU's machine protocol: message trees that tell absent
// from null, connections as two streams of messages, a client Monitor over the
// runtime seam, a Tap to watch and disturb a connection, and the typed
// vocabulary of the commands that backup software sends.
//
// It is not a QEMU: qmpfake answers commands, real starts the binary.
//
// The property it keeps: what is refused as bytes is refused as a tree, and
// nothing between absent and null, or between integers, is lost on the way.
//
// A driver's side of a connection:
//
//	m := qmp.NewMonitor(r, conn, qmp.MonitorOptions{Name: "mon", OnEvent: queue})
//	if _, err := m.Negotiate(); err != nil { … }
//	result, err := m.Run(qmp.QueryJobs{}.Command())
//	jobs, err := qmp.Jobs(result)
//
// A server's side, message by message: ParseRequest, Schema.CheckRequest, then
// Return, ReplyError.Message and Event.Message.
package qmp

import (
	"errors"
	"fmt"
)

// ErrClosed is returned by a connection or monitor that was closed on this side.
var ErrClosed = errors.New("qmp: connection closed")

// Conn is a connection as two streams of messages. Recv blocks; it returns
// io.EOF when the other side is gone. Send never blocks for long: it queues.
// Close wakes a blocked Recv of both sides. Calls from several tasks are safe.
type Conn interface {
	Send(m Value) error
	Recv() (Value, error)
	Close() error
}

// Command is a command with its arguments (absent or a dict).
type Command struct {
	Name string
	Args Value
}

// Message is the command as it goes over the connection.
func (c Command) Message(id Value) Value {
	return Dict(M("execute", Str(c.Name)), M("arguments", c.Args), M("id", id))
}

// Command is c: a command that has no type of its own is sent as it is.
func (c Command) Command() Command { return c }

// Error classes of QEMU (QapiErrorClass in qapi/error.json).
const (
	GenericError    = "GenericError"
	CommandNotFound = "CommandNotFound"
	DeviceNotActive = "DeviceNotActive"
	DeviceNotFound  = "DeviceNotFound"
	KVMMissingCap   = "KVMMissingCap"
)

// CommandError is an error reply of QEMU.
type CommandError struct {
	Command string // the command that failed; "" if unknown
	Class   string
	Desc    string
}

// Error gives libvirt's text for it (qemuMonitorJSONCheckErrorFull).
func (e *CommandError) Error() string {
	return fmt.Sprintf("unable to execute QEMU command '%s': %s", e.Command, e.Desc)
}

// Event is an event as it came.
type Event struct {
	Name         string
	Data         Value // absent for events without data
	Seconds      int64
	Microseconds int64
}
