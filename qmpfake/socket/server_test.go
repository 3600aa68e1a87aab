package socket_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"fleece/qmp"
)

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
