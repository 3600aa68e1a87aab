// Package schemaoracle asks somebody else which documents are valid: xmllint, with
// the schemas that libvirt installs. It makes a corpus of documents by changing valid
// ones, and gives xmllint's verdict on each.
//
// It is not a validator, and no product code uses it: it is what the parsers of
// documents are tested against.
//
// The property it keeps: a corpus is a function of its seeds and its size alone, so
// that a document on which two verdicts differ can be made again.
package schemaoracle

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Verdict is what a document is.
type Verdict int

// Verdicts, in the order in which a document fails.
const (
	Malformed Verdict = iota // not well-formed
	Invalid                  // not as the schema has it
	Valid
)

func (v Verdict) String() string {
	return [...]string{"not well-formed", "against the schema", "valid"}[v]
}

// schemas is where Debian's libvirt0 has them.
const schemas = "/usr/share/libvirt/schemas"

// batch is how many documents one xmllint reads.
const batch = 1000

// Judge asks xmllint for a verdict on every document. Without xmllint or the schemas
// it skips the test, aloud; where CI is true it fails it.
func Judge(t testing.TB, schema string, documents []string) []Verdict {
	t.Helper()
	path := filepath.Join(schemas, schema)
	_, err := exec.LookPath("xmllint")
	if _, missing := os.Stat(path); errors.Join(err, missing) != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("xmllint and %s are needed: install libxml2-utils and libvirt0", path)
		}
		t.Skipf("no verdict of another on documents: xmllint or %s is missing: install libxml2-utils and libvirt0", path)
	}
	verdicts := make([]Verdict, 0, len(documents))
	for start := 0; start < len(documents); start += batch {
		verdicts = append(verdicts, judge(t, path, documents[start:min(start+batch, len(documents))])...)
	}
	return verdicts
}

func judge(t testing.TB, schema string, documents []string) []Verdict {
	dir := t.TempDir()
	args := []string{"--noout", "--nonet", "--relaxng", schema}
	for i, d := range documents {
		name := filepath.Join(dir, fmt.Sprintf("%d.xml", i))
		if err := os.WriteFile(name, []byte(d), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, name)
	}
	var said bytes.Buffer
	c := exec.Command("xmllint", args...)
	c.Stderr = &said
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("xmllint: %v", err)
	}
	lines := make(map[string]bool)
	for line := range strings.Lines(said.String()) {
		lines[strings.TrimSuffix(line, "\n")] = true
	}
	verdicts := make([]Verdict, len(documents))
	for i := range documents {
		name := filepath.Join(dir, fmt.Sprintf("%d.xml", i))
		switch {
		case lines[name+" validates"]:
			verdicts[i] = Valid
		case lines[name+" fails to validate"]:
			verdicts[i] = Invalid
		}
	}
	return verdicts
}
