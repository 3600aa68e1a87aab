package catalogue_test

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"fleece/conformance"
	"fleece/conformance/catalogue"
	"fleece/conformance/specs"
)

// proved is what the specs claim, by row.
func proved() map[string][]string {
	m := make(map[string][]string)
	for _, r := range conformance.Matrix(specs.All()) {
		m[r.Requirement] = r.Specs
	}
	return m
}

func TestEveryRowOfADoneSurfaceHasASpecOrAReason(t *testing.T) {
	c, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range c.Check(proved()) {
		t.Error(problem)
	}
}

// numberLine is one constant of virt's error numbers.
var numberLine = regexp.MustCompile(`(?m)^\tERR_(\w+)\s+ErrorNumber = (\d+)$`)

func TestCodesHaveTheNamesOfThePublicLayer(t *testing.T) {
	source, err := os.ReadFile("../../virt/errornumber.go")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, m := range numberLine.FindAllStringSubmatch(string(source), -1) {
		names[m[2]] = m[1]
	}
	c, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range c.Rows {
		if e := r.Error; e != nil && e.Code != 0 && names[strconv.Itoa(e.Code)] != e.Name {
			t.Errorf("%s calls code %d %s, the public layer %q", r.ID, e.Code, e.Name, names[strconv.Itoa(e.Code)])
		}
	}
}
