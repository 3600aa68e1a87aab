package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
)

// Address is where a monitor listens.
type Address struct {
	Network string // "unix" or "tcp"
	Path    string // the path, or host:port
}

// String is the address as ParseAddress takes it.
func (a Address) String() string { return a.Network + ":" + a.Path }

// socketPathMax is what sockaddr_un holds.
const socketPathMax = 107

// ParseAddress reads unix:PATH or tcp:HOST:PORT. HOST must be a loopback address:
// QMP has no authentication. PORT may be 0, which takes a free one.
func ParseAddress(s string) (Address, error) {
	network, rest, ok := strings.Cut(s, ":")
	if !ok || rest == "" {
		return Address{}, fmt.Errorf("address %q: it is unix:PATH or tcp:127.0.0.1:PORT", s)
	}
	switch network {
	case "unix":
		if len(rest) > socketPathMax {
			return Address{}, fmt.Errorf("address %q: a socket's path has at most %d bytes, this one has %d", s, socketPathMax, len(rest))
		}
		return Address{network, rest}, nil
	case "tcp":
		host, _, err := net.SplitHostPort(rest)
		if err != nil {
			return Address{}, fmt.Errorf("address %q: %w", s, err)
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return Address{}, fmt.Errorf("address %q: host %q is not of this machine's loopback, and QMP has no authentication: use 127.0.0.1", s, host)
		}
		return Address{network, rest}, nil
	}
	return Address{}, fmt.Errorf("address %q: network %q is neither unix nor tcp", s, network)
}

// Listen opens the address. A socket that a dead server left behind is replaced. A
// live one is an error, as is a file that is no socket; QEMU would replace both.
func (a Address) Listen() (net.Listener, error) {
	if a.Network == "unix" {
		if err := a.clear(); err != nil {
			return nil, fmt.Errorf("%s: %w", a, err)
		}
	}
	l, err := net.Listen(a.Network, a.Path)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s: another server listens there: end it or choose another address", a)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a, err)
	}
	return l, nil
}

// clear takes a stale socket out of the way.
func (a Address) clear() error {
	info, err := os.Lstat(a.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return errors.New("there is a file that is no socket: remove it or choose another path")
	}
	c, err := net.Dial(a.Network, a.Path)
	if err == nil {
		_ = c.Close()
		return errors.New("another server listens there: end it or choose another path")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("there is a socket that cannot be probed: %w", err)
	}
	return os.Remove(a.Path)
}
