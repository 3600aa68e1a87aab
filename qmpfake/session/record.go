package session

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"fleece/qmp"
)

// Line is one line of a record after the first: an input, or what the session wrote.
// It is a JSON object with "at" (nanoseconds since the begin) and
//
//	"mon" and "do": "connect", "eof", "hangup", "drained", or "closed", which is output
//	"mon" and "in": bytes of a client, one character each
//	"mon" and "out": bytes to a client
//	"print": a line on stdout
//	"do": "terminate" or "end"
type Line struct {
	Input  Input  // Kind is 0 for output
	Closed bool   // output: the session of Input.Monitor was ended
	Out    []byte // output to Input.Monitor
	Print  string // output
}

// outBytesMax bounds the bytes of one line.
const outBytesMax = 64 << 10

// doing has the names of inputs without data.
var doing = [...]string{Connect: "connect", EOF: "eof", Hangup: "hangup", Drained: "drained", Terminate: "terminate", End: "end"}

// String is the input's name in a record.
func (k Kind) String() string {
	switch {
	case k == Data:
		return "in"
	case int(k) < len(doing) && doing[k] != "":
		return doing[k]
	}
	return "output"
}

// recorder turns what happens into lines.
type recorder struct {
	emit func(line []byte) error
	buf  []byte
	// Output to one client that is not yet a line.
	at  time.Duration
	mon int
	out []byte
}

func (r *recorder) line(v qmp.Value) error {
	if r.emit == nil {
		return nil
	}
	r.buf = append(qmp.Append(r.buf[:0], v), '\n')
	return r.emit(r.buf)
}

// flush makes a line of the output so far.
func (r *recorder) flush() error {
	for len(r.out) > 0 {
		n := min(len(r.out), outBytesMax)
		err := r.line(qmp.Dict(at(r.at), mon(r.mon), qmp.M("out", characters(r.out[:n]))))
		r.out = r.out[n:]
		if err != nil {
			return err
		}
	}
	return nil
}

// output gathers bytes to a client; those of one instant are one run.
func (r *recorder) output(now time.Duration, port int, data []byte) error {
	var err error
	if len(r.out) > 0 && (r.at != now || r.mon != port || len(r.out) >= outBytesMax) {
		err = r.flush()
	}
	if len(r.out) == 0 {
		r.out = nil
	}
	r.at, r.mon = now, port
	r.out = append(r.out, data...)
	return err
}

func (r *recorder) input(in Input) error {
	if r.emit == nil {
		return nil
	}
	err := r.flush()
	switch in.Kind {
	case Data:
		return errors.Join(err, r.line(qmp.Dict(at(in.At), mon(in.Monitor), qmp.M("in", characters(in.Data)))))
	case Terminate, End:
		return errors.Join(err, r.line(qmp.Dict(at(in.At), qmp.M("do", qmp.Str(doing[in.Kind])))))
	}
	return errors.Join(err, r.line(qmp.Dict(at(in.At), mon(in.Monitor), qmp.M("do", qmp.Str(doing[in.Kind])))))
}

func (r *recorder) print(now time.Duration, text string) error {
	if r.emit == nil {
		return nil
	}
	return errors.Join(r.flush(), r.line(qmp.Dict(at(now), qmp.M("print", characters([]byte(text))))))
}

func (r *recorder) closed(now time.Duration, port int) error {
	if r.emit == nil {
		return nil
	}
	return errors.Join(r.flush(), r.line(qmp.Dict(at(now), mon(port), qmp.M("do", qmp.Str("closed")))))
}

func at(d time.Duration) qmp.Member { return qmp.M("at", qmp.Int(int64(d))) }
func mon(n int) qmp.Member          { return qmp.M("mon", qmp.Int(int64(n))) }

// characters writes bytes as one character each, as transcripts do.
func characters(data []byte) qmp.Value {
	out := make([]byte, 0, len(data))
	for _, c := range data {
		out = utf8.AppendRune(out, rune(c))
	}
	return qmp.Str(string(out))
}

// bytesOf is the inverse of characters.
func bytesOf(v qmp.Value) ([]byte, error) {
	text, ok := v.Text()
	if !ok {
		return nil, fmt.Errorf("a string of bytes was expected, not %v", v)
	}
	out := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return nil, fmt.Errorf("a string of bytes holds %U", r)
		}
		out = append(out, byte(r))
	}
	return out, nil
}

// ParseLine reads a line after the first.
func ParseLine(text []byte) (Line, error) {
	v, err := qmp.Decode(text)
	if err != nil {
		return Line{}, err
	}
	var l Line
	ns, ok := v.Get("at").Int64()
	if !ok || ns < 0 {
		return Line{}, errors.New("member 'at' must be a time in nanoseconds")
	}
	l.Input.At = time.Duration(ns)
	n, _ := v.Get("mon").Int64()
	l.Input.Monitor = int(n)
	switch {
	case v.Get("in").Present():
		l.Input.Kind = Data
		l.Input.Data, err = bytesOf(v.Get("in"))
	case v.Get("out").Present():
		l.Out, err = bytesOf(v.Get("out"))
	case v.Get("print").Present():
		var line []byte
		line, err = bytesOf(v.Get("print"))
		l.Print = string(line)
	default:
		err = l.do(v.Get("do").S())
	}
	return l, err
}

func (l *Line) do(what string) error {
	if what == "closed" {
		l.Closed = true
		return nil
	}
	for k, name := range doing {
		if name == what && name != "" {
			l.Input.Kind = Kind(k)
			return nil
		}
	}
	return fmt.Errorf("member 'do' is %q, which is unknown, and there is none of 'in', 'out' and 'print'", what)
}
