package qmp

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"time"
	"unicode/utf8"
)

// Direction is who sent a message.
type Direction uint8

// The directions: client to server, server to client.
const (
	FromClient Direction = iota
	FromServer
)

// String gives the letter that transcripts use, C or S.
func (d Direction) String() string {
	if d == FromClient {
		return "C"
	}
	return "S"
}

// Line is one message of a recorded session.
type Line struct {
	Dir Direction
	// Message is what was sent; absent if Raw has it.
	Message Value
	// Raw is what a client wrote that is no JSON.
	Raw string
	// At is the time since the machine was started.
	At time.Duration
	// Monitor is the name of the connection when there are several.
	Monitor string
	// Note describes what happened outside just before.
	Note string
}

// transcriptLineMax bounds the bytes of one line.
const transcriptLineMax = 64 << 20

// ReadTranscript reads a recorded session: JSON objects, one per line, as in
// {"dir":"C","msg":{…},"ms":12.5}. An error tells the line and what is wrong.
func ReadTranscript(r io.Reader) ([]Line, error) {
	var lines []Line
	in := bufio.NewScanner(r)
	in.Buffer(nil, transcriptLineMax)
	for n := 1; in.Scan(); n++ {
		if len(bytes.TrimSpace(in.Bytes())) == 0 {
			continue
		}
		l, err := parseLine(in.Bytes())
		if err != nil {
			return nil, fmt.Errorf("transcript line %d: %w", n, err)
		}
		lines = append(lines, l)
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("transcript line %d: %w", len(lines)+1, err)
	}
	return lines, nil
}

func parseLine(data []byte) (Line, error) {
	v, err := Decode(data)
	if err != nil {
		return Line{}, err
	}
	if v.kind != KindDict {
		return Line{}, fmt.Errorf("an object was expected, not %v", v)
	}
	var l Line
	for _, m := range v.Members() {
		if err := l.set(m); err != nil {
			return Line{}, err
		}
	}
	if !v.Get("dir").Present() {
		return Line{}, fmt.Errorf("member 'dir' is missing")
	}
	if v.Get("msg").Present() == v.Get("raw").Present() {
		return Line{}, fmt.Errorf("one of the members 'msg' and 'raw' is needed")
	}
	return l, nil
}

// set takes over one member of a line.
func (l *Line) set(m Member) error {
	text, isText := m.Value.Text()
	switch m.Name {
	case "dir":
		switch text {
		case "C":
			l.Dir = FromClient
		case "S":
			l.Dir = FromServer
		default:
			return fmt.Errorf("member 'dir' must be \"C\" or \"S\", not %v", m.Value)
		}
		return nil
	case "msg":
		l.Message = m.Value
		return nil
	case "ms":
		return l.setTime(m.Value)
	}
	if !isText {
		return fmt.Errorf("member '%s' must be a string, not %v", m.Name, m.Value)
	}
	switch m.Name {
	case "raw":
		return l.setRaw(text)
	case "mon":
		l.Monitor = text
	case "note":
		l.Note = text
	default:
		return fmt.Errorf("member '%s' is unknown", m.Name)
	}
	return nil
}

func (l *Line) setTime(v Value) error {
	ms, ok := v.Float64()
	if !ok || ms < 0 || ms > math.MaxInt64/float64(time.Second) {
		return fmt.Errorf("member 'ms' must be milliseconds, not %v", v)
	}
	l.At = time.Duration(math.Round(ms*1000)) * time.Microsecond
	return nil
}

// setRaw takes bytes, written as one character each.
func (l *Line) setRaw(text string) error {
	raw := make([]byte, 0, len(text))
	for _, r := range text {
		if r > math.MaxUint8 {
			return fmt.Errorf("member 'raw' must hold bytes, not %U", r)
		}
		raw = append(raw, byte(r))
	}
	l.Raw = string(raw)
	return nil
}

// Append appends the line as it stands in a transcript, line end included.
func (l Line) Append(dst []byte) []byte {
	members := []Member{M("dir", Str(l.Dir.String()))}
	if l.Message.Present() {
		members = append(members, M("msg", l.Message))
	} else {
		members = append(members, M("raw", Str(latin1(l.Raw))))
	}
	members = append(members, M("ms", milliseconds(l.At)), M("mon", text(l.Monitor)), M("note", text(l.Note)))
	return append(Append(dst, Dict(members...)), '\n')
}

func milliseconds(d time.Duration) Value {
	us := d.Microseconds()
	if us%1000 == 0 {
		return Int(us / 1000)
	}
	return Float(float64(us) / 1000)
}

func latin1(raw string) string {
	out := make([]byte, 0, len(raw))
	for i := range len(raw) {
		out = utf8.AppendRune(out, rune(raw[i]))
	}
	return string(out)
}

// WriteTranscript writes a recorded session.
func WriteTranscript(w io.Writer, lines []Line) error {
	var buf []byte
	for _, l := range lines {
		buf = l.Append(buf[:0])
		if _, err := w.Write(buf); err != nil {
			return fmt.Errorf("writing the transcript: %w", err)
		}
	}
	return nil
}
