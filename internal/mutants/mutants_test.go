package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fleece/conformance"
	"fleece/conformance/specs"
)

const stored = "../../fixtures/mutants"

const header = "spec: a.spec\nwhat: a sentence\n\n"

const diff = `--- a/driver/x.go
+++ b/driver/x.go
@@ -1,2 +1,2 @@
 package driver
-old
+new
`

func TestParse_ReadsSeveralSpecs(t *testing.T) {
	m, err := parse(strings.Replace(header, "a.spec", "a.spec, b.spec", 1) + diff)
	if err != nil || !slices.Equal(m.specs, []string{"a.spec", "b.spec"}) {
		t.Errorf("got %q, %v", m.specs, err)
	}
}

func TestParse_ReadsHeaderAndTouchedFile(t *testing.T) {
	m, err := parse(header + diff)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.specs, []string{"a.spec"}) || m.what != "a sentence" || m.file != "driver/x.go" {
		t.Errorf("read %+v", m)
	}
}

func TestParse_RefusesWhatIsNotOneMistakeOfTheProduct(t *testing.T) {
	swap := func(old, repl string) string { return strings.ReplaceAll(header+diff, old, repl) }
	for _, c := range []struct{ name, text, want string }{
		{"an empty file", "", "header"},
		{"a patch without a header", diff, "header"},
		{"a header without the sentence", "spec: a.spec\n\n" + diff, "header"},
		{"a header in another order", "what: a sentence\nspec: a.spec\n\n" + diff, "header"},
		{"a blank id", swap("a.spec", " "), "header"},
		{"an id twice", swap("a.spec", "a.spec, a.spec"), "named twice"},
		{"ids without a space between", swap("a.spec", "a.spec,b.spec"), "between them"},
		{"a header alone", "spec: a.spec\nwhat: a sentence\n", "not followed"},
		{"a third line in the header", swap("\n\n", "\nwhy: because\n\n"), "empty line ends"},
		{"a header and a blank line alone", header, "0 lines"},
		{"paths that git did not write", swap("--- a/", "--- "), "starts with"},
		{"a renamed file", swap("+++ b/driver/x.go", "+++ b/driver/y.go"), "starts with"},
		{"a new file", swap("--- a/driver/x.go", "--- /dev/null"), "starts with"},
		{"no hunk", swap("@@ -1,2 +1,2 @@", " a line"), "followed by a hunk"},
		{"a hunk that changes nothing", header + "--- a/driver/x.go\n+++ b/driver/x.go\n@@ -1 +1 @@\n package driver\n", "changes nothing"},
		{"two hunks", header + diff + "@@ -9 +9 @@\n-a\n+b\n", "one hunk in one file"},
		{"a second file", header + diff + "diff --git a/sim/y.go b/sim/y.go\n", "one hunk in one file"},
		{"a file outside of the tree", swap("driver/x.go", "../x.go"), "not a Go file of the tree"},
		{"a path that is not clean", swap("driver/x.go", "driver/../sim/x.go"), "not a Go file of the tree"},
		{"an absolute path", swap("driver/x.go", "/x.go"), "not a Go file of the tree"},
		{"something else than Go", swap("driver/x.go", "driver/x.txt"), "not a Go file of the tree"},
		{"a test", swap("driver/x.go", "driver/x_test.go"), "what judges"},
		{"the harness", swap("driver/x.go", "conformance/oracle/x.go"), "what judges"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := parse(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// FuzzParse shows that no patch makes the parser fail otherwise than by an error.
func FuzzParse(f *testing.F) {
	f.Add(header + diff)
	f.Add(header)
	f.Add("\n\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parse(text)
		if err == nil && (len(m.specs) == 0 || m.what == "" || !filepath.IsLocal(m.file)) {
			t.Errorf("accepted %+v", m)
		}
	})
}

func TestLoad_SortsByNameAndRefusesUnknownSpecs(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b", "a"} {
		if err := os.WriteFile(filepath.Join(dir, name+".patch"), []byte(header+diff), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := load(dir, "", []string{"a.spec"})
	if err != nil || len(all) != 2 || all[0].name != "a" || all[1].name != "b" {
		t.Errorf("loaded %+v, %v", all, err)
	}
	if all, err = load(dir, "b", []string{"a.spec"}); err != nil || len(all) != 1 || all[0].name != "b" {
		t.Errorf("loaded %+v, %v", all, err)
	}
	if _, err = load(dir, "c", []string{"a.spec"}); err == nil {
		t.Error("a mutant that does not exist was found")
	}
	if _, err = load(dir, "", []string{"other"}); err == nil || !strings.Contains(err.Error(), "no spec") {
		t.Errorf("a mutant of an unknown spec: %v", err)
	}
}

// The stored mutants are checked here, too, without building them: that every spec
// has one, and that all fit the tree as it is.
func TestStoredMutants_CoverEverySpecAndApply(t *testing.T) {
	known := specIDs(specs.All())
	all, err := load(stored, "", known)
	if err != nil {
		t.Fatal(err)
	}
	if missing := uncovered(all, known); len(missing) > 0 {
		t.Errorf("specs without a mutant: %q", missing)
	}
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed: patches cannot be applied")
	}
	for _, m := range all {
		if _, err := m.apply("../..", filepath.Join(t.TempDir(), m.name)); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

func TestPlantedMistakesOfTheSimulator_AreTwentyAndApply(t *testing.T) {
	all, err := load("../../"+mirrorDir, "", []string{mirrorSpec})
	if err != nil {
		t.Fatal(err)
	}
	const asked = 20 // of the mirror's teeth
	if len(all) < asked {
		t.Errorf("%d planted mistakes, want at least %d", len(all), asked)
	}
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed: patches cannot be applied")
	}
	for _, m := range all {
		if _, err := m.apply("../..", filepath.Join(t.TempDir(), m.name)); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

func TestTeethTable_CountsWhatWasNotFound(t *testing.T) {
	all := []mutant{{name: "a", what: "w"}, {name: "bb", what: "w"}, {name: "c", what: "w"}}
	var out strings.Builder
	missed := teethTable(&out, all, []finding{{steps: 12, divergences: 1}, {steps: mirrorSteps}, {err: errAlone}})
	if missed != 2 {
		t.Errorf("counted %d", missed)
	}
	for _, want := range []string{"found   after    12 steps  a   w\n", "MISSED  after 20000 steps  bb  w\n", "BROKEN  after     0 steps  c   w\n        more than"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestUncovered_NamesSpecsWithoutAMutant(t *testing.T) {
	missing := uncovered([]mutant{{specs: []string{"b"}}, {specs: []string{"b"}}}, []string{"a", "b", "c"})
	if strings.Join(missing, " ") != "a c" {
		t.Errorf("got %q", missing)
	}
}

func TestTable_NamesEverySpecOfAMutant(t *testing.T) {
	var out strings.Builder
	table(&out, []mutant{{name: "m", specs: []string{"one", "two"}, what: "w"}}, []verdict{{killed, ""}}, false)
	if want := "killed    m  one  w\n             two\n"; out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestTable_CountsAllThatWereNotKilled(t *testing.T) {
	all := []mutant{{name: "a", specs: []string{"s"}, what: "w"}, {name: "longer", specs: []string{"s"}, what: "w"}, {name: "b", specs: []string{"s"}, what: "w"}}
	var out strings.Builder
	bad := table(&out, all, []verdict{{killed, "how"}, {survived, "passes"}, {broken, "does not build"}}, false)
	if bad != 2 {
		t.Errorf("counted %d", bad)
	}
	for _, want := range []string{"killed    a       s  w\n", "SURVIVED  longer  s  w\n          passes\n", "does not build"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "how") {
		t.Errorf("the reason of a kill is shown unasked:\n%s", out.String())
	}
}

func TestExplain_IsOneShortLine(t *testing.T) {
	r := conformance.Result{Failure: &conformance.Failure{Kind: "check", Message: "a\n\tb " + strings.Repeat("é", 200), Schedule: 3}}
	got := explain(r)
	if !strings.HasPrefix(got, "schedule 3, check: a b é") || strings.Contains(got, "\n") || len(got) > explainMax+40 {
		t.Errorf("got %q", got)
	}
}
