package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const plain = `// Package p is an example.
package p

import "fmt"

const bound = 3

type box[T any] struct{ v T }

// get has a receiver with a parameter, and named results.
func (b *box[T]) get(or T, more ...int) (v T, n int, err error) {
	return b.v, len(more), nil
}

func first[A, B any](a A, _ B) A { return a }

func say(int, string) { fmt.Println("plain") }

// Both tells what all of them say.
func Both() string {
	b := box[int]{v: 1}
	v, n, err := b.get(0, 1, 2)
	say(1, "")
	return fmt.Sprint(v, n, err, first("a", bound))
}

func init() { _ = bound }
`

// wove runs weave over the plain file and copies that differ as told.
func wove(t *testing.T, swaps ...[2]string) (string, []int) {
	t.Helper()
	mutated := map[int][]byte{}
	for i, s := range swaps {
		text := strings.Replace(plain, s[0], s[1], 1)
		if text == plain {
			t.Fatalf("%q is not in the file", s[0])
		}
		mutated[i+1] = []byte(text)
	}
	text, alone, err := weave("p.go", []byte(plain), mutated)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), alone
}

func TestWeave_LeavesAloneWhatChangesMoreThanBodies(t *testing.T) {
	for _, c := range []struct{ name, old, repl string }{
		{"a constant", "bound = 3", "bound = 4"},
		{"a type", "v T }", "v, w T }"},
		{"a signature", "func say(int, string)", "func say(int, ...string)"},
		{"a new function", "func init()", "func other() {}\n\nfunc init()"},
		{"an import", `"fmt"`, `("fmt"; _ "os")`},
		{"what runs before main", "_ = bound", "panic(bound)"},
		{"what is not Go", "return a }", "return a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, alone := wove(t, [2]string{c.old, c.repl})
			if !slices.Equal(alone, []int{1}) || text != plain {
				t.Errorf("alone %v, text\n%s", alone, text)
			}
		})
	}
}

// The woven file is built and run with each number.
func TestWeave_MakesOneProgramBehaveAsEachCopy(t *testing.T) {
	text, alone := wove(t,
		[2]string{"len(more), nil", "-len(more), nil"},
		[2]string{"return a }", "var z A; return z }"},
		[2]string{`"plain"`, `"mutated"`},
		[2]string{"return b.v, len", "return or, len"})
	if len(alone) > 0 {
		t.Fatalf("alone: %v", alone)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                "module fleece\n\ngo 1.22\n",
		"p/p.go":                text,
		"main.go":               "package main\n\nimport \"fleece/p\"\n\nfunc main() { print(p.Both()) }\n",
		switchDir + "/woven.go": switchSource,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bin := filepath.Join(dir, "bin")
	c := exec.Command("go", "build", "-o", bin, ".")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, text)
	}
	for number, want := range []string{
		"plain\n1 2 <nil>a", "plain\n1 -2 <nil>a", "plain\n1 2 <nil>", "mutated\n1 2 <nil>a", "plain\n0 2 <nil>a",
	} {
		c := exec.Command(bin)
		c.Env = append(os.Environ(), switchVariable+"="+string(rune('0'+number)))
		if out, err := c.CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("number %d says %q (%v), want %q", number, out, err, want)
		}
	}
}
