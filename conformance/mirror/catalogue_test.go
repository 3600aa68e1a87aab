package mirror_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fleece/qmp"
)

// Every error that was seen in the real binary is in a recording, and the simulator
// repeats each recording.
func TestErrorCatalogue_IsCoveredByTheRecordingsThatAreRepeated(t *testing.T) {
	text, err := os.ReadFile("../../fixtures/qemu-7.2/error-catalogue.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct{ Command, Class, Desc string }
	if err := json.Unmarshal(text, &rows); err != nil || len(rows) == 0 {
		t.Fatal("no rows: ", err)
	}
	seen := recordedErrors(t)
	for _, r := range rows {
		if !seen[r.Class+" "+anyName(r.Desc)] {
			t.Errorf("%s: no recording has %s %q", r.Command, r.Class, r.Desc)
		}
	}
}

// anyName makes generated node names the same, and what the catalogue shortens: the
// catalogue has <dir> for a directory and cuts long names.
func anyName(desc string) string {
	desc = regexp.MustCompile(`#block(NNN|\d+)`).ReplaceAllString(desc, "#block")
	desc = strings.Replace(desc, "'<dir>/", "'/run/fleece/", 1)
	if len(desc) > catalogueTextMax {
		desc = desc[:catalogueTextMax]
	}
	return desc
}

// catalogueTextMax is where the catalogue may have cut a text.
const catalogueTextMax = 150

// recordedErrors are all errors of the recordings that are replayed in full.
func recordedErrors(t *testing.T) map[string]bool {
	var names []string
	for _, pattern := range []string{"../../fixtures/transcripts/*.jsonl", "../../sim/testdata/sessions/*.jsonl"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	seen := map[string]bool{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := qmp.ReadTranscript(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if e := l.Message.Get("error"); e.Present() {
				seen[e.Get("class").S()+" "+anyName(e.Get("desc").S())] = true
			}
		}
	}
	return seen
}
