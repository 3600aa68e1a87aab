package goqemu_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"fleece/qmp"
	"fleece/qmp/goqemu"
	"fleece/rt/realrt"
)

// Each test here is about one fault of go-qemu's SocketMonitor, or of its qmptest,
// and shows that Monitor does not have it.

func run(t *testing.T, m *goqemu.Monitor, command string) []byte {
	t.Helper()
	out, err := m.Run([]byte(command))
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return out
}

// Fault 1: a reply beyond bufio.Scanner's 64 KiB kills the monitor for good.
func TestMonitor_ReadsAReplyOfAnySizeAndLivesOn(t *testing.T) {
	large := strings.Repeat("x", 300<<10)
	m := serve(t, "", "", func(c net.Conn, command qmp.Value) { reply(c, command, qmp.Str(large)) }).ours()
	for range 2 {
		if out := run(t, m, `{"execute":"query-qmp-schema"}`); len(out) < len(large) || !json.Valid(out) {
			t.Errorf("got %d bytes", len(out))
		}
	}
}

// Fault 2: the bytes of a reply are those of the scanner's buffer.
func TestMonitor_GivesRepliesThatWhatFollowsDoesNotOverwrite(t *testing.T) {
	m := serve(t, "", "", func(c net.Conn, command qmp.Value) {
		reply(c, command, command.Get("execute"))
		fmt.Fprint(c, strings.Repeat(anEvent("X", `"################"`), 200))
	}).ours()
	var outs [][]byte
	for i := range 50 {
		outs = append(outs, run(t, m, fmt.Sprintf(`{"execute":"command-%d"}`, i)))
	}
	for i, out := range outs {
		if want := fmt.Sprintf(`{"return": "command-%d"}`, i); string(out) != want {
			t.Errorf("got %s, want %s", out, want)
		}
	}
}

// Fault 3: the class of an error is dropped.
func TestMonitor_TellsTheClassOfAnError(t *testing.T) {
	m := serve(t, "", "", func(c net.Conn, command qmp.Value) {
		e := qmp.ReplyError{Class: qmp.DeviceNotFound, Desc: "Device 'x' not found"}
		_, _ = c.Write(qmp.Encode(e.Message(command.Get("id"))))
	}).ours()
	_, err := m.Run([]byte(`{"execute":"device_del","arguments":{"id":"x"}}`))
	var failed *qmp.CommandError
	if !errors.As(err, &failed) || failed.Class != qmp.DeviceNotFound || failed.Desc != "Device 'x' not found" {
		t.Errorf("got %T %v", err, err)
	}
}

// Fault 4: one event that nobody reads blocks Run and Disconnect for ever; the
// context of Events is ignored and the number of listeners never falls.
func TestMonitor_IsNotHeldUpByAListenerThatDoesNotRead(t *testing.T) {
	m := serve(t, "", "", func(c net.Conn, command qmp.Value) {
		fmt.Fprint(c, strings.Repeat(anEvent("X", "1"), 100))
		reply(c, command, qmp.Dict())
	}).ours()
	ctx, cancel := context.WithCancel(context.Background())
	events, err := m.Events(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Events(context.Background()); err != nil { // never read at all
		t.Fatal(err)
	}
	run(t, m, `{"execute":"cont"}`)
	cancel()
	for range events { // ends
	}
	if n := m.Listeners(); n != 1 {
		t.Errorf("%d listeners are left", n)
	}
	if err := m.Disconnect(); err != nil {
		t.Error(err)
	}
}

// Fault 5: two listeners share one channel and get a part each.
func TestMonitor_GivesEachListenerEveryEvent(t *testing.T) {
	const events = 100
	m := serve(t, "", "", func(c net.Conn, command qmp.Value) {
		for i := range events {
			fmt.Fprint(c, anEvent("X", fmt.Sprint(i)))
		}
		reply(c, command, qmp.Dict())
	}).ours()
	a, errA := m.Events(context.Background())
	b, errB := m.Events(context.Background())
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	run(t, m, `{"execute":"cont"}`)
	for i := range events {
		for _, e := range []any{(<-a).Data["n"], (<-b).Data["n"]} {
			if e != json.Number(fmt.Sprint(i)) {
				t.Fatalf("event %d: got %v", i, e)
			}
		}
	}
}

// Fault 6: what was read together with the reply to qmp_capabilities is lost.
func TestMonitor_KeepsAnEventRightAfterTheHandshakeForTheFirstListener(t *testing.T) {
	m := serve(t, "", anEvent("BLOCK_JOB_COMPLETED", "1"), func(c net.Conn, command qmp.Value) { reply(c, command, qmp.Dict()) }).ours()
	run(t, m, `{"execute":"cont"}`) // the event was read by now
	events, err := m.Events(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if e := <-events; e.Event != "BLOCK_JOB_COMPLETED" || e.Timestamp.Seconds != 1 || e.Timestamp.Microseconds != 2 {
		t.Errorf("got %+v", e)
	}
}

// Fault 7: an event before the reply to qmp_capabilities is taken for it, and
// from then on every reply for the next command's.
func TestMonitor_DoesNotTakeAnEventForTheReplyToTheHandshake(t *testing.T) {
	m := serve(t, anEvent("STOP", "1"), "", func(c net.Conn, command qmp.Value) { reply(c, command, command.Get("execute")) }).ours()
	for _, name := range []string{"x", "y"} {
		if out := string(run(t, m, `{"execute":"`+name+`"}`)); out != `{"return": "`+name+`"}` {
			t.Errorf("%s: got %s", name, out)
		}
	}
	events, err := m.Events(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if e := <-events; e.Event != "STOP" {
		t.Errorf("got %+v", e)
	}
}

// Fault 8: an id that is no string is refused.
func TestMonitor_EchoesAnIDOfAnyKind(t *testing.T) {
	m := serve(t, "", "", func(c net.Conn, command qmp.Value) { reply(c, command, qmp.Dict()) }).ours()
	for _, id := range []string{`7`, `"7"`, `null`, `{"a": [1.5]}`, `18446744073709551615`} {
		if out := string(run(t, m, `{"execute":"cont","id":`+id+`}`)); out != `{"return": {}, "id": `+id+`}` {
			t.Errorf("id %s: got %s", id, out)
		}
	}
}

// Fault 9: integers of an event's data above 2^53 are altered.
func TestMonitor_KeepsLargeIntegersOfEvents(t *testing.T) {
	m := serve(t, "", anEvent("X", "9007199254740993")+anEvent("Y", "18446744073709551615"), nil).ours()
	events, err := m.Events(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []json.Number{"9007199254740993", "18446744073709551615"} {
		if got := (<-events).Data["n"]; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

// Fault 10: the end of the connection shows as a JSON error.
func TestMonitor_TellsTheEndOfTheConnectionAsEOF(t *testing.T) {
	m := serve(t, "", "", func(c net.Conn, _ qmp.Value) { c.Close() }).ours()
	events, err := m.Events(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := m.Run([]byte(`{"execute":"quit"}`)); !errors.Is(err, io.EOF) {
			t.Errorf("got %v", err)
		}
	}
	for range events { // ends
	}
	if _, err := m.Events(context.Background()); !errors.Is(err, io.EOF) {
		t.Errorf("events: got %v", err)
	}
}

// Fault 11: Run cannot be given up.
func TestMonitor_GivesUpWaitingWhenTheContextEndsAndLivesOn(t *testing.T) {
	var held []qmp.Value
	asked := make(chan struct{})
	m := serve(t, "", "", func(c net.Conn, command qmp.Value) {
		held = append(held, command)
		if len(held) == 1 {
			close(asked)
			return
		}
		reply(c, held[0], qmp.Str("late"))
		reply(c, command, qmp.Str("mine"))
	}).ours()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-asked
		cancel()
	}()
	if _, err := m.RunContext(ctx, []byte(`{"execute":"stop"}`)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if out := string(run(t, m, `{"execute":"cont"}`)); out != `{"return": "mine"}` {
		t.Errorf("the late reply went astray: %s", out)
	}
}

// Fault 12: a line that is no JSON is skipped and Run waits for ever.
func TestMonitor_FailsItsCommandsWhenTheServerSendsWhatIsNoJSON(t *testing.T) {
	m := serve(t, "", "", func(c net.Conn, _ qmp.Value) { fmt.Fprint(c, "(qemu) \r\n") }).ours()
	_, err := m.Run([]byte(`{"execute":"cont"}`))
	var syntax *qmp.SyntaxError
	if !errors.As(err, &syntax) {
		t.Errorf("got %v", err)
	}
}

// Fault 13: the monitor for tests has no events, and replies without "return".
func TestMonitor_CanBeTestedAgainstAServerInMemoryWithEvents(t *testing.T) {
	client, server := qmp.NewPipe(realrt.NewWorld().Kernel(), qmp.PipeOptions{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Send(qmp.Greeting{Major: 7}.Message())
		for {
			m, err := server.Recv()
			if err != nil {
				return
			}
			_ = server.Send(qmp.Event{Name: "RESUME"}.Message())
			_ = server.Send(qmp.Return(qmp.Dict(), m.Get("id")))
		}
	}()
	m := goqemu.New(client)
	events, err := m.Events(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Connect(); err != nil || m.Greeting().Major != 7 {
		t.Fatalf("greeting %+v, %v", m.Greeting(), err)
	}
	if out := run(t, m, `{"execute":"cont"}`); !bytes.Equal(out, []byte(`{"return": {}}`)) {
		t.Errorf("got %s", out)
	}
	for range 2 {
		if e := <-events; e.Event != "RESUME" || e.Data != nil {
			t.Errorf("got %+v", e)
		}
	}
	if err := m.Disconnect(); err != nil {
		t.Error(err)
	}
	<-ended
}
