// Package suite runs a set of specs under Ginkgo in an ordinary binary and writes
// the results. Ginkgo runs and filters; the result model is conformance's.
//
// It is not needed by a third party's own Ginkgo suite, which calls
// conformance.Register itself.
//
// The property it keeps: results are handed on as they come, and an invalid
// filter is an error, never the end of the process.
package suite

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/extensions/globals"
	"github.com/onsi/ginkgo/v2/formatter"
	"github.com/onsi/ginkgo/v2/types"

	"fleece/conformance"
)

// ParseFilter reads a Ginkgo label filter; "" lets everything pass. The error is
// one plain line, where Ginkgo's own is a coloured page.
func ParseFilter(filter string) (types.LabelFilter, error) {
	matches, err := types.ParseLabelFilter(filter)
	var syntax types.GinkgoError
	if errors.As(err, &syntax) {
		// The first line is the filter again, with marks of colour.
		_, text, _ := strings.Cut(syntax.Message, "\n")
		return nil, fmt.Errorf("label filter %q: %s", filter, strings.TrimSpace(text))
	}
	if err != nil {
		return nil, fmt.Errorf("label filter %q: %w", filter, err)
	}
	return matches, nil
}

// Select returns the specs that run in a lane under a label filter. A spec that
// is not meant for the lane stays in, so that it is reported as disabled.
func Select(all []conformance.Spec, lane, filter string) ([]conformance.Spec, error) {
	if err := conformance.Validate(all); err != nil {
		return nil, err
	}
	matches, err := ParseFilter(filter)
	if err != nil {
		return nil, err
	}
	var chosen []conformance.Spec
	for _, s := range all {
		if matches(append([]string{s.ID, lane}, s.Requirements...)) {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

// outcome satisfies Ginkgo's need for something to fail.
type outcome struct{ failed bool }

func (o *outcome) Fail() { o.failed = true }

// Run runs the specs as a Ginkgo suite of its own, silently; o.OnResult gets the
// results. A failed spec is no error of Run: the results tell. One suite at a
// time per process, since Ginkgo's tree is global.
func Run(specs []conformance.Spec, o conformance.Options) error {
	if len(specs) == 0 {
		return nil
	}
	globals.Reset()
	seen := 0
	counted := o
	counted.OnResult = func(r conformance.Result) {
		seen++
		if o.OnResult != nil {
			o.OnResult(r)
		}
	}
	ginkgo.Describe("fleece", ginkgo.Ordered, ginkgo.ContinueOnFailure, func() {
		conformance.Register(specs, counted)
	})
	sc, rc := types.NewDefaultSuiteConfig(), types.NewDefaultReporterConfig()
	sc.FailOnEmpty = false
	rc.NoColor = true
	previous := formatter.ColorableStdOut
	formatter.ColorableStdOut = io.Discard
	defer func() { formatter.ColorableStdOut = previous }()
	var f outcome
	ginkgo.RunSpecs(&f, "fleece", sc, rc)
	if seen != len(specs) {
		return fmt.Errorf("%d of %d specs reported a result: Ginkgo ended early", seen, len(specs))
	}
	return nil
}
