package mirror_test

import (
	"os"
	"strings"
	"testing"

	"fleece/conformance/mirror"
	"fleece/qmp"
)

func TestReplay_RepeatsEveryRecordingOfQEMU(t *testing.T) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		t.Fatal(err)
	}
	var sessions []mirror.Session
	for _, dir := range []string{"../../fixtures/transcripts", "../../sim/testdata/sessions"} {
		all, err := mirror.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, mirror.Replay(all, schema)...)
	}
	for _, s := range sessions {
		if s.Trouble != "" {
			t.Errorf("%s: %s", s.Name, s.Trouble)
		}
		for i, d := range s.Differences {
			if i == 3 {
				t.Errorf("%s: %d differences", s.Name, len(s.Differences))
				break
			}
			t.Errorf("%s line %d: %s\nrecorded  %q\nsimulated %q", s.Name, d.Line, d.What, d.Recorded, d.Simulated)
		}
	}
}

func TestParse_SaysWhereARecordingIsBroken(t *testing.T) {
	const greeting = `{"dir":"S","msg":{"QMP":{}},"ms":1,"note":"argv: -S"}` + "\n"
	for _, c := range []struct{ text, want string }{
		{"", "the recording is empty"},
		{"{\n", "1"},
		{`{"dir":"X","msg":{},"ms":1}` + "\n", "1"},
		{`{"dir":"S","msg":{"return":{}},"ms":1}` + "\n", "line 1: a message of QEMU before the greeting"},
		{greeting + `{"dir":"S","msg":{"return":{}},"ms":1,"mon":"m1"}` + "\n", "line 2: a message of QEMU before the greeting"},
		{strings.Replace(greeting, "-S", "-blockdev {", 1), "line 1: QEMU's arguments in the note"},
		{strings.Replace(greeting, "-S", "-blockdev driver=file", 1), "only the JSON form is recorded"},
	} {
		if _, err := mirror.Parse("x", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.text, err, c.want)
		}
	}
}

func TestReplay_SaysWhatItHadToAssumeOfARecordingThatDoesNotTell(t *testing.T) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		t.Fatal(err)
	}
	all, err := mirror.Load("../../fixtures/transcripts")
	if err != nil {
		t.Fatal(err)
	}
	assumed := map[string]string{}
	for _, s := range mirror.Replay(all, schema) {
		assumed[s.Name] = s.Guess
	}
	for name, want := range map[string]string{
		"19-backup-target-stop-eio": "the first disk was written all over", "18-job-verbs": "",
		"32-pull-full-2disks-checkpoint + 33-pull-incremental-bitmap-export": "",
	} {
		if got, ok := assumed[name]; !ok || got != want {
			t.Errorf("%s: assumed %q, want %q", name, got, want)
		}
	}
}

// A recording that says something else is told apart, by its line.
func TestReplay_FindsAnAlteredReply(t *testing.T) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../fixtures/transcripts/18-job-verbs.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	altered := 0
	for i, l := range lines {
		if !strings.Contains(l, `"desc": "`) && !strings.Contains(l, `"desc":"`) || altered > 0 {
			continue
		}
		lines[i] = strings.Replace(l, `"desc":"`, `"desc":"Not `, 1)
		altered = i + 1
	}
	r, err := mirror.Parse("18-job-verbs", []byte(strings.Join(lines, "")))
	if err != nil {
		t.Fatal(err)
	}
	s := mirror.Replay([]*mirror.Recording{r}, schema)[0]
	if s.Different() != 1 || s.Differences[0].Line != altered-1 {
		t.Errorf("%d differences, the first %+v, want one of the command before line %d", s.Different(), s.Differences, altered)
	}
}

func FuzzParse(f *testing.F) {
	text, err := os.ReadFile("../../fixtures/transcripts/42-nbd-server-stop-hang.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(_ *testing.T, text []byte) { _, _ = mirror.Parse("x", text) })
}
