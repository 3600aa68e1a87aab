package catalogue

import (
	"slices"
	"testing"
)

func TestCalls_HaveEveryErrorRowUnderEachOfItsCallsInTheOrderOfCodes(t *testing.T) {
	c := mustLoad(t)
	seen := make(map[string]int)
	for _, call := range c.Calls() {
		if !slices.IsSortedFunc(call.Codes, func(a, b CallCode) int { return a.Code - b.Code }) {
			t.Errorf("%s: the codes are not in order", call.Name)
		}
		for _, code := range call.Codes {
			for _, r := range code.Rows {
				seen[call.Name+" "+r.ID]++
				if r.Error.Code != code.Code || r.Error.Name != code.Name {
					t.Errorf("%s is under %d %s", r.ID, code.Code, code.Name)
				}
			}
		}
	}
	// "CheckpointCreateXML, BackupBegin"
	if seen["CheckpointCreateXML E189"] != 1 || seen["BackupBegin E189"] != 1 || seen["BackupEnd E189"] != 0 {
		t.Errorf("E189 is there %v times", seen)
	}
	for _, r := range c.Rows {
		if r.Error != nil && !slices.ContainsFunc(c.Calls(), func(call Call) bool { return seen[call.Name+" "+r.ID] == 1 }) {
			t.Errorf("%s is under no call", r.ID)
		}
	}
}
