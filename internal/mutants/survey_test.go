package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSlips_AreMadeOfEachKindOfPlace(t *testing.T) {
	const text = `package p

func f(a, b int) (ok bool, err error) {
	defer g()
	if a < b && ok {
		g()
	}
	for a = b; ; {
		break
	}
	s := "x" + name()
	return true, err
}
`
	all, err := slips("p.go", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range all {
		mutated := string(p.text([]byte(text)))
		line := strings.TrimSpace(strings.Split(mutated, "\n")[p.line-1])
		got = append(got, fmt.Sprintf("%d %s => %s", p.line, p.what, line))
	}
	want := []string{
		"4 g(): not done => ",
		"5 if a < b && ok: turned round => if !(a < b && ok) {",
		"5 a < b && ok: && is || => if a < b || ok {",
		"5 a < b: < is <= => if a <= b && ok {",
		"6 g(): not done => ",
		"8 a = b: not set => for _ = b; ; {",
		"9 break: not done => ",
		"12 return err: no error => return true, nil",
		"12 true is false => return false, err",
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCulprits_AreTheVersionsThatTheCompilerNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.go")
	text := "package p\n\nfunc (r *T) f__7(a int) {\n\tx := 1\n}\n\nfunc g__12[A any]() {\n\ty := 2\n}\n\nfunc f__0() {\n\tz\n}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	complaints := fmt.Sprintf("# fleece/p\n%[1]s:4:2: declared and not used: x\n%[1]s:8:2: declared and not used: y\n%[1]s:12:2: undefined: z\n", path)
	if got := culprits(complaints); !slices.Equal(got, []int{7, 12}) {
		t.Errorf("got %v", got)
	}
}
