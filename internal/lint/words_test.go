package lint

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unfinished are words by which code says of itself that it is not done. They are
// put together here, so that this file does not say them.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

// machinePath is a path that only somebody's machine has.
var machinePath = regexp.MustCompile(`(^|["'` + "`" + ` (=:])(/ho` + `me/|/ro` + `ot/|/wo` + `rk/|/Us` + `ers/|[A-Z]:\\\\?Us` + `ers)`)

func TestNoFileSaysThatItIsUnfinishedOrNamesAMachinesPath(t *testing.T) {
	files := goFiles(t)
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, problem := range words(name, files[name]) {
			t.Error(problem)
		}
	}
}

func words(name string, text []byte) []string {
	var found []string
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if m := unfinished.Find(line); m != nil {
			found = append(found, fmt.Sprintf("%s:%d: %q: finish it, or say what is missing in the documentation", name, n, m))
		}
		if m := machinePath.Find(line); m != nil {
			found = append(found, fmt.Sprintf("%s:%d: %q is a path of one machine", name, n, m))
		}
	}
	return found
}

func TestUnfinishedWordsAndMachinePathsAreFound(t *testing.T) {
	text := "// TO" + "DO: later\n// todo, methods and XX" + "XX are fine\nx := \"/ho" + "me/me/x\"\n" +
		"y := `/wo" + "rk/x`\nz := \"a/ro" + "ot/b\" // FIX" + "ME\n"
	got := strings.Join(words("a.go", []byte(text)), "\n")
	for _, want := range []string{"a.go:1: \"TO" + "DO\"", "a.go:3: ", "a.go:4: ", "a.go:5: \"FIX" + "ME\""} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not found:\n%s", want, got)
		}
	}
	if strings.Count(got, "\n") != 3 {
		t.Errorf("not four findings:\n%s", got)
	}
}
