package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"fleece/conformance"
	"fleece/conformance/lanes"
	"fleece/conformance/specs"
	"fleece/explore"
)

// traceBytesMax bounds a stored trace.
const traceBytesMax = 16 << 20

// replayResult is what fleece replay found.
type replayResult struct {
	Spec     string               `json:"spec"`
	Seed     uint64               `json:"seed"`
	Hash     string               `json:"hash"`
	Wanted   string               `json:"wantedHash"`
	SameHash bool                 `json:"sameHash"`
	Diverged string               `json:"diverged,omitempty"`
	Failure  *conformance.Failure `json:"failure,omitempty"`
	Trace    []string             `json:"trace"`
}

func replayCommand(base lanes.Config) *cobra.Command {
	var asJSON, lines bool
	c := &cobra.Command{
		Use:   "replay FILE|fl1:…",
		Short: "run a stored trace or a recorded session again",
		Long: `The record of a session (fleece serve --record) is told by its first line. Its
inputs come again at their instants, and what the machine writes is compared with the
record, byte by byte. Exit status 1 says that it differs, 2 that it is no record.

Runs the spec of a trace again under exactly the recorded schedule. The trace is
a file, or the one line that starts with fl1:. Exit status 1 says that the spec
failed again, 2 that the trace cannot be read or no longer fits the code.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			record, err := sessionFile(args[0])
			if err != nil {
				return err
			}
			if record != nil {
				defer record.Close()
				return replaySession(record, c.OutOrStdout(), asJSON, lines)
			}
			r, err := replay(args[0], base)
			if err != nil {
				return err
			}
			return r.show(c.OutOrStdout(), asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	c.Flags().BoolVar(&lines, "lines", false, "of a session: print each input and output")
	c.Flags().BoolVar(&base.Wire, "wire", false, "pass QMP messages through bytes inside the world")
	return c
}

func replay(arg string, config lanes.Config) (*replayResult, error) {
	text, err := traceText(arg)
	if err != nil {
		return nil, err
	}
	trace, err := explore.ParseTrace(text)
	if err != nil {
		return nil, err
	}
	spec, err := findSpec(trace.Scenario)
	if err != nil {
		return nil, err
	}
	lane, err := lanes.Sim(config)
	if err != nil {
		return nil, err
	}
	out := conformance.Replay(spec, conformance.Options{Lane: lane}, string(text), trace.Seed)
	readable, err := trace.Text()
	if err != nil {
		return nil, err
	}
	r := &replayResult{
		Spec: spec.ID, Seed: trace.Seed, Hash: out.Hash, Wanted: fmt.Sprintf("%016x", trace.Hash),
		Diverged: out.Diverged, Failure: out.Failure,
		Trace: strings.Split(strings.TrimRight(string(readable), "\n"), "\n"),
	}
	r.SameHash = r.Hash == r.Wanted
	return r, nil
}

// traceText is the trace itself, or the content of the file that holds it.
func traceText(arg string) ([]byte, error) {
	if strings.HasPrefix(arg, "fl1:") {
		return []byte(arg), nil
	}
	f, err := os.Open(arg)
	if err != nil {
		return nil, fmt.Errorf("%w (a trace is a file, or the line that starts with fl1:)", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, traceBytesMax+1))
	if err == nil && len(text) > traceBytesMax {
		err = fmt.Errorf("%s: longer than %d bytes: no trace", arg, traceBytesMax)
	}
	return text, err
}

func findSpec(id string) (conformance.Spec, error) {
	for _, s := range specs.All() {
		if s.ID == id {
			return s, nil
		}
	}
	return conformance.Spec{}, fmt.Errorf("the trace is of spec %q, which this fleece does not have; fleece list shows what there is", id)
}

func (r *replayResult) show(out io.Writer, asJSON bool) error {
	if asJSON {
		if err := printJSON(out, r); err != nil {
			return err
		}
		return r.verdict()
	}
	for _, line := range r.Trace {
		fmt.Fprintln(out, line)
	}
	fmt.Fprintf(out, "\nreplayed: hash %s, %s\n", r.Hash, map[bool]string{true: "the same", false: "NOT the recorded " + r.Wanted}[r.SameHash])
	if r.Diverged != "" {
		fmt.Fprintf(out, "first divergence: %s\n", r.Diverged)
	}
	if r.Failure == nil {
		fmt.Fprintln(out, "the spec passed")
		return r.verdict()
	}
	for _, line := range r.Failure.QMP {
		fmt.Fprintln(out, "  "+line)
	}
	fmt.Fprintf(out, "%s: %s\n", r.Failure.Kind, r.Failure.Message)
	return r.verdict()
}

func (r *replayResult) verdict() error {
	switch {
	case r.Failure != nil:
		return errFinding
	case !r.SameHash:
		return fmt.Errorf("the trace no longer fits: hash %s instead of %s", r.Hash, r.Wanted)
	}
	return nil
}
