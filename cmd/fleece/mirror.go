package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"fleece/conformance/mirror"
	"fleece/conformance/mirror/coverage"
	"fleece/conformance/mirror/duel"
	"fleece/qmp"
	"fleece/real"
)

// mirrorFlags are the flags of fleece mirror.
type mirrorFlags struct {
	transcripts string
	asJSON      bool

	steps, sessionSteps, workers int
	seed                         uint64
	qemu, out                    string
	missed, first                bool
}

func mirrorCommand() *cobra.Command {
	var f mirrorFlags
	c := &cobra.Command{
		Use:   "mirror --transcripts DIR | --steps N",
		Short: "hold the simulator against the real QEMU",
		Long: `Replays recorded QMP sessions of the real QEMU against the simulator and compares
every reply and event; the last line is "mirror: N sessions, D differences". Or runs
random sessions on both and compares images, too; the last line is
"mirror: N steps, D divergences". Exit status 1 says that there are some.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case f.steps > 0 && f.transcripts == "":
				return f.random(c.OutOrStdout())
			case f.transcripts != "" && f.steps == 0:
				return f.recordings(c.OutOrStdout())
			}
			return errors.New("either --transcripts DIR, a directory of recorded sessions, or --steps N is needed")
		},
	}
	c.Flags().StringVar(&f.transcripts, "transcripts", "", "directory of recorded sessions (*.jsonl)")
	c.Flags().IntVar(&f.steps, "steps", 0, "random steps on simulator and real QEMU side by side")
	c.Flags().Uint64Var(&f.seed, "seed", 1, "seed of the first random session")
	c.Flags().StringVar(&f.qemu, "qemu", "", "the real binary (default: "+real.DefaultBinary+")")
	c.Flags().StringVar(&f.out, "out", "", "directory for shrunk sessions that differ, as recordings")
	c.Flags().IntVar(&f.sessionSteps, "session-steps", duel.SessionSteps, "steps of one random session")
	c.Flags().BoolVar(&f.missed, "missed", false, "list the outcomes that random sessions did not reach")
	c.Flags().BoolVar(&f.first, "first", false, "end at the first random session that differs, without making it shorter")
	c.Flags().IntVar(&f.workers, "workers", 2, "random sessions at a time")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print the result as one JSON document")
	return c
}

// random runs random sessions on both sides.
func (f mirrorFlags) random(out io.Writer) error {
	count, err := coverage.New()
	if err != nil {
		return err
	}
	c := duel.Campaign{
		Coverage: count,
		Binary:   f.qemu, TempDir: memoryDir(), Steps: f.steps, Seed: f.seed, SessionSteps: f.sessionSteps, Workers: f.workers,
		First: f.first,
		Found: func(whole, shrunk duel.Session) {
			out := out
			if f.asJSON {
				out = os.Stderr
			}
			fmt.Fprintf(out, "seed %d: %v", whole.Seed, whole.Difference)
			if f.first {
				return
			}
			fmt.Fprintf(out, "shrunk to %d steps, files %v:\n", shrunk.Steps, shrunk.Setup.Files)
			for _, t := range shrunk.Turns {
				fmt.Fprintf(out, "  %s%s\n", t.Step.Message(""), t.Step.Raw)
			}
			fmt.Fprintf(out, "%v\n", shrunk.Difference)
			if err := f.write(shrunk); err != nil {
				fmt.Fprintf(out, "the session cannot be written: %v\n", err)
			}
		},
	}
	t, err := c.Run()
	if err != nil {
		return err
	}
	if f.asJSON {
		if err := printJSON(out, randomResult(f.seed, t, count)); err != nil {
			return err
		}
	} else {
		printCoverage(out, count, f.missed)
		fmt.Fprintf(out, "sessions: %d, one for each seed from %d on\n", t.Sessions, f.seed)
		fmt.Fprintf(out, "mirror: %d steps, %d divergences\n", t.Steps, t.Divergences)
	}
	if t.Divergences > 0 {
		return errFinding
	}
	return nil
}

// printCoverage tells how many outcomes were reached.
func printCoverage(out io.Writer, count *coverage.Count, missed bool) {
	reached, possible := count.Reached()
	fmt.Fprintf(out, "coverage: %d of %d outcomes of commands (%.0f %%), %d more have a reason why not\n",
		reached, possible, 100*float64(reached)/float64(max(1, possible)), len(count.LeftOut()))
	if !missed {
		return
	}
	for _, k := range count.Missed() {
		fmt.Fprintf(out, "  missed     %-28s %s\n", k.Command, orElse(k.Text, "success"))
	}
	for _, k := range count.Others() {
		fmt.Fprintf(out, "  beyond     %-28s %s (%d times)\n", k.Command, orElse(k.Text, "success"), k.Times)
	}
	for _, k := range count.LeftOut() {
		fmt.Fprintf(out, "  left out   %-28s %s: %s\n", k.Command, orElse(k.Text, "success"), k.Reason)
	}
}

// write stores a session as a recording of the real QEMU.
func (f mirrorFlags) write(s duel.Session) error {
	if f.out == "" {
		return nil
	}
	var text bytes.Buffer
	if err := qmp.WriteTranscript(&text, s.Transcript()); err != nil {
		return err
	}
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(f.out, fmt.Sprintf("seed-%d.jsonl", s.Seed)), text.Bytes(), 0o644)
}

// memoryDir is where files are memory, if there is such a place.
func memoryDir() string {
	const shm = "/dev/shm"
	if info, err := os.Stat(shm); err == nil && info.IsDir() {
		return shm
	}
	return ""
}

func (f mirrorFlags) recordings(out io.Writer) error {
	all, err := mirror.Load(f.transcripts)
	if err != nil {
		return fmt.Errorf("--transcripts: %w", err)
	}
	schema, err := qmp.LoadSchema()
	if err != nil {
		return err
	}
	sessions := mirror.Replay(all, schema)
	different := 0
	for _, s := range sessions {
		different += s.Different()
	}
	if f.asJSON {
		if err := printJSON(out, sessions); err != nil {
			return err
		}
	} else {
		for _, s := range sessions {
			printSession(out, s)
		}
		fmt.Fprintf(out, "mirror: %d sessions, %d differences\n", len(all), different)
	}
	if different > 0 {
		return errFinding
	}
	return nil
}

// printSession shows the first difference of a session side by side, and what was
// left out of it.
func printSession(out io.Writer, s mirror.Session) {
	verdict := "same"
	if s.Different() > 0 {
		verdict = fmt.Sprintf("%d differ", s.Different())
	}
	fmt.Fprintf(out, "%-10s %4d exchanges  %s\n", verdict, s.Exchanges, s.Name)
	if s.Guess != "" {
		fmt.Fprintf(out, "    assumed: %s\n", s.Guess)
	}
	for _, l := range s.LeftOut {
		fmt.Fprintf(out, "    left out: %.120s: %s\n", l.What, l.Reason)
	}
	if s.Trouble != "" {
		fmt.Fprintf(out, "    not replayed: %s\n", s.Trouble)
	}
	if len(s.Differences) == 0 {
		return
	}
	d := s.Differences[0]
	fmt.Fprintf(out, "    line %d: %s\n", d.Line, d.What)
	for i := range max(len(d.Recorded), len(d.Simulated)) {
		var recorded, simulated string
		if i < len(d.Recorded) {
			recorded = d.Recorded[i]
		}
		if i < len(d.Simulated) {
			simulated = d.Simulated[i]
		}
		if recorded == simulated {
			fmt.Fprintf(out, "      both       %s\n", recorded)
			continue
		}
		fmt.Fprintf(out, "      recorded   %s\n      simulated  %s\n", orNothing(recorded), orNothing(simulated))
	}
}
