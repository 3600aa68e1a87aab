package report

import (
	"encoding/xml"
	"strings"

	"github.com/onsi/ginkgo/v2/reporters"

	"fleece/conformance"
)

// JUnit is the report as CI systems read it: a suite for each lane, a case for each
// spec. A failure or a pass that was not expected is a failure, what went wrong in
// the harness an error, and everything else that did not pass is skipped, with its
// state and reason.
func JUnit(r conformance.Report) ([]byte, error) {
	doc := reporters.JUnitTestSuites{}
	for _, res := range r.Results {
		n := len(doc.TestSuites)
		if n == 0 || doc.TestSuites[n-1].Name != res.Lane {
			doc.TestSuites = append(doc.TestSuites, reporters.JUnitTestSuite{Name: res.Lane, Package: "fleece"})
			n++
		}
		suite := &doc.TestSuites[n-1]
		c := junitCase(res)
		suite.TestCases = append(suite.TestCases, c)
		suite.Tests++
		suite.Time += res.Seconds
		switch {
		case c.Failure != nil:
			suite.Failures++
		case c.Error != nil:
			suite.Errors++
		case c.Skipped != nil:
			suite.Skipped++
		}
	}
	for _, s := range doc.TestSuites {
		doc.Tests += s.Tests
		doc.Failures += s.Failures
		doc.Errors += s.Errors
		doc.Time += s.Time
	}
	text, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(text, '\n')...), nil
}

func junitCase(r conformance.Result) reporters.JUnitTestCase {
	c := reporters.JUnitTestCase{Name: r.Spec, Classname: "fleece." + r.Lane, Status: string(r.State), Time: r.Seconds}
	message := r.Reason
	if r.Failure != nil {
		message = plain(r.Failure.Message)
	}
	switch r.State {
	case conformance.StatePass:
	case conformance.StateFail, conformance.StateXPass:
		c.Failure = &reporters.JUnitFailure{Message: message, Type: string(r.State), Description: plain(conformance.Explain(r))}
	case conformance.StateError:
		c.Error = &reporters.JUnitError{Message: message, Type: string(r.State), Description: plain(conformance.Explain(r))}
	case conformance.StateXFail, conformance.StateUnsupported, conformance.StateDisabled, conformance.StateNotRun:
		c.Skipped = &reporters.JUnitSkipped{Message: string(r.State) + ": " + plain(r.Reason)}
	}
	return c
}

// plain takes out what XML cannot carry.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0xfffe || r == 0xffff {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
