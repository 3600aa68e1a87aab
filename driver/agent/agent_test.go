package agent_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"fleece/driver/agent"
)

func TestCut_FindsWholeLines(t *testing.T) {
	for _, c := range []struct {
		name, in  string
		delimited bool
		line      string
		rest      string
		ok        bool
	}{
		{"nothing", "", false, "", "", false},
		{"half a line", `{"ret`, false, "", `{"ret`, false},
		{"a line", "{}\nmore", false, "{}", "more", true},
		{"empty lines", "\n\r\n {} \n", false, "{}", "", true},
		{"what comes before a delimiter", "{\"return\": 1}\nhalf\xff{}\n", true, "{}", "", true},
		{"a line of an earlier answer", "{\"return\": 1}\n", true, "", "", false},
		{"several delimiters", "\xff\xff{}\n\xff[]\n", true, "{}", "\xff[]\n", true},
		{"a delimiter and half a line", "x\xff{", true, "", "\xff{", false},
		{"a delimiter in an answer that is not delimited", "junk\xff{}\n", false, "{}", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			line, rest, ok := agent.Cut([]byte(c.in), c.delimited)
			if string(line) != c.line || string(rest) != c.rest || ok != c.ok {
				t.Errorf("got %q, %q, %v", line, rest, ok)
			}
		})
	}
}

func TestAnswer_TellsResultsErrorsAndNonsenseApart(t *testing.T) {
	if v, err := agent.Answer([]byte(`{"return": 2}`)); err != nil || !isTwo(v.Int64()) {
		t.Errorf("got %v, %v", v, err)
	}
	var refused *agent.RefusedError
	if _, err := agent.Answer([]byte(`{"error": {"class": "GenericError", "desc": "no"}}`)); !errors.As(err, &refused) || refused.Error() != "no" {
		t.Errorf("got %v", err)
	}
	for _, text := range []string{"", "{", "[]", `{"event": "X"}`, strings.Repeat("x", 100)} {
		if _, err := agent.Answer([]byte(text)); !errors.Is(err, agent.ErrNonsense) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func isTwo(n int64, ok bool) bool { return ok && n == 2 }

// FuzzAnswer shows that nothing that an agent sends makes the host lose its way: lines
// come whole and without delimiters, and what is left is the end of what came.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("\xff{\"return\": 1}\n"), true)
	f.Add([]byte("{\"error\": {}}\n{\"return\": {}}\n"), false)
	f.Fuzz(func(t *testing.T, in []byte, delimited bool) {
		line, rest, ok := agent.Cut(in, delimited)
		if !bytes.HasSuffix(in, rest) || ok && (len(line) == 0 || bytes.ContainsAny(line, "\n\xff")) {
			t.Fatalf("%q: line %q, rest %q", in, line, rest)
		}
		if ok {
			_, _ = agent.Answer(line)
		}
	})
}
