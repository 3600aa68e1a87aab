package memhost

import (
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"fleece/host"
	"fleece/rt"
)

// backlogMax is how many peers wait for Accept; one more is refused.
const backlogMax = 128

// The range that port 0 is chosen from, as on Linux.
const (
	portFirst = 32768
	portLast  = 60999
)

// listener is a bound socket.
type listener struct {
	k       *Kernel
	p       rt.Process
	network string
	address string
	port    int // of TCP
	unbind  func()

	mu   rt.Mutex
	cond rt.Cond
	// Below is protected by mu.
	pending []*stream
	taken   []*stream // accepted; the closed ones go at the next count
	gone    error     // EBADF or rt.ErrKilled
}

var _ host.Listener = (*listener)(nil)

// Listen binds an address.
func (v *view) Listen(network, address string) (host.Listener, error) {
	l := &listener{k: v.k, p: v.p, network: network, address: address}
	l.mu = v.k.rt.NewMutex("listener")
	l.cond = v.k.rt.NewCond("listener", l.mu)
	if !v.enter(OpBind, address, true) {
		return nil, rt.ErrKilled
	}
	err := v.check(OpBind, address)
	if err == nil {
		err = v.k.bind(l)
	}
	err = v.done(Event{Op: OpBind, Path: address, Err: err})
	v.k.mu.Unlock()
	if err != nil {
		return nil, err
	}
	l.unbind = v.p.OnKill(func() { _ = l.shut(rt.ErrKilled) })
	return l, nil
}

// bind enters a listener into the file system or the table of ports.
func (k *Kernel) bind(l *listener) error {
	switch l.network {
	case host.Unix:
		return k.bindUnix(l)
	case host.TCP:
		return k.bindPort(l)
	default:
		return syscall.EAFNOSUPPORT
	}
}

func (k *Kernel) bindUnix(l *listener) error {
	if len(l.address) > host.UnixPathMax {
		return syscall.EINVAL
	}
	parent, base, err := k.lookupParent(l.address)
	if err != nil {
		return err
	}
	if _, ok := parent.entries.Get(base); ok {
		return syscall.EADDRINUSE
	}
	node := newFile(parent.mount, fs.ModeSocket|0o755, k.rt.Now())
	node.socket = l
	k.edit(edit{parent, base, node})
	k.unix = append(k.unix, l)
	return nil
}

func (k *Kernel) bindPort(l *listener) error {
	port, err := portOf(l.address)
	if err != nil {
		return err
	}
	if port == 0 {
		for port = portFirst; k.taken(port); port++ {
			if port == portLast {
				return syscall.EADDRINUSE
			}
		}
	}
	if k.taken(port) {
		return syscall.EADDRINUSE
	}
	l.port = port
	l.address = l.address[:strings.LastIndexByte(l.address, ':')+1] + strconv.Itoa(port)
	k.ports.Set(port, l)
	return nil
}

func (k *Kernel) taken(port int) bool {
	_, ok := k.ports.Get(port)
	return ok
}

// portOf reads the port of "127.0.0.1:PORT"; other hosts cannot be bound here.
func portOf(address string) (int, error) {
	ip, text, ok := strings.Cut(address, ":")
	port, err := strconv.Atoi(text)
	switch {
	case !ok || err != nil || port < 0 || port > 65535:
		return 0, syscall.EINVAL
	case ip != "127.0.0.1" && ip != "0.0.0.0":
		return 0, syscall.EADDRNOTAVAIL
	}
	return port, nil
}

// Dial connects to a listener. The connection stands before it is accepted.
func (v *view) Dial(network, address string) (host.Stream, error) {
	if !v.enter(OpConnect, address, true) {
		return nil, rt.ErrKilled
	}
	err := v.check(OpConnect, address)
	var l *listener
	if err == nil {
		l, err = v.k.listening(network, address)
	}
	err = v.done(Event{Op: OpConnect, Path: address, Err: err})
	v.k.mu.Unlock()
	if err != nil {
		return nil, err
	}
	ours, theirs := newStreams(v.k.rt)
	if !l.offer(theirs) {
		return nil, &fs.PathError{Op: string(OpConnect), Path: address, Err: syscall.ECONNREFUSED}
	}
	ours.bind(v.p)
	return ours, nil
}

// listening finds who is bound to an address.
func (k *Kernel) listening(network, address string) (*listener, error) {
	switch network {
	case host.TCP:
		port, err := portOf(address)
		if err != nil {
			return nil, err
		}
		if l, ok := k.ports.Get(port); ok {
			return l, nil
		}
	case host.Unix:
		node, err := k.lookup(address)
		if err != nil {
			return nil, err
		}
		if node.socket != nil {
			return node.socket, nil
		}
	default:
		return nil, syscall.EAFNOSUPPORT
	}
	return nil, syscall.ECONNREFUSED
}

// offer queues a peer for Accept.
func (l *listener) offer(s *stream) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone != nil || len(l.pending) >= backlogMax {
		return false
	}
	// Until it is accepted the end belongs to the listener, and dies with it.
	s.bind(l.p)
	l.pending = append(l.pending, s)
	l.cond.Signal()
	return true
}

// Accept waits for a peer.
func (l *listener) Accept() (host.Stream, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.gone != nil {
			return nil, l.gone
		}
		if len(l.pending) > 0 {
			s := l.pending[0]
			l.pending = l.pending[1:]
			l.taken = append(slices.DeleteFunc(l.taken, (*stream).closed), s)
			return s, nil
		}
		l.cond.Wait()
	}
}

// Connections counts the open ends of who listens on an address; none listens: 0.
func (v *view) Connections(network, address string) (int, error) {
	if !v.enter(OpStat, address, false) {
		return 0, rt.ErrKilled
	}
	bound := v.k.bound(network, address)
	v.k.mu.Unlock()
	n := 0
	for _, l := range bound {
		n += l.open()
	}
	return n, nil
}

// bound finds who was bound to an address. Of a unix socket the name counts that it
// was bound to, even if that was removed, as in /proc/net/unix.
func (k *Kernel) bound(network, address string) (all []*listener) {
	if network != host.Unix {
		if l, err := k.listening(network, address); err == nil {
			all = append(all, l)
		}
		return all
	}
	for _, l := range k.unix {
		if l.address == address {
			all = append(all, l)
		}
	}
	return all
}

// open counts the ends that are open, accepted or not.
func (l *listener) open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken = slices.DeleteFunc(l.taken, (*stream).closed)
	return len(l.pending) + len(l.taken)
}

// forget lets go of unix listeners that are gone and have no stream left.
func (k *Kernel) forget() {
	k.mu.Lock()
	list := k.unix
	k.mu.Unlock()
	var over []*listener
	for _, l := range list {
		if l.open() == 0 && l.over() {
			over = append(over, l)
		}
	}
	k.mu.Lock()
	k.unix = slices.DeleteFunc(slices.Clone(k.unix), func(l *listener) bool { return slices.Contains(over, l) })
	k.mu.Unlock()
}

func (l *listener) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone != nil
}

// Addr is the address with the real port.
func (l *listener) Addr() string { return l.address }

// Close frees the address and drops the peers that were not accepted. Closing
// twice is EBADF. As with a stream the hook goes last.
func (l *listener) Close() error {
	err := l.shut(syscall.EBADF)
	l.unbind()
	return err
}

func (l *listener) shut(why error) error {
	l.k.mu.Lock()
	if x, ok := l.k.ports.Get(l.port); ok && x == l {
		l.k.ports.Delete(l.port)
	}
	l.k.mu.Unlock()
	l.mu.Lock()
	was, pending := l.gone, l.pending
	if was == nil {
		l.gone = why
	}
	l.pending = nil
	l.cond.Broadcast()
	l.mu.Unlock()
	for _, s := range pending {
		_ = s.Close() // its process may be dead; the peer sees the end all the same
	}
	l.k.forget()
	return was
}
