package nbd

import (
	"fmt"
	"io"
)

// outFlush is how many bytes of replies are collected before they are sent, while
// more requests wait to be read; outKeepMax how large a buffer a session keeps.
const (
	outFlush   = 64 << 10
	outKeepMax = 1 << 20
)

// Transmit serves requests on the open export until the client disconnects, which
// is nil, or the connection ends or cannot go on. Requests are served in the order
// of their arrival.
func (s *Session) Transmit() error {
	var p [requestSize]byte
	for {
		if s.in.Buffered() == 0 || len(s.out) > outFlush {
			if err := s.flush(); err != nil {
				return err
			}
		}
		if n, err := io.ReadFull(s.in, p[:]); err != nil {
			if n == 0 && err == io.EOF {
				return nil
			}
			return fmt.Errorf("nbd: request: %w", err)
		}
		r, ok := parseRequest(p[:])
		if !ok {
			return protocolError("a request without its magic")
		}
		if r.kind == CmdDisc {
			return s.flush()
		}
		if err := s.answer(r); err != nil {
			_ = s.flush() // what was answered before
			return err
		}
	}
}

// answer serves one request; an error ends the session.
func (s *Session) answer(r request) error {
	if refusal := s.check(r); refusal != "" {
		s.fail(r, EINVAL, refusal)
		if r.kind != CmdWrite {
			return nil
		}
		if r.length > PayloadMax {
			return protocolError("a write of %d bytes", r.length)
		}
		_, err := s.in.Discard(int(r.length))
		return err
	}
	off, n := int64(r.from), int64(r.length)
	switch r.kind {
	case CmdRead:
		return s.read(r)
	case CmdWrite:
		return s.write(r)
	case CmdBlockStatus:
		s.blockStatus(r)
	case CmdWriteZeroes:
		err := s.export.WriteZeroes(off, n, r.flags&CmdFlagNoHole != 0, r.flags&CmdFlagFastZero != 0)
		s.done(r, err, "writing to file failed")
	case CmdTrim:
		s.done(r, s.export.Trim(off, n), "discard failed")
	case CmdFlush:
		s.done(r, s.export.Flush(), "flush failed")
	case CmdCache:
		s.done(r, s.export.Cache(off, n), "caching data failed")
	case CmdDisc: // never here
	}
	return nil
}

// check gives QEMU's reason to refuse a request, "" for none. Whatever it is, the
// number is EINVAL (§6.3).
func (s *Session) check(r request) string {
	if (r.kind == CmdRead || r.kind == CmdWrite || r.kind == CmdCache) && r.length > PayloadMax {
		return fmt.Sprintf("len (%d ) is larger than max len (%d)", r.length, PayloadMax)
	}
	size := uint64(s.export.Size())
	switch {
	case s.export.ReadOnly() && (r.kind == CmdWrite || r.kind == CmdWriteZeroes || r.kind == CmdTrim):
		return "Export is read-only"
	case r.from > size || uint64(r.length) > size-r.from:
		return fmt.Sprintf("operation past EOF; From: %d, Len: %d, Size: %d", r.from, r.length, size)
	case r.flags&^s.validFlags(r.kind) != 0:
		return fmt.Sprintf("unsupported flags for command %s (got 0x%x)", r.kind, r.flags)
	case r.kind > CmdBlockStatus:
		return fmt.Sprintf("invalid request type (%d) received", r.kind)
	case r.kind == CmdBlockStatus && r.length == 0:
		return "need non-zero length"
	case r.kind == CmdBlockStatus && len(s.contexts) == 0:
		return "CMD_BLOCK_STATUS not negotiated"
	}
	return ""
}

func (s *Session) validFlags(c Command) uint16 {
	switch {
	case c == CmdRead && s.structured:
		return CmdFlagFUA | CmdFlagDF
	case c == CmdWriteZeroes:
		return CmdFlagFUA | CmdFlagNoHole | CmdFlagFastZero
	case c == CmdBlockStatus:
		return CmdFlagFUA | CmdFlagReqOne
	default:
		return CmdFlagFUA
	}
}

func (s *Session) write(r request) error {
	p := make([]byte, r.length)
	if _, err := io.ReadFull(s.in, p); err != nil {
		return fmt.Errorf("nbd: data of a write: %w", err)
	}
	err := s.export.WriteAt(p, int64(r.from))
	if err == nil && r.flags&CmdFlagFUA != 0 {
		err = s.export.Flush()
	}
	s.done(r, err, "writing to file failed")
	return nil
}

// done ends a request that has no data.
func (s *Session) done(r request, err error, what string) {
	if err != nil {
		s.fail(r, errnoOf(err), what)
		return
	}
	s.simple(r, 0)
}

// fail ends a request with an error.
func (s *Session) fail(r request, e Errno, text string) {
	if !s.structured {
		s.simple(r, e)
		return
	}
	text = text[:min(len(text), StringMax)]
	s.chunk(r, chunkError, true, 6+len(text))
	s.out = be.AppendUint32(s.out, uint32(e))
	s.out = be.AppendUint16(s.out, uint16(len(text)))
	s.out = append(s.out, text...)
}

func (s *Session) simple(r request, e Errno) {
	s.out = be.AppendUint32(s.out, magicSimple)
	s.out = be.AppendUint32(s.out, uint32(e))
	s.out = be.AppendUint64(s.out, r.cookie)
}

// chunk begins a chunk whose n bytes of data the caller adds.
func (s *Session) chunk(r request, kind uint16, last bool, n int) {
	var flags uint16
	if last {
		flags = chunkFlagDone
	}
	s.out = be.AppendUint32(s.out, magicChunk)
	s.out = be.AppendUint16(s.out, flags)
	s.out = be.AppendUint16(s.out, kind)
	s.out = be.AppendUint64(s.out, r.cookie)
	s.out = be.AppendUint32(s.out, uint32(n))
}
