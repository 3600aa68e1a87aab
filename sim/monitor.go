package sim

import (
	"slices"

	"fleece/qmp"
)

// Monitor is one QMP session: negotiation, and where replies and events go.
type Monitor struct {
	m          *Machine
	send       func(qmp.Value)
	negotiated bool
	oob        bool
}

// AddMonitor registers a session. send must queue and return; it is called in the
// order in which the real binary writes.
func (m *Machine) AddMonitor(send func(qmp.Value)) *Monitor {
	mon := &Monitor{m: m, send: send}
	m.mu.Lock()
	m.monitors = append(m.monitors, mon)
	m.mu.Unlock()
	return mon
}

// Close ends the session; the machine does not mind.
func (mon *Monitor) Close() {
	m := mon.m
	m.mu.Lock()
	m.monitors = slices.DeleteFunc(m.monitors, func(x *Monitor) bool { return x == mon })
	m.mu.Unlock()
}

// Handle executes one request and sends its reply. Commands of all monitors run
// one at a time (§1.1). It returns when the reply is sent.
func (mon *Monitor) Handle(message qmp.Value) {
	m := mon.m
	m.mu.Lock()
	if mon.oob && message.Get("exec-oob").Present() {
		mon.execute(message) // beside whatever runs: a machine that hangs answers it too
		m.mu.Unlock()
		return
	}
	for m.executing {
		m.commands.Wait()
	}
	if m.gone {
		m.mu.Unlock()
		return
	}
	m.executing = true
	mon.execute(message)
	m.executing = false
	m.mu.Unlock()
	m.commands.Signal()
}

// Refuse sends an error that the JSON parser raised; it has no id (§1.3).
func (mon *Monitor) Refuse(err *qmp.ReplyError) {
	mon.m.mu.Lock()
	mon.send(err.Message(qmp.Value{}))
	mon.m.mu.Unlock()
}

func (mon *Monitor) execute(message qmp.Value) {
	r, err := qmp.ParseRequest(message, mon.oob)
	if err == nil {
		err = mon.admit(r.Command.Name)
	}
	if err == nil {
		err = mon.m.schema.CheckRequest(r)
	}
	if err == nil && mon.negotiated && r.Command.Name == negotiation {
		err = &qmp.ReplyError{Class: qmp.CommandNotFound, Desc: "Capabilities negotiation is already complete, command ignored"}
	}
	if err != nil {
		mon.send(err.Message(r.ID))
		return
	}
	result, err := mon.run(r.Command)
	mon.m.endOver()
	if err != nil {
		mon.send(err.Message(r.ID))
		return
	}
	mon.send(qmp.Return(result, r.ID))
	mon.m.runAfterReply()
	if mon.m.gone {
		mon.m.hangUp()
	}
}

// negotiation is the command that ends the negotiation.
const negotiation = "qmp_capabilities"

// admit keeps other commands out until the session is negotiated (§1.2).
func (mon *Monitor) admit(name string) *qmp.ReplyError {
	if !mon.negotiated && name != negotiation {
		return &qmp.ReplyError{Class: qmp.CommandNotFound, Desc: "Expecting capabilities negotiation with 'qmp_capabilities'"}
	}
	return nil
}

func (mon *Monitor) run(cmd qmp.Command) (qmp.Value, *qmp.ReplyError) {
	if cmd.Name == "qmp_capabilities" {
		for _, c := range cmd.Args.Get("enable").Items() {
			mon.oob = mon.oob || c.S() == greetingOOB
		}
		mon.negotiated = true
		return qmp.Dict(), nil
	}
	return mon.m.command(cmd)
}

// emit sends an event to every negotiated session (§1.5).
func (m *Machine) emit(name string, data qmp.Value) {
	now := m.p.Now()
	e := qmp.Event{Name: name, Data: data, Seconds: now.Unix(), Microseconds: int64(now.Nanosecond() / 1000)}
	message := e.Message()
	for _, mon := range m.monitors {
		if mon.negotiated {
			mon.send(message)
		}
	}
}

// Terminate ends the machine as SIGTERM does (§7). It returns when the machine is
// gone and every session knows.
func (m *Machine) Terminate() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.executing {
		m.commands.Wait()
	}
	if m.gone {
		return
	}
	m.executing = true
	m.quit("host-signal")
	m.executing = false
	m.hangUp()
}

// hangUp tells every session that nothing more will come.
func (m *Machine) hangUp() {
	for _, mon := range m.monitors {
		mon.send(qmp.Value{})
	}
}

// runAfterReply does what a command leaves to the main loop.
func (m *Machine) runAfterReply() {
	for len(m.afterReply) > 0 {
		f := m.afterReply[0]
		m.afterReply = m.afterReply[1:]
		f()
	}
}
