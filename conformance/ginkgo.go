package conformance

import (
	"fmt"

	"github.com/onsi/ginkgo/v2"
)

// Register adds one It per spec to the Ginkgo tree under construction. The body
// of the It runs the plain schedule and the explored ones and reports once, from
// the It's own goroutine. Labels are the spec's id, the lane and the
// requirement ids, so that --label-filter chooses by any of them.
func Register(specs []Spec, o Options) {
	for _, s := range specs {
		labels := append([]string{s.ID, o.Lane.Name()}, s.Requirements...)
		ginkgo.It(s.Title, ginkgo.Label(labels...), func() {
			r := RunOne(s, o)
			if o.OnResult != nil {
				o.OnResult(r)
			}
			switch r.State {
			case StatePass:
			case StateUnsupported, StateDisabled, StateXFail, StateNotRun:
				ginkgo.Skip(r.Reason)
			default:
				ginkgo.Fail(Explain(r))
			}
		})
	}
}

// Explain tells a failed result in a few lines, the last of which reproduces it.
func Explain(r Result) string {
	if r.Failure == nil {
		return fmt.Sprintf("%s [%s]: %s: %s", r.Spec, r.Lane, r.State, r.Reason)
	}
	f := r.Failure
	return fmt.Sprintf("%s [%s]: %s in schedule %d: %s\nagain: %s",
		r.Spec, r.Lane, f.Kind, f.Schedule, f.Message, f.Replay)
}
