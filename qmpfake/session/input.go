package session

import (
	"time"

	"fleece/qmpfake"
)

// Kind is what came from outside.
type Kind uint8

// The kinds of input.
const (
	// Connect: a client of a monitor, which must have none.
	Connect Kind = iota + 1
	// Data: bytes that a client wrote. The next come after Output.Taken.
	Data
	// EOF: a client writes no more, but reads.
	EOF
	// Hangup: a client has left.
	Hangup
	// Drained: a client has read all that was written to it.
	Drained
	// Terminate: SIGTERM.
	Terminate
	// End of the session: the machine has quit.
	End
)

// Input is one thing that came from outside.
type Input struct {
	At      time.Duration // since the begin of the world
	Kind    Kind
	Monitor int    // of Connect, Data, EOF, Hangup, Drained
	Data    []byte // of Data; stays as it is until Output.Taken
}

// Source is where inputs come from, and what paces the world.
type Source interface {
	// Next is called when nothing can run. It waits until there is an input, or
	// until the timer next is due (negative: there is none), and returns the
	// input, whose At lies in [now,next). If came is false the timer fires. Only
	// while listening is true an input may be returned; without listening there
	// always is a timer.
	Next(now, next time.Duration, listening bool) (in Input, came bool)
}

// Output is where a session writes. Its methods must queue and return.
type Output interface {
	qmpfake.Output
	// Ready says that the machine runs and clients may connect.
	Ready()
	// Print is a line on the machine's stdout: the results of qemu-io.
	Print(line string)
	// Quit says that the machine is gone; the next input must be End.
	Quit()
}
