package simrt

import "time"

// RaceHorizon is how far away a progress timer may be and still race with tasks
// that can run.
const RaceHorizon = time.Minute

// StepLimitDefault bounds the scheduling decisions of one run.
const StepLimitDefault = 1 << 20

// Options of a run. The zero value is the plain run on coroutines.
type Options struct {
	// Chooser makes the choices; nil takes option 0 everywhere.
	Chooser Chooser
	// StepLimit bounds the scheduling decisions, forced ones included; beyond
	// it the run fails as KindSteps. 0 means StepLimitDefault.
	StepLimit int
	// Racing lets time-outs fire while tasks can run, as on a slow host.
	Racing bool
	// Pool keeps coroutines from run to run; nil means one for this run only. A
	// pool belongs to one goroutine at a time, and decides the Backend.
	Pool *Pool
	// Backend is what tasks run on when Pool is nil.
	Backend Backend
	// KeepTrace keeps the deviations of runs that do not fail, too.
	KeepTrace bool
	// Begin is the time at which the world begins; the zero value is 2000-01-01
	// 00:00:00 UTC.
	Begin time.Time
	// Outside, if set, paces the world.
	Outside Outside
	// KeepLog keeps each step, choice and note in Result.Log, and the stacks of
	// waiting tasks in a deadlock's Failure.Stack.
	KeepLog bool
	// Listener, if set, gets each log entry when it happens. It must not use
	// the world.
	Listener func(Entry)

	_ struct{}
}

// Result says what a run was.
type Result struct {
	// Failure is nil when main returned and nothing failed before.
	Failure *Failure
	// Hash identifies the run: see the package documentation.
	Hash uint64
	// Points counts the choices that had more than one option.
	Points int
	// Steps counts the scheduling decisions, forced ones included.
	Steps int
	// Deviated counts the choices that were not plain.
	Deviated int
	// Deviations are those choices in order; kept when the run failed or
	// Options.KeepTrace was set.
	Deviations []Deviation
	// Elapsed is how far the virtual clock went.
	Elapsed time.Duration
	// Log is kept when Options.KeepLog was set.
	Log []Entry
}

// Kinds of failure that the world itself finds. World.Fail adds the caller's.
const (
	KindDeadlock = "deadlock" // nothing can run and no timer is set
	KindPanic    = "panic"    // a task panicked, or left by runtime.Goexit
	KindKilled   = "killed"   // the process of main was killed
	KindSteps    = "steps"    // Options.StepLimit
	KindCheck    = "check"    // by convention: an oracle said no
)

// Failure says how a run ended badly.
type Failure struct {
	Kind string
	// Detail is for people.
	Detail string
	// Place is stable under small changes: lock names of a deadlock, the
	// function of a panic or of a failed check.
	Place string
	// Task is the task that failed, if it was one.
	Task string
	// Stack of the panic or check; of each waiting task for a deadlock when
	// Options.KeepLog is set.
	Stack string
}

// Key is what makes two failures the same finding: kind and place.
func (f *Failure) Key() string {
	if f == nil {
		return ""
	}
	return f.Kind + " " + f.Place
}

// EntryKind tells log entries apart.
type EntryKind uint8

// The kinds of log entries.
const (
	EntryRun    EntryKind = iota // a task goes on with its pending operation
	EntryClock                   // the clock moved
	EntryChoose                  // a data choice
	EntryNote                    // rt.Runtime.Note
	EntryKill                    // a process was killed
)

// Entry is one line of the log.
type Entry struct {
	Kind EntryKind
	// Step is the number of scheduling decisions before.
	Step int
	// At is the virtual time since the begin of the world.
	At time.Duration
	// Task is the acting task as traces name it.
	Task string
	// Op and Object are those of the step; for a choice the label is Object,
	// for a note Op is its kind.
	Op, Object string
	// Value of a data choice.
	Value int
	// Deviation says that the choice was not the plain one.
	Deviation bool
	// Args of a note.
	Args []any
}
