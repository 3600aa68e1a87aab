package oshost

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"syscall"

	"fleece/host"
	"fleece/rt"
)

// listener is a bound socket of the operating system.
type listener struct {
	h    *Host
	l    net.Listener
	addr string
}

// stream is a connection of the operating system.
type stream struct {
	h *Host
	c net.Conn
}

var (
	_ host.Listener = (*listener)(nil)
	_ host.Stream   = (*stream)(nil)
)

// Listen binds an address.
func (h *Host) Listen(network, address string) (host.Listener, error) {
	if !h.enter("bind", address, true) {
		return nil, rt.ErrKilled
	}
	defer h.leave()
	real, err := h.socketAddress(network, address)
	if err != nil {
		return nil, wrap("bind", address, err)
	}
	l, err := net.Listen(network, real)
	if err != nil {
		return nil, wrap("bind", address, err)
	}
	bound := &listener{h: h, l: l, addr: address}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	} else {
		bound.addr = l.Addr().String()
	}
	h.own(l)
	return bound, nil
}

// Dial connects.
func (h *Host) Dial(network, address string) (host.Stream, error) {
	if !h.enter("connect", address, true) {
		return nil, rt.ErrKilled
	}
	defer h.leave()
	real, err := h.socketAddress(network, address)
	if err != nil {
		return nil, wrap("connect", address, err)
	}
	c, err := net.Dial(network, real)
	if err != nil {
		return nil, wrap("connect", address, err)
	}
	h.own(c)
	return &stream{h, c}, nil
}

// socketAddress checks an address and gives the one to use.
func (h *Host) socketAddress(network, address string) (string, error) {
	switch network {
	case host.Unix:
		if len(address) > host.UnixPathMax {
			return "", syscall.EINVAL
		}
		return h.resolve(address)
	case host.TCP:
		if _, err := netip.ParseAddrPort(address); err != nil {
			return "", syscall.EINVAL
		}
		return address, nil
	default:
		return "", syscall.EAFNOSUPPORT
	}
}

// own makes the kill close c; disown takes it back.
func (h *Host) own(c io.Closer) {
	h.filesMu.Lock()
	h.sockets[c] = struct{}{}
	h.filesMu.Unlock()
}

func (h *Host) disown(c io.Closer) {
	h.filesMu.Lock()
	delete(h.sockets, c)
	h.filesMu.Unlock()
}

// socketError is the error of an operation on a socket, which a kill may have
// closed.
func (h *Host) socketError(op, address string, err error) error {
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return err
	case !h.p.Alive():
		return rt.ErrKilled
	case errors.Is(err, net.ErrClosed):
		return &fs.PathError{Op: op, Path: address, Err: syscall.EBADF}
	}
	return wrap(op, address, err)
}

// Accept waits for a peer.
func (l *listener) Accept() (host.Stream, error) {
	if !l.h.p.Alive() {
		return nil, rt.ErrKilled
	}
	c, err := l.l.Accept()
	if err != nil {
		return nil, l.h.socketError("accept", l.addr, err)
	}
	l.h.own(c)
	if !l.h.p.Alive() { // the kill may have passed between the two
		_ = c.Close()
		return nil, rt.ErrKilled
	}
	return &stream{l.h, c}, nil
}

// Addr is the address with the real port.
func (l *listener) Addr() string { return l.addr }

// Close frees the address.
func (l *listener) Close() error {
	l.h.disown(l.l)
	return l.h.socketError("close", l.addr, l.l.Close())
}

func (s *stream) Read(p []byte) (int, error) {
	if !s.h.p.Alive() {
		return 0, rt.ErrKilled
	}
	n, err := s.c.Read(p)
	return n, s.h.socketError("read", s.peer(), err)
}

func (s *stream) Write(p []byte) (int, error) {
	if !s.h.p.Alive() {
		return 0, rt.ErrKilled
	}
	n, err := s.c.Write(p)
	return n, s.h.socketError("write", s.peer(), err)
}

func (s *stream) Close() error {
	s.h.disown(s.c)
	return s.h.socketError("close", s.peer(), s.c.Close())
}

func (s *stream) peer() string { return s.c.RemoteAddr().String() }
