package conformance

import "fleece/qmp"

// Gate holds a command of the driver up.
type Gate struct {
	t       *T
	arrived bool // guarded by T.mu
	open    bool // guarded by T.mu
	undo    []func()
}

// GateCommand holds the next command of that name up, before QEMU gets it, until the
// gate is opened.
func (t *T) GateCommand(name string) *Gate {
	g := &Gate{t: t}
	return g.place(qmp.Rule{Command: name, Nth: 1, Hold: g.hold})
}

// GateEvent holds the next event of that name up, and all that QEMU says after it,
// until the gate is opened.
func (t *T) GateEvent(name string) *Gate { return t.GateNthEvent(name, 1) }

// GateNthEvent is GateEvent for the nth event of that name from now on.
func (t *T) GateNthEvent(name string, n int) *Gate {
	g := &Gate{t: t}
	return g.place(qmp.Rule{Event: name, Nth: n, Hold: g.hold})
}

// SeeReply lets everything pass. Something has arrived when the first command of that
// name was answered.
func (t *T) SeeReply(command string) *Gate {
	g := &Gate{t: t}
	return g.place(qmp.Rule{Reply: command, Hold: g.note})
}

// LoseReplies lets the replies to a command vanish until the gate is opened.
// Something has arrived with the first.
func (t *T) LoseReplies(command string) *Gate {
	g := &Gate{t: t}
	return g.place(qmp.Rule{Reply: command, Hold: g.note, Drop: true})
}

// LoseEvents lets events vanish until the gate is opened. Something has arrived with
// the first reply to the command.
func (t *T) LoseEvents(event, command string) *Gate {
	g := &Gate{t: t}
	g.place(qmp.Rule{Event: event, Drop: true})
	return g.place(qmp.Rule{Reply: command, Hold: g.note})
}

func (g *Gate) place(rule qmp.Rule) *Gate {
	for _, tap := range g.t.currentTaps() {
		g.undo = append(g.undo, tap.Add(rule))
	}
	return g
}

func (g *Gate) note(qmp.Value) {
	g.t.mu.Lock()
	g.arrived = true
	g.t.noteChange()
	g.t.mu.Unlock()
}

// hold runs in the driver's process.
func (g *Gate) hold(m qmp.Value) {
	g.note(m)
	g.t.mu.Lock()
	for !g.open && !g.t.over {
		g.t.changed.Wait()
	}
	g.t.mu.Unlock()
}

// AwaitArrived waits until something stands before the gate.
func (g *Gate) AwaitArrived() {
	g.t.Await("a command of the driver to reach the gate", func() bool {
		g.t.mu.Lock()
		defer g.t.mu.Unlock()
		return g.arrived
	})
}

// Open lets everything pass, now and later.
func (g *Gate) Open() {
	for _, undo := range g.undo {
		undo()
	}
	g.t.mu.Lock()
	g.open = true
	g.t.noteChange()
	g.t.mu.Unlock()
}
