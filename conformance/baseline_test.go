package conformance_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fleece/conformance"
)

var today = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func known(spec string) bool { return spec == "a.spec" || spec == "b.spec" }

const oneEntry = "- spec: a.spec\n  lane: sim\n  reason: known\n  url: https://example.org/1\n  expires: 2026-12-31\n"

func TestBaseline_TellsWhereAndWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"spec: a.spec", "b.yaml:1: a baseline is a list of entries"},
		{"- spec: a.spec\n  reason: x\n", "b.yaml:1: spec, reason, url and expires are all needed"},
		{oneEntry + strings.Replace(oneEntry, "a.spec", "none", 1), "b.yaml:6: there is no spec \"none\""},
		{oneEntry + oneEntry, "b.yaml:6: spec a.spec has an entry already, in line 1"},
		{oneEntry + strings.Replace(oneEntry, "  lane: sim\n", "", 1), "b.yaml:6: spec a.spec has an entry already"},
		{strings.Replace(oneEntry, "sim", "moon", 1), "b.yaml:1: there is no lane \"moon\""},
		{strings.Replace(oneEntry, "https://", "", 1), "b.yaml:1: url \"example.org/1\""},
		{strings.Replace(oneEntry, "2026-12-31", "soon", 1), "b.yaml:1: expires \"soon\""},
		{strings.Replace(oneEntry, "reason", "because", 1), "b.yaml:1: an entry has spec, lane, reason, url and expires and nothing else"},
		{"- [", "b.yaml: yaml:"},
		{strings.Repeat("#", conformance.BaselineBytesMax+1), "at most 1048576 are read"},
	} {
		if _, err := conformance.ParseBaseline("b.yaml", []byte(c.text), today, known); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: got %v, want %q", c.text, err, c.want)
		}
	}
}

func TestBaseline_ExcusesWhatItNamesUntilItExpires(t *testing.T) {
	b, err := conformance.ParseBaseline("b.yaml", []byte(oneEntry), today, known)
	if err != nil {
		t.Fatal(err)
	}
	late, err := conformance.ParseBaseline("b.yaml", []byte(oneEntry), today.AddDate(0, 2, 0), known)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		b          *conformance.Baseline
		spec, lane string
		from, to   conformance.State
		reason     string
	}{
		{b, "a.spec", "sim", conformance.StateFail, conformance.StateXFail, "https://example.org/1"},
		{b, "a.spec", "sim", conformance.StatePass, conformance.StateXPass, "take the entry out"},
		{b, "a.spec", "sim", conformance.StateError, conformance.StateError, ""},
		{b, "a.spec", "qemu", conformance.StateFail, conformance.StateFail, ""},
		{b, "b.spec", "sim", conformance.StateFail, conformance.StateFail, ""},
		{late, "a.spec", "sim", conformance.StateFail, conformance.StateFail, "expired on 2026-12-31"},
		{late, "a.spec", "sim", conformance.StatePass, conformance.StatePass, ""},
		{nil, "a.spec", "sim", conformance.StateFail, conformance.StateFail, ""},
	} {
		got := c.b.Judge(conformance.Result{Spec: c.spec, Lane: c.lane, State: c.from})
		if got.State != c.to || !strings.Contains(got.Reason, c.reason) {
			t.Errorf("%s %s %s: got %s %q, want %s %q", c.spec, c.lane, c.from, got.State, got.Reason, c.to, c.reason)
		}
	}
}

func TestBaseline_HoldsOnItsLastDay(t *testing.T) {
	b, err := conformance.ParseBaseline("b.yaml", []byte(oneEntry), time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC), known)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Judge(conformance.Result{Spec: "a.spec", Lane: "sim", State: conformance.StateFail}); got.State != conformance.StateXFail {
		t.Errorf("got %s", got.State)
	}
}

func TestShards_AreDisjointAndTogetherAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "n")
		id := rapid.String().Draw(t, "id")
		parts := 0
		for i := 1; i <= n; i++ {
			if (conformance.Shard{Index: i, Count: n}).Has(id) {
				parts++
			}
		}
		if parts != 1 {
			t.Fatalf("%q is in %d of %d parts", id, parts, n)
		}
	})
}

func TestShard_IsReadOrRefused(t *testing.T) {
	for _, text := range []string{"1", "0/2", "3/2", "1/0", "a/b", "1/2/3", "1/1001", "-1/2"} {
		if _, err := conformance.ParseShard(text); err == nil || !strings.Contains(err.Error(), "such as 2/4") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"", "1/1", "2/4"} {
		if s, err := conformance.ParseShard(text); err != nil || s.String() != text {
			t.Errorf("%q: %v, %v", text, s, err)
		}
	}
}
