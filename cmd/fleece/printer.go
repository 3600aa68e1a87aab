package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"golang.org/x/term"

	"fleece/conformance"
)

// printer shows results as they come: a progress bar on a terminal, plain lines
// otherwise, nothing but the document with --json.
type printer struct {
	out    io.Writer
	asJSON bool
	bar    progress.Writer
	track  *progress.Tracker
}

func newPrinter(out io.Writer, asJSON bool) *printer { return &printer{out: out, asJSON: asJSON} }

func (p *printer) begin(lane string, specs int) {
	if p.asJSON {
		return
	}
	file, ok := p.out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return
	}
	p.bar = progress.NewWriter()
	p.bar.SetOutputWriter(p.out)
	p.bar.SetAutoStop(false)
	p.bar.SetUpdateFrequency(50 * time.Millisecond)
	p.track = &progress.Tracker{Message: lane, Total: int64(specs)}
	p.bar.AppendTracker(p.track)
	go p.bar.Render()
	for !p.bar.IsRenderInProgress() { // an earlier Stop would not end it
		time.Sleep(time.Millisecond)
	}
}

func (p *printer) result(r conformance.Result) {
	if p.asJSON {
		return
	}
	line := resultLine(r)
	if p.bar != nil {
		p.bar.Log("%s", line)
		p.track.Increment(1)
		return
	}
	fmt.Fprintln(p.out, line)
}

func (p *printer) end() {
	if p.bar == nil {
		return
	}
	p.track.MarkAsDone()
	p.bar.Stop()
	for p.bar.IsRenderInProgress() {
		time.Sleep(time.Millisecond)
	}
	p.bar, p.track = nil, nil
}

func (p *printer) summary(r conformance.Report) {
	if p.asJSON {
		_ = printJSON(p.out, r)
		return
	}
	c := r.Counts
	for _, res := range r.Results {
		if res.Failure != nil {
			fmt.Fprintf(p.out, "\n%s\n", conformance.Explain(res))
		}
	}
	fmt.Fprintln(p.out, summaryLine(c))
}

// summaryLine counts what passed, what did not, and what was skipped; states that
// are rare are named if they occur, so that the line hides nothing.
func summaryLine(c map[conformance.State]int) string {
	skipped := c[conformance.StateUnsupported] + c[conformance.StateDisabled]
	bad := c[conformance.StateFail] + c[conformance.StateError] + c[conformance.StateXPass]
	line := fmt.Sprintf("%d passed, %d failed, %d skipped", c[conformance.StatePass], bad, skipped)
	for _, s := range []conformance.State{conformance.StateXFail, conformance.StateXPass, conformance.StateError, conformance.StateNotRun} {
		if c[s] > 0 {
			line += fmt.Sprintf(", %d %s", c[s], s)
		}
	}
	return line
}

// resultLine is one spec in one lane: verdict, lane, id, plain hash, schedules.
func resultLine(r conformance.Result) string {
	line := fmt.Sprintf("%-11s %-8s %-34s", r.State, r.Lane, r.Spec)
	switch {
	case r.Reason != "":
		line += " " + r.Reason
	case r.Hash != "":
		line += fmt.Sprintf(" %s  %5d points  %d schedules, %d distinct", r.Hash, r.Points, r.Schedules, r.DistinctHashes)
	default:
		line += fmt.Sprintf(" %.2fs", r.Seconds)
	}
	if r.Alone != "" {
		line += "  (no second task: " + r.Alone + ")"
	}
	return line
}
