package nbd

import (
	"errors"
	"fmt"
	"io"
)

// Extent is a run of one state in a meta context.
type Extent struct {
	Offset, Length int64 // bytes
	State          uint32
}

// ContextExtents are the extents of one context in the reply to a block status.
type ContextExtents struct {
	Context string
	Extents []Extent
}

// errNotOpen is the misuse of a client that opened no export.
var errNotOpen = errors.New("nbd: no export is open: Go or ExportName comes first")

// Request is any request; for tests of servers. Data is what a write sends, and
// what a read fills.
type Request struct {
	Command Command
	Flags   uint16
	Offset  int64
	Length  uint32
	Data    []byte
}

// answerOf collects what the server says to one request.
type answerOf struct {
	req    Request
	filled []Extent // what of a read has come; State 1 for holes
	status []ContextExtents
	fault  error
}

// Do runs one request to its last reply.
func (k *Client) Do(r Request) ([]Extent, []ContextExtents, error) {
	if !k.open {
		return nil, nil, errNotOpen
	}
	k.cookie++
	head := request{r.Flags, r.Command, k.cookie, uint64(r.Offset), r.Length}
	k.out = head.append(k.out)
	if r.Command == CmdWrite {
		k.out = append(k.out, r.Data...)
	}
	if err := k.flush(); err != nil {
		return nil, nil, err
	}
	a := &answerOf{req: r}
	for range replyChunksMax {
		done, err := k.reply(a)
		if err != nil {
			return nil, nil, fmt.Errorf("nbd: reply to %s: %w", r.Command, err)
		}
		if done {
			return a.filled, a.status, a.finish()
		}
	}
	return nil, nil, protocolError("more than %d chunks in one reply", replyChunksMax)
}

// replyChunksMax bounds the chunks of one reply: a read of PayloadMax whose
// sectors are data and holes by turns.
const replyChunksMax = PayloadMax/512 + 2

// reply reads one reply or chunk.
func (k *Client) reply(a *answerOf) (done bool, err error) {
	var p [chunkHeadSize]byte
	if _, err := io.ReadFull(k.in, p[:simpleHeadSize]); err != nil {
		return false, err
	}
	if be.Uint32(p[:]) == magicSimple {
		if be.Uint64(p[8:]) != k.cookie {
			return false, protocolError("a reply to request %d", be.Uint64(p[8:]))
		}
		return true, k.simple(a, Errno(be.Uint32(p[4:])))
	}
	if be.Uint32(p[:]) != magicChunk || !k.structured {
		return false, protocolError("a reply with magic %#x", be.Uint32(p[:]))
	}
	if be.Uint64(p[8:]) != k.cookie {
		return false, protocolError("a chunk for request %d", be.Uint64(p[8:]))
	}
	if _, err := io.ReadFull(k.in, p[simpleHeadSize:]); err != nil {
		return false, err
	}
	err = k.chunk(a, be.Uint16(p[6:]), be.Uint32(p[16:]))
	return be.Uint16(p[4:])&chunkFlagDone != 0, err
}

// simple takes a simple reply.
func (k *Client) simple(a *answerOf, e Errno) error {
	switch {
	case a.req.Command == CmdRead && k.structured:
		return protocolError("a simple reply to a read with structured replies")
	case e != 0:
		a.fault = &RequestError{Command: a.req.Command, Errno: e}
		return nil
	case a.req.Command != CmdRead:
		return nil
	}
	_, err := io.ReadFull(k.in, a.req.Data)
	a.filled = append(a.filled, Extent{Offset: a.req.Offset, Length: int64(len(a.req.Data))})
	return err
}

// chunk takes one chunk with n bytes of data.
func (k *Client) chunk(a *answerOf, kind uint16, n uint32) error {
	switch {
	case kind == chunkNone && n == 0:
		return nil
	case kind == chunkOffsetData && a.req.Command == CmdRead && n > 8:
		return k.dataChunk(a, int64(n)-8)
	case kind == chunkOffsetHole && a.req.Command == CmdRead && n == 12:
		return k.holeChunk(a)
	case kind == chunkBlockStatus && a.req.Command == CmdBlockStatus && n >= 12 && n%8 == 4 && n <= 4+8*ExtentsMax:
		return k.statusChunk(a, n)
	case kind&chunkErrorBit != 0 && n >= 6 && n <= 6+StringMax+8:
		return k.errorChunk(a, n)
	}
	return protocolError("a chunk of type %d with %d bytes", kind, n)
}

func (k *Client) dataChunk(a *answerOf, n int64) error {
	var p [8]byte
	if _, err := io.ReadFull(k.in, p[:]); err != nil {
		return err
	}
	to, err := a.place(int64(be.Uint64(p[:])), n, 0)
	if err != nil {
		return err
	}
	_, err = io.ReadFull(k.in, to)
	return err
}

func (k *Client) holeChunk(a *answerOf) error {
	var p [12]byte
	if _, err := io.ReadFull(k.in, p[:]); err != nil {
		return err
	}
	to, err := a.place(int64(be.Uint64(p[:])), int64(be.Uint32(p[8:])), 1)
	clear(to)
	return err
}

// place gives the part of the read's buffer for a chunk, which must lie in the
// request.
func (a *answerOf) place(off, n int64, state uint32) ([]byte, error) {
	from := off - a.req.Offset
	if from < 0 || n <= 0 || from > int64(len(a.req.Data))-n {
		return nil, protocolError("content of %d bytes at %d is outside of the request", n, off)
	}
	a.filled = append(a.filled, Extent{off, n, state})
	return a.req.Data[from : from+n], nil
}

func (k *Client) statusChunk(a *answerOf, n uint32) error {
	p := make([]byte, n)
	if _, err := io.ReadFull(k.in, p); err != nil {
		return err
	}
	name := ""
	for _, c := range k.contexts {
		if c.ID == be.Uint32(p) {
			name = c.Name
		}
	}
	if name == "" {
		return protocolError("block status of context %d, which was not chosen", be.Uint32(p))
	}
	c := ContextExtents{Context: name}
	off := a.req.Offset
	for p = p[4:]; len(p) > 0; p = p[8:] {
		e := Extent{off, int64(be.Uint32(p)), be.Uint32(p[4:])}
		if e.Length == 0 {
			return protocolError("an extent of no length in context %q", name)
		}
		c.Extents = append(c.Extents, e)
		off += e.Length
	}
	a.status = append(a.status, c)
	return nil
}

func (k *Client) errorChunk(a *answerOf, n uint32) error {
	p := make([]byte, n)
	if _, err := io.ReadFull(k.in, p); err != nil {
		return err
	}
	text := int(be.Uint16(p[4:]))
	if text > len(p)-6 {
		return protocolError("an error's text of %d bytes in a chunk of %d", text, n)
	}
	a.fault = &RequestError{a.req.Command, Errno(be.Uint32(p)), string(p[6 : 6+text])}
	return nil
}

// finish is the verdict on the whole reply: a read must have been answered
// completely, each byte once.
func (a *answerOf) finish() error {
	if a.fault != nil || a.req.Command != CmdRead {
		return a.fault
	}
	var sum int64
	for i, e := range a.filled {
		sum += e.Length
		if i > 0 && a.filled[i-1].Offset+a.filled[i-1].Length > e.Offset {
			return protocolError("content at %d came twice or out of order", e.Offset)
		}
	}
	if sum != int64(len(a.req.Data)) {
		return protocolError("%d bytes of a read of %d were answered", sum, len(a.req.Data))
	}
	return nil
}

// ReadAt fills p from off, in as many requests as it takes.
func (k *Client) ReadAt(p []byte, off int64) (int, error) {
	for done := 0; ; {
		part := p[done:min(len(p), done+PayloadMax)]
		if len(part) == 0 {
			return done, nil
		}
		_, _, err := k.Do(Request{Command: CmdRead, Offset: off + int64(done), Length: uint32(len(part)), Data: part})
		if err != nil {
			return done, err
		}
		done += len(part)
	}
}

// BlockStatus asks for the state of a range in the chosen contexts. With
// CmdFlagReqOne the server gives one extent each.
func (k *Client) BlockStatus(off int64, n uint32, flags uint16) ([]ContextExtents, error) {
	_, status, err := k.Do(Request{Command: CmdBlockStatus, Flags: flags, Offset: off, Length: n})
	return status, err
}

// WriteAt writes p at off, in as many requests as it takes.
func (k *Client) WriteAt(p []byte, off int64) (int, error) {
	for done := 0; ; {
		part := p[done:min(len(p), done+PayloadMax)]
		if len(part) == 0 {
			return done, nil
		}
		_, _, err := k.Do(Request{Command: CmdWrite, Offset: off + int64(done), Length: uint32(len(part)), Data: part})
		if err != nil {
			return done, err
		}
		done += len(part)
	}
}

// Flush makes what was written durable.
func (k *Client) Flush() error {
	_, _, err := k.Do(Request{Command: CmdFlush})
	return err
}

// Disconnect leaves in order and closes the connection.
func (k *Client) Disconnect() error {
	k.cookie++
	k.out = request{kind: CmdDisc, cookie: k.cookie}.append(k.out)
	err := k.flush()
	if e := k.conn.Close(); err == nil {
		err = e
	}
	return err
}

// Size is the size of the open export, in bytes.
func (k *Client) Size() int64 { return k.info.Size }
