package specs_test

import (
	_ "embed"
	"slices"
	"strings"
	"testing"

	"fleece/conformance"
	"fleece/conformance/catalogue"
	"fleece/conformance/specs"
)

// listed is ids.txt: one id per line, sorted. An id is for ever, since reports,
// traces and label filters of others name it.
//
//go:embed ids.txt
var listed string

func TestNoSpecIdVanishesAndEveryNewOneIsListed(t *testing.T) {
	want := strings.Fields(listed)
	if !slices.IsSorted(want) || len(slices.Compact(slices.Clone(want))) != len(want) {
		t.Error("ids.txt is not sorted, or has an id twice")
	}
	var have []string
	for _, s := range specs.All() {
		have = append(have, s.ID)
	}
	for _, id := range want {
		if !slices.Contains(have, id) {
			t.Errorf("spec %s has vanished: ids never change once they have landed", id)
		}
	}
	for _, id := range have {
		if !slices.Contains(want, id) {
			t.Errorf("spec %s is new: add it to ids.txt, where it stays", id)
		}
	}
}

func TestTheSpecsAreWellFormed(t *testing.T) {
	if err := conformance.Validate(specs.All()); err != nil {
		t.Error(err)
	}
}

func TestASpecNamesOnlyRowsOfTheCatalogue(t *testing.T) {
	c, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range specs.All() {
		for _, id := range s.Requirements {
			if r, known := c.Row(id); !known || r.Reach == catalogue.Unreachable {
				t.Errorf("spec %s claims %q, which the catalogue does not have or calls unreachable (%s)", s.ID, id, r.Note)
			}
		}
	}
}
