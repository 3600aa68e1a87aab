package nbd

import (
	"errors"
	"fmt"
	"io"
)

// errAnswered says that an option was answered with an error, and that its data
// were read to the end.
type errAnswered struct{}

func (errAnswered) Error() string { return "nbd: the option was refused" }

// reply adds one reply to the option.
func (o *option) reply(kind uint32, data []byte) {
	out := be.AppendUint64(o.s.out, magicOptReply)
	out = be.AppendUint32(out, uint32(o.kind))
	out = be.AppendUint32(out, kind)
	out = be.AppendUint32(out, uint32(len(data)))
	o.s.out = append(out, data...)
}

// finish skips the data that are left and ends the option: with an
// acknowledgement if e is 0, else with an error and its text.
func (o *option) finish(e OptionErrno, format string, args ...any) error {
	if err := o.skip(o.left); err != nil {
		return err
	}
	if e == 0 {
		o.reply(repAck, nil)
		return nil
	}
	text := fmt.Sprintf(format, args...)
	o.reply(uint32(e), []byte(text[:min(len(text), StringMax)]))
	return nil
}

// refuse is finish with ErrInvalid, for a place that must not go on.
func (o *option) refuse(format string, args ...any) error {
	if err := o.finish(ErrInvalid, format, args...); err != nil {
		return err
	}
	return errAnswered{}
}

// answered turns errAnswered, which is no reason to end the session, into nil.
func answered(err error) error {
	if errors.Is(err, errAnswered{}) {
		return nil
	}
	return err
}

// skip drops n bytes of data.
func (o *option) skip(n uint32) error {
	o.left -= n
	_, err := o.s.in.Discard(int(n))
	return err
}

// read fills p with data of the option.
func (o *option) read(p []byte) error {
	if uint32(len(p)) > o.left {
		return o.refuse("Inconsistent lengths in option %s", o.kind)
	}
	o.left -= uint32(len(p))
	_, err := io.ReadFull(o.s.in, p)
	return err
}

func (o *option) uint32() (uint32, error) {
	var p [4]byte
	err := o.read(p[:])
	return be.Uint32(p[:]), err
}

// text reads n bytes; the string is valid until the next.
func (o *option) text(n uint32) (string, error) {
	if o.s.scratch == nil {
		o.s.scratch = make([]byte, StringMax)
	}
	p := o.s.scratch[:n]
	err := o.read(p)
	return string(p), err
}

// name reads a string with its length before it.
func (o *option) name() (string, error) {
	n, err := o.uint32()
	if err != nil {
		return "", err
	}
	if n > StringMax {
		return "", o.refuse("Invalid name length: %d", n)
	}
	return o.text(n)
}

// noData demands that the option has no (more) data.
func (o *option) noData() error {
	if o.left == 0 {
		return nil
	}
	return o.refuse("option '%s' has unexpected length", o.kind)
}

func (o *option) list() error {
	if err := o.noData(); err != nil {
		return answered(err)
	}
	for _, e := range o.s.server.Source.Exports() {
		data := be.AppendUint32(nil, uint32(len(e.Name())))
		data = append(data, e.Name()...)
		o.reply(repServer, append(data, e.Description()...))
		if len(o.s.out) > outFlush {
			if err := o.s.flush(); err != nil {
				return err
			}
		}
	}
	return o.finish(0, "")
}

func (o *option) structuredReply() error {
	if err := o.noData(); err != nil {
		return answered(err)
	}
	if o.s.structured {
		return o.finish(ErrInvalid, "structured reply already negotiated")
	}
	o.s.structured = true
	return o.finish(0, "")
}

func (o *option) startTLS() error {
	s := o.s
	switch {
	case o.left > 0:
		err := answered(o.noData())
		if err == nil && s.server.TLS != TLSOff && !s.tls {
			err = protocolError("STARTTLS with data") // as QEMU, which ends the session only here
		}
		return err
	case s.tls:
		return o.finish(ErrInvalid, "TLS already enabled")
	case s.server.TLS == TLSOff:
		return o.finish(ErrPolicy, "TLS not configured")
	}
	if err := o.finish(0, ""); err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	if s.in.Buffered() > 0 {
		return protocolError("data behind STARTTLS before the handshake")
	}
	c, err := s.server.Upgrade(s.conn)
	if err != nil {
		return fmt.Errorf("nbd: TLS handshake: %w", err)
	}
	s.conn, s.tls = c, true
	s.in.Reset(c)
	// What was said in the clear does not count any more.
	s.structured, s.contexts, s.metaExport = false, nil, ""
	return nil
}

// exportName opens an export in the old way, which has no error reply.
func (o *option) exportName() (bool, error) {
	if o.left > StringMax {
		return false, protocolError("export name of %d bytes", o.left)
	}
	name, err := o.text(o.left)
	if err != nil {
		return false, err
	}
	s := o.s
	e := s.find(name)
	if e == nil {
		return false, protocolError("export '%s' not present", name)
	}
	s.open(e)
	s.out = be.AppendUint64(s.out, uint64(e.Size()))
	s.out = be.AppendUint16(s.out, uint16(s.flags(e)))
	if !s.noZeroes {
		s.out = append(s.out, make([]byte, exportZeroes)...)
	}
	return true, nil
}

// flags are the flags of an export in this session.
func (s *Session) flags(e Export) Flags {
	f := flagsOf(e)
	if s.structured {
		f |= FlagSendDF
	}
	return f
}

// open makes e the session's export; contexts chosen for another are void.
func (s *Session) open(e Export) {
	s.export = e
	if s.metaExport != e.Name() {
		s.contexts = nil
	}
}

// preferredBlock is what QEMU prefers, in bytes.
const preferredBlock = 4096

// infoOrGo describes an export and, for GO, opens it.
func (o *option) infoOrGo() (bool, error) {
	name, wantName, err := o.infoRequest()
	if err != nil {
		return false, answered(err)
	}
	s := o.s
	e := s.find(name)
	if e == nil {
		return false, o.finish(ErrUnknown, "export '%s' not present", name)
	}
	if wantName {
		o.reply(repInfo, append(be.AppendUint16(nil, infoName), name...))
	}
	if d := e.Description(); d != "" {
		o.reply(repInfo, append(be.AppendUint16(nil, infoDescription), d...))
	}
	sizes := be.AppendUint16(nil, infoBlockSize)
	sizes = be.AppendUint32(sizes, 1)
	sizes = be.AppendUint32(sizes, preferredBlock)
	o.reply(repInfo, be.AppendUint32(sizes, PayloadMax))
	export := be.AppendUint16(nil, infoExport)
	export = be.AppendUint64(export, uint64(e.Size()))
	o.reply(repInfo, be.AppendUint16(export, uint16(s.flags(e))))
	if o.kind == OptGo {
		s.open(e)
	}
	return o.kind == OptGo, o.finish(0, "")
}

// infoRequest reads the data of INFO and GO.
func (o *option) infoRequest() (name string, wantName bool, err error) {
	if name, err = o.name(); err != nil {
		return "", false, err
	}
	var p [2]byte
	if err := o.read(p[:]); err != nil {
		return "", false, err
	}
	for range be.Uint16(p[:]) {
		var kind [2]byte
		if err := o.read(kind[:]); err != nil {
			return "", false, err
		}
		wantName = wantName || be.Uint16(kind[:]) == infoName
	}
	return name, wantName, o.noData()
}
