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
	"sync"
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

func TestServer_ServesAMonitorsClientsOneAfterTheOther(t *testing.T) {
	v := serve(t, 1)
	first := v.connect(0)
	second := v.dial(0)
	second.write(`{"execute":"qmp_capabilities","id":1}`)
	first.must("query-status")
	other := v.connect(1) // on TCP, at the same time
	other.must("query-status")
	_ = first.conn.Close()
	if got := second.line(); !strings.HasPrefix(got, `{"QMP"`) {
		t.Errorf("greeting: %s", got)
	}
	if got := second.line(); got != `{"return": {}, "id": 1}` {
		t.Errorf("what was sent before the greeting: %s", got)
	}
}

func TestServer_AnswersGarbageAndDisturbsNobody(t *testing.T) {
	v := serve(t, 1)
	bad, good := v.connect(0), v.connect(1)
	for _, c := range []struct{ in, want string }{
		{"]\n", "JSON parse error, expecting value"},
		{"[1]\n", "QMP input must be a JSON object"},
		{`{"execute":"nosuch"}`, "The command nosuch has not been found"},
		{`{"execute":"query-status","execute":"x"}`, "JSON parse error, duplicate key"},
		{strings.Repeat("[", 1025) + "\n", "JSON nesting depth limit exceeded"},
	} {
		bad.write(c.in)
		if got := bad.reply(); !strings.Contains(got, c.want) {
			t.Errorf("%.40q: %s, want %s", c.in, got, c.want)
		}
		good.must("query-status")
	}
	bad.write("\x00\xff\xfe{\x01")
	bad.write("\n}\n")
	good.must("query-status")
}

func TestServer_TakesAMessageInAnyPieces(t *testing.T) {
	v := serve(t, 1)
	c, other := v.connect(0), v.connect(1)
	for _, b := range []byte(`{"execute":"query-status","id":"slow"}`) {
		c.write(string(b))
		other.must("query-status")
	}
	if got := c.reply(); !strings.Contains(got, `"id": "slow"`) {
		t.Error(got)
	}
	c.write(strings.Repeat(`{"execute":"query-status"}`, 3000))
	for range 3000 {
		c.reply()
	}
}

func TestServer_TakesAMessageOf10MB(t *testing.T) {
	v := serve(t, 1)
	c, other := v.connect(0), v.connect(1)
	id := strings.Repeat("x", 10<<20)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(c.conn, `{"execute":"query-status","id":"`+id+`"}`)
	}()
	other.must("query-status")
	if got := c.reply(); !strings.Contains(got, id) {
		t.Errorf("%d bytes came back: %.100s", len(got), got)
	}
	<-sent
	other.must("query-status")
	c.must("query-status")
}

func TestServer_ForgetsHalfAMessageWithItsClient(t *testing.T) {
	v := serve(t, 1)
	c := v.connect(0)
	c.write(`{"execute":"quit`)
	_ = c.conn.Close()
	v.connect(0).must("query-status")
}

func TestServer_AnswersAClientThatHasShutItsSide(t *testing.T) {
	v := serve(t, 1)
	for monitor := range 2 {
		c := v.connect(monitor)
		c.write(strings.Repeat(`{"execute":"query-status"}`, 1000))
		if err := c.conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			c.reply()
		}
		c.over()
	}
}

func TestServer_Survives1000ConnectionsThatComeAndGo(t *testing.T) {
	v := serve(t, 1)
	other := v.connect(1)
	for i := range 1000 {
		c := v.dial(0)
		switch i % 4 {
		case 0: // leaves at once
		case 1:
			c.write(`{"execute":"qmp_capabilities"}{"execute":"query-st`)
		case 2:
			c.line()
		case 3:
			c.line()
			c.must("qmp_capabilities")
		}
		_ = c.conn.Close()
		if i%100 == 0 {
			other.must("query-status")
		}
	}
	v.connect(0).must("query-status")
}

func TestServer_KeepsManyThatWaitForAMonitorWaiting(t *testing.T) {
	v := serve(t, 1)
	first := v.connect(0)
	var waiting []*client
	for range 50 {
		waiting = append(waiting, v.dial(0))
	}
	first.must("query-status")
	_ = first.conn.Close()
	for _, c := range waiting {
		c.line()
		c.must("qmp_capabilities")
		_ = c.conn.Close()
	}
}

func TestServer_DoesNotWaitForWhoNeverNegotiates(t *testing.T) {
	v := serve(t, 1)
	silent, other := v.dial(0), v.connect(1)
	for range 20 {
		other.must("cont")
		other.must("stop")
	}
	silent.line()
	silent.write(`{"execute":"query-status"}`)
	if got := silent.line(); !strings.Contains(got, "Expecting capabilities negotiation") {
		t.Errorf("before the negotiation: %s", got)
	}
}

func TestServer_DoesNotWaitForWhoDoesNotRead(t *testing.T) {
	v := serve(t, 2)
	slow, other, pushy := v.connect(0), v.connect(2), v.connect(1)
	const commands = 5000 // of a kilobyte each: more than a socket and the limit hold
	var wg sync.WaitGroup
	for _, c := range []*client{slow, pushy} {
		wg.Go(func() {
			_, _ = io.WriteString(c.conn, strings.Repeat(`{"execute":"query-named-block-nodes"}`+"\n", commands))
		})
	}
	for range 500 {
		other.must("query-status")
	}
	for range commands { // it reads at last, and has lost nothing
		if got := slow.reply(); !strings.HasPrefix(got, `{"return"`) {
			t.Fatal(got)
		}
	}
	_ = pushy.conn.Close() // the other one never does
	wg.Wait()
	v.connect(1).must("query-status")
}

func TestServer_EndsByQuitAndTellsEveryClient(t *testing.T) {
	v := serve(t, 1)
	a, b := v.connect(0), v.connect(1)
	waiting := v.dial(0)
	a.must("quit")
	a.over()
	if got := b.line(); !strings.Contains(got, "host-qmp-quit") {
		t.Error(got)
	}
	b.over()
	if err := v.end(); err != nil {
		t.Error(err)
	}
	_, _ = io.ReadAll(waiting.in) // its connection ends too, one way or the other
	if _, err := net.Dial("unix", v.addrs[0].Path); err == nil {
		t.Error("the socket is still there")
	}
}

func TestServer_EndsByTerminateThoughAClientDoesNotRead(t *testing.T) {
	v := serve(t, 1)
	slow := v.connect(0)
	go func() {
		_, _ = io.WriteString(slow.conn, strings.Repeat(`{"execute":"query-named-block-nodes"}`+"\n", 3000))
	}()
	other := v.connect(1)
	other.must("query-status")
	v.s.Terminate()
	v.s.Terminate()
	if got := other.line(); !strings.Contains(got, "host-signal") {
		t.Error(got)
	}
	other.over()
	if err := v.end(); err != nil {
		t.Error(err)
	}
}

func TestServer_RunsJobsInTheTimeOfTheWallClock(t *testing.T) {
	v := serve(t, 0)
	c := v.connect(0)
	for _, command := range []string{
		`{"execute":"human-monitor-command","arguments":{"command-line":"qemu-io -d virtio-disk0/virtio-backend \"write 0 4M\""}}`,
		`{"execute":"blockdev-add","arguments":{"driver":"null-co","node-name":"t","size":67108864}}`,
		`{"execute":"blockdev-backup","arguments":{"job-id":"b","device":"d","target":"t","sync":"full","auto-dismiss":false}}`,
	} {
		c.write(command)
		if got := c.reply(); !strings.HasPrefix(got, `{"return"`) {
			t.Fatal(got)
		}
	}
	begin := time.Now()
	for done := false; !done; {
		c.write(`{"execute":"query-jobs"}`)
		for {
			line := c.line()
			if strings.HasPrefix(line, `{"return"`) {
				break
			}
			e, _ := qmp.ParseEvent(parse(line))
			if d := begin.Unix() - e.Seconds; d < -60 || d > 60 {
				t.Errorf("the event's time is %d s off: %s", d, line)
			}
			done = done || e.Data.Get("status").S() == "concluded"
		}
	}
}
