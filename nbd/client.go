package nbd

import (
	"bufio"
	"fmt"
	"io"
)

// Client is the client's end of a session. It has one request in flight, and one
// task uses it at a time. A refusal by the server is an *OptionError or a
// *RequestError and leaves the session usable; every other error ends it.
type Client struct {
	conn       Conn
	in         *bufio.Reader
	out        []byte
	noZeroes   bool
	structured bool
	info       Info
	contexts   []Context
	metaExport string
	open       bool
	cookie     uint64
}

// Info describes an export.
type Info struct {
	Name        string // as the server gave it, if it was asked for
	Description string
	Size        int64 // bytes
	Flags       Flags
	// Block sizes in bytes; 0 if the server did not tell.
	BlockMin, BlockPreferred, BlockMax uint32
}

// Connect takes the greeting and answers it.
func Connect(c Conn) (*Client, error) {
	k := &Client{conn: c, in: bufio.NewReaderSize(c, readAhead)}
	var p [18]byte
	if _, err := io.ReadFull(k.in, p[:]); err != nil {
		return nil, fmt.Errorf("nbd: greeting: %w", err)
	}
	if be.Uint64(p[:]) != magicInit || be.Uint64(p[8:]) != magicOption {
		return nil, protocolError("the greeting is not that of a newstyle server")
	}
	flags := be.Uint16(p[16:])
	if flags&flagFixedNewstyle == 0 {
		return nil, protocolError("the server is not fixed newstyle")
	}
	k.noZeroes = flags&flagNoZeroes != 0
	k.out = be.AppendUint32(k.out, uint32(flags&(flagFixedNewstyle|flagNoZeroes)))
	return k, k.flush()
}

func (k *Client) flush() error {
	_, err := k.conn.Write(k.out)
	k.out = k.out[:0]
	return err
}

// Close ends the connection without a word; see Disconnect and Abort.
func (k *Client) Close() error { return k.conn.Close() }

// Structured reports whether structured replies were negotiated.
func (k *Client) Structured() bool { return k.structured }

// ask sends an option.
func (k *Client) ask(o Option, data []byte) error {
	k.out = be.AppendUint64(k.out, magicOption)
	k.out = be.AppendUint32(k.out, uint32(o))
	k.out = be.AppendUint32(k.out, uint32(len(data)))
	k.out = append(k.out, data...)
	return k.flush()
}

// Limits on what a server may answer to one option.
const (
	optRepliesMax = 1 << 16
	optDataMax    = 2*StringMax + 64
)

// options runs one option: each gets every reply that is neither the
// acknowledgement nor an error.
func (k *Client) option(o Option, data []byte, each func(kind uint32, data []byte) error) error {
	if err := k.ask(o, data); err != nil {
		return err
	}
	for range optRepliesMax {
		kind, data, err := k.optionReply(o)
		switch {
		case err != nil:
			return err
		case kind == repAck:
			return nil
		case kind&errorBit != 0:
			return &OptionError{o, OptionErrno(kind), string(data)}
		}
		if each == nil {
			return protocolError("reply %d to option %q", kind, o)
		}
		if err := each(kind, data); err != nil {
			return err
		}
	}
	return protocolError("more than %d replies to option %q", optRepliesMax, o)
}

func (k *Client) optionReply(o Option) (kind uint32, data []byte, err error) {
	var p [20]byte
	if _, err := io.ReadFull(k.in, p[:]); err != nil {
		return 0, nil, fmt.Errorf("nbd: reply to option %q: %w", o, err)
	}
	n := be.Uint32(p[16:])
	switch {
	case be.Uint64(p[:]) != magicOptReply:
		return 0, nil, protocolError("reply to option %q without its magic", o)
	case be.Uint32(p[8:]) != uint32(o):
		return 0, nil, protocolError("reply to option %d instead of %q", be.Uint32(p[8:]), o)
	case n > optDataMax:
		return 0, nil, protocolError("reply of %d bytes to option %q", n, o)
	}
	data = make([]byte, n)
	if _, err := io.ReadFull(k.in, data); err != nil {
		return 0, nil, fmt.Errorf("nbd: reply to option %q: %w", o, err)
	}
	return be.Uint32(p[12:]), data, nil
}

// Option sends any option with any data and gives the server's refusal, if there
// is one; what else it answers is dropped. For tests of servers.
func (k *Client) Option(o Option, data []byte) error {
	return k.option(o, data, func(uint32, []byte) error { return nil })
}

// StructuredReplies asks for structured replies.
func (k *Client) StructuredReplies() error {
	err := k.option(OptStructuredReply, nil, nil)
	k.structured = k.structured || err == nil
	return err
}

// StartTLS asks for TLS; upgrade does the client's handshake.
func (k *Client) StartTLS(upgrade func(Conn) (Conn, error)) error {
	if err := k.option(OptStartTLS, nil, nil); err != nil {
		return err
	}
	if k.in.Buffered() > 0 {
		return protocolError("data from the server before the TLS handshake")
	}
	c, err := upgrade(k.conn)
	if err != nil {
		return fmt.Errorf("nbd: TLS handshake: %w", err)
	}
	k.conn = c
	k.in.Reset(c)
	k.structured = false
	return nil
}

// Listed is an export as LIST tells of it.
type Listed struct{ Name, Description string }

// List gives the server's exports, in its order.
func (k *Client) List() ([]Listed, error) {
	var all []Listed
	err := k.option(OptList, nil, func(kind uint32, data []byte) error {
		if kind != repServer || len(data) < 4 || uint64(be.Uint32(data)) > uint64(len(data)-4) {
			return protocolError("reply %d of %d bytes to option %q", kind, len(data), OptList)
		}
		n := be.Uint32(data)
		all = append(all, Listed{string(data[4 : 4+n]), string(data[4+n:])})
		return nil
	})
	return all, err
}

// Info asks about an export without opening it.
func (k *Client) Info(export string) (Info, error) { return k.infoOrGo(OptInfo, export) }

// Go opens an export; requests may follow.
func (k *Client) Go(export string) (Info, error) {
	info, err := k.infoOrGo(OptGo, export)
	if err == nil {
		k.opened(export, info)
	}
	return info, err
}

func (k *Client) opened(export string, info Info) {
	k.info, k.open = info, true
	if k.metaExport != export {
		k.contexts = nil
	}
}

func (k *Client) infoOrGo(o Option, export string) (Info, error) {
	data := appendString(nil, export)
	data = be.AppendUint16(data, 3)
	for _, kind := range []uint16{infoName, infoDescription, infoBlockSize} {
		data = be.AppendUint16(data, kind)
	}
	var info Info
	sized := false
	err := k.option(o, data, func(kind uint32, data []byte) error {
		if kind != repInfo || len(data) < 2 {
			return protocolError("reply %d of %d bytes to option %q", kind, len(data), o)
		}
		sized = sized || be.Uint16(data) == infoExport
		return info.take(be.Uint16(data), data[2:])
	})
	if err == nil && !sized {
		err = protocolError("option %q was answered without the export's size", o)
	}
	return info, err
}

// take reads one piece of information; kinds that are not known are passed over.
func (i *Info) take(kind uint16, data []byte) error {
	switch {
	case kind == infoName:
		i.Name = string(data)
	case kind == infoDescription:
		i.Description = string(data)
	case kind == infoExport && len(data) == 10:
		i.Size, i.Flags = int64(be.Uint64(data)), Flags(be.Uint16(data[8:]))
		if i.Size < 0 {
			return protocolError("an export of %d bytes", uint64(i.Size))
		}
	case kind == infoBlockSize && len(data) == 12:
		i.BlockMin, i.BlockPreferred, i.BlockMax = be.Uint32(data), be.Uint32(data[4:]), be.Uint32(data[8:])
	case kind == infoExport || kind == infoBlockSize:
		return protocolError("information %d of %d bytes", kind, len(data))
	}
	return nil
}

// ExportName opens an export in the old way: the server closes the connection if
// there is none of that name.
func (k *Client) ExportName(export string) (Info, error) {
	if err := k.ask(OptExportName, []byte(export)); err != nil {
		return Info{}, err
	}
	p := make([]byte, 10, 10+exportZeroes)
	if !k.noZeroes {
		p = p[:10+exportZeroes]
	}
	if _, err := io.ReadFull(k.in, p); err != nil {
		return Info{}, fmt.Errorf("nbd: option %q: %w", OptExportName, err)
	}
	info := Info{}
	if err := info.take(infoExport, p[:10]); err != nil {
		return info, err
	}
	k.opened(export, info)
	return info, nil
}

// Abort leaves before an export is open.
func (k *Client) Abort() error {
	err := k.option(OptAbort, nil, nil)
	if e := k.conn.Close(); err == nil {
		err = e
	}
	return err
}

// ListMetaContexts lists the contexts of an export that match any of the queries,
// all without one.
func (k *Client) ListMetaContexts(export string, queries ...string) ([]Context, error) {
	return k.meta(OptListMetaContext, export, queries)
}

// SetMetaContexts chooses the contexts that BlockStatus tells of, and gives those
// that the server agreed to.
func (k *Client) SetMetaContexts(export string, queries ...string) ([]Context, error) {
	found, err := k.meta(OptSetMetaContext, export, queries)
	k.contexts, k.metaExport = nil, ""
	if err == nil {
		k.contexts, k.metaExport = found, export
	}
	return found, err
}

func (k *Client) meta(o Option, export string, queries []string) ([]Context, error) {
	if len(queries) > QueriesMax {
		return nil, fmt.Errorf("nbd: %d queries, at most %d", len(queries), QueriesMax)
	}
	data := be.AppendUint32(appendString(nil, export), uint32(len(queries)))
	for _, q := range queries {
		data = appendString(data, q)
	}
	var found []Context
	err := k.option(o, data, func(kind uint32, data []byte) error {
		if kind != repMetaContext || len(data) < 4 {
			return protocolError("reply %d of %d bytes to option %q", kind, len(data), o)
		}
		found = append(found, Context{be.Uint32(data), string(data[4:])})
		return nil
	})
	return found, err
}

// appendString adds a string with its length before it.
func appendString(p []byte, s string) []byte {
	return append(be.AppendUint32(p, uint32(len(s))), s...)
}
