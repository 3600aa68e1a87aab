package qmp_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"fleece/qmp"
	"fleece/rt"
)

func greeting() qmp.Value {
	return qmp.Greeting{Major: 7, Minor: 2, Micro: 22, Package: "Debian", Capabilities: []string{"oob"}}.Message()
}

func event(name string) qmp.Value { return qmp.Event{Name: name}.Message() }

func returned(request qmp.Value) qmp.Value {
	return qmp.Return(qmp.Str("to "+request.Get("execute").S()), request.Get("id"))
}

// peer is a scripted QEMU: f plays it after the greeting was sent and
// qmp_capabilities was answered.
func peer(w rt.World, server *qmp.PipeEnd, f func()) rt.Process {
	qemu := w.NewProcess("qemu")
	server.Bind(qemu)
	qemu.Go("qemu", func() {
		_ = server.Send(greeting())
		m, _ := server.Recv()
		_ = server.Send(returned(m))
		f()
	})
	return qemu
}

// answerAll answers every command with its own name until the peer leaves.
func answerAll(server *qmp.PipeEnd) {
	for {
		m, err := server.Recv()
		if err != nil {
			return
		}
		_ = server.Send(returned(m))
	}
}

// heard collects what a monitor tells its owner.
type heard struct {
	*gate
	events []string
	closed []error
}

func listen(w rt.World) *heard { return &heard{gate: newGate(w, "heard")} }

func (h *heard) options() qmp.MonitorOptions {
	return qmp.MonitorOptions{
		OnEvent: func(e qmp.Event) {
			h.mu.Lock()
			h.events = append(h.events, e.Name)
			h.mu.Unlock()
		},
		OnClose: func(err error) {
			h.mu.Lock()
			h.closed = append(h.closed, err)
			h.mu.Unlock()
			h.add()
		},
	}
}

// connected makes a negotiated monitor.
func connected(spec rt.Process, c qmp.Conn, opts qmp.MonitorOptions) (*qmp.Monitor, error) {
	m := qmp.NewMonitor(spec, c, opts)
	_, err := m.Negotiate()
	return m, err
}

func TestMonitor_TellsTheGreetingAndRunsCommands(t *testing.T) {
	inWorlds(t, func(w rt.World, spec rt.Process, wire bool) error {
		client, server := pipe(w, wire)
		peer(w, server, func() { answerAll(server) })
		m := qmp.NewMonitor(spec, client, qmp.MonitorOptions{})
		g, err := m.Negotiate()
		if err != nil || g.Major != 7 || g.Minor != 2 || g.Micro != 22 || g.Package != "Debian" || !slices.Equal(g.Capabilities, []string{"oob"}) {
			return fmt.Errorf("greeting %+v, %w", g, err)
		}
		v, err := m.Run(qmp.QueryStatus{}.Command())
		if err != nil || v.S() != "to query-status" {
			return fmt.Errorf("got %v, %w", v, err)
		}
		return m.Close()
	})
}

func TestMonitor_DispatchesEventsThatComeBeforeTheCapabilitiesReply(t *testing.T) {
	inWorlds(t, func(w rt.World, spec rt.Process, wire bool) error {
		client, server := pipe(w, wire)
		w.NewProcess("qemu").Go("qemu", func() {
			_ = server.Send(greeting())
			m, _ := server.Recv()
			_ = server.Send(event("STOP"))
			_ = server.Send(event("RESUME"))
			_ = server.Send(returned(m))
			answerAll(server)
		})
		h := listen(w)
		m, err := connected(spec, client, h.options())
		if err != nil {
			return err
		}
		if !slices.Equal(h.events, []string{"STOP", "RESUME"}) {
			return fmt.Errorf("events %v", h.events)
		}
		v, err := m.Run(qmp.QueryJobs{}.Command())
		if err != nil || v.S() != "to query-jobs" {
			return fmt.Errorf("replies are shifted: %v, %w", v, err)
		}
		return m.Close()
	})
}

func TestMonitor_GivesEachOfSeveralTasksItsOwnReply(t *testing.T) {
	inWorlds(t, func(w rt.World, spec rt.Process, wire bool) error {
		const tasks = 5
		client, server := pipe(w, wire)
		peer(w, server, func() {
			for {
				var requests []qmp.Value
				for range tasks {
					m, err := server.Recv()
					if err != nil {
						return
					}
					requests = append(requests, m)
				}
				slices.Reverse(requests) // as if they took different times
				for _, m := range requests {
					_ = server.Send(event("NOISE"))
					_ = server.Send(returned(m))
				}
			}
		})
		m, err := connected(spec, client, qmp.MonitorOptions{})
		if err != nil {
			return err
		}
		done, wrong := newGate(w, "done"), make([]error, tasks)
		for i := range tasks {
			spec.Go("caller", func() {
				defer done.add()
				for range 3 {
					name := fmt.Sprintf("command-%d", i)
					v, err := m.Run(qmp.Command{Name: name})
					if err != nil || v.S() != "to "+name {
						wrong[i] = fmt.Errorf("%s: got %v, %w", name, v, err)
					}
				}
			})
		}
		done.await(tasks)
		return errors.Join(append(wrong, m.Close())...)
	})
}

func TestMonitor_TellsClassAndTextOfAnErrorReply(t *testing.T) {
	inWorlds(t, func(w rt.World, spec rt.Process, wire bool) error {
		client, server := pipe(w, wire)
		peer(w, server, func() {
			m, _ := server.Recv()
			e := qmp.ReplyError{Class: qmp.DeviceNotActive, Desc: "Block job 'j' not found"}
			_ = server.Send(e.Message(m.Get("id")))
		})
		m, err := connected(spec, client, qmp.MonitorOptions{})
		if err != nil {
			return err
		}
		_, err = m.Run(qmp.BlockJobCancel{Device: "j"}.Command())
		var failed *qmp.CommandError
		want := qmp.CommandError{Command: "block-job-cancel", Class: qmp.DeviceNotActive, Desc: "Block job 'j' not found"}
		if !errors.As(err, &failed) || *failed != want {
			return fmt.Errorf("got %w, want %w", err, &want)
		}
		return m.Close()
	})
}

func TestMonitor_FailsWaitingAndLaterCommandsWhenTheServerGoes(t *testing.T) {
	inWorlds(t, func(w rt.World, spec rt.Process, wire bool) error {
		client, server := pipe(w, wire)
		asked := newGate(w, "asked")
		qemu := peer(w, server, func() {
			for range 2 {
				_, _ = server.Recv()
			}
			_ = server.Send(event("SHUTDOWN"))
			asked.add()
			_, _ = server.Recv()
		})
		h := listen(w)
		m, err := connected(spec, client, h.options())
		if err != nil {
			return err
		}
		done, failed := newGate(w, "done"), make([]error, 2)
		for i := range failed {
			spec.Go("caller", func() {
				_, failed[i] = m.Run(qmp.Quit{}.Command())
				done.add()
			})
		}
		asked.await(1)
		qemu.Kill()
		done.await(2)
		h.await(1)
		_, later := m.Run(qmp.QueryStatus{}.Command())
		if len(h.closed) != 1 || !slices.Equal(h.events, []string{"SHUTDOWN"}) {
			return fmt.Errorf("closed %v after events %v", h.closed, h.events)
		}
		return errors.Join(wants("first", failed[0], io.EOF), wants("second", failed[1], io.EOF),
			wants("later", later, io.EOF), wants("OnClose", h.closed[0], io.EOF))
	})
}

func TestMonitor_FailsWaitingCommandsWithErrClosedWhenItIsClosed(t *testing.T) {
	inWorlds(t, func(w rt.World, spec rt.Process, wire bool) error {
		client, server := pipe(w, wire)
		asked := newGate(w, "asked")
		peer(w, server, func() { _, _ = server.Recv(); asked.add(); _, _ = server.Recv() })
		m, err := connected(spec, client, qmp.MonitorOptions{})
		if err != nil {
			return err
		}
		done := newGate(w, "done")
		var waiting error
		spec.Go("caller", func() { _, waiting = m.Run(qmp.Stop{}.Command()); done.add() })
		asked.await(1)
		if err := m.Close(); err != nil {
			return err
		}
		done.await(1)
		_, later := m.Run(qmp.Stop{}.Command())
		return errors.Join(wants("waiting", waiting, qmp.ErrClosed), wants("later", later, qmp.ErrClosed))
	})
}

func TestMonitor_DropsRepliesThatNobodyWaitsForAndShiftsNone(t *testing.T) {
	inWorlds(t, func(w rt.World, spec rt.Process, wire bool) error {
		client, server := pipe(w, wire)
		peer(w, server, func() {
			for {
				m, err := server.Recv()
				if err != nil {
					return
				}
				for _, id := range []qmp.Value{qmp.Int(999), qmp.Str("1"), qmp.Null(), {}, qmp.Int(-1)} {
					_ = server.Send(qmp.Return(qmp.Str("stray"), id))
				}
				_ = server.Send(qmp.Dict(qmp.M("neither", qmp.Bool(true))))
				_ = server.Send(returned(m))
				_ = server.Send(returned(m)) // twice
			}
		})
		m, err := connected(spec, client, qmp.MonitorOptions{})
		if err != nil {
			return err
		}
		for range 3 {
			if v, err := m.Run(qmp.Cont{}.Command()); err != nil || v.S() != "to cont" {
				return fmt.Errorf("got %v, %w", v, err)
			}
		}
		return m.Close()
	})
}

func TestMonitor_GivesUpWhenTheServerCouldNotReadACommand(t *testing.T) {
	inWorlds(t, func(w rt.World, spec rt.Process, wire bool) error {
		client, server := pipe(w, wire)
		peer(w, server, func() {
			_, _ = server.Recv()
			_ = server.Send(qmp.Generic("JSON parse error, expecting value").Message(qmp.Value{}))
		})
		m, err := connected(spec, client, qmp.MonitorOptions{})
		if err != nil {
			return err
		}
		_, err = m.Run(qmp.Cont{}.Command())
		return wants("Run", err, qmp.ErrProtocol)
	})
}

func TestMonitor_RefusesAPeerThatDoesNotGreet(t *testing.T) {
	inWorlds(t, func(w rt.World, spec rt.Process, wire bool) error {
		client, server := pipe(w, wire)
		if err := server.Send(event("STOP")); err != nil {
			return err
		}
		_, err := connected(spec, client, qmp.MonitorOptions{})
		if err := wants("no greeting", err, qmp.ErrProtocol); err != nil {
			return err
		}
		client, server = pipe(w, wire)
		if err := server.Close(); err != nil {
			return err
		}
		_, err = connected(spec, client, qmp.MonitorOptions{})
		return wants("gone", err, io.EOF)
	})
}

func TestMonitor_GoesOnAfterACommandThatCannotBeSent(t *testing.T) {
	inWorlds(t, func(w rt.World, spec rt.Process, wire bool) error {
		client, server := pipe(w, wire)
		peer(w, server, func() { answerAll(server) })
		m, err := connected(spec, client, qmp.MonitorOptions{})
		if err != nil {
			return err
		}
		_, err = m.Run(qmp.HumanMonitorCommand{CommandLine: "\xff"}.Command())
		if err := wants("bad text", err, qmp.ErrNotWire); err != nil {
			return err
		}
		_, err = m.Run(qmp.Cont{}.Command())
		return errors.Join(err, m.Close())
	})
}

func TestMonitor_DiesWithItsProcessAndTheServerSeesEOF(t *testing.T) {
	inWorlds(t, func(w rt.World, spec rt.Process, wire bool) error {
		client, server := pipe(w, wire)
		driver := w.NewProcess("driver")
		client.Bind(driver)
		asked, gone := newGate(w, "asked"), newGate(w, "gone")
		var end error
		peer(w, server, func() {
			_, _ = server.Recv()
			asked.add()
			_, end = server.Recv()
			gone.add()
		})
		var after error
		driver.Go("main", func() {
			m, err := connected(driver, client, qmp.MonitorOptions{Name: "mon"})
			if err != nil {
				after = err
				return
			}
			_, _ = m.Run(qmp.Cont{}.Command())
		})
		asked.await(1)
		driver.Kill()
		gone.await(1)
		return errors.Join(after, wants("the server", end, io.EOF))
	})
}

func TestMonitor_MakesTheSameTraceWithTreesAndBytes(t *testing.T) {
	talk := func(w rt.World, spec rt.Process, wire bool) error {
		client, server := pipe(w, wire)
		peer(w, server, func() { answerAll(server) })
		m, err := connected(spec, client, qmp.MonitorOptions{})
		if err != nil {
			return err
		}
		done := newGate(w, "done")
		for range 3 {
			spec.Go("caller", func() {
				_, _ = m.Run(qmp.BlockdevBackup{Device: "a", Target: "b", Sync: "full"}.Command())
				done.add()
			})
		}
		done.await(3)
		return m.Close()
	}
	for seed := range uint64(200) {
		typed, wire := simulate(t, seed, talk, false), simulate(t, seed, talk, true)
		if typed.Hash != wire.Hash || typed.Points != wire.Points {
			t.Fatalf("seed %d: trees %x (%d points), bytes %x (%d points)", seed, typed.Hash, typed.Points, wire.Hash, wire.Points)
		}
	}
}
