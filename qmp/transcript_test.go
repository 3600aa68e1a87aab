package qmp

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readFixture reads a recorded session by the number it begins with.
func readFixture(t testing.TB, number string) []Line {
	t.Helper()
	paths, _ := filepath.Glob("../fixtures/transcripts/" + number + "-*.jsonl")
	if len(paths) != 1 {
		t.Fatalf("fixture %s: found %v", number, paths)
	}
	f, err := os.Open(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := ReadTranscript(f)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

var fixtureNumbers = []string{"01", "02", "03", "04", "05", "06", "07", "08", "16", "17", "18", "30", "34", "35"}

func TestTranscript_SurvivesWritingAndReading(t *testing.T) {
	for _, number := range fixtureNumbers {
		lines := readFixture(t, number)
		var buf bytes.Buffer
		if err := WriteTranscript(&buf, lines); err != nil {
			t.Fatal(err)
		}
		again, err := ReadTranscript(&buf)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(lines, again); diff != "" {
			t.Errorf("transcript %s changed:\n%s", number, diff)
		}
	}
}

func TestReadTranscript_NamesLineAndFault(t *testing.T) {
	good := `{"dir":"C","msg":{},"ms":1}` + "\n"
	for _, c := range []struct{ name, line, want string }{
		{"bad JSON", `{"dir":`, "transcript line 2: JSON parse error, premature EOI"},
		{"no object", `[]`, "transcript line 2: an object was expected, not []"},
		{"no direction", `{"msg":{}}`, "transcript line 2: member 'dir' is missing"},
		{"unknown direction", `{"dir":"X","msg":{}}`, `transcript line 2: member 'dir' must be "C" or "S", not "X"`},
		{"no message", `{"dir":"C"}`, "transcript line 2: one of the members 'msg' and 'raw' is needed"},
		{"two messages", `{"dir":"C","msg":1,"raw":"x"}`, "transcript line 2: one of the members 'msg' and 'raw' is needed"},
		{"negative time", `{"dir":"C","msg":1,"ms":-1}`, "transcript line 2: member 'ms' must be milliseconds, not -1"},
		{"a raw character that is no byte", `{"dir":"C","raw":"\u0100"}`, "transcript line 2: member 'raw' must hold bytes, not U+0100"},
		{"a note that is no text", `{"dir":"C","msg":1,"note":1}`, "transcript line 2: member 'note' must be a string, not 1"},
		{"an unknown member", `{"dir":"C","msg":1,"foo":"x"}`, "transcript line 2: member 'foo' is unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadTranscript(strings.NewReader(good + c.line + "\n"))
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func FuzzReadTranscript(f *testing.F) {
	f.Add([]byte(`{"dir":"C","msg":{"execute":"stop"},"ms":1.5}`))
	f.Add([]byte(`{"dir":"C","raw":"\u00ff{","ms":0,"mon":"m0","note":"x"}` + "\n\n" + `{"dir":"S","msg":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, err := ReadTranscript(bytes.NewReader(data))
		if err != nil {
			return
		}
		var buf bytes.Buffer
		if err := WriteTranscript(&buf, lines); err != nil {
			t.Fatal(err)
		}
		again, err := ReadTranscript(&buf)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if len(again) != len(lines) {
			t.Fatalf("%d lines became %d", len(lines), len(again))
		}
	})
}
