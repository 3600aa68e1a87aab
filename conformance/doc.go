// Package conformance holds what every spec of fleece needs: the registry of
// specs with the requirements that each one proves, the T that a spec body is
// given, the runner that takes one body through plain and explored schedules, and
// the results.
//
// It is not a driver and not a QEMU: a lane (package conformance/lanes) supplies
// both. Spec bodies live in conformance/specs, the judge of image bytes in
// conformance/oracle.
//
// The property it keeps: one body of code, several lanes, and only a verdict that
// was reached counts as a pass. A fault of the harness, a time-out, or a feature
// that the target lacks never does.
//
// A third party runs the suite inside its own Ginkgo suite:
//
//	var _ = Describe("my driver", func() {
//		conformance.Register(specs.All(), conformance.Options{Lane: lanes.Sim(lanes.Config{Driver: mine})})
//	})
package conformance
