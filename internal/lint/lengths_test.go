package lint

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// Limits of lengths, in lines.
const (
	fileLinesMax     = 400
	functionLinesMax = 70
)

const ratchetFile = "ratchet.txt"

// TestLengthsStayWithinTheirLimits: whatever is longer must be in the ratchet
// file with its length; an entry may only shrink, and goes when it is not needed.
func TestLengthsStayWithinTheirLimits(t *testing.T) {
	text, err := os.ReadFile(ratchetFile)
	if err != nil {
		t.Fatal(err)
	}
	listed, err := parseRatchet(text)
	if err != nil {
		t.Fatal(err)
	}
	measured := make(map[string]int)
	for _, f := range goFiles(t) {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		tooLong(strings.TrimPrefix(f, "../../"), src, measured)
	}
	for _, problem := range ratchet(listed, measured) {
		t.Error(problem)
	}
}

// tooLong adds the file and its functions that are over the limit.
func tooLong(name string, src []byte, into map[string]int) {
	if n := bytes.Count(src, []byte("\n")); n > fileLinesMax {
		into[name] = n
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, src, 0)
	if err != nil {
		return // the build says it better
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			if n := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1; n > functionLinesMax {
				into[name+":"+fn.Name.Name] = n
			}
		}
	}
}

func parseRatchet(text []byte) (map[string]int, error) {
	listed := make(map[string]int)
	sc := bufio.NewScanner(bytes.NewReader(text))
	for sc.Scan() {
		line := strings.TrimSpace(sc.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, number, ok := strings.Cut(line, " ")
		n, err := strconv.Atoi(strings.TrimSpace(number))
		if !ok || err != nil {
			return nil, fmt.Errorf("%s: %q is not \"place lines\"", ratchetFile, line)
		}
		listed[name] = n
	}
	return listed, nil
}

// ratchet compares what is listed with what is.
func ratchet(listed, measured map[string]int) []string {
	var problems []string
	for name, n := range measured {
		switch was, ok := listed[name]; {
		case !ok:
			problems = append(problems, fmt.Sprintf("%s has %d lines: files at most %d, functions %d", name, n, fileLinesMax, functionLinesMax))
		case n > was:
			problems = append(problems, fmt.Sprintf("%s grew from %d to %d lines", name, was, n))
		case n < was:
			problems = append(problems, fmt.Sprintf("%s shrank to %d lines: lower its entry in %s", name, n, ratchetFile))
		}
	}
	for name := range listed {
		if _, ok := measured[name]; !ok {
			problems = append(problems, fmt.Sprintf("%s is within the limit: take it out of %s", name, ratchetFile))
		}
	}
	sort.Strings(problems)
	return problems
}

func TestTheRatchetHoldsInBothDirections(t *testing.T) {
	listed := map[string]int{"grew": 80, "shrank": 90, "gone": 75, "same": 71}
	measured := map[string]int{"grew": 81, "shrank": 89, "same": 71, "new": 401}
	got := strings.Join(ratchet(listed, measured), "\n")
	for _, want := range []string{"grew grew from 80 to 81", "shrank shrank to 89", "gone is within the limit", "new has 401 lines"} {
		if !strings.Contains(got, want) {
			t.Errorf("no problem says %q:\n%s", want, got)
		}
	}
}

// unfinished are words by which code says of itself that it is not done, and
// paths of somebody's machine.
var unfinished = regexp.MustCompile(`\b(` + "TO" + `DO|FIX` + `ME|XX` + `X)\b|["' (](/ho` + `me/|/ro` + `ot/|/wo` + `rk/)`)

func TestNoFileSaysThatItIsUnfinishedOrNamesAMachinesPath(t *testing.T) {
	for _, f := range goFiles(t) {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if m := unfinished.FindString(line); m != "" {
				t.Errorf("%s:%d: %q", f, i+1, m)
			}
		}
	}
}

func TestUnfinishedWordsAreFound(t *testing.T) {
	if !unfinished.MatchString("// TO"+"DO: later") || unfinished.MatchString("todo") {
		t.Error("the expression finds the wrong words")
	}
}
