package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"fleece/conformance"
	"fleece/conformance/lanes"
	"fleece/conformance/report"
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
	baseline  string
	shard     string
	budget    time.Duration
	asJSON    bool
}

func runCommand(base lanes.Config) *cobra.Command {
	f := runFlags{lane: base}
	c := &cobra.Command{
		Use:   "run",
		Short: "run the conformance suites",
		Long: `Runs the conformance suites against one target, or against several that are
separated by commas. The last line is the summary. Exit status 1 says that a spec
failed, or passed where the baseline expects a failure; 2 that the harness or the
environment did, or that specs were left out.`,
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
	fs.StringVar(&f.reportDir, "report-dir", "", "directory for results.jsonl, report.json, junit.xml and report.html")
	fs.StringVar(&f.lane.KeepImages, "keep-images", "", "directory for the files that each spec leaves: LANE/SPEC/... (those of failures are always in the report directory)")
	fs.StringVar(&f.baseline, "baseline", "", "file with the failures that are known, each with url and expiry")
	fs.StringVar(&f.shard, "shard", "", "run part i of n of the specs: i/n")
	fs.DurationVar(&f.budget, "budget", 0, "wall-clock bound of the whole run: specs that do not begin within it are not run (0: none)")
	fs.BoolVar(&f.asJSON, "json", false, "print the report as one JSON document")
	return c
}

func (f runFlags) run(out io.Writer) error {
	targets := strings.Split(f.target, ",")
	if _, err := suite.ParseFilter(f.filter); err != nil {
		return err
	}
	if f.workers < 0 || f.deadline < 0 || f.budget < 0 {
		return errors.New("--workers, --deadline and --budget: must not be negative")
	}
	shard, err := conformance.ParseShard(f.shard)
	if err != nil {
		return fmt.Errorf("--shard: %w", err)
	}
	baseline, err := f.readBaseline()
	if err != nil {
		return fmt.Errorf("--baseline: %w", err)
	}
	if f.schedules < 0 || f.schedules > conformance.SchedulesMax {
		return fmt.Errorf("--schedules %d: must be between 0 and %d", f.schedules, conformance.SchedulesMax)
	}
	if f.reportDir != "" {
		f.lane.KeepFailed = filepath.Join(f.reportDir, "images")
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
	r := &running{runFlags: f, show: newPrinter(out, f.asJSON), baseline: baseline, shard: shard}
	if f.reportDir != "" {
		if r.stream, err = report.OpenStream(f.reportDir); err != nil {
			return err
		}
	}
	var all []conformance.Result
	var failure error
	stop, release := stopper(f.budget)
	defer release()
	for _, lane := range chosen {
		results, err := r.lane(lane, stop)
		all = append(all, results...)
		failure = errors.Join(failure, err)
	}
	document := conformance.Report{
		Tool: "fleece", Version: Version, Target: f.target, QEMU: qemuVersion, Seed: f.seed,
		Schedules: f.schedules, Shard: shard.String(),
		Counts: conformance.Tally(all), Results: all, Matrix: conformance.Matrix(specs.All()),
	}
	r.show.summary(document)
	if r.stream != nil {
		failure = errors.Join(failure, r.stream.Close(document))
	}
	if failure != nil {
		return failure
	}
	return verdict(all)
}

// readBaseline reads the baseline file; nil without one.
func (f runFlags) readBaseline() (*conformance.Baseline, error) {
	if f.baseline == "" {
		return nil, nil
	}
	text, err := os.ReadFile(f.baseline)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool)
	for _, s := range specs.All() {
		known[s.ID] = true
	}
	return conformance.ParseBaseline(f.baseline, text, time.Now(), func(id string) bool { return known[id] })
}

// stopper tells when no more specs are to begin: when the budget is used up, or
// after an interrupt.
func stopper(budget time.Duration) (stop func() string, release func()) {
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	start := time.Now()
	return func() string {
		switch {
		case ctx.Err() != nil:
			return "the run was interrupted"
		case budget > 0 && time.Since(start) >= budget:
			return fmt.Sprintf("the budget of %s was used up", budget)
		}
		return ""
	}, release
}

// running is a run under way.
type running struct {
	runFlags
	show     *printer
	stream   *report.Stream // nil without a report directory
	baseline *conformance.Baseline
	shard    conformance.Shard
}

// lane runs the chosen specs in one lane. Every one of them has a result, whatever
// ended the run.
func (r *running) lane(lane conformance.Lane, stop func() string) ([]conformance.Result, error) {
	chosen, err := suite.Select(specs.All(), lane.Name(), r.filter)
	if err != nil {
		return nil, err
	}
	chosen = r.shard.Of(chosen)
	r.show.begin(lane.Name(), len(chosen))
	var results []conformance.Result
	var lost error // of the stream
	keep := func(res conformance.Result) {
		results = append(results, res)
		r.show.result(res)
		if r.stream != nil && lost == nil {
			lost = r.stream.Add(res)
		}
	}
	err = suite.Run(chosen, conformance.Options{
		Lane: lane, Schedules: r.schedules, Seed: r.seed, Workers: r.workers, Deadline: r.deadline,
		Baseline: r.baseline, Stop: stop, OnResult: keep,
	})
	for _, s := range chosen[len(results):] {
		keep(conformance.Result{
			Spec: s.ID, Title: s.Title, Lane: lane.Name(), Requirements: s.Requirements,
			State: conformance.StateNotRun, Reason: "the run ended before it",
		})
	}
	r.show.end()
	if stop() != "" {
		err = nil // the results say so
	}
	return results, errors.Join(err, lost)
}

// verdict turns results into the exit status: a finding, or trouble of the harness.
func verdict(all []conformance.Result) error {
	counts := conformance.Tally(all)
	switch {
	case counts[conformance.StateError] > 0:
		return fmt.Errorf("%d specs ended with an error of the harness", counts[conformance.StateError])
	case counts[conformance.StateFail] > 0 || counts[conformance.StateXPass] > 0:
		return errFinding
	case counts[conformance.StateNotRun] > 0:
		return fmt.Errorf("%d specs were not run", counts[conformance.StateNotRun])
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
