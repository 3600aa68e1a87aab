package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// defectRow is a row of the table: number, spec, mistake.
var defectRow = regexp.MustCompile("(?m)^\\| (8\\.\\d+) \\|.*\\| (?:`([^`]+)`|—) \\| (?:`([^`]+)`|—) \\|$")

func TestUpstreamDefects_TheTableNamesMistakesThatFailTheirSpecs(t *testing.T) {
	text, err := os.ReadFile("../../docs/upstream-defects.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := defectRow.FindAllStringSubmatch(string(text), -1)
	if len(rows) != 27 {
		t.Fatalf("%d rows, want 27", len(rows))
	}
	for _, r := range rows {
		number, spec, mistake := r[1], r[2], r[3]
		if mistake == "" {
			continue
		}
		patch, err := os.ReadFile("../../fixtures/mutants/" + mistake + ".patch")
		if err != nil {
			t.Errorf("%s: %v", number, err)
			continue
		}
		header, _, _ := strings.Cut(string(patch), "\n")
		if ids := strings.Split(strings.TrimPrefix(header, "spec: "), ", "); !slices.Contains(ids, spec) {
			t.Errorf("%s: %s is said to fail %s, its patch says %v", number, mistake, spec, ids)
		}
	}
}
