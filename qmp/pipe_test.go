package qmp_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"testing"

	"fleece/qmp"
	"fleece/rt"
)

func pipe(w rt.World, wire bool) (client, server *qmp.PipeEnd) {
	return qmp.NewPipe(w.Kernel(), qmp.PipeOptions{Name: "qmp", Wire: wire})
}

func TestPipe_KeepsTheOrderOfEachDirection(t *testing.T) {
	const messages = 20
	inWorlds(t, func(w rt.World, spec rt.Process, wire bool) error {
		client, server := pipe(w, wire)
		qemu := w.NewProcess("qemu")
		qemu.Go("echo", func() {
			for {
				m, err := server.Recv()
				if err != nil {
					return
				}
				_ = server.Send(m)
			}
		})
		spec.Go("sender", func() {
			for n := range int64(messages) {
				_ = client.Send(numbered(n))
			}
		})
		for n := range int64(messages) {
			m, err := client.Recv()
			if err != nil || !m.Equal(numbered(n)) {
				return fmt.Errorf("message %d: got %v, %w", n, m, err)
			}
		}
		return client.Close()
	})
}

func TestPipe_GivesThePeerWhatWasSentBeforeCloseAndThenEOF(t *testing.T) {
	inWorlds(t, func(w rt.World, _ rt.Process, wire bool) error {
		client, server := pipe(w, wire)
		if err := errors.Join(client.Send(numbered(1)), client.Close(), client.Close()); err != nil {
			return err
		}
		if m, err := server.Recv(); err != nil || !m.Equal(numbered(1)) {
			return fmt.Errorf("got %v, %w", m, err)
		}
		_, received := server.Recv()
		_, closed := client.Recv()
		if !server.PeerGone() {
			return errors.New("the server does not see that the peer is gone")
		}
		return errors.Join(
			wants("Recv of the peer", received, io.EOF),
			wants("Send of the peer", server.Send(numbered(2)), io.EOF),
			wants("Recv", closed, qmp.ErrClosed),
			wants("Send", client.Send(numbered(2)), qmp.ErrClosed))
	})
}

func TestPipe_WakesBothSidesOnClose(t *testing.T) {
	inWorlds(t, func(w rt.World, spec rt.Process, wire bool) error {
		client, server := pipe(w, wire)
		done := newGate(w, "done")
		var here, there error
		spec.Go("here", func() { _, here = client.Recv(); done.add() })
		spec.Go("there", func() { _, there = server.Recv(); done.add() })
		if err := client.Close(); err != nil {
			return err
		}
		done.await(2)
		return errors.Join(wants("here", here, qmp.ErrClosed), wants("there", there, io.EOF))
	})
}

func TestPipe_IsClosedByTheDeathOfTheProcessThatItIsBoundTo(t *testing.T) {
	inWorlds(t, func(w rt.World, spec rt.Process, wire bool) error {
		client, server := pipe(w, wire)
		qemu := w.NewProcess("qemu")
		server.Bind(qemu)
		sent := newGate(w, "sent")
		qemu.Go("main", func() {
			_ = server.Send(numbered(1))
			sent.add()
			_, _ = server.Recv() // until it dies
			_ = server.Send(numbered(2))
		})
		sent.await(1)
		qemu.Kill()
		if m, err := client.Recv(); err != nil || !m.Equal(numbered(1)) {
			return fmt.Errorf("got %v, %w", m, err)
		}
		_, err := client.Recv()
		return errors.Join(wants("Recv of the peer", err, io.EOF), wants("Send of the dead", server.Send(numbered(3)), rt.ErrKilled))
	})
}

func TestPipe_RefusesMoreThanItsLimitUntilThePeerReads(t *testing.T) {
	inWorlds(t, func(w rt.World, _ rt.Process, wire bool) error {
		client, server := qmp.NewPipe(w.Kernel(), qmp.PipeOptions{Wire: wire, Limit: 2})
		for round := range 5 {
			if err := errors.Join(client.Send(numbered(1)), client.Send(numbered(2))); err != nil {
				return fmt.Errorf("round %d: %w", round, err)
			}
			if err := wants("the third message", client.Send(numbered(3)), qmp.ErrQueueFull); err != nil {
				return err
			}
			for range 2 {
				if _, err := server.Recv(); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func TestPipe_RefusesWhatBytesCannotCarry(t *testing.T) {
	deep := qmp.Int(1)
	for range 1025 {
		deep = qmp.List(deep)
	}
	for _, c := range []struct {
		name string
		bad  qmp.Value
	}{
		{"an absent message", qmp.Value{}},
		{"an absent item", qmp.List(qmp.Value{})},
		{"an absent item of a nested list", qmp.Dict(qmp.M("a", qmp.List(qmp.List(qmp.Value{}))))},
		{"text that is not UTF-8", qmp.Str("\xff")},
		{"a surrogate in text", qmp.Str("\xed\xa0\x80")},
		{"a noncharacter", qmp.Str("\ufffe")},
		{"a name that is not UTF-8", qmp.Dict(qmp.M("\xff", qmp.Null()))},
		{"not a number", qmp.Float(math.NaN())},
		{"infinity", qmp.List(qmp.Float(math.Inf(-1)))},
		{"a name twice", qmp.Dict(qmp.M("a", qmp.Int(1)), qmp.M("a", qmp.Int(1)))},
		{"too many levels", deep},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorlds(t, func(w rt.World, _ rt.Process, wire bool) error {
				client, _ := pipe(w, wire)
				return wants("Send", client.Send(c.bad), qmp.ErrNotWire)
			})
		})
	}
}
