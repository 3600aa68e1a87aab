package qmp_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"fleece/qmp"
	"fleece/rt"
)

// echoing is a server that answers each command with the command itself, and
// sends an event before the reply to "stop".
func echoing(server *qmp.PipeEnd) {
	for {
		m, err := server.Recv()
		if err != nil {
			return
		}
		if m.Get("execute").S() == "stop" {
			_ = server.Send(event("STOP"))
		}
		_ = server.Send(qmp.Return(m, m.Get("id")))
	}
}

// tapped runs test with a monitor on a tap on a connection to echoing.
func tapped(t *testing.T, opts qmp.TapOptions, test func(w rt.World, tap *qmp.Tap, m *qmp.Monitor, h *heard) error) {
	t.Helper()
	inWorlds(t, func(w rt.World, spec rt.Process, wire bool) error {
		client, server := pipe(w, wire)
		peer(w, server, func() { echoing(server) })
		tap := qmp.NewTap(spec, client, opts)
		h := listen(w)
		m, err := connected(spec, tap, h.options())
		if err != nil {
			return err
		}
		return errors.Join(test(w, tap, m, h), m.Close())
	})
}

// arrived runs a command and returns what the server got of it.
func arrived(m *qmp.Monitor, c qmp.Commander) (qmp.Value, error) {
	v, err := m.Run(c.Command())
	return v.Get("arguments"), err
}

func TestTap_WithoutRulesChangesNothing(t *testing.T) {
	tapped(t, qmp.TapOptions{}, func(_ rt.World, _ *qmp.Tap, m *qmp.Monitor, h *heard) error {
		args, err := arrived(m, qmp.JobDismiss{ID: "j"})
		if err != nil || args.Get("id").S() != "j" {
			return fmt.Errorf("got %v, %w", args, err)
		}
		if _, err := m.Run(qmp.Stop{}.Command()); err != nil || !slices.Equal(h.events, []string{"STOP"}) {
			return fmt.Errorf("events %v, %w", h.events, err)
		}
		return nil
	})
}

func TestAddJobSpeed_SlowsBackupsAloneAndInTransactions(t *testing.T) {
	backup := qmp.BlockdevBackup{Device: "a", Target: "b", Sync: "full"}
	fast := backup
	fast.Speed = 7
	tapped(t, qmp.TapOptions{}, func(_ rt.World, tap *qmp.Tap, m *qmp.Monitor, _ *heard) error {
		remove := tap.Add(qmp.AddJobSpeed(1)...)
		alone, err := arrived(m, backup)
		if err != nil {
			return err
		}
		both, err := arrived(m, qmp.Transaction{Actions: []qmp.Action{qmp.BitmapAdd{Node: "a", Name: "c"}, backup, fast}})
		if err != nil {
			return err
		}
		actions := both.Get("actions").Items()
		slow, own := actions[1].Get("data").Get("speed"), actions[2].Get("data").Get("speed")
		if !alone.Get("speed").Equal(qmp.Int(1)) || !slow.Equal(qmp.Int(1)) || !own.Equal(qmp.Int(7)) || actions[0].Get("data").Get("speed").Present() {
			return fmt.Errorf("alone %v, together %v", alone, both)
		}
		remove()
		again, err := arrived(m, backup)
		if err != nil || again.Get("speed").Present() {
			return fmt.Errorf("the rule is still there: %v, %w", again, err)
		}
		return nil
	})
}

func TestFailCommand_FailsTheNthAndTheServerDoesNotGetIt(t *testing.T) {
	var lines []qmp.Line
	tapped(t, qmp.TapOptions{Record: func(l qmp.Line) { lines = append(lines, l) }}, func(_ rt.World, tap *qmp.Tap, m *qmp.Monitor, _ *heard) error {
		lines = nil
		tap.Add(qmp.FailCommand("blockdev-del", 2, &qmp.ReplyError{Class: qmp.GenericError, Desc: "Node n is in use"}))
		var failed []bool
		for range 3 {
			_, err := m.Run(qmp.BlockdevDel{NodeName: "n"}.Command())
			var e *qmp.CommandError
			if err != nil && (!errors.As(err, &e) || e.Desc != "Node n is in use" || e.Command != "blockdev-del") {
				return err
			}
			failed = append(failed, err != nil)
		}
		if !slices.Equal(failed, []bool{false, true, false}) {
			return fmt.Errorf("failed: %v", failed)
		}
		dels := 0
		for _, l := range lines {
			if l.Dir == qmp.FromClient && l.Message.Get("execute").S() == "blockdev-del" {
				dels++
			}
		}
		if dels != 2 {
			return fmt.Errorf("the server got %d of them", dels)
		}
		return nil
	})
}

func TestFailReply_FailsACommandThatHadItsEffect(t *testing.T) {
	tapped(t, qmp.TapOptions{}, func(_ rt.World, tap *qmp.Tap, m *qmp.Monitor, h *heard) error {
		tap.Add(qmp.FailReply("stop", 0, qmp.Generic("no")))
		_, err := m.Run(qmp.Stop{}.Command())
		var e *qmp.CommandError
		if !errors.As(err, &e) || e.Desc != "no" || !slices.Equal(h.events, []string{"STOP"}) {
			return fmt.Errorf("events %v, %w", h.events, err)
		}
		return nil
	})
}

func TestTap_DropsReplacesAndInjectsEventsInOrder(t *testing.T) {
	tapped(t, qmp.TapOptions{}, func(_ rt.World, tap *qmp.Tap, m *qmp.Monitor, h *heard) error {
		tap.Add(
			qmp.Rule{Event: "STOP", Nth: 1, Drop: true},
			// The first STOP does not get this far, so the second is its first.
			qmp.Rule{Event: "STOP", Nth: 1, Replace: func(qmp.Value) qmp.Value { return event("RESUME") }},
			qmp.Rule{Event: "STOP", Before: []qmp.Value{event("A"), event("B")}, After: []qmp.Value{event("C")}},
			qmp.Rule{Reply: "stop", Nth: 3, Before: []qmp.Value{event("LAST")}},
		)
		for range 3 {
			if _, err := m.Run(qmp.Stop{}.Command()); err != nil {
				return err
			}
		}
		// The second STOP is a RESUME by the time it comes to the third rule.
		if want := []string{"RESUME", "A", "B", "STOP", "C", "LAST"}; !slices.Equal(h.events, want) {
			return fmt.Errorf("events %v, want %v", h.events, want)
		}
		return nil
	})
}

func TestTap_MatchesOnlyWhatTheConditionAccepts(t *testing.T) {
	tapped(t, qmp.TapOptions{}, func(_ rt.World, tap *qmp.Tap, m *qmp.Monitor, _ *heard) error {
		rule := qmp.FailCommand("job-dismiss", 1, qmp.Generic("no"))
		rule.If = func(m qmp.Value) bool { return m.Get("arguments").Get("id").S() == "b" }
		tap.Add(rule)
		_, a := m.Run(qmp.JobDismiss{ID: "a"}.Command())
		_, b := m.Run(qmp.JobDismiss{ID: "b"}.Command())
		if a != nil || b == nil {
			return fmt.Errorf("a: %w, b: %w", a, b)
		}
		return nil
	})
}

func TestTap_DelaysByTheClockOfTheWorld(t *testing.T) {
	tapped(t, qmp.TapOptions{}, func(w rt.World, tap *qmp.Tap, m *qmp.Monitor, _ *heard) error {
		const delay = 20 * time.Millisecond
		tap.Add(qmp.Rule{Command: "cont", Delay: delay}, qmp.Rule{Reply: "cont", Delay: delay})
		begin := w.Kernel().Now()
		_, err := m.Run(qmp.Cont{}.Command())
		if took := w.Kernel().Now().Sub(begin); took < 2*delay || err != nil {
			return fmt.Errorf("took %v, %w", took, err)
		}
		return nil
	})
}

func TestTap_HoldsACommandUntilItIsLetGo(t *testing.T) {
	inWorlds(t, func(w rt.World, spec rt.Process, wire bool) error {
		client, server := pipe(w, wire)
		peer(w, server, func() { echoing(server) })
		tap := qmp.NewTap(spec, client, qmp.TapOptions{})
		m, err := connected(spec, tap, qmp.MonitorOptions{})
		if err != nil {
			return err
		}
		held, letGo, done := newGate(w, "held"), newGate(w, "let-go"), newGate(w, "done")
		tap.Add(qmp.Rule{Command: "cont", Hold: func(qmp.Value) { held.add(); letGo.await(1) }})
		var late error
		spec.Go("caller", func() { _, late = m.Run(qmp.Cont{}.Command()); done.add() })
		held.await(1)
		if _, err := m.Run(qmp.QueryJobs{}.Command()); err != nil { // overtakes
			return err
		}
		letGo.add()
		done.await(1)
		return errors.Join(late, m.Close())
	})
}

func TestTap_RecordsASessionThatCanBeReadAgain(t *testing.T) {
	var lines []qmp.Line
	tapped(t, qmp.TapOptions{Monitor: "m0", Record: func(l qmp.Line) { lines = append(lines, l) }}, func(_ rt.World, _ *qmp.Tap, m *qmp.Monitor, _ *heard) error {
		if _, err := m.Run(qmp.Stop{}.Command()); err != nil {
			return err
		}
		var shape []string
		for _, l := range lines {
			name := l.Message.Get("execute").TextOr(l.Message.Get("event").TextOr("reply"))
			if l.Message.Get("QMP").Present() {
				name = "greeting"
			}
			shape = append(shape, l.Dir.String()+" "+name)
			if l.Monitor != "m0" || l.At < 0 {
				return fmt.Errorf("line %+v", l)
			}
		}
		lines = nil
		want := []string{"S greeting", "C qmp_capabilities", "S reply", "C stop", "S STOP", "S reply"}
		if !slices.Equal(shape, want) {
			return fmt.Errorf("recorded %q", shape)
		}
		return nil
	})
}
