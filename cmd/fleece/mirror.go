package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"fleece/conformance/mirror"
	"fleece/qmp"
)

// mirrorFlags are the flags of fleece mirror.
type mirrorFlags struct {
	transcripts string
	asJSON      bool
}

func mirrorCommand() *cobra.Command {
	var f mirrorFlags
	c := &cobra.Command{
		Use:   "mirror --transcripts DIR",
		Short: "hold the simulator against the real QEMU",
		Long: `Replays recorded QMP sessions of the real QEMU against the simulator and compares
every reply and event. The last line is "mirror: N sessions, D differences"; exit
status 1 says that there are some.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.transcripts == "" {
				return errors.New("--transcripts DIR: a directory of recorded sessions is needed")
			}
			return f.recordings(c.OutOrStdout())
		},
	}
	c.Flags().StringVar(&f.transcripts, "transcripts", "", "directory of recorded sessions (*.jsonl)")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print the result as one JSON document")
	return c
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
