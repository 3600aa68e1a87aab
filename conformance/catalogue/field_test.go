package catalogue_test

import (
	"flag"
	"os"
	"slices"
	"testing"

	"fleece/conformance"
	"fleece/conformance/catalogue"
	"fleece/conformance/specs"
)

var update = flag.Bool("update", false, "write docs/coverage.md")

const coveragePage = "../../docs/coverage.md"

func TestCoverage_EveryVariantHasSpecsThatExistOrAReason(t *testing.T) {
	all, err := catalogue.Field()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 284 {
		t.Errorf("%d variants, want 284", len(all))
	}
	known := specs.All()
	for _, v := range all {
		for _, id := range v.Specs {
			if !slices.ContainsFunc(known, func(s conformance.Spec) bool { return s.ID == id }) {
				t.Errorf("variant %d names spec %q, which does not exist", v.Number, id)
			}
		}
	}
}

func TestCoverage_ThePageIsThatOfTheTable(t *testing.T) {
	all, err := catalogue.Field()
	if err != nil {
		t.Fatal(err)
	}
	want := catalogue.FieldPage(all)
	if *update {
		if err := os.WriteFile(coveragePage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(coveragePage); err != nil || string(got) != want {
		t.Errorf("docs/coverage.md is stale (%v): go test ./conformance/catalogue -run Coverage -update", err)
	}
}
