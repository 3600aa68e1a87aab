package lanes_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/conformance/lanes"
	"fleece/conformance/specs"
	"fleece/driver"
	"fleece/explore"
	"fleece/host"
	"fleece/machine"
	"fleece/rt"
	"fleece/virt"
)

// liar is fleece's driver with a deliberate fault that only some schedules meet.
type liar struct {
	*driver.Driver
	p rt.Process
}

// DomainListJobIds now and then forgets the job.
func (l liar) DomainListJobIds(id virt.DomainID, flags uint32) ([]virt.DomainJobID, error) {
	ids, err := l.Driver.DomainListJobIds(id, flags)
	if err == nil && l.p.Choose("lie", 2) == 1 {
		return []virt.DomainJobID{}, nil
	}
	return ids, err
}

func newLiar(p rt.Process, h host.Host, hv machine.Hypervisor, c conformance.DriverConfig) (any, error) {
	d, err := driver.New(p, h, hv, driver.Config{StateDir: c.StateDir, TLSDir: c.TLSDir, JobWait: c.JobWait})
	return liar{d, p}, err
}

func specOf(t *testing.T, id string) conformance.Spec {
	t.Helper()
	for _, s := range specs.All() {
		if s.ID == id {
			return s
		}
	}
	t.Fatalf("there is no spec %s", id)
	return conformance.Spec{}
}

func TestAFailureOfAWrongDriverIsReplayedFromItsTrace(t *testing.T) {
	g := gomega.NewWithT(t)
	lane, err := lanes.Sim(lanes.Config{NewDriver: newLiar})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	spec := specOf(t, "job.listed-until-end")
	o := conformance.Options{Lane: lane, Schedules: 200, Seed: 1}
	r := conformance.RunOne(spec, o)
	g.Expect(r.State).To(gomega.Equal(conformance.StateFail))
	g.Expect(r.Failure.Schedule).To(gomega.BeNumerically(">", 0), "the plain schedule does not meet the fault")
	g.Expect(r.Failure.Replay).To(gomega.HavePrefix("fleece replay fl1:"))
	g.Expect(r.Failure.QMP).NotTo(gomega.BeEmpty(), "the exchange with QEMU is kept")
	trace, err := explore.ParseTrace([]byte(r.Failure.Trace))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	for range 3 {
		again := conformance.Replay(spec, o, strings.TrimPrefix(r.Failure.Replay, "fleece replay "), 0)
		g.Expect(again.Failure).NotTo(gomega.BeNil())
		g.Expect(again.Diverged).To(gomega.BeEmpty())
		g.Expect(again.Failure.Message).To(gomega.Equal(r.Failure.Message))
		g.Expect(again.Hash).To(gomega.Equal(fmt.Sprintf("%016x", trace.Hash)))
	}
}

// body is a spec with just a body.
func body(f func(t *conformance.T)) conformance.Spec {
	return conformance.Spec{ID: "test.body", Title: "a body", Requirements: []string{"-"}, Body: f}
}

func TestOnlyAVerdictCountsAsAPass(t *testing.T) {
	sim, err := lanes.Sim(lanes.Config{})
	if err != nil {
		t.Fatal(err)
	}
	simReal, err := lanes.SimReal(lanes.Config{})
	if err != nil {
		t.Fatal(err)
	}
	stray := body(func(t *conformance.T) { t.WriteFile(t.Path("stray"), []byte("x")) })
	broken := body(func(t *conformance.T) { t.Broken("no luck") })
	panics := body(func(*conformance.T) { panic("boom") })
	never := body(func(t *conformance.T) { t.Await("what never comes", func() bool { return false }) })
	elsewhere := body(func(*conformance.T) {})
	elsewhere.Lanes, elsewhere.Reason = []string{conformance.LaneQEMU}, "only there"
	for _, c := range []struct {
		name  string
		spec  conformance.Spec
		lane  conformance.Lane
		state conformance.State
		kind  string
	}{
		{"a body that does nothing wrong", body(func(*conformance.T) {}), sim, conformance.StatePass, ""},
		{"a file left behind", stray, sim, conformance.StateFail, "check"},
		{"a file left behind, on goroutines", stray, simReal, conformance.StateFail, "check"},
		{"a harness that cannot go on", broken, sim, conformance.StateError, "harness"},
		{"a harness that cannot go on, on goroutines", broken, simReal, conformance.StateError, "harness"},
		{"a panic", panics, sim, conformance.StateFail, "panic"},
		{"a panic on goroutines", panics, simReal, conformance.StateFail, "panic"},
		{"a wait in vain under a virtual clock", never, sim, conformance.StateFail, "check"},
		{"a spec of another lane", elsewhere, sim, conformance.StateDisabled, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := conformance.RunOne(c.spec, conformance.Options{Lane: c.lane, Schedules: 1})
			kind := ""
			if r.Failure != nil {
				kind = r.Failure.Kind
			}
			if r.State != c.state || kind != c.kind {
				t.Errorf("state %s, kind %q: %s; wanted %s, %q", r.State, kind, conformance.Explain(r), c.state, c.kind)
			}
		})
	}
}

func TestASpecThatHangsIsAnErrorWithStacks(t *testing.T) {
	lane, err := lanes.SimReal(lanes.Config{})
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	defer close(release)
	hang := body(func(*conformance.T) { <-release })
	r := conformance.RunOne(hang, conformance.Options{Lane: lane, Deadline: 50_000_000})
	if r.State != conformance.StateError || r.Failure.Kind != "time-out" || !strings.Contains(r.Failure.Stack, "goroutine") {
		t.Errorf("state %s, failure %+v", r.State, r.Failure)
	}
}
