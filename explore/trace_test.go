package explore_test

import (
	"bytes"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"testing"

	"fleece/explore"
	"fleece/rt/simrt"

	"pgregory.net/rapid"
)

func lines(b []byte) iter.Seq[string] { return strings.Lines(string(b)) }

// names has what is hard to write: spaces, quotes, keywords, labels, no UTF-8.
var names = rapid.OneOf(
	rapid.String(),
	rapid.SampledFrom([]string{"", "main", "events#2", "a#02", "#3", "@clock", "clock", "->", "a b", `"q"`, "\xff\n", "dev"}),
)

var numbers = rapid.IntRange(1, 1<<31-1)

func genDeviation(t *rapid.T) simrt.Deviation {
	k := rapid.IntRange(1, 999_999_999)
	var d simrt.Deviation
	d.At = simrt.Address{Op: names.Draw(t, "op"), Object: names.Draw(t, "object"), N: numbers.Draw(t, "n")}
	if rapid.Bool().Draw(t, "at a task") {
		d.At.Task, d.At.TaskK = names.Draw(t, "task"), k.Draw(t, "k")
	}
	switch d.To.Kind = simrt.TargetKind(rapid.IntRange(0, 2).Draw(t, "kind")); d.To.Kind {
	case simrt.ToTask:
		d.To.Task, d.To.TaskK = names.Draw(t, "to"), k.Draw(t, "to k")
	case simrt.ToValue:
		d.To.Value = numbers.Draw(t, "value")
	}
	return d
}

func genTrace(t *rapid.T) *explore.Trace {
	return &explore.Trace{
		Scenario: rapid.StringN(1, 40, 100).Draw(t, "scenario"),
		Lane:     names.Draw(t, "lane"), Options: rapid.SliceOfN(names, 0, 3).Draw(t, "options"),
		Seed: rapid.Uint64().Draw(t, "seed"), Strategy: names.Draw(t, "strategy"),
		Failure: names.Draw(t, "failure"), Detail: names.Draw(t, "detail"),
		Hash: rapid.Uint64().Draw(t, "hash"), Points: numbers.Draw(t, "points"),
		Deviations: rapid.SliceOfN(rapid.Custom(genDeviation), 0, 5).Draw(t, "deviations"),
	}
}

// same compares traces; no options and no deviations are the same as empty ones.
func same(a, b *explore.Trace) bool {
	x, y := *a, *b
	for _, t := range []*explore.Trace{&x, &y} {
		if len(t.Options) == 0 {
			t.Options = nil
		}
		if len(t.Deviations) == 0 {
			t.Deviations = nil
		}
	}
	return reflect.DeepEqual(x, y)
}

func TestTrace_ComesBackFromTextAndFromLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := genTrace(t)
		text, err := want.Text()
		if err != nil {
			t.Fatal(err)
		}
		line, err := want.Line()
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{string(text), line, " " + line + "\n"} {
			got, err := explore.ParseTrace([]byte(form))
			if err != nil {
				t.Fatalf("%v\n%s", err, form)
			}
			if !same(got, want) {
				t.Fatalf("got %+v\nwant %+v\nfrom %s", got, want, form)
			}
			if !explore.IsTrace([]byte(strings.TrimSpace(form))) {
				t.Fatal("not recognised")
			}
		}
	})
}

func TestTrace_LooksLikeThis(t *testing.T) {
	want := `fleece-trace 1
scenario push/incremental
lane sim
options racing wire
seed 0x5eed
strategy random
failure "deadlock cpLock,domLock"
detail "backup waits for cpLock held by events"
hash 0x0d6ad16e5e63de69
points 137
dev backup lock cpLock 1 -> task events#2
dev @clock clock qemu-job 2 -> clock
dev query choose "late reply" 1 -> value 2
`
	tr := parse(t, want)
	got, err := tr.Text()
	if err != nil || string(got) != want {
		t.Fatalf("%v\n%s", err, got)
	}
	line, err := tr.Line()
	if err != nil || len(line) > 320 || !strings.HasPrefix(line, "fl1:") {
		t.Fatalf("%v %d bytes: %s", err, len(line), line)
	}
}

func TestParseTrace_SaysWhatIsWrongAndWhere(t *testing.T) {
	head := "fleece-trace 1\nscenario s\n"
	for _, c := range []struct{ in, want string }{
		{"", `trace: line 1 is "", want "fleece-trace 1": this is no trace`},
		{"fleece-trace 2\n", `trace: line 1: version "2", but this program reads version 1: use the one that wrote it`},
		{"fleece-trace 1\n", "trace: no scenario; it says what to run"},
		{head + "seed x", `trace: line 3: field "seed" is "x": want a number in its range`},
		{head + "sede 1", `trace: line 3: unknown field "sede": misspelt, or written by a newer program`},
		{head + "scenario s", `trace: line 3: field "scenario" is there twice: take one out`},
		{head + "lane a b", `trace: line 3: field "lane" has 2 values, want one: quote a text with spaces`},
		{head + "\n# remark\nlane \"a", "trace: line 5: a quoted text is not complete: \"a"},
		{head + "dev a lock m 1", "trace: line 3: dev: want TASK OPERATION OBJECT N -> task TASK, clock, or value V"},
		{head + "dev a lock m 0 -> clock", `trace: line 3: dev: "0" is no number from 1 to 2147483647`},
		{head + "dev a lock m 1 -> value 0", `trace: line 3: dev: "0" is no number from 1 to 2147483647`},
		{head + "lane " + strings.Repeat("x", 5000),
			fmt.Sprintf("trace: a text of 5000 bytes (%q…); at most 4096 are allowed", strings.Repeat("x", 40))},
		{"fl1:!", `trace: not a line of base64url after "fl1:": illegal base64 data at input byte 0`},
		{"fl1:AA", "trace: the line ends too early: was all of it pasted?"},
		{"fl1:AAAAAAA", "trace: the checksum of the line is wrong: was all of it pasted, and nothing changed?"},
	} {
		_, err := explore.ParseTrace([]byte(c.in))
		if err == nil || err.Error() != c.want {
			t.Errorf("%.60q\ngot  %v\nwant %s", c.in, err, c.want)
		}
	}
}

func TestParseTrace_RefusesALineThatWasCutShort(t *testing.T) {
	line, err := parse(t, short).Line()
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(line) {
		if _, err := explore.ParseTrace([]byte(line[:n])); err == nil {
			t.Fatalf("accepted %d of %d bytes", n, len(line))
		}
	}
}

func FuzzParseTrace(f *testing.F) {
	f.Add([]byte(short))
	f.Add([]byte("fleece-trace 1\nscenario s\noptions \"a b\" c\ndev @clock clock job#2 3 -> value 1\n"))
	f.Add([]byte("fl1:AAAAAAA"))
	tr, err := explore.ParseTrace([]byte(short))
	if err != nil {
		f.Fatal(err)
	}
	line, err := tr.Line()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(line))
	f.Fuzz(func(t *testing.T, data []byte) {
		tr, err := explore.ParseTrace(data)
		if err != nil {
			return
		}
		text, err := tr.Text()
		if err != nil {
			t.Fatalf("parsed, but cannot be written: %v", err)
		}
		again, err := explore.ParseTrace(text)
		if err != nil || !same(again, tr) {
			t.Fatalf("text does not come back: %v\n%s", err, text)
		}
		if line, err = tr.Line(); err != nil {
			t.Fatal(err)
		}
		if again, err = explore.ParseTrace([]byte(line)); err != nil || !same(again, tr) {
			t.Fatalf("line does not come back: %v", err)
		}
		if next, err := again.Text(); err != nil || !bytes.Equal(next, text) {
			t.Fatalf("text is not stable: %v", err)
		}
	})
}
