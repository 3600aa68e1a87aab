package sim

import "fleece/qmp"

// command executes a checked command. The families are tried in turn; a command
// of the schema that none of them has is not simulated.
func (m *Machine) command(cmd qmp.Command) (qmp.Value, *qmp.ReplyError) {
	empty := qmp.Dict()
	if v, done, err := m.queryCommand(cmd); done {
		return v, err
	}
	if done, err := m.bitmapCommand(cmd); done {
		return empty, err
	}
	if done, err := m.jobCommand(cmd); done {
		return empty, err
	}
	if done, err := m.graphCommand(cmd); done {
		return empty, err
	}
	if done, err := m.exportCommand(cmd); done {
		return empty, err
	}
	switch cmd.Name {
	case "human-monitor-command":
		return qmp.Str(m.humanCommand(cmd.Args.Get("command-line").S())), nil
	case "cont":
		m.cont()
		return empty, nil
	case "stop":
		m.stop()
		return empty, nil
	case "quit":
		m.quit("host-qmp-quit")
		return empty, nil
	}
	return qmp.Value{}, qmp.Generic("The command " + cmd.Name + " is not simulated")
}

// graphCommand changes the block graph.
func (m *Machine) graphCommand(cmd qmp.Command) (done bool, err *qmp.ReplyError) {
	switch cmd.Name {
	case "blockdev-add":
		return true, m.blockdevAdd(cmd.Args)
	case "blockdev-del":
		return true, m.blockdevDel(cmd.Args)
	case "blockdev-reopen":
		return true, m.blockdevReopen(cmd.Args)
	case "blockdev-create":
		return true, m.blockdevCreate(cmd.Args)
	case "transaction":
		return true, m.transaction(cmd.Args)
	case "blockdev-backup", "blockdev-snapshot", "blockdev-snapshot-sync":
		// QEMU runs these as a transaction of one action, drains included.
		return true, m.oneAction(cmd)
	case "block_resize":
		return true, m.blockResize(cmd.Args)
	}
	return false, nil
}

// cont resumes the guest; of a running one it is nothing (§7).
func (m *Machine) cont() {
	if m.state == stateRunning {
		return
	}
	m.state = stateRunning
	m.emit("RESUME", qmp.Value{})
}

// stop stops the guest: the event comes first, then the noise of the drain
// (§5.6), and the images are flushed. Without a running guest it is all but the
// event (seen with the real binary).
func (m *Machine) stop() {
	if m.state == stateRunning {
		m.state = statePaused
		m.emit("STOP", qmp.Value{})
	}
	m.drainAll()
	m.flushAll()
}

func (m *Machine) flushAll() {
	for i := len(m.nodes) - 1; i >= 0; i-- {
		_ = m.nodes[i].drv.flush()
	}
}

// quit ends the machine: SHUTDOWN, the end of every job (§5.7), the return, EOF.
// Jobs are dismissed whatever auto-dismiss says.
func (m *Machine) quit(reason string) {
	m.emit("SHUTDOWN", qmp.Dict(qmp.M("guest", qmp.Bool(false)), qmp.M("reason", qmp.Str(reason))))
	// The drained section stays open: each job runs again only in order to end.
	m.drainBegin()
	m.cancelAll()
	m.deleteExports()
	if m.nbd != nil {
		m.nbd.end()
		_ = m.nbd.l.Close() // the socket's file stays (seen with the real binary)
		m.nbd = nil
	}
	m.gone = true
	m.closeAll()
}
