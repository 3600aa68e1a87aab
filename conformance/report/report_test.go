package report_test

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2/reporters"

	"fleece/conformance"
	"fleece/conformance/report"
)

// sample has one result of each state.
func sample() conformance.Report {
	r := conformance.Report{Tool: "fleece", Version: "0", Target: "sim,qemu", Seed: 7, Schedules: 25}
	add := func(lane, spec string, s conformance.State, reason string, f *conformance.Failure) {
		r.Results = append(r.Results, conformance.Result{
			Spec: spec, Title: "a sentence about " + spec, Lane: lane, State: s, Reason: reason,
			Requirements: []string{"BEG-01"}, Schedules: 26, Seconds: 1, Failure: f,
		})
	}
	add("sim", "a.pass", conformance.StatePass, "", nil)
	add("sim", "a.fail", conformance.StateFail, "", &conformance.Failure{
		Kind: "check", Message: "the backup is wrong: <b>\x01", Replay: "fleece replay fl1:abc", Trace: "fl1:abc", QMP: []string{"> {\"execute\":\"stop\"}"},
		Finding: &conformance.Finding{What: "the backup", Disk: "vda", Offset: 4096, Length: 512, Problem: "lacks <write> 3", History: []string{"write 3: 4096…8192"}},
	})
	add("sim", "a.error", conformance.StateError, "", &conformance.Failure{Kind: "time-out", Message: "late", Stack: "goroutine 1"})
	add("sim", "a.xfail", conformance.StateXFail, "known", &conformance.Failure{Kind: "check", Message: "known"})
	add("qemu", "a.xpass", conformance.StateXPass, "take the entry out", nil)
	add("qemu", "a.notrun", conformance.StateNotRun, "cut", nil)
	add("qemu", "a.unsupported", conformance.StateUnsupported, "no tmpfs", nil)
	add("qemu", "a.disabled", conformance.StateDisabled, "sim only", nil)
	r.Counts = conformance.Tally(r.Results)
	return r
}

func TestJUnit_CountsNothingThatDidNotPassAsAPass(t *testing.T) {
	text, err := report.JUnit(sample())
	if err != nil {
		t.Fatal(err)
	}
	var doc reporters.JUnitTestSuites
	if err := xml.Unmarshal(text, &doc); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if doc.Tests != 8 || doc.Failures != 2 || doc.Errors != 1 || len(doc.TestSuites) != 2 {
		t.Errorf("got %d tests, %d failures, %d errors in %d suites", doc.Tests, doc.Failures, doc.Errors, len(doc.TestSuites))
	}
	if s := doc.TestSuites[1]; s.Skipped != 3 || s.Failures != 1 {
		t.Errorf("lane qemu: %d skipped, %d failures", s.Skipped, s.Failures)
	}
	for _, s := range doc.TestSuites {
		for _, c := range s.TestCases {
			passed := c.Failure == nil && c.Error == nil && c.Skipped == nil
			if passed != (c.Name == "a.pass") {
				t.Errorf("%s: passed is %v", c.Name, passed)
			}
		}
	}
}

func TestHTML_ShowsEverythingAboutAFailureAndNeedsNothingElse(t *testing.T) {
	text, err := report.HTML(sample())
	if err != nil {
		t.Fatal(err)
	}
	html := string(text)
	for _, want := range []string{
		"disk vda, 512 bytes at 4096: lacks &lt;write&gt; 3", "write 3: 4096…8192", "fleece replay fl1:abc",
		"&#34;execute&#34;", "goroutine 1", `<span class="state xpass">1 xpass</span>`, "take the entry out", "BEG-01", "END-08",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q on the page", want)
		}
	}
	for _, foreign := range []string{"<b>", "<script", "src=", "@import", "<link"} {
		if strings.Contains(html, foreign) {
			t.Errorf("%q is on the page", foreign)
		}
	}
	// The matrix of calls and codes has the colour of the error row, under its call.
	calls := html[strings.Index(html, "<h2>Calls and codes"):]
	begin := calls[strings.Index(calls, "<td>BackupEnd<td>"):]
	if begin = begin[:strings.Index(begin, "</tr>")]; !strings.Contains(begin, "<code>") || !strings.Contains(begin, ">E04") {
		t.Errorf("the line of BackupEnd is\n%s", begin)
	}
	// The row of a requirement shows the worst of its specs, never the pass.
	row := html[strings.Index(html, "<code>BEG-01</code>"):]
	if row = row[:strings.Index(row, "</tr>")]; !strings.Contains(row, `class="state error"`) || !strings.Contains(row, `class="state xpass"`) {
		t.Errorf("the row of BEG-01 is\n%s", row)
	}
}

func TestStream_KeepsEachResultAndDropsDocumentsOfAnEarlierRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "er")
	s, err := report.OpenStream(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(sample()); err != nil {
		t.Fatal(err)
	}
	s, err = report.OpenStream(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, report.HTMLFile)); !os.IsNotExist(err) {
		t.Errorf("the page of the earlier run is still there (%v)", err)
	}
	for i, r := range sample().Results {
		if err := s.Add(r); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, report.ResultsFile))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(text), "\n")
		var got conformance.Result
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil || got.Spec != r.Spec || got.State != r.State {
			t.Errorf("line %d is %s (%v)", i, lines[i], err)
		}
	}
}
