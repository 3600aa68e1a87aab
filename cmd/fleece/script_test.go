package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// oneDocument is the command "one-document FILE": the file (or stdout) is exactly
// one JSON value, and one newline behind it.
func oneDocument(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	dec := json.NewDecoder(strings.NewReader(text))
	var v any
	if err := dec.Decode(&v); err != nil {
		ts.Fatalf("%s: %v", args[0], err)
	}
	if err := dec.Decode(&v); !errors.Is(err, io.EOF) {
		ts.Fatalf("%s: there is more behind the document: %v", args[0], err)
	}
	if !strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\n\n") {
		ts.Fatalf("%s: does not end with one newline", args[0])
	}
}

// countLines is the command "lines FILE N": the file has N lines, all complete; if
// its name ends with jsonl each is a JSON value.
func countLines(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	text := ts.ReadFile(args[0])
	if n := strings.Count(text, "\n"); n != want || text != "" && !strings.HasSuffix(text, "\n") {
		ts.Fatalf("%s: %d lines, not %d, or the last is not complete", args[0], n, want)
	}
	if !strings.HasSuffix(args[0], "jsonl") {
		return
	}
	for line := range strings.Lines(text) {
		if !json.Valid([]byte(line)) {
			ts.Fatalf("%s: not a JSON value: %s", args[0], line)
		}
	}
}

// execStatus is the command "exec-status N PROGRAM…": as exec, but the exit status
// must be N.
func execStatus(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("%s: exit status %d, not %s", strings.Join(args[1:], " "), status, args[0])
	}
}
