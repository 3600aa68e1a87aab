package specs_test

import (
	"sync"
	"testing"

	"fleece/conformance"
	"fleece/conformance/catalogue"
	"fleece/conformance/lanes"
	"fleece/conformance/specs"
	"fleece/virt"
)

// evidenceSchedules is how many schedules a spec has to bring an error about: some
// take a race.
const evidenceSchedules = 40

// claims are the errors that a spec says it brings about.
func claims(c *catalogue.Catalogue, s conformance.Spec) []catalogue.Row {
	var rows []catalogue.Row
	for _, id := range s.Requirements {
		if r, known := c.Row(id); known && r.Error != nil && r.Error.Code != 0 && r.Reach == catalogue.Reachable {
			rows = append(rows, r)
		}
	}
	return rows
}

// TestASpecBringsAboutTheErrorsThatItClaims runs each spec that claims rows of the
// catalogue of errors: for every one of them it must have compared an error with that
// code and that text with what it should be.
func TestASpecBringsAboutTheErrorsThatItClaims(t *testing.T) {
	c, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	lane, err := lanes.Sim(lanes.Config{})
	if err != nil {
		t.Fatal(err)
	}
	claimed := 0
	for _, s := range specs.All() {
		rows := claims(c, s)
		claimed += len(rows)
		for _, schedules := range []int{0, evidenceSchedules} { // most need no race
			if len(rows) > 0 {
				rows = without(rows, compared(t, lane, s, schedules))
			}
		}
		for _, r := range rows {
			t.Errorf("%s claims %s (%d, %q), but compares no error with that", s.ID, r.ID, r.Error.Code, r.Error.Text)
		}
	}
	if claimed == 0 {
		t.Error("no spec claims anything")
	}
}

// compared runs a spec and gives the errors that it compared with what they should be.
func compared(t *testing.T, lane conformance.Lane, s conformance.Spec, schedules int) []*virt.Error {
	var mu sync.Mutex
	var all []*virt.Error
	body := s.Body
	s.Body = func(x *conformance.T) {
		x.Witness(func(e *virt.Error) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, e)
		})
		body(x)
	}
	if r := conformance.RunOne(s, conformance.Options{Lane: lane, Schedules: schedules, Seed: 1}); r.Failure != nil {
		t.Errorf("%s: %s", s.ID, r.Failure.Message)
	}
	return all
}

// without are the rows that none of the errors is.
func without(rows []catalogue.Row, errs []*virt.Error) []catalogue.Row {
	var missing []catalogue.Row
	for _, r := range rows {
		found := false
		for _, e := range errs {
			found = found || int(e.Code) == r.Error.Code && r.Error.Fits(e.Message)
		}
		if !found {
			missing = append(missing, r)
		}
	}
	return missing
}
