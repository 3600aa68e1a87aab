package qmpfake_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"fleece/host"
	"fleece/host/memhost"
	"fleece/nbd"
	"fleece/qmp"
	"fleece/qmpfake"
	"fleece/rt"
	"fleece/rt/simrt"
	"fleece/sim"
)

// exported runs f with a machine that exports its first disk as "e" on pullSocket.
func exported(t *testing.T, crash sim.Crash, f func(w *simrt.World, k *memhost.Kernel, h host.Host, c *client)) {
	t.Helper()
	r := simrt.Run(simrt.Options{KeepLog: true}, func(w *simrt.World) {
		k := memhost.New(w.Kernel(), memhost.Options{})
		if err := k.MkdirAll("/img"); err != nil {
			t.Fatal(err)
		}
		hv, err := qmpfake.NewHypervisor(w, func(p rt.Process) host.Host { return k.View(p) }, qmpfake.Options{Crash: crash})
		if err != nil {
			t.Fatal(err)
		}
		h := k.View(w.Spec())
		spec, err := twoDisks(h, mib)
		if err != nil {
			t.Fatal(err)
		}
		m, err := hv.Launch(spec)
		if err != nil {
			t.Fatal(err)
		}
		q, err := m.Dial(w.Spec())
		if err != nil {
			t.Fatal(err)
		}
		c := &client{t: t, conn: q, host: h}
		c.recv()
		c.call("qmp_capabilities")
		c.call("nbd-server-start", qmp.M("addr", qmp.UnixAddress{Path: pullSocket}.SocketAddress()))
		c.call("block-export-add", qmp.M("type", qmp.Str("nbd")), qmp.M("id", qmp.Str("x")),
			qmp.M("node-name", qmp.Str("libvirt-1-format")), qmp.M("name", qmp.Str("e")))
		f(w, k, h, c)
	})
	if r.Failure != nil {
		t.Fatalf("%+v", r.Failure)
	}
}

func greeted(t *testing.T, h host.Host) *nbd.Client {
	t.Helper()
	conn, err := h.Dial(host.Unix, pullSocket)
	if err != nil {
		t.Fatal(err)
	}
	k, err := nbd.Connect(conn)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// refused sends a command that must fail and gives the text.
func (c *client) refused(name string, args ...qmp.Member) string {
	c.nextID++
	if err := c.conn.Send(qmp.Command{Name: name, Args: qmp.Dict(args...)}.Message(qmp.Int(c.nextID))); err != nil {
		c.t.Fatal(err)
	}
	for {
		m := c.recv()
		if v := m.Get("error"); v.Present() {
			return v.Get("desc").S()
		}
		if m.Get("return").Present() {
			return ""
		}
	}
}

func TestExport_IsNotDeletedSafelyWhileAClientHasItOpen(t *testing.T) {
	exported(t, sim.CrashAnswers, func(_ *simrt.World, _ *memhost.Kernel, h host.Host, c *client) {
		handshake, open := greeted(t, h), greeted(t, h)
		if _, err := open.Go("e"); err != nil {
			t.Fatal(err)
		}
		x := qmp.M("id", qmp.Str("x"))
		if got := c.refused("block-export-del", x); got != "export 'x' still in use" {
			t.Errorf("got %q", got)
		}
		if _, err := open.ReadAt(make([]byte, 1), 0); err != nil {
			t.Error(err)
		}
		if err := open.Disconnect(); err != nil {
			t.Error(err)
		}
		// The server learns of the end in its own time.
		for c.refused("block-export-del", x) != "" {
		}
		var e *nbd.OptionError
		if _, err := handshake.Go("e"); !errors.As(err, &e) || e.Errno != nbd.ErrUnknown {
			t.Errorf("a client in its handshake opened a deleted export: %v", err)
		}
	})
}

func TestExport_IsDeletedHardUnderItsClients(t *testing.T) {
	exported(t, sim.CrashAnswers, func(_ *simrt.World, _ *memhost.Kernel, h host.Host, c *client) {
		open, other := greeted(t, h), greeted(t, h)
		if _, err := open.Go("e"); err != nil {
			t.Fatal(err)
		}
		c.call("block-export-del", qmp.M("id", qmp.Str("x")), qmp.M("mode", qmp.Str("hard")))
		if _, err := open.ReadAt(make([]byte, 1), 0); err == nil {
			t.Error("a deleted export was read")
		}
		if list, err := other.List(); err != nil || len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}
	})
}

func TestServer_DropsAClientThatDoesNotFinishItsHandshake(t *testing.T) {
	exported(t, sim.CrashAnswers, func(w *simrt.World, _ *memhost.Kernel, h host.Host, _ *client) {
		conn, err := h.Dial(host.Unix, pullSocket)
		if err != nil {
			t.Fatal(err)
		}
		before := w.Now()
		if _, err := io.ReadAll(conn); err != nil {
			t.Error(err)
		}
		if took := w.Now().Sub(before).Seconds(); took < 9.9 || took > 10.1 {
			t.Errorf("the client was dropped after %v s, want 10", took)
		}
	})
}

func TestServer_GreetsNoMoreThanItsLimit(t *testing.T) {
	exported(t, sim.CrashAnswers, func(_ *simrt.World, _ *memhost.Kernel, h host.Host, c *client) {
		c.call("nbd-server-stop")
		c.call("nbd-server-start", qmp.M("addr", qmp.UnixAddress{Path: pullSocket}.SocketAddress()), qmp.M("max-connections", qmp.Int(1)))
		c.call("block-export-add", qmp.M("type", qmp.Str("nbd")), qmp.M("id", qmp.Str("x")),
			qmp.M("node-name", qmp.Str("libvirt-1-format")), qmp.M("name", qmp.Str("e")))
		first := greeted(t, h)
		second, err := h.Dial(host.Unix, pullSocket)
		if err != nil {
			t.Fatal(err)
		}
		info, err := first.Go("e")
		if err != nil || info.Flags&nbd.FlagCanMultiConn != 0 {
			t.Errorf("flags %#x, %v", info.Flags, err)
		}
		if err := first.Disconnect(); err != nil {
			t.Fatal(err)
		}
		if _, err := nbd.Connect(second); err != nil {
			t.Error(err)
		}
	})
}

func TestServer_SaysWhyItCannotStart(t *testing.T) {
	exported(t, sim.CrashAnswers, func(_ *simrt.World, k *memhost.Kernel, h host.Host, c *client) {
		start := func(addr qmp.SocketAddress) string {
			return c.refused("nbd-server-start", qmp.M("addr", addr.SocketAddress()))
		}
		if got := start(qmp.UnixAddress{Path: "/img/s"}); got != "NBD server already running" {
			t.Errorf("got %q", got)
		}
		c.call("nbd-server-stop")
		if got := c.refused("nbd-server-stop"); got != "NBD server not running" {
			t.Errorf("got %q", got)
		}
		taken, err := h.Listen(host.TCP, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := taken.Addr()[strings.LastIndexByte(taken.Addr(), ':')+1:]
		long := "/" + strings.Repeat("x", 108)
		for _, x := range []struct {
			addr qmp.SocketAddress
			want string
		}{
			{qmp.UnixAddress{Path: "/no/s"}, "Failed to bind socket to /no/s: No such file or directory"},
			{qmp.UnixAddress{Path: "/img"}, "Failed to unlink socket /img: Is a directory"},
			{qmp.UnixAddress{Path: long}, "UNIX socket path '" + long + "' is too long"},
			{qmp.InetAddress{Host: "127.0.0.1", Port: port}, "Failed to find an available port: Address already in use"},
			{qmp.InetAddress{Host: "127.0.0.1", Port: "x"}, "address resolution failed for 127.0.0.1:x: Servname not supported for ai_socktype"},
		} {
			if got := start(x.addr); got != x.want {
				t.Errorf("got %q, want %q", got, x.want)
			}
		}
		// A stale file at the address is no hindrance.
		f, err := h.OpenFile("/img/stale", host.ReadWrite|host.Create, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		if got := start(qmp.UnixAddress{Path: "/img/stale"}); got != "" {
			t.Errorf("got %q", got)
		}
		c.call("quit")
		if _, err := h.Stat("/img/stale"); err != nil {
			t.Error("quit unlinks the socket, which QEMU does not: ", err)
		}
	})
}

func TestServer_HangsAtStopWithAHalfOpenClientWhereTheSwitchSaysSo(t *testing.T) {
	exported(t, sim.CrashDies, func(w *simrt.World, k *memhost.Kernel, h host.Host, c *client) {
		greeted(t, h)
		if err := c.conn.Send(qmp.Command{Name: "nbd-server-stop"}.Message(qmp.Int(99))); err != nil {
			t.Fatal(err)
		}
		answered := false
		w.Spec().Go("listener", func() {
			for { // the export goes before the machine hangs ({42})
				m, err := c.conn.Recv()
				answered = answered || m.Get("return").Present()
				if err != nil {
					return
				}
			}
		})
		w.Spec().Sleep(1e12)
		if answered {
			t.Error("the stop was answered")
		}
	})
}
