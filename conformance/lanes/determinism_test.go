package lanes_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"fleece/conformance"
	"fleece/conformance/lanes"
	"fleece/conformance/specs"
)

// schedules explored per spec beside the plain one.
const schedules = 1

// hashes runs every spec in lane sim and returns its hash over all schedules.
func hashes(t *testing.T, c lanes.Config, workers int) map[string]string {
	t.Helper()
	lane, err := lanes.Sim(c)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, s := range specs.All() {
		if !s.RunsIn(lane.Name()) {
			continue
		}
		r := conformance.RunOne(s, conformance.Options{Lane: lane, Schedules: schedules, Seed: 7, Workers: workers})
		if r.State == conformance.StateUnsupported {
			continue
		}
		if r.State != conformance.StatePass {
			t.Fatal(conformance.Explain(r))
		}
		found[s.ID] = r.AllHash
	}
	return found
}

// same compares the hashes of two ways to run.
func same(t *testing.T, want, got map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d specs, %d were wanted", len(got), len(want))
	}
	for id, h := range want {
		if got[id] != h {
			t.Errorf("%s: hash %s, not %s", id, got[id], h)
		}
	}
}

func TestASeedGivesTheSameTracesHoweverItIsRun(t *testing.T) {
	want := hashes(t, lanes.Config{}, 1)
	for _, c := range []struct {
		name    string
		config  lanes.Config
		workers int
	}{
		{"again", lanes.Config{}, 1},
		{"on several workers", lanes.Config{}, 3},
		{"with messages as bytes", lanes.Config{Wire: true}, 1},
		{"on goroutines that hand on a baton", lanes.Config{Backend: "baton"}, 1},
		{"on batons with messages as bytes", lanes.Config{Backend: "baton", Wire: true}, 2},
	} {
		t.Run(c.name, func(t *testing.T) { same(t, want, hashes(t, c.config, c.workers)) })
	}
	for _, n := range []int{1, 2} {
		t.Run(fmt.Sprintf("with GOMAXPROCS %d", n), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
			same(t, want, hashes(t, lanes.Config{}, 2))
		})
	}
	for _, race := range []bool{false, true} {
		name := map[bool]string{false: "in another process", true: "in another process with the race detector"}[race]
		t.Run(name, func(t *testing.T) { same(t, want, hashesOfProcess(t, race)) })
	}
}

// hashesOfProcess builds fleece and lets it run the same.
func hashesOfProcess(t *testing.T, race bool) map[string]string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "fleece")
	args := []string{"build", "-o", bin}
	if race {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "fleece/cmd/fleece")...)
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	run := exec.Command(bin, "run", "--target", "sim", "--schedules", strconv.Itoa(schedules), "--seed", "7", "--json")
	run.Stderr = os.Stderr
	text, err := run.Output()
	if err != nil {
		t.Fatal(err)
	}
	var r conformance.Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, one := range r.Results {
		if one.State != conformance.StateUnsupported {
			found[one.Spec] = one.AllHash
		}
	}
	return found
}
