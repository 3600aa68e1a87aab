package session

import (
	"errors"
	"fmt"
	"math"
	"time"

	"fleece/host/memhost"
	"fleece/qmp"
	"fleece/qmpfake"
	"fleece/rt"
	"fleece/rt/simrt"
	"fleece/sim"
)

// Options of a session.
type Options struct {
	Setup  Setup
	Source Source
	Output Output
	// Record, if set, gets the lines of a record; see Line. A line is valid during
	// the call. Its error ends the session.
	Record func(line []byte) error
	// Flush, if set, is called before the session waits for the outside.
	Flush func() error
	// Schema is QEMU 7.2's if nil.
	Schema *qmp.Schema
	// Chooser makes the choices of a seed that is not 0; nil is the plain run.
	Chooser simrt.Chooser
}

// process is the name of the machine's process.
const process = "qemu"

// StartError is what the real binary prints when it cannot start.
type StartError struct{ Err error }

// Error shows the binary's text.
func (e *StartError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *StartError) Unwrap() error { return e.Err }

// ErrDied is the end of a machine that crashed where the real binary does.
var ErrDied = errors.New("the machine died, as the real binary does here")

// Run runs a session until its input End. Errors: a *StartError, an error of
// Record or Flush, ErrDied, or a failure of the simulator itself.
func Run(opts Options) error {
	s := &session{opts: opts, record: recorder{emit: opts.Record}}
	r := simrt.Run(simrt.Options{
		Chooser: opts.Chooser, Begin: opts.Setup.Begin, Outside: s, StepLimit: math.MaxInt,
	}, s.main)
	switch {
	case s.err != nil:
		return s.err
	case r.Failure != nil:
		return fmt.Errorf("the simulator failed: %s: %s %s", r.Failure.Kind, r.Failure.Detail, r.Failure.Stack)
	}
	if err := s.settle(); err != nil {
		return err
	}
	if s.died {
		return ErrDied
	}
	return nil
}

// session is a running one. All of it belongs to the goroutine of the world.
type session struct {
	opts   Options
	world  *simrt.World
	m      *sim.Machine
	ports  []*qmpfake.Port
	in     Input // for the task that waits for the outside
	record recorder
	err    error
	died   bool
}

// Idle lets the source pace the world.
func (s *session) Idle(now, next time.Duration, listening bool) (time.Duration, bool) {
	if s.settle() != nil {
		if listening {
			s.in = Input{At: now, Kind: End}
			return now, true
		}
		return next, false
	}
	in, came := s.opts.Source.Next(now, next, listening)
	if came {
		s.in = in
		if err := s.record.input(in); err != nil {
			s.fail(err)
		}
	}
	return in.At, came
}

// settle completes the record of what happened so far.
func (s *session) settle() error {
	if err := s.record.flush(); err != nil {
		s.fail(err)
	}
	if s.err == nil && s.opts.Flush != nil {
		s.fail(s.opts.Flush())
	}
	return s.err
}

func (s *session) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// main is the body of the world: it starts the machine and hands on inputs.
func (s *session) main(w *simrt.World) {
	s.world = w
	s.fail(s.record.line(s.opts.Setup.Value()))
	p := w.NewProcess(process)
	if err := p.Call("main", func() { s.start(p) }); err != nil {
		s.fail(err)
	}
	if s.err != nil {
		return
	}
	s.opts.Output.Ready()
	for s.err == nil {
		w.Await()
		if !s.handle(p, s.in) {
			return
		}
	}
}

// start makes host, machine and ports.
func (s *session) start(p rt.Process) {
	setup := &s.opts.Setup
	k := memhost.New(s.world.Kernel(), memhost.Options{Capacity: setup.HostBytes})
	h := k.View(p)
	if err := setup.create(k, h); err != nil {
		s.fail(&StartError{err})
		return
	}
	m, err := sim.New(p, h, setup.Machine, sim.Options{Crash: setup.crash(), Schema: s.opts.Schema, Output: s.print})
	if err != nil {
		s.fail(&StartError{err})
		return
	}
	s.m = m
	p.OnKill(func() {
		s.died = true
		s.opts.Output.Quit()
	})
	for i := range setup.Monitors {
		s.ports = append(s.ports, qmpfake.NewPort(p, m, i, sink{s}, s.opts.Output.Quit))
	}
}

func (s *session) print(line string) {
	s.fail(s.record.print(s.now(), line))
	s.opts.Output.Print(line)
}

// handle hands on one input; false at the end.
func (s *session) handle(p rt.Process, in Input) bool {
	if in.Kind == End {
		return false
	}
	if in.Kind == Terminate {
		_ = p.Call("signal", s.m.Terminate) // a machine that has died needs none
		s.opts.Output.Quit()
		return true
	}
	if in.Monitor < 0 || in.Monitor >= len(s.ports) {
		s.fail(fmt.Errorf("input for monitor %d: there are %d", in.Monitor, len(s.ports)))
		return false
	}
	port := s.ports[in.Monitor]
	switch in.Kind {
	case Connect:
		port.Connect()
	case Data:
		port.Feed(in.Data)
	case EOF:
		port.EOF()
	case Hangup:
		port.Hangup()
	case Drained:
		port.Drained()
	}
	return true
}

func (s *session) now() time.Duration { return s.world.Now().Sub(s.opts.Setup.Begin) }

// sink is the output of the ports: it is recorded and handed on.
type sink struct{ s *session }

var _ qmpfake.Output = sink{}

// Write sends to a client.
func (o sink) Write(port int, data []byte) {
	if o.s.opts.Record != nil {
		o.s.fail(o.s.record.output(o.s.now(), port, data))
	}
	o.s.opts.Output.Write(port, data)
}

// Taken hands on.
func (o sink) Taken(port int) { o.s.opts.Output.Taken(port) }

// Full hands on.
func (o sink) Full(port int) { o.s.opts.Output.Full(port) }

// Closed ends a client's session.
func (o sink) Closed(port int) {
	o.s.fail(o.s.record.closed(o.s.now(), port))
	o.s.opts.Output.Closed(port)
}
