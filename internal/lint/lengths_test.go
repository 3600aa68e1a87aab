package lint

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Limits of lengths, in lines. A function counts from its func to its brace.
const (
	fileLinesMax     = 400
	functionLinesMax = 70
)

const ratchetFile = "ratchet.txt"

// TestLengthsStayWithinTheirLimits: what is longer must be in the ratchet file with
// its length; an entry may only shrink, and goes when it is not needed.
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
	for name, src := range goFiles(t) {
		tooLong(name, src, measured)
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
				into[name+":"+funcName(fn)] = n
			}
		}
	}
}

// funcName is F, or T.F for a method.
func funcName(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return fn.Name.Name
	}
	t := fn.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name + "." + fn.Name.Name
		default:
			return fn.Name.Name
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
		if _, twice := listed[name]; !ok || err != nil || twice {
			return nil, fmt.Errorf("%s: %q is not a new \"place lines\"", ratchetFile, line)
		}
		listed[name] = n
	}
	return listed, sc.Err()
}

// ratchet compares what is listed with what is.
func ratchet(listed, measured map[string]int) []string {
	var problems []string
	for name, n := range measured {
		switch was, ok := listed[name]; {
		case !ok:
			problems = append(problems, fmt.Sprintf("%s has %d lines: files at most %d, functions %d; cut it", name, n, fileLinesMax, functionLinesMax))
		case n > was:
			problems = append(problems, fmt.Sprintf("%s grew from %d to %d lines: cut it", name, was, n))
		case n < was:
			problems = append(problems, fmt.Sprintf("%s shrank to %d lines: lower its entry in %s", name, n, ratchetFile))
		}
	}
	for name := range listed {
		if _, ok := measured[name]; !ok {
			problems = append(problems, fmt.Sprintf("%s is within the limit: take it out of %s", name, ratchetFile))
		}
	}
	slices.Sort(problems)
	return problems
}

func TestTheRatchetHoldsInBothDirections(t *testing.T) {
	listed := map[string]int{"grew": 80, "shrank": 90, "gone": 75, "same": 71}
	measured := map[string]int{"grew": 81, "shrank": 89, "same": 71, "new": 401}
	got := strings.Join(ratchet(listed, measured), "\n")
	want := []string{"gone is within the limit", "grew grew from 80 to 81", "new has 401 lines", "shrank shrank to 89"}
	if strings.Count(got, "\n")+1 != len(want) {
		t.Errorf("not %d problems:\n%s", len(want), got)
	}
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("no problem says %q:\n%s", w, got)
		}
	}
}

func TestALongFileAndALongFunctionAreFound(t *testing.T) {
	long := func(n int) string { return "\tprintln()\n" + strings.Repeat("\n", n-3) }
	fits := "package p\n\nfunc fits() {\n" + long(functionLinesMax) + "}\n"
	measured := make(map[string]int)
	tooLong("a.go", []byte(fits), measured)
	if len(measured) != 0 {
		t.Errorf("%v is too long", measured)
	}
	src := fits + "\nfunc (t *T[K]) String() {\n" + long(functionLinesMax+1) + "}\n" +
		"\nfunc (U) String() {\n" + long(functionLinesMax+2) + "}\n" + strings.Repeat("\n", fileLinesMax)
	tooLong("b.go", []byte(src), measured)
	if measured["b.go:T.String"] != 71 || measured["b.go:U.String"] != 72 || measured["b.go"] <= fileLinesMax || len(measured) != 3 {
		t.Errorf("measured %v", measured)
	}
}

func TestABadRatchetLineIsRefused(t *testing.T) {
	for _, text := range []string{"a.go", "a.go x", "a.go 401\na.go 402"} {
		if _, err := parseRatchet([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
