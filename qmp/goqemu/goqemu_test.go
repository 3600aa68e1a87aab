package goqemu_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/digitalocean/go-qemu/qemu"
	api "github.com/digitalocean/go-qemu/qmp"

	"fleece/qmp"
	"fleece/qmp/goqemu"
	"fleece/rt/realrt"
)

// answering answers query-version and query-status, fails blockdev-del, and sends
// an event before the reply to stop.
func answering(c net.Conn, command qmp.Value) {
	switch name := command.Get("execute").S(); name {
	case "query-version":
		v := qmp.Greeting{Major: 7, Minor: 2, Micro: 22, Package: "Debian"}.Message().Get("QMP").Get("version")
		reply(c, command, v)
	case "blockdev-del":
		failure := qmp.ReplyError{Class: qmp.GenericError, Desc: "Node n is in use"}
		_, _ = c.Write(append(qmp.Encode(failure.Message(command.Get("id"))), "\r\n"...))
	case "stop":
		fmt.Fprint(c, anEvent("STOP", "9007199254740991"))
		reply(c, command, qmp.Dict())
	case "quit":
		c.Close()
	default:
		reply(c, command, command.Get("arguments"))
	}
}

func TestMonitor_IsGoodEnoughForGoQEMUsDomain(t *testing.T) {
	m := serve(t, "", "", answering).ours()
	domain, err := qemu.NewDomain(m, "vm1")
	if err != nil {
		t.Fatal(err)
	}
	if version, err := domain.Version(); err != nil || version != "7.2.22" {
		t.Errorf("version %s, %v", version, err)
	}
	events, done, err := domain.Events()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := domain.Run(api.Command{Execute: "stop"}); err != nil {
		t.Error(err)
	}
	if e := <-events; e.Event != "STOP" {
		t.Errorf("got %+v", e)
	}
	done <- struct{}{}
	if err := domain.Close(); err != nil {
		t.Error(err)
	}
}

func TestMonitor_RefusesASecondConnectAndWhatIsNoCommand(t *testing.T) {
	m := serve(t, "", "", answering).ours()
	if err := m.Connect(); !errors.Is(err, goqemu.ErrConnected) {
		t.Errorf("got %v", err)
	}
	for command, want := range map[string]string{
		`{"execute":`:            `goqemu: command "{\"execute\":": JSON parse error, premature EOI`,
		`[]`:                     `goqemu: command "[]": GenericError: QMP input must be a JSON object`,
		`{"exec-oob":"x"}`:       `goqemu: command "{\"exec-oob\":\"x\"}": GenericError: QMP input member 'exec-oob' is unexpected`,
		`{"execute":"a"} {"x":}`: `goqemu: command "{\"execute\":\"a\"} {\"x\":}": JSON parse error, expecting value`,
	} {
		if _, err := m.Run([]byte(command)); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// onConn runs our monitor on a connection made of one of go-qemu's interface.
func onConn(t *testing.T, theirs api.Monitor) {
	conn, err := goqemu.NewConn(theirs)
	if err != nil {
		t.Fatal(err)
	}
	events, closed := make(chan qmp.Event, 10), make(chan error, 1)
	p := realrt.NewWorld().NewProcess("test")
	m := qmp.NewMonitor(p, conn, qmp.MonitorOptions{
		OnEvent: func(e qmp.Event) { events <- e },
		OnClose: func(err error) { closed <- err },
	})
	g, err := m.Negotiate()
	if err != nil || g.Major != 7 || g.Package != "Debian" {
		t.Fatalf("greeting %+v, %v", g, err)
	}
	v, err := m.Run(qmp.JobDismiss{ID: "j"}.Command())
	if err != nil || v.Get("id").S() != "j" {
		t.Errorf("got %v, %v", v, err)
	}
	_, err = m.Run(qmp.BlockdevDel{NodeName: "n"}.Command())
	var failed *qmp.CommandError
	if !errors.As(err, &failed) || failed.Class != qmp.GenericError || failed.Desc != "Node n is in use" {
		t.Errorf("got %v", err)
	}
	if _, err := m.Run(qmp.Stop{}.Command()); err != nil {
		t.Error(err)
	}
	if e := <-events; e.Name != "STOP" || e.Seconds != 1 || !e.Data.Get("n").Equal(qmp.Int(9007199254740991)) {
		t.Errorf("got %+v", e)
	}
	if _, err := m.Run(qmp.Quit{}.Command()); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
	if err := <-closed; !errors.Is(err, io.EOF) {
		t.Errorf("closed: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func TestConn_CarriesOurMonitorOverGoQEMUsSocketMonitor(t *testing.T) {
	onConn(t, serve(t, "", "", answering).theirs())
}

func TestConn_CarriesOurMonitorOverOurOwnAdapter(t *testing.T) {
	onConn(t, serve(t, "", "", answering).ours())
}

// deaf has no events.
type deaf struct{ api.Monitor }

func (deaf) Events(context.Context) (<-chan api.Event, error) {
	return nil, api.ErrEventsNotSupported
}

func TestConn_DoesWithoutEventsWhereTheyAreNotSupported(t *testing.T) {
	conn, err := goqemu.NewConn(deaf{serve(t, "", "", answering).ours()})
	if err != nil {
		t.Fatal(err)
	}
	m := qmp.NewMonitor(realrt.NewWorld().NewProcess("test"), conn, qmp.MonitorOptions{})
	if _, err := m.Negotiate(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Run(qmp.Stop{}.Command()); err != nil {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if _, err := m.Run(qmp.Stop{}.Command()); !errors.Is(err, qmp.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
