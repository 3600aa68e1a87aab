package duel

import (
	"fleece/conformance/mirror/walk"
	"fleece/qmp"
)

// Turn is one step of a session and what one side made of it.
type Turn struct {
	Step walk.Step
	// Answers are the messages from the step until the next: events and a reply, or
	// what bytes that are no message earn.
	Answers []qmp.Value
	// Busy says that jobs were there or events came: the next step is held until
	// the machine stands still.
	Busy bool
	// Jobs are query-jobs and query-block-jobs at the standstill of a busy turn.
	Jobs [2]qmp.Value
}

// Run is a session on one side.
type Run struct {
	Greeting qmp.Value // of the real side
	Turns    []Turn
	Files    map[string]string // what is in the images after the end, by name
	// Trouble is why the session could not go on: a machine that died, hung, or
	// did not start. Turns are those before.
	Trouble string
}

// source gives the steps of a session; ok is false at its end.
type source func(i int, look func() walk.View) (step walk.Step, ok bool)

// fixed is a list of steps.
func fixed(steps []walk.Step) source {
	return func(i int, _ func() walk.View) (walk.Step, bool) {
		if i >= len(steps) {
			return walk.Step{}, false
		}
		return steps[i], true
	}
}
