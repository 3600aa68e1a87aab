package nbd

import (
	"bufio"
	"fmt"
	"io"
)

// TLSMode says what a server makes of TLS.
type TLSMode int

// The modes of TLS.
const (
	TLSOff      TLSMode = iota // STARTTLS is refused
	TLSRequired                // nothing but STARTTLS is served before it; QEMU with tls-creds
	TLSOptional                // a client may, an extension of ours
)

// Server holds what all sessions of one NBD server share.
type Server struct {
	Source Source
	TLS    TLSMode
	// Upgrade does the TLS handshake of a server over a connection. It is needed
	// unless TLS is TLSOff.
	Upgrade func(Conn) (Conn, error)
}

// Session is one client's connection to a server, of one task at a time.
type Session struct {
	server *Server
	conn   Conn
	in     *bufio.Reader
	out    []byte // replies not sent yet
	tls    bool

	fixed, noZeroes bool
	structured      bool
	metaExport      string // the export that contexts were chosen for
	contexts        []Context
	export          Export

	scratch []byte // for strings of options
	extents []extent
}

// readAhead is the size of a session's read buffer, in bytes.
const readAhead = 4096

// NewSession makes a session; it does nothing before Negotiate.
func (s *Server) NewSession(c Conn) *Session {
	return &Session{server: s, conn: c, in: bufio.NewReaderSize(c, readAhead)}
}

// Export is the export that the client opened; nil before that.
func (s *Session) Export() Export { return s.export }

// flush sends the replies that were collected.
func (s *Session) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	_, err := s.conn.Write(s.out)
	s.out = s.out[:0]
	if cap(s.out) > outKeepMax {
		s.out = nil
	}
	return err
}

// Negotiate serves options until the client opens an export, which it returns. A
// nil export without an error means that the client left in order (ABORT, or its
// end of the connection closed between options).
func (s *Session) Negotiate() (Export, error) {
	s.out = be.AppendUint64(s.out, magicInit)
	s.out = be.AppendUint64(s.out, magicOption)
	s.out = be.AppendUint16(s.out, flagFixedNewstyle|flagNoZeroes)
	if err := s.clientFlags(); err != nil {
		return nil, err
	}
	for {
		o, done, err := s.readOption()
		if err != nil || done {
			return nil, err
		}
		if done, err = s.serve(o); err != nil {
			_ = s.flush() // the reply that explains the end, if there is one
			return nil, err
		}
		if done {
			return s.export, s.flush()
		}
	}
}

func (s *Session) clientFlags() error {
	if err := s.flush(); err != nil {
		return err
	}
	var p [4]byte
	if _, err := io.ReadFull(s.in, p[:]); err != nil {
		return fmt.Errorf("nbd: client flags: %w", err)
	}
	flags := be.Uint32(p[:])
	s.fixed, s.noZeroes = flags&flagFixedNewstyle != 0, flags&flagNoZeroes != 0
	if flags &^= flagFixedNewstyle | flagNoZeroes; flags != 0 {
		return protocolError("unknown client flags %#x", flags)
	}
	return nil
}

// option is an option whose data have not been read yet.
type option struct {
	s    *Session
	kind Option
	left uint32 // bytes of data not read yet
}

// readOption reads the head of the next option; done means that there is none.
func (s *Session) readOption() (o *option, done bool, err error) {
	if err := s.flush(); err != nil {
		return nil, false, err
	}
	var p [optionHeadSize]byte
	if n, err := io.ReadFull(s.in, p[:]); err != nil {
		if n == 0 && err == io.EOF {
			return nil, true, nil
		}
		return nil, false, fmt.Errorf("nbd: option: %w", err)
	}
	o = &option{s: s, kind: Option(be.Uint32(p[8:])), left: be.Uint32(p[12:])}
	if be.Uint64(p[:]) != magicOption {
		return nil, false, protocolError("an option without its magic")
	}
	if o.left > PayloadMax {
		return nil, false, protocolError("option %d: len (%d) is larger than max len (%d)", o.kind, o.left, PayloadMax)
	}
	return o, false, nil
}

// serve answers one option; done means that options are over: an export is open,
// or the client leaves.
func (s *Session) serve(o *option) (done bool, err error) {
	if s.server.TLS == TLSRequired && !s.tls && o.kind != OptStartTLS {
		return o.beforeTLS()
	}
	if !s.fixed && o.kind != OptExportName {
		return false, protocolError("option %d from a client that is not fixed newstyle", o.kind)
	}
	switch o.kind {
	case OptExportName:
		return o.exportName()
	case OptAbort:
		return true, o.finish(0, "")
	case OptList:
		return false, o.list()
	case OptStartTLS:
		return false, o.startTLS()
	case OptInfo, OptGo:
		return o.infoOrGo()
	case OptStructuredReply:
		return false, o.structuredReply()
	case OptListMetaContext, OptSetMetaContext:
		return false, o.metaContext()
	default:
		return false, o.finish(ErrUnsup, "Unsupported option %d (%s)", uint32(o.kind), o.kind)
	}
}

func (o *option) beforeTLS() (bool, error) {
	if o.kind == OptExportName {
		return false, protocolError("option %#x not permitted before TLS", uint32(o.kind))
	}
	err := o.finish(ErrTLSReqd, "Option %#x not permitted before TLS", uint32(o.kind))
	return o.kind == OptAbort, err
}

// find gives the export of that name, or nil.
func (s *Session) find(name string) Export {
	for _, e := range s.server.Source.Exports() {
		if e.Name() == name {
			return e
		}
	}
	return nil
}
