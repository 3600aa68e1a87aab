package sim

import "fleece/qmp"

// command executes a checked command. The families are tried in turn; a command
// of the schema that none of them has is not simulated.
func (m *Machine) command(cmd qmp.Command) (qmp.Value, *qmp.ReplyError) {
	empty := qmp.Dict()
	if v, done, err := m.queryCommand(cmd); done {
		return v, err
	}
	if v, done, err := m.queryMachine(cmd); done {
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
	if done, err := m.lifecycleCommand(cmd); done {
		return empty, err
	}
	if done, err := m.objectCommand(cmd); done {
		return empty, err
	}
	if done, err := m.deviceCommand(cmd); done {
		return empty, err
	}
	if v, done, err := m.migrationCommand(cmd); done {
		return v, err
	}
	if v, done, err := m.qomCommand(cmd); done {
		return v, err
	}
	if v, done, err := m.probe(cmd); done {
		return v, err
	}
	if cmd.Name == "human-monitor-command" {
		if n, ok := cmd.Args.Get("cpu-index").Int64(); ok && n != 0 {
			return qmp.Value{}, qmp.Generic("Parameter 'cpu-index' expects a CPU number")
		}
		return qmp.Str(m.humanCommand(cmd.Args.Get("command-line").S())), nil
	}
	return qmp.Value{}, m.notSimulated(cmd)
}

// notSimulated answers commands about what this machine does not have: removable media,
// network cards, drives with a name. Where QEMU looks for the device first, it is said
// to be missing.
func (m *Machine) notSimulated(cmd qmp.Command) *qmp.ReplyError {
	switch cmd.Name {
	case "eject", "blockdev-change-medium", "blockdev-open-tray", "blockdev-close-tray",
		"blockdev-insert-medium", "blockdev-remove-medium", "set_link", "block-latency-histogram-set":
		if cmd.Name != "set_link" && !cmd.Args.Get("id").Present() && !cmd.Args.Get("device").Present() {
			return qmp.Generic("Need exactly one of 'device' and 'id'")
		}
		id := cmd.Args.Get("id").TextOr(cmd.Args.Get("name").TextOr(cmd.Args.Get("device").S()))
		if _, err := m.qdevBackend(id); err != nil {
			return err
		}
	case "drive-backup", "drive-mirror":
		if _, err := m.lookup(cmd.Args.Get("device").S()); err != nil {
			return err
		}
	case "blockdev-snapshot-internal-sync", "blockdev-snapshot-delete-internal-sync":
		if err := m.checkInternal(cmd); err != nil {
			return err
		}
	}
	return qmp.Generic("The command " + cmd.Name + " is not simulated")
}

// checkInternal gives the errors of a snapshot within an image.
func (m *Machine) checkInternal(cmd qmp.Command) *qmp.ReplyError {
	if _, err := m.rootNode(cmd.Args.Get("device").S()); err != nil {
		return err
	}
	switch name := cmd.Args.Get("name"); {
	case name.S() != "":
	case cmd.Name == "blockdev-snapshot-internal-sync":
		return qmp.Generic("Name is empty")
	case !name.Present() && !cmd.Args.Get("id").Present():
		return qmp.Generic("Name or id must be provided")
	}
	return nil
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
	case "blockdev-mirror":
		return true, m.blockdevMirror(cmd.Args)
	case "block-commit":
		return true, m.blockCommit(cmd.Args)
	case "block-stream":
		return true, m.blockStream(cmd.Args)
	case "change-backing-file":
		return true, m.changeBackingFile(cmd.Args)
	case "block-set-write-threshold":
		return true, m.setWriteThreshold(cmd.Args)
	case "block_set_io_throttle":
		return true, m.setIOThrottle(cmd.Args)
	}
	return false, nil
}
