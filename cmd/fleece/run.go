package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fleece/conformance"
	"fleece/conformance/lanes"
	"fleece/conformance/specs"
	"fleece/conformance/suite"
)

// runFlags are the flags of fleece run.
type runFlags struct {
	target    string
	lane      lanes.Config
	filter    string
	schedules int
	seed      uint64
	workers   int
	deadline  time.Duration
	reportDir string
	asJSON    bool
}

func runCommand(base lanes.Config) *cobra.Command {
	f := runFlags{lane: base}
	c := &cobra.Command{
		Use:   "run",
		Short: "run the conformance suites",
		Long: `Runs the conformance suites against one target, or against several that are
separated by commas. The last line is the summary. Exit status 1 says that a spec
failed, 2 that the harness or the environment did.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.OutOrStdout()) },
	}
	fs := c.Flags()
	fs.StringVar(&f.target, "target", conformance.LaneSim, "sim, sim-real, qemu, or several separated by commas")
	fs.StringVar(&f.lane.Binary, "qemu", "", "path of the qemu-system-x86_64 under test")
	fs.StringVar(&f.lane.Accel, "accel", "tcg", "accelerator of the real QEMU: tcg or kvm")
	fs.StringVar(&f.filter, "label-filter", "", "Ginkgo label filter over spec ids, lanes and requirement ids")
	fs.IntVar(&f.schedules, "schedules", 25, "explored schedules per spec beside the plain one (sim)")
	fs.Uint64Var(&f.seed, "seed", 1, "base seed of the explored schedules")
	fs.BoolVar(&f.lane.Wire, "wire", false, "pass QMP messages through bytes inside the simulated world")
	fs.StringVar(&f.lane.Backend, "backend", "coro", "how tasks of a simulated world run: coro or baton")
	fs.IntVar(&f.workers, "workers", 0, "simulated worlds at a time (0: one per processor)")
	fs.DurationVar(&f.deadline, "deadline", 2*time.Minute, "wall-clock bound of one spec in one lane")
	fs.StringVar(&f.reportDir, "report-dir", "", "directory for results.jsonl and report.json")
	fs.BoolVar(&f.asJSON, "json", false, "print the report as one JSON document")
	return c
}

func (f runFlags) run(out io.Writer) error {
	targets := strings.Split(f.target, ",")
	if _, err := suite.ParseFilter(f.filter); err != nil {
		return err
	}
	if f.workers < 0 || f.deadline < 0 {
		return errors.New("--workers and --deadline: must not be negative")
	}
	if f.schedules < 0 || f.schedules > conformance.SchedulesMax {
		return fmt.Errorf("--schedules %d: must be between 0 and %d", f.schedules, conformance.SchedulesMax)
	}
	// Every lane is there before the first spec runs and before an earlier
	// report is written over.
	var chosen []conformance.Lane
	var qemuVersion string
	for _, target := range targets {
		lane, err := lanes.ByName(target, f.lane)
		if err != nil {
			return err
		}
		if v, ok := lane.(interface{ Version() string }); ok {
			qemuVersion = v.Version()
		}
		chosen = append(chosen, lane)
	}
	var stream *suite.Stream
	if f.reportDir != "" {
		var err error
		if stream, err = suite.OpenStream(f.reportDir); err != nil {
			return err
		}
	}
	show := newPrinter(out, f.asJSON)
	var all []conformance.Result
	for _, lane := range chosen {
		results, err := f.runLane(lane, show, stream)
		all = append(all, results...)
		if err != nil {
			return err
		}
	}
	report := conformance.Report{
		Tool: "fleece", Version: Version, Target: f.target, QEMU: qemuVersion, Seed: f.seed,
		Counts: conformance.Tally(all), Results: all, Matrix: conformance.Matrix(specs.All()),
	}
	show.summary(report)
	if stream != nil {
		if err := stream.Close(report); err != nil {
			return err
		}
	}
	return verdict(all)
}

func (f runFlags) runLane(lane conformance.Lane, show *printer, stream *suite.Stream) ([]conformance.Result, error) {
	chosen, err := suite.Select(specs.All(), lane.Name(), f.filter)
	if err != nil {
		return nil, err
	}
	show.begin(lane.Name(), len(chosen))
	var results []conformance.Result
	var lost error // of the stream
	o := conformance.Options{
		Lane: lane, Schedules: f.schedules, Seed: f.seed, Workers: f.workers, Deadline: f.deadline,
		OnResult: func(r conformance.Result) {
			results = append(results, r)
			show.result(r)
			if stream != nil && lost == nil {
				lost = stream.Add(r)
			}
		},
	}
	err = suite.Run(chosen, o)
	show.end()
	return results, errors.Join(err, lost)
}

// verdict turns results into the exit status: a finding, or trouble of the harness.
func verdict(all []conformance.Result) error {
	counts := conformance.Tally(all)
	switch {
	case counts[conformance.StateError] > 0:
		return fmt.Errorf("%d specs ended with an error of the harness", counts[conformance.StateError])
	case counts[conformance.StateFail] > 0:
		return errFinding
	case counts[conformance.StatePass] == 0:
		return fmt.Errorf("no spec was run: the label filter or the target leaves nothing")
	}
	return nil
}

func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
