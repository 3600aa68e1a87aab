package qmpnet_test

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"

	"fleece/qmp"
	"fleece/qmp/qmpnet"
	"fleece/rt"
	"fleece/rt/realrt"
)

// pair connects a Conn with the bare other side of its socket.
func pair(t *testing.T) (*qmpnet.Conn, *net.UnixConn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "q"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := qmpnet.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(); peer.Close() })
	return c, peer.(*net.UnixConn)
}

func write(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

func TestConn_WritesOneMessagePerLineAndSendsAllBeforeItCloses(t *testing.T) {
	c, peer := pair(t)
	for n := range int64(3) {
		if err := c.Send(qmp.Dict(qmp.M("n", qmp.Int(n)))); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(peer)
	if want := "{\"n\": 0}\r\n{\"n\": 1}\r\n{\"n\": 2}\r\n"; string(got) != want || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if err := c.Send(qmp.Dict()); !errors.Is(err, qmp.ErrClosed) {
		t.Errorf("Send after Close: %v", err)
	}
	if _, err := c.Recv(); !errors.Is(err, qmp.ErrClosed) {
		t.Errorf("Recv after Close: %v", err)
	}
}

func TestConn_ReadsOnAfterASyntaxErrorAndEndsWithEOF(t *testing.T) {
	c, peer := pair(t)
	write(t, peer, `{'a':1}{"b":}`+"\n"+`{"c":3}{"half":`)
	peer.Close()
	if m, err := c.Recv(); err != nil || !m.Get("a").Equal(qmp.Int(1)) {
		t.Errorf("got %v, %v", m, err)
	}
	var syntax *qmp.SyntaxError
	if _, err := c.Recv(); !errors.As(err, &syntax) || syntax.Reply().Desc != "JSON parse error, expecting value" {
		t.Errorf("got %v", err)
	}
	if m, err := c.Recv(); err != nil || !m.Get("c").Equal(qmp.Int(3)) {
		t.Errorf("got %v, %v", m, err)
	}
	for range 2 {
		if _, err := c.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
	}
	if err := c.Send(qmp.Dict()); !errors.Is(err, io.EOF) {
		t.Errorf("Send at the end: %v", err)
	}
}

func TestConn_WakesABlockedRecvOnClose(t *testing.T) {
	c, _ := pair(t)
	ended := make(chan error)
	go func() {
		_, err := c.Recv()
		ended <- err
	}()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, qmp.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestConn_NeitherWaitsForAPeerThatDoesNotReadNorForeverAtClose(t *testing.T) {
	c, _ := pair(t)
	large := qmp.Str(string(make([]byte, 1<<20)))
	for {
		err := c.Send(large)
		if errors.Is(err, qmp.ErrQueueFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestConn_IsCutByTheDeathOfTheProcessThatItIsBoundTo(t *testing.T) {
	c, peer := pair(t)
	p := realrt.NewWorld().NewProcess("driver")
	c.Bind(p)
	p.Kill()
	if got, err := io.ReadAll(peer); len(got) != 0 || err != nil {
		t.Errorf("the peer got %q, %v", got, err)
	}
	_, err := c.Recv()
	if !errors.Is(err, rt.ErrKilled) || !errors.Is(c.Send(qmp.Dict()), rt.ErrKilled) {
		t.Errorf("got %v", err)
	}
}

func TestConn_RefusesWhatBytesCannotCarry(t *testing.T) {
	c, _ := pair(t)
	if err := c.Send(qmp.List(qmp.Value{})); !errors.Is(err, qmp.ErrNotWire) {
		t.Errorf("got %v", err)
	}
}

func TestDial_TellsWhyThereIsNoConnection(t *testing.T) {
	if _, err := qmpnet.Dial("unix", filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("connected to nothing")
	}
}
