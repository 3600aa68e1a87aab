package session

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"fleece/qmp"
	"fleece/rt/simrt"
)

// recordLineMax bounds the bytes of one line of a record.
const recordLineMax = 64 << 20

// Replayed is what came of a record.
type Replayed struct {
	Setup  Setup
	Inputs int // lines of input
	Output int // bytes to clients
	// Complete says that the record has its end; the server of one that has not was
	// killed.
	Complete bool
	// Died says that the machine crashed where the real binary does.
	Died bool
	// Difference is nil if the run wrote what the record says.
	Difference *Difference
}

// Difference is where a run left its record.
type Difference struct {
	Line     int    // of the record, from 1
	Recorded string // "" if the record has ended
	Replayed string // "" if the run wrote nothing
}

// ReplayOptions of Replay.
type ReplayOptions struct {
	Schema *qmp.Schema
	// Chooser makes the chooser of a seed that is not 0.
	Chooser func(seed uint64) simrt.Chooser
	// Each, if set, gets each line as it happens again.
	Each func(Line)
}

// errDiffers ends a run that left its record.
var errDiffers = errors.New("the run differs from its record")

// Replay runs the session of a record again. An error says that r holds no record,
// or that its session cannot run.
func Replay(r io.Reader, opts ReplayOptions) (Replayed, error) {
	p := &replay{in: bufio.NewReader(r), each: opts.Each}
	first, err := p.read()
	if err != nil {
		return Replayed{}, fmt.Errorf("line 1: %w", err)
	}
	v, err := qmp.Decode(first)
	if err == nil {
		p.result.Setup, err = ParseSetup(v)
	}
	if err != nil {
		return Replayed{}, fmt.Errorf("line 1: %w", err)
	}
	p.advance()
	run := Options{Setup: p.result.Setup, Source: p, Output: p, Record: p.compare, Schema: opts.Schema}
	if seed := p.result.Setup.Seed; seed != 0 && opts.Chooser != nil {
		run.Chooser = opts.Chooser(seed)
	}
	err = Run(run)
	switch {
	case p.err != nil:
		return p.result, p.err
	case errors.Is(err, ErrDied):
		p.result.Died = true
	case err != nil && !errors.Is(err, errDiffers):
		return p.result, err
	}
	return p.result, nil
}

// replay is source and output of a session that a record tells.
type replay struct {
	in     *bufio.Reader
	n      int    // of the line in text
	text   []byte // the next line of the record; nil at its end
	line   Line   // it, parsed
	begun  bool   // the run has written its first line
	each   func(Line)
	result Replayed
	err    error // the record is broken
}

var (
	_ Source = (*replay)(nil)
	_ Output = (*replay)(nil)
)

// read returns the next line without its end; io.EOF when there is none. A line
// that is cut off is none: the server was killed while it wrote.
func (p *replay) read() ([]byte, error) {
	var text []byte
	for {
		part, err := p.in.ReadSlice('\n')
		text = append(text, part...)
		switch {
		case err == nil:
			p.n++
			return bytes.TrimRight(text, "\r\n"), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(text) > recordLineMax:
			return nil, fmt.Errorf("longer than %d bytes", recordLineMax)
		}
	}
}

// advance reads the next line of the record.
func (p *replay) advance() {
	text, err := p.read()
	p.text = text
	if err != nil {
		p.text = nil
		if !errors.Is(err, io.EOF) {
			p.broken(err)
		}
		return
	}
	if p.line, err = ParseLine(text); err != nil {
		p.broken(err)
	}
}

func (p *replay) broken(err error) {
	if p.err == nil {
		p.err = fmt.Errorf("line %d: %w", p.n, err)
	}
}

// Next gives the inputs of the record. One that lies at or behind the next timer
// waits for it: so it was when the record was made.
func (p *replay) Next(now, next time.Duration, listening bool) (Input, bool) {
	if !listening {
		return Input{}, false
	}
	if p.text == nil || p.err != nil {
		return Input{At: now, Kind: End}, true
	}
	in := p.line.Input
	if next >= 0 && in.At >= next {
		return Input{}, false
	}
	if in.Kind == 0 {
		p.differ("") // the run should have written this by now
		return Input{At: now, Kind: End}, true
	}
	if in.At < now {
		p.broken(fmt.Errorf("an input at %d, but it is %d already", in.At, now))
		return Input{At: now, Kind: End}, true
	}
	p.result.Inputs++
	p.result.Complete = in.Kind == End
	return in, true
}

// compare holds a line that the run wrote against the record.
func (p *replay) compare(line []byte) error {
	if !p.begun { // the setup, which is the record's own
		p.begun = true
		return nil
	}
	line = bytes.TrimRight(line, "\n")
	switch {
	case p.result.Difference != nil:
		return errDiffers
	case p.text == nil: // what a killed server did not write any more
		return nil
	case !bytes.Equal(line, p.text):
		p.differ(string(line))
		return errDiffers
	}
	if p.each != nil {
		p.each(p.line)
	}
	p.advance()
	return nil
}

func (p *replay) differ(replayed string) {
	if p.result.Difference == nil {
		p.result.Difference = &Difference{Line: p.n, Recorded: string(p.text), Replayed: replayed}
	}
}

// Write counts.
func (p *replay) Write(_ int, data []byte) { p.result.Output += len(data) }

// Taken has nothing to do: a record does not wait.
func (p *replay) Taken(int) {}

// Full has nothing to do: the record tells when a client had read all.
func (p *replay) Full(int) {}

// Closed has nothing to do: it is in the record.
func (p *replay) Closed(int) {}

// Ready has nothing to do.
func (p *replay) Ready() {}

// Print has nothing to do: it is in the record.
func (p *replay) Print(string) {}

// Quit has nothing to do: the end is in the record.
func (p *replay) Quit() {}
