// Package report writes what a run gave: results.jsonl while it runs, and at its end
// report.json, junit.xml and report.html, for machines, CI systems and people.
//
// It is not the result model, which is conformance's, and judges nothing.
//
// The property it keeps: every result is on disk before the next spec begins, and
// no writer makes a state look better than it is: what did not pass is never shown
// as a pass.
package report
