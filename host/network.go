package host

import "io"

// Networks of Listen and Dial.
const (
	Unix = "unix" // the address is a path, absolute and clean, of at most UnixPathMax bytes
	TCP  = "tcp"  // the address is "127.0.0.1:PORT", numeric
)

// UnixPathMax is the longest path of a unix socket, in bytes (sockaddr_un without
// its closing NUL).
const UnixPathMax = 107

// Network is stream sockets within one host: what processes of a world say to each
// other beside QMP. Errors of Listen and Dial are *fs.PathError over a syscall.Errno,
// with the address for its path; those of a connection are or wrap an Errno.
type Network interface {
	// Listen binds an address; peers connect from now on. Any file at a unix
	// address, a socket that nobody listens on too, is EADDRINUSE, as is a port
	// that is taken. Port 0 stands for any that is free.
	Listen(network, address string) (Listener, error)
	// Dial connects. ENOENT: there is no such path; ECONNREFUSED: nobody listens.
	Dial(network, address string) (Stream, error)
	// Connections counts the connections that peers have to a listener's address,
	// those that were not accepted yet too, whoever the listener is. It is how a
	// caller learns that a server in another process still has clients.
	Connections(network, address string) (int, error)
}

// Listener is a bound socket. Close and the death of its process free a port at
// once, and leave a unix socket's file where it is, as the kernel does.
type Listener interface {
	// Accept waits for a peer. After Close it is EBADF.
	Accept() (Stream, error)
	// Addr is the address as Dial wants it, with the real port.
	Addr() string
	Close() error
}

// Stream is one end of a connection. Read gives io.EOF after the peer closed and
// all was read; Write is EPIPE then. Close ends both directions and may be called
// while they block, which gives EBADF.
type Stream interface {
	io.Reader
	io.Writer
	io.Closer
}
