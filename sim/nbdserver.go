package sim

import (
	"crypto/tls"
	"slices"
	"strconv"
	"strings"
	"time"

	"fleece/host"
	"fleece/nbd"
	"fleece/qmp"
	"fleece/rt"
)

// The NBD server's defaults (§6.1).
const (
	nbdConnectionsMax = 100
	nbdHandshakeMax   = 10 * time.Second
)

// nbdServer is the machine's NBD server. Its fields are protected by the machine's
// lock.
type nbdServer struct {
	m        *Machine
	l        host.Listener
	path     string // of a unix socket, unlinked at stop
	most     int    // sessions at a time
	sessions []*nbdSession
	tls      *tls.Config // nil: in the clear
	changed  rt.Cond     // sessions, their exports, or stopped changed
	stopped  bool
}

// nbdSession is one client.
type nbdSession struct {
	conn   host.Stream
	export *export // nil during the handshake
	ended  bool
}

// nbdStart is nbd-server-start. A failed start leaves no server.
func (m *Machine) nbdStart(a qmp.Value) *qmp.ReplyError {
	if m.nbd != nil {
		return qmp.Generic("NBD server already running")
	}
	s := &nbdServer{m: m, most: nbdConnectionsMax, changed: m.p.NewCond("qemu-nbd", m.mu)}
	if v := a.Get("max-connections"); v.Present() {
		most, _ := v.Int64() // the schema has checked it
		s.most = int(most)
	}
	if err := s.listen(a.Get("addr")); err != nil {
		return err
	}
	if id, ok := a.Get("tls-creds").Text(); ok {
		if err := m.wrongCredentials(id); err != nil {
			s.close()
			return err
		}
		s.tls = m.object(id).tls
	}
	m.nbd = s
	m.p.Go("nbd-accept", s.accept)
	return nil
}

// wrongCredentials is what is wrong with the credentials of a server; nil if nothing is.
func (m *Machine) wrongCredentials(id string) *qmp.ReplyError {
	o := m.object(id)
	switch {
	case o == nil:
		return qmp.Generic("No TLS credentials with id '" + id + "'")
	case !strings.HasPrefix(o.kind, "tls-creds-"):
		return qmp.Generic("Object with id '" + id + "' is not TLS credentials")
	case o.endpoint != "server":
		return qmp.Generic("Expected TLS credentials for a server endpoint")
	}
	if o.tls == nil {
		return qmp.Generic("TLS with objects of type '" + o.kind + "' is not simulated")
	}
	return nil
}

// listen binds the address of a SocketAddressLegacy.
func (s *nbdServer) listen(addr qmp.Value) *qmp.ReplyError {
	data := addr.Get("data")
	switch addr.Get("type").S() {
	case "unix":
		return s.listenUnix(data.Get("path").S())
	case "inet":
		return s.listenTCP(data.Get("host").S(), data.Get("port").S())
	case "fd":
		return qmp.Generic("File descriptor named '" + data.Get("str").S() + "' has not been found")
	default:
		return qmp.Generic("Failed to bind socket: Cannot assign requested address")
	}
}

// listenUnix binds a path; whatever file is there is unlinked first, as QEMU does
// (unix_listen_saddr, seen with the real binary).
func (s *nbdServer) listenUnix(path string) *qmp.ReplyError {
	if len(path) > host.UnixPathMax {
		return qmp.Generic("UNIX socket path '" + path + "' is too long")
	}
	if info, err := s.m.host.Stat(path); err == nil {
		if info.Mode.IsDir() {
			return qmp.Generic("Failed to unlink socket " + path + ": Is a directory")
		}
		if err := s.m.host.Remove(path); err != nil {
			return ioError("Failed to unlink socket "+path, err)
		}
	}
	l, err := s.m.host.Listen(host.Unix, path)
	if err != nil {
		return ioError("Failed to bind socket to "+path, err)
	}
	s.l, s.path = l, path
	return nil
}

// listenTCP binds a port. Names are not resolved here: what is not an address of
// this host cannot be bound.
func (s *nbdServer) listenTCP(name, port string) *qmp.ReplyError {
	n, err := strconv.ParseUint(port, 10, 32)
	if err != nil {
		return qmp.Generic("address resolution failed for " + name + ":" + port + ": Servname not supported for ai_socktype")
	}
	if !resolves(name) {
		return qmp.Generic("address resolution failed for " + name + ":" + port + ": Name or service not known")
	}
	address := name
	if name == "localhost" || name == "" {
		address = "127.0.0.1"
	}
	l, err := s.m.host.Listen(host.TCP, address+":"+strconv.Itoa(int(n&0xffff)))
	if err != nil {
		return ioError("Failed to find an available port", err)
	}
	s.l = l
	return nil
}

// resolves reports whether a host is a numeric address or this host: nothing else is
// known here.
func resolves(name string) bool {
	return name == "" || name == "localhost" || strings.Trim(name, "0123456789.") == "" || strings.Contains(name, ":")
}

// close frees the address; the machine's lock need not be held.
func (s *nbdServer) close() {
	_ = s.l.Close()
	if s.path != "" {
		_ = s.m.host.Remove(s.path) // as QEMU, which does not look whether it went
	}
}

// nbdStop is nbd-server-stop: it cuts every client and deletes every export. With a
// client in its handshake the real binary never comes back from it (§11).
func (m *Machine) nbdStop() *qmp.ReplyError {
	s := m.nbd
	if s == nil {
		return qmp.Generic("NBD server not running")
	}
	if m.opts.Crash == CrashDies && slices.ContainsFunc(s.sessions, func(x *nbdSession) bool { return x.export == nil }) {
		m.deleteNBD()
		for {
			s.changed.Wait() // executing stays set: no command is served any more
		}
	}
	s.end()
	s.close()
	m.deleteNBD()
	m.nbd = nil
	return nil
}

// end cuts all sessions and stops accepting.
func (s *nbdServer) end() {
	s.stopped = true
	for _, x := range s.sessions {
		_ = x.conn.Close()
	}
	s.changed.Broadcast()
}

// accept takes clients; above the limit they stay in the backlog, ungreeted.
func (s *nbdServer) accept() {
	for {
		s.m.mu.Lock()
		for len(s.sessions) >= s.most && s.most > 0 && !s.stopped {
			s.changed.Wait()
		}
		stopped := s.stopped
		s.m.mu.Unlock()
		if stopped {
			return
		}
		conn, err := s.l.Accept()
		if err != nil {
			return
		}
		s.greet(conn)
	}
}

// greet starts the tasks of a new client.
func (s *nbdServer) greet(conn host.Stream) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.stopped {
		_ = conn.Close()
		return
	}
	x := &nbdSession{conn: conn}
	s.sessions = append(s.sessions, x)
	deadline := s.m.p.Now().Add(nbdHandshakeMax)
	s.m.p.Go("nbd-client", func() { s.serve(x) })
	s.m.p.Go("nbd-handshake", func() { s.limitHandshake(x, deadline) })
}

// limitHandshake drops a client that opens nothing.
func (s *nbdServer) limitHandshake(x *nbdSession, deadline time.Time) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	for x.export == nil && !x.ended {
		if !s.changed.WaitUntil(deadline) && x.export == nil {
			s.drop(x)
			return
		}
	}
}

// serve is the life of a client.
func (s *nbdServer) serve(x *nbdSession) {
	server := &nbd.Server{Source: nbdSource{s}}
	if s.tls != nil {
		server.TLS, server.Upgrade = nbd.TLSRequired, upgrade(s.tls)
	}
	session := server.NewSession(x.conn)
	e, err := session.Negotiate()
	if err == nil && e != nil && s.opened(x, e) {
		_ = session.Transmit() // whatever ended it, the client sees an end
	}
	s.m.mu.Lock()
	s.drop(x)
	s.m.mu.Unlock()
}

// drop closes a session and forgets it, in one step of QEMU's main loop: whoever sees
// the connection closed finds the server without it. The machine's lock is held.
func (s *nbdServer) drop(x *nbdSession) {
	_ = x.conn.Close()
	x.ended = true
	s.sessions = slices.DeleteFunc(s.sessions, func(y *nbdSession) bool { return x == y })
	s.changed.Broadcast()
}

// opened notes a session's export; false if it has gone meanwhile.
func (s *nbdServer) opened(x *nbdSession, e nbd.Export) bool {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	d := e.(*exportDisk)
	if d.x.gone || s.stopped {
		return false
	}
	x.export = d.x
	s.changed.Broadcast()
	return true
}

// users are the sessions that have an export open; those in their handshake do not
// count (§6.2).
func (m *Machine) users(x *export) []*nbdSession {
	var all []*nbdSession
	if m.nbd != nil {
		for _, s := range m.nbd.sessions {
			if s.export == x && !s.ended {
				all = append(all, s)
			}
		}
	}
	return all
}

// nbdSource shows the machine's exports to a session.
type nbdSource struct{ s *nbdServer }

// Exports lists the exports, the oldest first.
func (n nbdSource) Exports() []nbd.Export {
	m := n.s.m
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]nbd.Export, 0, len(m.exports))
	for _, x := range m.exports {
		all = append(all, &exportDisk{m: m, x: x, multi: n.s.most != 1})
	}
	return all
}
