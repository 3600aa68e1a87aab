package conformance_test

import (
	"io"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/extensions/globals"
	"github.com/onsi/ginkgo/v2/formatter"
	"github.com/onsi/ginkgo/v2/types"

	"fleece/conformance"
)

// ginkgoSuite runs a few specs in a Ginkgo suite as a third party writes one: its own
// container, Register within, and nothing else of fleece's. It returns Ginkgo's own
// report.
func ginkgoSuite(t *testing.T, filter string, wrong starter, ids ...string) (passed bool, report types.Report) {
	t.Helper()
	var chosen []conformance.Spec
	for _, id := range ids {
		chosen = append(chosen, specOf(t, id))
	}
	lane := simLane(t, wrong)
	globals.Reset()
	ginkgo.Describe("somebody else's driver", func() {
		conformance.Register(chosen, conformance.Options{Lane: lane, Schedules: 3, Seed: 1})
	})
	ginkgo.ReportAfterSuite("keep", func(r ginkgo.Report) { report = r })
	sc, rc := types.NewDefaultSuiteConfig(), types.NewDefaultReporterConfig()
	sc.LabelFilter = filter
	rc.NoColor = true
	before := formatter.ColorableStdOut
	formatter.ColorableStdOut = io.Discard
	defer func() { formatter.ColorableStdOut = before }()
	return ginkgo.RunSpecs(&ignored{}, "somebody else's suite", sc, rc), report
}

// ignored is the testing.T of a suite whose failure is looked at, not passed on.
type ignored struct{}

func (*ignored) Fail() {}

// states lists Ginkgo's verdicts by title.
func states(r types.Report) map[string]types.SpecState {
	found := make(map[string]types.SpecState)
	for _, s := range r.SpecReports {
		if s.LeafNodeType == types.NodeTypeIt {
			found[s.LeafNodeText] = s.State
		}
	}
	return found
}

// Specs that a driver whose nodes stay in QEMU must fail, and one that it may pass.
const (
	idOfNodes = "end.abort-cancels"
	idOfOther = "checkpoint.create-list-lookup"
)

func TestAThirdPartysGinkgoSuitePassesTheRightDriverAndFailsAWrongOne(t *testing.T) {
	nodes, other := specOf(t, idOfNodes).Title, specOf(t, idOfOther).Title
	for _, c := range []struct {
		name   string
		filter string
		driver starter
		passed bool
		nodes  types.SpecState
		other  types.SpecState
	}{
		{"the right driver", "", nil, true, types.SpecStatePassed, types.SpecStatePassed},
		{"a driver that leaves nodes", "", leaky("blockdev-del"), false, types.SpecStateFailed, types.SpecStatePassed},
		{"the same, by a requirement's label", "END-02 && sim", leaky("blockdev-del"), false, types.SpecStateFailed, types.SpecStateSkipped},
		{"the same, without the spec that finds it", "!" + idOfNodes, leaky("blockdev-del"), true, types.SpecStateSkipped, types.SpecStatePassed},
	} {
		t.Run(c.name, func(t *testing.T) {
			passed, report := ginkgoSuite(t, c.filter, c.driver, idOfNodes, idOfOther)
			got := states(report)
			if passed != c.passed || len(got) != 2 || got[nodes] != c.nodes || got[other] != c.other {
				t.Errorf("passed: %v, states: %v", passed, got)
			}
		})
	}
}
