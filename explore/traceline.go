package explore

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"fleece/rt/simrt"
)

// linePrefix begins a trace in one line; the number is the version.
const linePrefix = "fl1:"

// Line is the trace in one line, for pasting: the prefix and, in base64url
// without padding, a CRC-32 (IEEE, big endian) and what follows it: numbers as
// varints, texts as numbers in a table that grows as they come: 0 and the text
// itself when it is new, 1 + its place when it was there before.
func (t *Trace) Line() (string, error) {
	if err := t.Check(); err != nil {
		return "", err
	}
	e := &lineEncoder{b: make([]byte, 4, 256), places: make(map[string]int)}
	e.texts(t.Scenario, t.Lane)
	e.number(uint64(len(t.Options)))
	e.texts(t.Options...)
	e.number(t.Seed)
	e.texts(t.Strategy, t.Failure, t.Detail)
	e.b = binary.BigEndian.AppendUint64(e.b, t.Hash)
	e.number(uint64(t.Points))
	e.number(uint64(len(t.Deviations)))
	for _, d := range t.Deviations {
		e.deviation(d)
	}
	binary.BigEndian.PutUint32(e.b, crc32.ChecksumIEEE(e.b[4:]))
	line := linePrefix + base64.RawURLEncoding.EncodeToString(e.b)
	if len(line) > TraceBytesMax {
		return "", fmt.Errorf("trace: a line of %d bytes; at most %d are allowed", len(line), TraceBytesMax)
	}
	return line, nil
}

type lineEncoder struct {
	b      []byte
	places map[string]int
}

func (e *lineEncoder) number(n uint64) { e.b = binary.AppendUvarint(e.b, n) }

func (e *lineEncoder) texts(ss ...string) {
	for _, s := range ss {
		if place, ok := e.places[s]; ok {
			e.number(uint64(place) + 1)
			continue
		}
		e.places[s] = len(e.places)
		e.number(0)
		e.number(uint64(len(s)))
		e.b = append(e.b, s...)
	}
}

func (e *lineEncoder) deviation(d simrt.Deviation) {
	e.number(uint64(d.At.TaskK)) // 0 is the clock
	if d.At.TaskK > 0 {
		e.texts(d.At.Task)
	}
	e.texts(d.At.Op, d.At.Object)
	e.number(uint64(d.At.N))
	switch d.To.Kind {
	case simrt.ToClock:
		e.number(0)
	case simrt.ToTask:
		e.number(uint64(d.To.TaskK)*2 + 1)
		e.texts(d.To.Task)
	case simrt.ToValue:
		e.number(uint64(d.To.Value) * 2)
	}
}

var errLineShort = errors.New("trace: the line ends too early: was all of it pasted?")

func parseLine(s string) (*Trace, error) {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(s, linePrefix))
	if err != nil {
		return nil, fmt.Errorf("trace: not a line of base64url after %q: %w", linePrefix, err)
	}
	if len(raw) < 4 {
		return nil, errLineShort
	}
	if binary.BigEndian.Uint32(raw) != crc32.ChecksumIEEE(raw[4:]) {
		return nil, errors.New("trace: the checksum of the line is wrong: was all of it pasted, and nothing changed?")
	}
	d := &lineDecoder{b: raw[4:]}
	t := d.trace()
	if d.err == nil && len(d.b) > 0 {
		d.err = fmt.Errorf("trace: %d bytes too many in the line", len(d.b))
	}
	if d.err != nil {
		return nil, d.err
	}
	if err := t.Check(); err != nil {
		return nil, err
	}
	return t, nil
}

// lineDecoder keeps the first error and then answers zeros.
type lineDecoder struct {
	b     []byte
	texts []string
	err   error
}

func (d *lineDecoder) trace() *Trace {
	t := &Trace{Scenario: d.text(), Lane: d.text()}
	for range d.count(TraceOptionsMax) {
		t.Options = append(t.Options, d.text())
	}
	t.Seed = d.number()
	t.Strategy, t.Failure, t.Detail = d.text(), d.text(), d.text()
	if len(d.b) < 8 {
		d.fail(errLineShort)
		return t
	}
	t.Hash = binary.BigEndian.Uint64(d.b)
	d.b = d.b[8:]
	t.Points = d.count(countMax)
	for range d.count(TraceDeviationsMax) {
		if d.err != nil {
			return t
		}
		t.Deviations = append(t.Deviations, d.deviation())
	}
	return t
}

func (d *lineDecoder) deviation() (x simrt.Deviation) {
	if x.At.TaskK = d.count(taskNumberMax); x.At.TaskK > 0 {
		x.At.Task = d.text()
	}
	x.At.Op, x.At.Object = d.text(), d.text()
	x.At.N = d.count(countMax)
	switch n := d.count(2*countMax + 1); {
	case n == 0:
		x.To.Kind = simrt.ToClock
	case n%2 == 1:
		x.To = simrt.Target{Kind: simrt.ToTask, TaskK: n / 2, Task: d.text()}
	default:
		x.To = simrt.Target{Kind: simrt.ToValue, Value: n / 2}
	}
	return x
}

func (d *lineDecoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

func (d *lineDecoder) number() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.fail(errLineShort)
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *lineDecoder) count(most int) int {
	n := d.number()
	if n > uint64(most) {
		d.fail(fmt.Errorf("trace: the line has the number %d where at most %d is allowed", n, most))
		return 0
	}
	return int(n)
}

func (d *lineDecoder) text() string {
	switch place := d.number(); {
	case d.err != nil:
		return ""
	case place > uint64(len(d.texts)):
		d.fail(fmt.Errorf("trace: the line refers to text %d of %d", place, len(d.texts)))
		return ""
	case place > 0:
		return d.texts[place-1]
	}
	n := d.count(TraceStringMax)
	if n > len(d.b) {
		d.fail(errLineShort)
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	d.texts = append(d.texts, s)
	return s
}
