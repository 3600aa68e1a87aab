package conformance

import (
	"fmt"
	"io"

	"fleece/conformance/oracle"
	"fleece/host"
	"fleece/nbd"
	"fleece/rt"
)

// NBDTarget is an NBD server of the harness's own, outside of QEMU and driver, with one
// writable export in memory: where a push can go to.
type NBDTarget struct {
	t       *T
	path    string // of the socket
	l       host.Listener
	mu      rt.Mutex // a leaf: protects what follows
	content []byte
	written bool // at least once
	streams []host.Stream
	dies    int64 // the server dies when that many bytes were written; 0: never
	got     int64
	// A program of others: what its export holds, and how it is killed; else nil.
	foreign func() ([]byte, error)
	kill    func() error
}

// foreignServers is a Target that starts programs of others as NBD servers.
type foreignServers interface {
	ServeNBD(program, socket string, bytes int64) (content func() ([]byte, error), die func() error, err error)
}

// ServeNBDBy starts another program, "qemu-nbd" or "nbdkit", as ServeNBD starts a
// server of the harness's own. A spec that uses it needs FeatureForeignNBD.
func (t *T) ServeNBDBy(program, name string, size int64) *NBDTarget {
	n := &NBDTarget{t: t, path: t.Path(name)}
	n.mu = rt.NewLeafMutex(t.env.World.Kernel(), "nbd-target")
	f, ok := t.env.Target.(foreignServers)
	if !ok {
		t.Broken("this lane starts no programs of others: the spec needs %s", FeatureForeignNBD)
	}
	var err error
	n.foreign, n.kill, err = f.ServeNBD(program, n.path, size)
	t.must(err, "start "+program)
	t.Keeps(n.path)
	t.servers = append(t.servers, n)
	return n
}

// ServeNBD starts a server on a unix socket of the run, with one export "target" of
// that many bytes.
func (t *T) ServeNBD(name string, size int64) *NBDTarget {
	n := &NBDTarget{t: t, path: t.Path(name), content: make([]byte, size)}
	n.mu = rt.NewLeafMutex(t.env.World.Kernel(), "nbd-target")
	l, err := t.host.Listen(host.Unix, n.path)
	t.must(err, "listen for NBD")
	n.l = l
	t.Keeps(n.path)
	t.servers = append(t.servers, n)
	t.env.Spec.Go("nbd-target", n.accept)
	return n
}

// DiesAfter makes the server die as soon as that many bytes were written.
func (n *NBDTarget) DiesAfter(bytes int64) {
	n.mu.Lock()
	n.dies = bytes
	n.mu.Unlock()
}

func (n *NBDTarget) accept() {
	for {
		c, err := n.l.Accept()
		if err != nil {
			return
		}
		n.mu.Lock()
		n.streams = append(n.streams, c)
		n.mu.Unlock()
		n.t.env.Spec.Go("nbd-target-client", func() {
			defer closeQuietly(c)
			s := (&nbd.Server{Source: nbd.Exports{n}}).NewSession(c)
			if e, err := s.Negotiate(); err == nil && e != nil {
				_ = s.Transmit() // whatever ended it, QEMU sees an end
			}
		})
	}
}

// Die ends the server and its connections, as a crash would.
func (n *NBDTarget) Die() {
	if n.kill != nil {
		n.t.must(n.kill(), "kill the NBD server")
		return
	}
	closeQuietly(n.l)
	n.mu.Lock()
	streams := n.streams
	n.streams = nil
	n.mu.Unlock()
	for _, c := range streams {
		closeQuietly(c)
	}
}

// Written reports whether anything was ever written.
func (n *NBDTarget) Written() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.written
}

// xml is the target as the document has it.
func (n *NBDTarget) xml() string {
	return fmt.Sprintf("<target protocol='nbd' name='target'><host transport='unix' socket='%s'/></target>", n.path)
}

// image is the content as the oracle reads it.
func (n *NBDTarget) image() image {
	if n.foreign == nil {
		return memoryImage(n.content)
	}
	content, err := n.foreign()
	n.t.must(err, "read what the NBD server holds")
	return memoryImage(content)
}

type memoryImage []byte

func (m memoryImage) Size() int64 { return int64(len(m)) }

func (m memoryImage) Close() error { return nil }

func (m memoryImage) ReadAt(p []byte, off int64) (int, error) {
	if n := copy(p, m[off:]); n < len(p) {
		return n, io.EOF
	}
	return len(p), nil
}

func (m memoryImage) Next(off int64) (int64, oracle.Kind, error) {
	return int64(len(m)) - off, oracle.Data, nil
}

// Name is that of the export: with what follows the target is an nbd.Export.
func (n *NBDTarget) Name() string { return "target" }

// Description is empty.
func (n *NBDTarget) Description() string { return "" }

// Size is in bytes.
func (n *NBDTarget) Size() int64 { return int64(len(n.content)) }

// ReadOnly is false: backups are written to it.
func (n *NBDTarget) ReadOnly() bool { return false }

// MultiConn is false.
func (n *NBDTarget) MultiConn() bool { return false }

// Contexts is empty: there is none to negotiate.
func (n *NBDTarget) Contexts() []nbd.Context { return nil }

// Flush does nothing: what is written is in memory.
func (n *NBDTarget) Flush() error { return nil }

// Cache does nothing.
func (n *NBDTarget) Cache(_, _ int64) error { return nil }

// Status calls everything data.
func (n *NBDTarget) Status(_ uint32, _, length int64) (uint32, int64, error) { return 0, length, nil }

// ReadAt reads.
func (n *NBDTarget) ReadAt(p []byte, off int64) error {
	n.mu.Lock()
	copy(p, n.content[off:])
	n.mu.Unlock()
	return nil
}

// WriteAt writes, or dies of it.
func (n *NBDTarget) WriteAt(p []byte, off int64) error {
	n.mu.Lock()
	copy(n.content[off:], p)
	n.written = true
	n.got += int64(len(p))
	die := n.dies > 0 && n.got >= n.dies
	n.mu.Unlock()
	if die {
		n.Die()
	}
	return nil
}

// WriteZeroes writes zeroes; it is never fast.
func (n *NBDTarget) WriteZeroes(off, length int64, _, _ bool) error {
	return n.WriteAt(make([]byte, length), off)
}

// Trim does nothing.
func (n *NBDTarget) Trim(_, _ int64) error { return nil }
