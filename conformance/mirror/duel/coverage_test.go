package duel

import (
	"testing"

	"fleece/conformance/mirror/coverage"
	"fleece/qmp"
)

// Sessions with mistakes are every fourth; these are as many steps as find every planted
// error of the simulator.
const (
	firstMistakes, mistakesStep = 4, 4
	coverageSteps               = 20_000
)

// What the simulator answers is what QEMU answers: the duel says so of the same sessions.
func TestSessionsReachEveryOutcomeThatHasNoReasonWhyNot(t *testing.T) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		t.Fatal(err)
	}
	c, err := coverage.New()
	if err != nil {
		t.Fatal(err)
	}
	for seed, steps := uint64(firstMistakes), 0; len(c.Missed()) > 0 && steps < coverageSteps; seed += mistakesStep {
		_, run := model(seed, SessionSteps, "/var/lib/fleece", schema)
		if run.Trouble != "" {
			t.Fatalf("seed %d: %s", seed, run.Trouble)
		}
		countTurns(c, run.Turns)
		steps += len(run.Turns)
	}
	for _, k := range c.Missed() {
		t.Errorf("%s: no session reached %q, and there is no reason why not", k.Command, k.Text)
	}
	for _, k := range c.LeftOut() {
		if k.Times > 0 {
			t.Errorf("%s: %q was reached %d times; its reason is wrong: %s", k.Command, k.Text, k.Times, k.Reason)
		}
	}
}
