package main

import (
	"fleece/conformance/mirror/coverage"
	"fleece/conformance/mirror/duel"
)

// mirrorResult is the JSON form of what random sessions on both sides showed.
type mirrorResult struct {
	Seed        uint64          `json:"seed"`
	Sessions    int             `json:"sessions"` // one for each seed from Seed on
	Steps       int             `json:"steps"`
	Divergences int             `json:"divergences"`
	Reached     int             `json:"reached"`
	Possible    int             `json:"possible"`
	Missed      []mirrorOutcome `json:"missed"`
	LeftOut     []mirrorOutcome `json:"left_out"`
}

// mirrorOutcome is one outcome of a command: no error means success.
type mirrorOutcome struct {
	Command string `json:"command"`
	Error   string `json:"error,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// randomResult puts together what a campaign from seed on showed.
func randomResult(seed uint64, t duel.Totals, count *coverage.Count) mirrorResult {
	r := mirrorResult{
		Seed: seed, Sessions: t.Sessions, Steps: t.Steps, Divergences: t.Divergences,
		Missed: []mirrorOutcome{}, LeftOut: []mirrorOutcome{},
	}
	r.Reached, r.Possible = count.Reached()
	for _, k := range count.Missed() {
		r.Missed = append(r.Missed, mirrorOutcome{Command: k.Command, Error: k.Text})
	}
	for _, k := range count.LeftOut() {
		r.LeftOut = append(r.LeftOut, mirrorOutcome{Command: k.Command, Error: k.Text, Reason: k.Reason})
	}
	return r
}
