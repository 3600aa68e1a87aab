package hosttest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"fleece/host"
	"fleece/rt"
)

func socketCases() []contractCase {
	return []contractCase{
		{"both ends of a unix connection hear each other", func(h *harness) { h.talk(host.Unix, h.path("s")) }},
		{"both ends of a TCP connection hear each other", func(h *harness) { h.talk(host.TCP, "127.0.0.1:0") }},
		{"an address can be bound once, and a stale socket is in the way", boundOnce},
		{"a port can be bound once, and again when it is free", portBoundOnce},
		{"nobody to connect to", nobodyThere},
		{"a peer that left is the end of file, and a broken pipe", peerLeft},
		{"Close ends what waits on the socket", closeEndsWaiting},
		{"the death of a process ends its connections and frees its ports", deathEndsSockets},
		{"a socket is a file of its own kind", socketIsAFile},
		{"connections are counted while their listener's end is open", connectionsAreCounted},
	}
}

func (h *harness) listen(network, address string) host.Listener {
	h.Helper()
	l, err := h.Listen(network, address)
	h.ok(err)
	h.Cleanup(func() { _ = l.Close() })
	return l
}

// pair is a connection: the end that dialled and the end that was accepted.
func (h *harness) pair(network, address string) (dialled, accepted host.Stream) {
	h.Helper()
	l := h.listen(network, address)
	dialled, err := h.Dial(network, l.Addr())
	h.ok(err)
	accepted, err = l.Accept()
	h.ok(err)
	h.Cleanup(func() { _ = dialled.Close(); _ = accepted.Close() })
	return dialled, accepted
}

func (h *harness) talk(network, address string) {
	a, b := h.pair(network, address)
	// More than any buffer holds, in both directions at a time.
	data := pattern(3 << 20)
	done := make(chan error, 2)
	for _, s := range []host.Stream{a, b} {
		go func() {
			_, err := s.Write(data)
			done <- err
		}()
	}
	for _, s := range []host.Stream{a, b} {
		got := make([]byte, len(data))
		if _, err := io.ReadFull(s, got); err != nil || !bytes.Equal(got, data) {
			h.Fatalf("the content differs (%v)", err)
		}
		h.ok(<-done)
	}
}

func boundOnce(h *harness) {
	l := h.listen(host.Unix, h.path("s"))
	_, err := h.Listen(host.Unix, h.path("s"))
	h.refused(err, syscall.EADDRINUSE, "/s")
	h.ok(l.Close())
	_, err = h.Listen(host.Unix, h.path("s"))
	h.refused(err, syscall.EADDRINUSE, "/s")
	_, err = h.Dial(host.Unix, h.path("s"))
	h.refused(err, syscall.ECONNREFUSED, "/s")
	h.ok(h.Remove(h.path("s")))
	h.talk(host.Unix, h.path("s"))
	_, err = h.Listen(host.Unix, h.path(strings.Repeat("x", host.UnixPathMax)))
	h.refused(err, syscall.EINVAL, "xxx")
	_, err = h.Listen(host.Unix, h.path("no/s"))
	h.refused(err, syscall.ENOENT, "/no/s")
}

func portBoundOnce(h *harness) {
	l := h.listen(host.TCP, "127.0.0.1:0")
	_, err := h.Listen(host.TCP, l.Addr())
	h.refused(err, syscall.EADDRINUSE, l.Addr())
	h.ok(l.Close())
	h.talk(host.TCP, l.Addr())
	_, err = h.Listen(host.TCP, "127.0.0.1:x")
	h.refused(err, syscall.EINVAL, "127.0.0.1:x")
}

func nobodyThere(h *harness) {
	_, err := h.Dial(host.Unix, h.path("s"))
	h.refused(err, syscall.ENOENT, "/s")
	h.ok(h.create("f").Close())
	_, err = h.Dial(host.Unix, h.path("f"))
	h.refused(err, syscall.ECONNREFUSED, "/f")
	l := h.listen(host.TCP, "127.0.0.1:0")
	h.ok(l.Close())
	_, err = h.Dial(host.TCP, l.Addr())
	h.refused(err, syscall.ECONNREFUSED, l.Addr())
}

func peerLeft(h *harness) {
	a, b := h.pair(host.Unix, h.path("s"))
	_, err := a.Write([]byte("last words"))
	h.ok(err)
	h.ok(a.Close())
	got, err := io.ReadAll(b)
	if err != nil || string(got) != "last words" {
		h.Fatalf("read %q, %v", got, err)
	}
	if _, err := b.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		h.Fatalf("write to nobody: %v", err)
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, syscall.EBADF) {
		h.Fatalf("read from a closed end: %v", err)
	}
}

func closeEndsWaiting(h *harness) {
	l := h.listen(host.Unix, h.path("l"))
	a, _ := h.pair(host.Unix, h.path("s"))
	done := make(chan error, 2)
	go func() { _, err := l.Accept(); done <- err }()
	go func() { _, err := a.Read(make([]byte, 1)); done <- err }()
	h.ok(l.Close())
	h.ok(a.Close())
	for range 2 {
		if err := <-done; !errors.Is(err, syscall.EBADF) {
			h.Errorf("ended with %v", err)
		}
	}
}

func deathEndsSockets(h *harness) {
	p := h.s.NewProcess("victim")
	v := h.s.View(p)
	l, err := v.Listen(host.TCP, "127.0.0.1:0")
	h.ok(err)
	ours, err := h.Dial(host.TCP, l.Addr())
	h.ok(err)
	theirs, err := l.Accept()
	h.ok(err)
	p.Kill()
	if _, err := ours.Read(make([]byte, 1)); err == nil {
		h.Error("a dead process was read from")
	}
	_, acceptErr := l.Accept()
	_, readErr := theirs.Read(make([]byte, 1))
	_, writeErr := theirs.Write([]byte("x"))
	_, listenErr := v.Listen(host.Unix, h.path("s"))
	_, dialErr := v.Dial(host.TCP, l.Addr())
	for i, err := range []error{acceptErr, readErr, writeErr, listenErr, dialErr} {
		if !errors.Is(err, rt.ErrKilled) {
			h.Errorf("operation %d answered %v", i, err)
		}
	}
	h.talk(host.TCP, l.Addr())
}

func socketIsAFile(h *harness) {
	h.listen(host.Unix, h.path("s"))
	info, err := h.Stat(h.path("s"))
	h.ok(err)
	if info.Mode&fs.ModeSocket == 0 {
		h.Errorf("the mode is %v", info.Mode)
	}
	_, err = h.OpenFile(h.path("s"), host.ReadOnly, 0)
	h.refused(err, syscall.ENXIO, "/s")
}

func connectionsAreCounted(h *harness) {
	other := h.s.View(h.s.NewProcess("observer"))
	for _, network := range []string{host.Unix, host.TCP} {
		address := h.path("s")
		if network == host.TCP {
			address = "127.0.0.1:0"
		}
		l := h.listen(network, address)
		count := func() int {
			n, err := other.Connections(network, l.Addr())
			h.ok(err)
			return n
		}
		if n := count(); n != 0 {
			h.Errorf("%s: %d connections before the first", network, n)
		}
		_, err := h.Dial(network, l.Addr())
		h.ok(err)
		_, err = h.Dial(network, l.Addr())
		h.ok(err)
		first, err := l.Accept()
		h.ok(err)
		if n := count(); n != 2 {
			h.Errorf("%s: %d connections, want one accepted and one that waits", network, n)
		}
		h.ok(first.Close())
		if n := count(); n != 1 {
			h.Errorf("%s: %d connections after the accepted one was closed", network, n)
		}
		if network == host.Unix { // what stands goes on to count without the name
			h.ok(h.Remove(l.Addr()))
			if n := count(); n != 1 {
				h.Errorf("%d connections after the socket's name was removed", n)
			}
		}
	}
}
