package main

import (
	"testing"

	"fleece/conformance/mirror/coverage"
	"fleece/conformance/mirror/duel"
)

func TestWhatRandomSessionsDidNotReachIsAllOfTheTableAtFirst(t *testing.T) {
	count, err := coverage.New()
	if err != nil {
		t.Fatal(err)
	}
	r := randomResult(7, duel.Totals{Sessions: 3, Steps: 12, Divergences: 1}, count)
	if r.Seed != 7 || r.Sessions != 3 || r.Steps != 12 || r.Divergences != 1 {
		t.Errorf("seed %d, %d sessions, %d steps, %d divergences", r.Seed, r.Sessions, r.Steps, r.Divergences)
	}
	if r.Reached != 0 || r.Possible == 0 || len(r.Missed) != r.Possible {
		t.Errorf("%d of %d reached, %d missed", r.Reached, r.Possible, len(r.Missed))
	}
}
