package sim

import (
	"fleece/qmp"
)

// action is one prepared action of a transaction. A nil function does nothing.
type action struct {
	commit, abort, clean func()
}

// transaction prepares all actions in order and commits them, or takes them back
// in reverse order (§4.1). The drain of all nodes makes noise even for an empty
// list ({10}).
func (m *Machine) transaction(args qmp.Value) *qmp.ReplyError {
	grouped := args.Get("properties").Get("completion-mode").S() == "grouped"
	m.drainAll()
	var txn *jobTxn
	if grouped {
		txn = &jobTxn{}
	}
	t := transaction{m: m, grouped: grouped, txn: txn}
	for _, a := range args.Get("actions").Items() {
		if err := t.prepare(a.Get("type").S(), a.Get("data")); err != nil {
			t.rollback()
			return err
		}
	}
	t.commit()
	return nil
}

// oneAction runs a command that is a transaction of one action.
func (m *Machine) oneAction(cmd qmp.Command) *qmp.ReplyError {
	m.drainAll()
	t := transaction{m: m}
	if err := t.prepare(cmd.Name, cmd.Args); err != nil {
		t.rollback()
		return err
	}
	t.commit()
	return nil
}

type transaction struct {
	m       *Machine
	grouped bool
	txn     *jobTxn
	actions []action
	started []*job
	// sections are those of the jobs' sources: all of them are open until clean.
	sections []*drained
	// prepared counts the jobs.
	prepared int
}

// prepare adds an action. An action whose prepare failed is aborted too, as QEMU
// does it; where that does harm is said there.
func (t *transaction) prepare(kind string, data qmp.Value) *qmp.ReplyError {
	if t.grouped && kind != "blockdev-backup" && kind != "drive-backup" && kind != "abort" {
		if kind == "block-dirty-bitmap-enable" {
			// Its abort has no bitmap yet (§11, {90}).
			t.actions = append(t.actions, action{abort: func() { _ = t.m.die("") }})
		}
		return qmp.Generic("Action '" + kind + "' does not support Transaction property completion-mode = grouped")
	}
	t.actions = append(t.actions, action{})
	a := &t.actions[len(t.actions)-1]
	switch kind {
	case "blockdev-backup":
		return t.prepareBackup(a, data)
	case "blockdev-snapshot":
		return t.m.prepareSnapshot(a, data)
	case "blockdev-snapshot-sync":
		return t.m.prepareSnapshotSync(a, data)
	case "drive-backup":
		if _, err := t.m.lookup(data.Get("device").S()); err != nil {
			return err
		}
	case "abort":
		return qmp.Generic("Transaction aborted using Abort action")
	}
	return t.m.prepareBitmap(a, kind, data)
}

func (t *transaction) commit() {
	for _, a := range t.actions {
		if a.commit != nil {
			a.commit()
		}
	}
	t.clean()
	t.settle()
}

// clean ends the drained sections of the actions, in order.
func (t *transaction) clean() {
	for _, a := range t.actions {
		if a.clean != nil {
			a.clean()
		}
	}
}

// hangs is where the real binary waits for ever: when two jobs of a grouped transaction
// are taken back (seen with the real binary).
func (t *transaction) hangs() {
	if !t.grouped || t.prepared < 2 {
		return
	}
	t.m.hang()
}

func (t *transaction) rollback() {
	t.hangs()
	for i := len(t.actions) - 1; i >= 0; i-- {
		if abort := t.actions[i].abort; abort != nil {
			abort()
		}
	}
	t.clean()
}

// settle lets the new jobs run before the reply: those without data always do
// ({17}: 29 of 30); others are usually still at it, but may have finished.
func (t *transaction) settle() {
	if endsWithin(t.started) {
		_ = t.m.die("")
	}
	runAll(t.started)
	if len(t.started) > 0 && t.m.p.Choose("jobs-before-reply", 2) == 1 {
		t.m.letRun(t.started)
	}
}

// letRun waits until the jobs have nothing in flight and nothing to start.
func (m *Machine) letRun(jobs []*job) {
	for _, j := range jobs {
		b, ok := j.work.(*backup)
		if !ok || b.over || b.limit > 0 || b.mode == syncNone {
			continue
		}
		for !j.completed && j.status == jobRunning {
			m.io.Wait()
		}
	}
}

// prepareBackup holds the source drained until clean, so that all jobs of the
// transaction share one point in time.
func (t *transaction) prepareBackup(a *action, data qmp.Value) *qmp.ReplyError {
	args := parseBackup(data)
	m := t.m
	source, err := m.lookup(args.device)
	if err != nil {
		return err
	}
	target, err := m.lookup(args.target)
	if err != nil {
		return err
	}
	section := m.drain(source)
	a.clean = section.end
	j, err := m.prepareBackup(args, source, target)
	if err != nil {
		return err
	}
	t.prepared++
	if t.txn != nil {
		t.txn.jobs = append([]*job{j}, t.txn.jobs...)
		j.txn = t.txn
	}
	a.clean = func() { section.end() }
	t.sections = append(t.sections, &section)
	a.abort = func() {
		if t.txn != nil {
			t.txn.jobs = t.txn.jobs[1:]
		}
		j.rollback()
	}
	a.commit = func() {
		// The drained section of the source holds the new job too (§4.3), and so do those
		// of the other jobs that reach it.
		for _, s := range t.sections {
			if s.over.holds(j) {
				s.hold(j)
			}
		}
		if err := j.work.(*backup).initBits(); err != nil {
			j.work.(*backup).copy.failure, j.work.(*backup).copy.readFail = err, true
		}
		j.begin()
		t.started = append(t.started, j)
	}
	return nil
}
