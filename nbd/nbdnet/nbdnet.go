// Package nbdnet puts the nbd package on sockets of the operating system: a
// listener that serves sessions on goroutines, TLS, and dialling.
//
// It is not for simulated worlds, which carry the same protocol over connections
// of their own.
//
// The property it keeps: every goroutine and connection that a Listener started
// has ended when Close returns; a client that does not finish its handshake is
// dropped after HandshakeMax.
package nbdnet

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"fleece/nbd"
)

// HandshakeMax is how long a client may take to open an export, as in QEMU 7.2
// (§6.1).
const HandshakeMax = 10 * time.Second

// ConnectionsMax is the number of clients at a time if Options do not say, as in
// QEMU. Above it connections wait ungreeted in the backlog.
const ConnectionsMax = 100

// Options say how sessions are served.
type Options struct {
	Source nbd.Source
	TLS    nbd.TLSMode
	// Certificates is needed unless TLS is nbd.TLSOff.
	Certificates *tls.Config
	// Connections bounds the clients at a time; 0 means ConnectionsMax.
	Connections int
	// Handshake replaces HandshakeMax; 0 means that.
	Handshake time.Duration
	// OnEnd is told why each session ended, nil for a client that left in order.
	// It may be called from several goroutines at a time.
	OnEnd func(error)
}

// Listener serves clients until it is closed.
type Listener struct {
	o     Options
	l     net.Listener
	slots chan struct{}
	all   sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]nbd.Export // nil before an export is open
	closed bool
}

// Listen serves on l, which it owns from now on.
func Listen(l net.Listener, o Options) (*Listener, error) {
	if o.TLS != nbd.TLSOff && o.Certificates == nil {
		_ = l.Close()
		return nil, errors.New("nbd: TLS needs certificates")
	}
	if o.Connections <= 0 {
		o.Connections = ConnectionsMax
	}
	if o.Handshake <= 0 {
		o.Handshake = HandshakeMax
	}
	s := &Listener{o: o, l: l, slots: make(chan struct{}, o.Connections), conns: make(map[net.Conn]nbd.Export)}
	s.all.Go(s.accept)
	return s, nil
}

// Addr is where clients connect.
func (s *Listener) Addr() net.Addr { return s.l.Addr() }

// Close ends all sessions, those in the middle of a request too, and waits for
// them.
func (s *Listener) Close() error {
	s.mu.Lock()
	s.closed = true
	err := s.l.Close()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.all.Wait()
	return err
}

// Drop ends the sessions that have e open, and tells how many there were.
func (s *Listener) Drop(e nbd.Export) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for c, x := range s.conns {
		if x == e {
			_ = c.Close()
			n++
		}
	}
	return n
}

// Users tells how many sessions have e open.
func (s *Listener) Users(e nbd.Export) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, x := range s.conns {
		if x == e {
			n++
		}
	}
	return n
}

func (s *Listener) accept() {
	for {
		s.slots <- struct{}{}
		c, err := s.l.Accept()
		if err != nil || !s.add(c) {
			return
		}
		s.all.Go(func() {
			err := s.serve(c)
			s.remove(c)
			_ = c.Close()
			<-s.slots
			if s.o.OnEnd != nil {
				s.o.OnEnd(err)
			}
		})
	}
}

func (s *Listener) add(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.Close()
		return false
	}
	s.conns[c] = nil
	return true
}

func (s *Listener) remove(c net.Conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

// opened notes the export of a connection.
func (s *Listener) opened(c net.Conn, e nbd.Export) {
	s.mu.Lock()
	s.conns[c] = e
	s.mu.Unlock()
}

func (s *Listener) serve(c net.Conn) error {
	server := &nbd.Server{Source: s.o.Source, TLS: s.o.TLS, Upgrade: func(c nbd.Conn) (nbd.Conn, error) {
		return serverTLS(c, s.o.Certificates)
	}}
	if err := c.SetDeadline(time.Now().Add(s.o.Handshake)); err != nil {
		return err
	}
	session := server.NewSession(c)
	e, err := session.Negotiate()
	if err != nil || e == nil {
		return err
	}
	s.opened(c, e)
	if err := c.SetDeadline(time.Time{}); err != nil {
		return err
	}
	return session.Transmit()
}

func serverTLS(c nbd.Conn, config *tls.Config) (nbd.Conn, error) {
	t := tls.Server(c.(net.Conn), config)
	return t, t.Handshake()
}

// ClientTLS is the client's handshake for nbd.Client.StartTLS on a connection that
// Dial made.
func ClientTLS(config *tls.Config) func(nbd.Conn) (nbd.Conn, error) {
	return func(c nbd.Conn) (nbd.Conn, error) {
		n, ok := c.(net.Conn)
		if !ok {
			return nil, fmt.Errorf("nbd: TLS needs a connection of the operating system, not %T", c)
		}
		t := tls.Client(n, config)
		return t, t.Handshake()
	}
}
