package conformance

import (
	"fleece/qmp"
	"fleece/rt"
)

// CommandFault is a command of the driver that QEMU is made to refuse.
type CommandFault struct {
	t     *T
	fired bool // guarded by T.leaf
	undo  []func()
}

// FailCommand makes the n-th command of that name, from 1, that a running domain's
// driver sends from now on fail before it has any effect, with that text.
func (t *T) FailCommand(name string, n int, text string) *CommandFault {
	f := &CommandFault{t: t}
	refusal := qmp.Generic(text)
	rule := qmp.Rule{Command: name, Nth: n, Answer: func(qmp.Value) qmp.Value {
		t.leaf.Lock()
		f.fired = true
		t.leaf.Unlock()
		return refusal.Message(qmp.Value{})
	}}
	for _, tap := range t.currentTaps() {
		f.undo = append(f.undo, tap.Add(rule))
	}
	return f
}

// Lift ends the fault; it reports whether a command was refused.
func (f *CommandFault) Lift() bool {
	for _, undo := range f.undo {
		undo()
	}
	f.t.leaf.Lock()
	defer f.t.leaf.Unlock()
	return f.fired
}

// CommandCount counts commands of the driver.
type CommandCount struct {
	t    *T
	n    int // guarded by T.leaf
	undo []func()
}

// beginCommands are the commands that BackupBegin may send (§5.4).
var beginCommands = [...]string{
	"query-named-block-nodes", "query-block", "query-block-jobs", "blockdev-add", "blockdev-create",
	"query-jobs", "job-dismiss", "transaction", "blockdev-del",
}

// CountCommands counts from now on what the driver asks of QEMU in a BackupBegin.
func (t *T) CountCommands() *CommandCount {
	c := &CommandCount{t: t}
	for _, tap := range t.currentTaps() {
		for _, name := range beginCommands {
			c.undo = append(c.undo, tap.Add(qmp.Rule{Command: name, Replace: c.note}))
		}
	}
	return c
}

func (c *CommandCount) note(m qmp.Value) qmp.Value {
	c.t.leaf.Lock()
	c.n++
	c.t.leaf.Unlock()
	return m
}

// Stop ends the counting and returns the number.
func (c *CommandCount) Stop() int {
	for _, undo := range c.undo {
		undo()
	}
	c.t.leaf.Lock()
	defer c.t.leaf.Unlock()
	return c.n
}

// currentTaps are the taps on the connections that the driver in force has opened.
func (t *T) currentTaps() []*qmp.Tap {
	t.leaf.Lock()
	defer t.leaf.Unlock()
	var taps []*qmp.Tap
	for _, k := range t.taps {
		if k.process == t.driver.process {
			taps = append(taps, k.tap)
		}
	}
	return taps
}

// placedTap is a tap with the driver whose connection it lies on.
type placedTap struct {
	process rt.Process
	tap     *qmp.Tap
}

// FailJobs makes QEMU's list of jobs tell the driver, from now on, that every job
// that has concluded did so with that error; lift ends it.
func (t *T) FailJobs(text string) (lift func()) {
	rule := qmp.Rule{Reply: "query-jobs", Replace: func(m qmp.Value) qmp.Value {
		var jobs []qmp.Value
		for _, j := range m.Get("return").Items() {
			if j.Get("status").S() == "concluded" && !j.Get("error").Present() {
				j = qmp.Dict(append(j.Members(), qmp.M("error", qmp.Str(text)))...)
			}
			jobs = append(jobs, j)
		}
		return qmp.Dict(qmp.M("return", qmp.List(jobs...)), qmp.M("id", m.Get("id")))
	}}
	var undo []func()
	for _, tap := range t.currentTaps() {
		undo = append(undo, tap.Add(rule))
	}
	return func() {
		for _, f := range undo {
			f()
		}
	}
}
