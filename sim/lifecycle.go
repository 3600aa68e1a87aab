package sim

import (
	"slices"

	"fleece/qmp"
)

// runState is QEMU's RunState as far as a machine without a guest gets.
type runState string

const (
	stateRunning     runState = "running"
	statePrelaunch   runState = "prelaunch"
	statePaused      runState = "paused"
	stateIOError     runState = "io-error"
	stateFinish      runState = "finish-migrate"
	statePostmigrate runState = "postmigrate"
)

// lifecycleCommand executes what changes the run state (§7).
func (m *Machine) lifecycleCommand(cmd qmp.Command) (done bool, err *qmp.ReplyError) {
	switch cmd.Name {
	case "cont":
		return true, m.cont()
	case "stop":
		m.stop()
	case "quit":
		m.quit("host-qmp-quit")
	case "system_reset":
		m.reset()
	case "system_powerdown":
		m.emit("POWERDOWN", qmp.Value{})
	case "system_wakeup":
		return true, qmp.Generic("Unable to wake up: guest is not in suspended state")
	case "inject-nmi":
	default:
		return false, nil
	}
	return true, nil
}

// cont resumes the guest; of a running one it is nothing (§7). After a migration the
// images are taken back first.
func (m *Machine) cont() *qmp.ReplyError {
	for _, j := range m.jobs {
		j.ioStatus = "ok" // though the job goes on with job-resume only
	}
	switch m.state {
	case stateRunning:
		return nil
	case stateFinish:
		return nil // vm_prepare_start: the migration starts the guest when it fails
	}
	if err := m.activateAll(); err != nil {
		return err
	}
	m.state, m.hasRun = stateRunning, true
	m.emit("RESUME", qmp.Value{})
	return nil
}

// stop stops the guest: the event comes first, then the noise of the drain
// (§5.6), and the images are flushed. Without a running guest it is all but the
// event (seen with the real binary).
func (m *Machine) stop() { m.stopAs(statePaused) }

func (m *Machine) stopAs(s runState) {
	if m.state == stateRunning {
		m.state = s
		m.emit("STOP", qmp.Value{})
	}
	m.drainAll()
	m.flushAll()
}

func (m *Machine) flushAll() {
	for i := len(m.nodes) - 1; i >= 0; i-- {
		if !m.nodes[i].inactive {
			_ = m.nodes[i].drv.flush()
		}
	}
}

// reset resets the guest. One that is paused is as before its start afterwards, and
// devices whose unplug was asked for are gone (seen with the real binary).
func (m *Machine) reset() {
	for _, d := range slices.Backward(m.devices) { // each drains its backend, the youngest first
		if d.root != nil {
			times := 1
			if d.wantsUnplug {
				times = 2 // it stops, too
			}
			m.pairs(d.root.child, times)
		}
	}
	m.emit("RESET", qmp.Dict(qmp.M("guest", qmp.Bool(false)), qmp.M("reason", qmp.Str("host-qmp-system-reset"))))
	if m.state != stateRunning && m.state != stateFinish {
		m.state = statePrelaunch
	}
	m.finishUnplugs()
}

// quit ends the machine: SHUTDOWN, the end of every job (§5.7), the return, EOF.
// Jobs are dismissed whatever auto-dismiss says.
func (m *Machine) quit(reason string) {
	m.emit("SHUTDOWN", qmp.Dict(qmp.M("guest", qmp.Bool(false)), qmp.M("reason", qmp.Str(reason))))
	m.deleteExports()
	// The drained section stays open: each job runs again only in order to end.
	m.drainBegin()
	m.cancelAll()
	if m.nbd != nil {
		m.nbd.end()
		_ = m.nbd.l.Close() // the socket's file stays (seen with the real binary)
		m.nbd = nil
	}
	m.gone = true
	m.closeAll()
}
