package conformance_test

import (
	"strings"
	"testing"
	"time"

	"fleece/conformance"
	"fleece/conformance/lanes"
)

// spec is a spec that is nothing but a body.
func spec(body func(t *conformance.T)) conformance.Spec {
	return conformance.Spec{ID: "test.body", Title: "a body", Requirements: []string{"test"}, Body: body}
}

// backupBody is one whole push backup; nobody looks at the image, which a node that
// is left behind keeps open.
func backupBody(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	d.Scribble("vda", 2)
	b := d.Begin(conformance.BackupSpec{})
	b.AwaitSuccess()
	b.EndsWith(1)
}

// deletedBody makes a checkpoint and deletes it.
func deletedBody(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	chk := d.Checkpoint("c1")
	if err := chk.Delete(0); err != nil {
		t.Fail("delete: %v", err)
	}
	d.ForgetCheckpoint("c1")
}

func TestWhatADriverLeavesBehindIsFoundThoughItsAnswersAreRight(t *testing.T) {
	for _, c := range []struct {
		what, command string
		body          func(t *conformance.T)
		message       string
	}{
		{"a block node", "blockdev-del", backupBody, "block nodes left in QEMU"},
		{"a job", "job-dismiss", backupBody, "jobs left in QEMU"},
		{"a bitmap", "transaction block-dirty-bitmap-remove", deletedBody, "bitmaps left on node"},
	} {
		t.Run(c.what, func(t *testing.T) {
			right := conformance.RunOne(spec(c.body), conformance.Options{Lane: simLane(t, nil), Schedules: 3})
			if right.State != conformance.StatePass {
				t.Errorf("the right driver: %s", conformance.Explain(right))
			}
			wrong := conformance.RunOne(spec(c.body), conformance.Options{Lane: simLane(t, leaky(c.command)), Schedules: 3})
			if wrong.State != conformance.StateFail || wrong.Failure.Kind != "check" || !strings.Contains(wrong.Failure.Message, c.message) {
				t.Errorf("the wrong driver: %s", conformance.Explain(wrong))
			}
		})
	}
}

func TestAFileThatTheSpecDoesNotKeepIsFound(t *testing.T) {
	stray := func(keep bool) conformance.Result {
		return conformance.RunOne(spec(func(t *conformance.T) {
			t.WriteFile(t.Path("stray"), []byte("x"))
			if keep {
				t.Keeps(t.Path("stray"))
			}
		}), conformance.Options{Lane: simLane(t, nil)})
	}
	if r := stray(true); r.State != conformance.StatePass {
		t.Error(conformance.Explain(r))
	}
	r := stray(false)
	if r.State != conformance.StateFail || !strings.Contains(r.Failure.Message, "files left on the host") || !strings.Contains(r.Failure.Message, "stray") {
		t.Error(conformance.Explain(r))
	}
}

// poor is a lane without one feature.
type poor struct {
	conformance.Lane
	lacks conformance.Feature
}

func (p poor) Has(f conformance.Feature) (bool, string) {
	if f == p.lacks {
		return false, "none is mounted here"
	}
	return p.Lane.Has(f)
}

func TestASpecThatDoesNotRunSaysWhyAndIsNoPass(t *testing.T) {
	never := spec(func(*conformance.T) { panic("the body must not run") })
	needy, elsewhere := never, never
	needy.Needs = []conformance.Feature{conformance.FeatureKillDriver, conformance.FeatureLimitedDir}
	elsewhere.Lanes, elsewhere.Reason = []string{conformance.LaneQEMU}, "it looks at a command line"
	for _, c := range []struct {
		name   string
		spec   conformance.Spec
		state  conformance.State
		reason string
	}{
		{"a feature that the lane lacks", needy, conformance.StateUnsupported, "limited-dir: none is mounted here"},
		{"a lane that is not the spec's", elsewhere, conformance.StateDisabled, "it looks at a command line"},
	} {
		t.Run(c.name, func(t *testing.T) {
			lane := poor{simLane(t, nil), conformance.FeatureLimitedDir}
			r := conformance.RunOne(c.spec, conformance.Options{Lane: lane, Schedules: 3})
			if r.State != c.state || r.Reason != c.reason || r.Schedules != 0 || r.Failure != nil {
				t.Errorf("%+v", r)
			}
			if counts := conformance.Tally([]conformance.Result{r}); counts[conformance.StatePass] != 0 {
				t.Errorf("counted as a pass: %v", counts)
			}
		})
	}
}

// shortDeadline is for specs that never end; any value will do.
const shortDeadline = 20 * time.Millisecond

func TestAWaitForWhatNeverComesOnTheWallClockIsAnErrorOfTheHarness(t *testing.T) {
	lane, err := lanes.SimReal(lanes.Config{})
	if err != nil {
		t.Fatal(err)
	}
	endless := spec(func(t *conformance.T) {
		t.Await("what never comes", func() bool { return false })
	})
	r := conformance.RunOne(endless, conformance.Options{Lane: lane, Deadline: shortDeadline})
	if r.State != conformance.StateError || r.Failure.Kind != "time-out" || !strings.Contains(r.Failure.Stack, "Await") {
		t.Error(conformance.Explain(r))
	}
	if conformance.OK([]conformance.Result{r}) {
		t.Error("a run with an error is not in order")
	}
}

func TestAPanicOfABodyTellsItsTextAndPlaceInEveryLane(t *testing.T) {
	simReal, err := lanes.SimReal(lanes.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, lane := range []conformance.Lane{simLane(t, nil), simReal} {
		t.Run(lane.Name(), func(t *testing.T) {
			expectPanic(t, lane, "boom in the body", func(*conformance.T) { panic("boom in the body") })
			expectPanic(t, lane, "boom in a task", func(t *conformance.T) {
				t.Go("guest", func() { panic("boom in a task") })
			})
		})
	}
}

func expectPanic(t *testing.T, lane conformance.Lane, text string, body func(t *conformance.T)) {
	t.Helper()
	r := conformance.RunOne(spec(body), conformance.Options{Lane: lane})
	if r.State != conformance.StateFail || r.Failure.Kind != "panic" ||
		!strings.Contains(r.Failure.Message, text) || !strings.Contains(r.Failure.Stack, "honesty_test.go") {
		t.Error(conformance.Explain(r))
	}
	t.Logf("%s: %.2f s", text, r.Seconds)
}

func TestAStepOfTheHarnessThatFailsIsNotTheTargetsFault(t *testing.T) {
	again := spec(func(t *conformance.T) {
		t.WriteFile(t.Path("same"), nil)
		t.WriteFile(t.Path("same"), nil) // there already
	})
	r := conformance.RunOne(again, conformance.Options{Lane: simLane(t, nil)})
	if r.State != conformance.StateError || r.Failure.Kind != "harness" || !strings.Contains(r.Failure.Message, "same") {
		t.Error(conformance.Explain(r))
	}
}
