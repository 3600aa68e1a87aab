// Package agent speaks to a guest's agent, qemu-ga, as a host does: it sends one
// command at a time over a channel's stream and waits for its answer.
//
// It is not what decides when a guest is to be quiet, nor who connects: that is the
// driver's.
//
// The property it keeps: an answer is only ever that of the command that was sent on
// this session, whatever is left in the channel of earlier ones; every wait has an end;
// and an agent cannot make it hold more than MessageMax bytes.
package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"fleece/host"
	"fleece/qmp"
	"fleece/rt"
)

// MessageMax bounds one answer, in bytes.
const MessageMax = 64 << 10

// delimiter is a byte that JSON never has: qemu-ga puts it before the answer to
// guest-sync-delimited, and forgets what it has of a command when it reads it.
const delimiter = 0xff

// What a session ends with beside the errors of the stream.
var (
	// ErrSilent is an agent that does not answer in time.
	ErrSilent = errors.New("the guest agent does not answer")
	// ErrGone is an agent that closed the channel.
	ErrGone = errors.New("the guest agent closed the channel")
	// ErrNonsense is an answer that is none.
	ErrNonsense = errors.New("the guest agent answers nonsense")
)

// RefusedError is the agent's own error.
type RefusedError struct{ Class, Desc string }

// Error is the agent's text.
func (e *RefusedError) Error() string { return e.Desc }

// Session is one conversation.
type Session struct {
	p      rt.Process
	stream host.Stream

	mu   rt.Mutex
	cond rt.Cond
	in   []byte // read and not used yet
	end  error  // why nothing more comes
}

// Open begins a conversation, and owns the stream from now on.
func Open(p rt.Process, stream host.Stream) *Session {
	s := &Session{p: p, stream: stream, mu: p.NewMutex("agent")}
	s.cond = p.NewCond("agent", s.mu)
	p.Go("agent-reader", s.read)
	return s
}

// Close ends it.
func (s *Session) Close() { _ = s.stream.Close() }

// read collects what the agent sends.
func (s *Session) read() {
	p := make([]byte, 4<<10)
	for {
		n, err := s.stream.Read(p)
		s.mu.Lock()
		s.in = append(s.in, p[:n]...)
		if len(s.in) > MessageMax {
			err = fmt.Errorf("%w: more than %d bytes", ErrNonsense, MessageMax)
		}
		if err != nil {
			s.end = err
			if errors.Is(err, io.EOF) {
				s.end = ErrGone
			}
		}
		s.cond.Broadcast()
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Sync finds the agent awake, and has it and the channel forget what was before. The
// id must differ from those of earlier sessions.
func (s *Session) Sync(id int64, wait time.Duration) error {
	deadline := s.p.Now().Add(wait)
	command := qmp.Dict(qmp.M("execute", qmp.Str("guest-sync-delimited")), qmp.M("arguments", qmp.Dict(qmp.M("id", qmp.Int(id)))))
	if err := s.send([]byte{delimiter}, command); err != nil {
		return err
	}
	for {
		line, err := s.line(deadline, true)
		if err != nil {
			return err
		}
		if v, err := qmp.Decode(line); err == nil {
			if got, ok := v.Get("return").Int64(); ok && got == id {
				return nil
			}
		}
	}
}

// Do runs a command and gives what it returns, or a *RefusedError.
func (s *Session) Do(command string, args qmp.Value, wait time.Duration) (qmp.Value, error) {
	deadline := s.p.Now().Add(wait)
	members := []qmp.Member{qmp.M("execute", qmp.Str(command))}
	if args.Present() {
		members = append(members, qmp.M("arguments", args))
	}
	if err := s.send(nil, qmp.Dict(members...)); err != nil {
		return qmp.Value{}, err
	}
	line, err := s.line(deadline, false)
	if err != nil {
		return qmp.Value{}, err
	}
	return Answer(line)
}

// Answer reads the answer to a command.
func Answer(line []byte) (qmp.Value, error) {
	v, err := qmp.Decode(line)
	if err != nil {
		return qmp.Value{}, fmt.Errorf("%w: %w", ErrNonsense, err)
	}
	if e := v.Get("error"); e.Present() {
		class, _ := e.Get("class").Text()
		desc, _ := e.Get("desc").Text()
		return qmp.Value{}, &RefusedError{class, desc}
	}
	if r := v.Get("return"); r.Present() {
		return r, nil
	}
	return qmp.Value{}, fmt.Errorf("%w: %.60q", ErrNonsense, line)
}

func (s *Session) send(before []byte, command qmp.Value) error {
	text := append(append(before, qmp.Encode(command)...), '\n')
	if _, err := s.stream.Write(text); err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return nil
}

// line waits for a whole line; delimited says that it begins behind a delimiter, and
// that what is before one is nobody's.
func (s *Session) line(deadline time.Time, delimited bool) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		line, rest, ok := Cut(s.in, delimited)
		s.in = rest
		if ok {
			return line, nil
		}
		if s.end != nil {
			return nil, s.end
		}
		if !s.cond.WaitUntil(deadline) && s.end == nil {
			if line, rest, ok := Cut(s.in, delimited); ok {
				s.in = rest
				return line, nil
			}
			return nil, ErrSilent
		}
	}
}

// Cut takes the first line from what was read; ok is false if it is not whole. Of
// delimited ones what stands before the last delimiter of the line is left out, as is
// each line without one.
func Cut(in []byte, delimited bool) (line, rest []byte, ok bool) {
	for {
		if delimited {
			at := bytes.IndexByte(in, delimiter)
			if at < 0 {
				return nil, nil, false
			}
			in = in[at:]
		}
		end := bytes.IndexByte(in, '\n')
		if end < 0 {
			return nil, in, false
		}
		line, rest = in[:end], in[end+1:]
		if at := bytes.LastIndexByte(line, delimiter); at >= 0 {
			line = line[at+1:]
		}
		line = bytes.TrimSpace(line)
		if len(line) > 0 {
			return line, rest, true
		}
		in = rest
	}
}
