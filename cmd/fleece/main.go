// Command fleece is the conformance laboratory's command line: it runs the suites
// on the simulator or on a real QEMU, lists them, replays stored traces, and says
// what a host can do.
//
// It is a thin layer over the packages; no judgement is made here.
//
// Exit status 0: all as it should be; 1: a finding; 2: usage, environment or
// harness error.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"fleece/conformance/lanes"
	"fleece/real"
)

// Version is the suite's version.
const Version = "0.1.0"

// Exit statuses.
const (
	exitFinding = 1
	exitTrouble = 2
)

// errFinding is returned by a command whose result is a finding.
var errFinding = errors.New("finding")

func main() {
	real.MaybeReaper()
	lanes.TuneCollector()
	os.Exit(execute(os.Args[1:], lanes.Config{}))
}

// execute runs one command line and returns the exit status. Flags fill in what
// base leaves open.
func execute(args []string, base lanes.Config) int {
	root := &cobra.Command{
		Use:           "fleece",
		Short:         "conformance laboratory for live VM backup",
		Version:       Version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(runCommand(base), listCommand(), replayCommand(base), reportCommand(), mirrorCommand(), serveCommand(), compareCommand(), doctorCommand())
	root.SetArgs(args)
	err := root.Execute()
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFinding):
		return exitFinding
	}
	fmt.Fprintln(os.Stderr, "fleece:", err)
	return exitTrouble
}
