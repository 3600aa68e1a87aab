package main

import (
	"testing"

	"fleece/conformance/mirror/coverage"
)

func TestWhatRandomSessionsDidNotReachIsAllOfTheTableAtFirst(t *testing.T) {
	count, err := coverage.New()
	if err != nil {
		t.Fatal(err)
	}
	r := randomResult(7, 12, 1, count)
	if r.Seed != 7 || r.Steps != 12 || r.Divergences != 1 {
		t.Errorf("seed %d, %d steps, %d divergences", r.Seed, r.Steps, r.Divergences)
	}
	if r.Reached != 0 || r.Possible == 0 || len(r.Missed) != r.Possible {
		t.Errorf("%d of %d reached, %d missed", r.Reached, r.Possible, len(r.Missed))
	}
}
