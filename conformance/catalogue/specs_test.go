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

// contractRow is a row of docs/contract.md, by its number.
var contractRow = regexp.MustCompile(`(?m)^\| (\d+) \|`)

// namedRow is the name of such a row in a note.
var namedRow = regexp.MustCompile(`contract (\d+)`)

func TestRowsOfTheContractThatNotesNameExist(t *testing.T) {
	text, err := os.ReadFile("../../docs/contract.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, m := range contractRow.FindAllStringSubmatch(string(text), -1) {
		there[m[1]] = true
	}
	c, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, r := range c.Rows {
		for _, m := range namedRow.FindAllStringSubmatch(r.Note, -1) {
			named++
			if !there[m[1]] {
				t.Errorf("%s names row %s of docs/contract.md, which has no such row", r.ID, m[1])
			}
		}
	}
	if named == 0 || len(there) == 0 {
		t.Error("nothing was compared")
	}
}
