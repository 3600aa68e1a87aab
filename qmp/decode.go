package qmp

import (
	"fmt"
	"io"
)

// QEMU's limits on one message (qobject/json-streamer.c).
const (
	messageBytesMax  = 64 << 20
	messageTokensMax = 2 << 20
)

// readChunkBytes is what the decoder asks its reader for at a time.
const readChunkBytes = 16 << 10

// SyntaxError is what QEMU says about input that is not JSON. The stream goes on
// after it. QEMU answers it with class GenericError and without id.
type SyntaxError struct {
	Desc string // QEMU's text: "JSON parse error, expecting value"
}

// Error shows QEMU's text.
func (e *SyntaxError) Error() string { return e.Desc }

// Reply is the error reply that QEMU sends.
func (e *SyntaxError) Reply() *ReplyError { return Generic(e.Desc) }

// Decoder reads a stream of messages as QEMU's parser does: by tokens, so that
// neither line ends nor spaces matter between messages.
type Decoder struct {
	r    io.Reader
	buf  []byte
	pos  int   // of the next byte of buf
	rerr error // of r, once it has failed

	state  lexState
	text   []byte // the tokens of the message so far, without white space
	begin  int    // of the unfinished token in text
	tokens []token
	depth  struct{ braces, brackets int }
	limits struct{ bytes, tokens int }

	ready []decoded // results not handed out yet, oldest first
	head  int
	parse parser
}

type token struct {
	kind       lexState
	begin, end int
}

type decoded struct {
	value Value
	err   error
}

// NewDecoder makes a decoder that reads from r.
func NewDecoder(r io.Reader) *Decoder {
	d := &Decoder{r: r}
	d.limits.bytes, d.limits.tokens = messageBytesMax, messageTokensMax
	return d
}

// NewFeedDecoder makes a decoder without a reader, for those who get bytes as they
// come: Feed hands them in, Take takes the messages out.
func NewFeedDecoder() *Decoder {
	d := &Decoder{}
	d.limits.bytes, d.limits.tokens = messageBytesMax, messageTokensMax
	return d
}

// Feed hands in the next bytes of the stream. They must stay as they are until
// Take finds nothing more in them; what an earlier Feed left over comes first.
func (d *Decoder) Feed(p []byte) {
	if d.pos < len(d.buf) {
		p = append(append([]byte(nil), d.buf[d.pos:]...), p...)
	}
	d.buf, d.pos = p, 0
}

// Take returns the next message of what was fed, or a *SyntaxError as Next does;
// ok is false when there is nothing before more bytes come.
func (d *Decoder) Take() (v Value, ok bool, err error) {
	for d.head == len(d.ready) {
		d.ready, d.head = d.ready[:0], 0
		if d.pos == len(d.buf) {
			d.buf, d.pos = nil, 0
			return Value{}, false, nil
		}
		d.scan()
	}
	v, err = d.result()
	return v, true, err
}

// result takes the oldest result.
func (d *Decoder) result() (Value, error) {
	out := d.ready[d.head]
	d.ready[d.head] = decoded{}
	d.head++
	return out.value, out.err
}

// Next returns the next message. A *SyntaxError is not the end: QEMU may find
// several in one line. Any other error is the reader's and final; what it cuts
// off in the middle of a message is discarded, as QEMU does.
func (d *Decoder) Next() (Value, error) {
	for d.head == len(d.ready) {
		d.ready, d.head = d.ready[:0], 0
		if d.pos < len(d.buf) {
			d.scan()
			continue
		}
		if d.rerr != nil {
			return Value{}, d.rerr
		}
		d.fill()
	}
	return d.result()
}

// fill reads the next chunk.
func (d *Decoder) fill() {
	if cap(d.buf) == 0 {
		d.buf = make([]byte, 0, readChunkBytes)
	}
	n, err := d.r.Read(d.buf[:cap(d.buf)])
	d.buf, d.pos = d.buf[:n], 0
	if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	d.rerr = err
}

// Decode reads exactly one value; the error is the first one.
func Decode(data []byte) (Value, error) {
	var d Decoder
	d.limits.bytes, d.limits.tokens = messageBytesMax, messageTokensMax
	d.buf = data
	var first Value
	values := 0
	for done := false; !done; {
		if done = d.pos == len(d.buf); done {
			d.flush()
		} else {
			d.scan()
		}
		for _, r := range d.ready {
			if r.err != nil {
				return Value{}, r.err
			}
			first = r.value
			values++
		}
		d.ready = d.ready[:0]
	}
	switch values {
	case 0:
		return Value{}, &SyntaxError{"JSON parse error, expecting value"}
	case 1:
		return first, nil
	}
	return Value{}, fmt.Errorf("%d JSON values where one was expected", values)
}

// scan consumes bytes until something is ready or the buffer is used up.
func (d *Decoder) scan() {
	for d.pos < len(d.buf) && len(d.ready) == 0 {
		if d.state == inDQ {
			d.stringRun()
			if d.pos == len(d.buf) {
				return
			}
		}
		d.feed(d.buf[d.pos])
		d.pos++
	}
}

// stringRun takes in what cannot end a string, all at once.
func (d *Decoder) stringRun() {
	end := d.pos
	room := d.pos + d.limits.bytes - (len(d.text) - d.begin)
	for end < len(d.buf) && end < room {
		c := d.buf[end]
		if c == '"' || c == '\\' || !stringByte(c) {
			break
		}
		end++
	}
	d.text = append(d.text, d.buf[d.pos:end]...)
	d.pos = end
}

// feed moves the lexer by one byte.
func (d *Decoder) feed(c byte) {
	for consumed := false; !consumed; {
		var n lexState
		n, consumed = d.state.next(c)
		if consumed {
			d.text = append(d.text, c)
		}
		d.enter(n)
		if len(d.text)-d.begin > d.limits.bytes {
			d.limit("JSON token size limit exceeded")
		}
	}
}

// enter makes n the lexer's state, or takes the token that has ended.
func (d *Decoder) enter(n lexState) {
	switch {
	case n == tokenError:
		stray := d.text[d.begin:]
		d.emit(Value{}, &SyntaxError{"JSON parse error, stray '" + printable(stray) + "'"})
		d.state = inRecovery
	case n > tokenError:
		d.state = inStart
		d.take(n)
	case n == inStart || n == inRecovery:
		d.text = d.text[:d.begin]
		d.state = n
	default:
		d.state = n
	}
}

// take adds a token to the message, and parses the message if it is complete.
func (d *Decoder) take(kind lexState) {
	switch kind {
	case tokenLCurly:
		d.depth.braces++
	case tokenRCurly:
		d.depth.braces--
	case tokenLSquare:
		d.depth.brackets++
	case tokenRSquare:
		d.depth.brackets--
	}
	switch {
	case len(d.text)+1 > d.limits.bytes:
		d.limit("JSON token size limit exceeded")
		return
	case len(d.tokens)+1 > d.limits.tokens:
		d.limit("JSON token count limit exceeded")
		return
	case d.depth.braces+d.depth.brackets > nestingMax:
		d.limit("JSON nesting depth limit exceeded")
		return
	}
	d.tokens = append(d.tokens, token{kind, d.begin, len(d.text)})
	d.begin = len(d.text)
	open := d.depth.braces > 0 || d.depth.brackets > 0
	if open && d.depth.braces >= 0 && d.depth.brackets >= 0 {
		return
	}
	d.emit(d.parse.message(d.text, d.tokens))
}

// flush ends the input: an unfinished token or message is judged as it is.
func (d *Decoder) flush() {
	switch d.state {
	case inStart, inRecovery:
	case inZero, inNumber:
		d.take(tokenInteger)
	case inMantissaDigits, inExpDigits:
		d.take(tokenFloat)
	case inKeyword:
		d.take(tokenKeyword)
	default:
		d.enter(tokenError)
		return
	}
	if len(d.tokens) > 0 {
		d.emit(d.parse.message(d.text, d.tokens))
	}
}

func (d *Decoder) limit(desc string) {
	d.emit(Value{}, &SyntaxError{desc})
	d.state = inStart
}

// scratchBytesMax is how much memory a decoder keeps between messages.
const scratchBytesMax = 1 << 20

// emit hands out a result and begins a new message.
func (d *Decoder) emit(v Value, err error) {
	d.ready = append(d.ready, decoded{v, err})
	d.depth.braces, d.depth.brackets, d.begin = 0, 0, 0
	d.text, d.tokens = d.text[:0], d.tokens[:0]
	if cap(d.text) > scratchBytesMax {
		d.text, d.tokens = nil, nil
	}
}
