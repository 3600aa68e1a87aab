package socket_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"fleece/machine"
	"fleece/qmp"
	"fleece/qmpfake/session"
	"fleece/qmpfake/socket"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// served is a server under test.
type served struct {
	t      *testing.T
	s      *socket.Server
	addrs  []socket.Address
	ended  chan error
	record bytes.Buffer // complete when ended gave a value
}

func parse(text string) qmp.Value {
	v, err := qmp.Decode([]byte(text))
	if err != nil {
		panic(err)
	}
	return v
}

// serve starts a machine with one disk and monitors on unix sockets, and one on TCP.
func serve(t *testing.T, unix int) *served {
	t.Helper()
	before := runtime.NumGoroutine()
	var addrs []socket.Address
	dir := t.TempDir()
	for i := range unix {
		addrs = append(addrs, socket.Address{Network: "unix", Path: filepath.Join(dir, fmt.Sprint("qmp", i))})
	}
	addrs = append(addrs, socket.Address{Network: "tcp", Path: "127.0.0.1:0"})
	s, err := socket.Listen(addrs)
	if err != nil {
		t.Fatal(err)
	}
	v := &served{t: t, s: s, addrs: s.Addresses(), ended: make(chan error, 1)}
	ready := make(chan struct{})
	go func() {
		v.ended <- s.Run(socket.Options{Ready: func() { close(ready) }, Session: session.Options{
			Setup: session.Setup{
				HostBytes: 64 << 20, Images: []session.Image{{Path: "/d", Format: "qcow2", Size: 64 << 20}},
				Machine: machine.Spec{Name: "vm", Paused: true, Nodes: []qmp.Value{
					parse(`{"driver":"file","filename":"/d","node-name":"ds"}`), parse(`{"driver":"qcow2","file":"ds","node-name":"d"}`),
				}, Devices: []machine.Device{{Driver: "virtio-blk-pci", ID: "virtio-disk0", Drive: "d"}}},
			},
			Record: func(line []byte) error { v.record.Write(line); return nil },
		}})
	}()
	<-ready
	t.Cleanup(func() {
		s.Terminate()
		if err := v.end(); err != nil {
			t.Error(err)
		}
		noGoroutines(t, before)
		v.replays()
	})
	return v
}

// noGoroutines checks that a server leaves none behind. One ends a moment after it
// has told so.
func noGoroutines(t *testing.T, before int) {
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

// end waits for the server's end.
func (v *served) end() error {
	select {
	case err := <-v.ended:
		v.ended <- err
		return err
	case <-time.After(patience):
		return errors.New("the server does not end")
	}
}

// replays checks that the record of what happened gives the same again.
func (v *served) replays() {
	r, err := session.Replay(&v.record, session.ReplayOptions{})
	if err != nil || r.Difference != nil || !r.Complete {
		v.t.Errorf("the record does not replay: %+v, difference %+v, %v", r, r.Difference, err)
	}
}

// client is a QMP client that does one thing after the other.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// dial connects without waiting for the greeting.
func (v *served) dial(monitor int) *client {
	v.t.Helper()
	conn, err := net.Dial(v.addrs[monitor].Network, v.addrs[monitor].Path)
	if err != nil {
		v.t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	v.t.Cleanup(func() { _ = conn.Close() })
	return &client{v.t, conn, bufio.NewReader(conn)}
}

// connect dials and negotiates.
func (v *served) connect(monitor int) *client {
	v.t.Helper()
	c := v.dial(monitor)
	if got := c.line(); !strings.HasPrefix(got, `{"QMP"`) {
		v.t.Fatalf("greeting: %s", got)
	}
	c.must("qmp_capabilities")
	return c
}

func (c *client) write(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) line() string {
	c.t.Helper()
	line, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%v behind %q", err, line)
	}
	return strings.TrimRight(line, "\r\n")
}

// reply is the next line that is no event.
func (c *client) reply() string {
	c.t.Helper()
	for {
		if line := c.line(); !strings.HasPrefix(line, `{"timestamp"`) {
			return line
		}
	}
}

func (c *client) must(command string) string {
	c.t.Helper()
	c.write(`{"execute":"` + command + `"}` + "\n")
	got := c.reply()
	if !strings.HasPrefix(got, `{"return"`) {
		c.t.Fatalf("%s: %s", command, got)
	}
	return got
}

// over checks that the server has ended the connection.
func (c *client) over() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.in); err != nil {
		c.t.Errorf("%v behind %.200q", err, rest)
	}
}
