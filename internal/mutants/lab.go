package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fleece/conformance"
)

// A mutant may well loop: specLimit is what the harness allows one spec, runLimit
// what is allowed the whole process if the harness cannot end it.
const (
	specLimit = 60 * time.Second
	runLimit  = 3 * time.Minute
)

// fate is what became of a mutant.
type fate string

const (
	killed   fate = "killed"
	survived fate = "SURVIVED" // one of its specs passes
	broken   fate = "BROKEN"   // nothing was learnt about one of its specs
	// untried says that one of its specs needs what this host has not; the others
	// kill it. In CI that is a failure.
	untried fate = "untried"
)

type verdict struct {
	fate fate
	why  string
}

// lab is where mutants are built and run.
type lab struct {
	work      string // a private directory
	schedules int
	woven     string         // the binary that holds several mutants, "" if there is none
	numbers   map[string]int // of the mutants that it holds
}

// healthy builds the tree as it is and demands that every named spec passes.
func (l lab) healthy(ctx context.Context, all []mutant) error {
	bin := filepath.Join(l.work, "healthy")
	if err := build(ctx, bin, ""); err != nil {
		return fmt.Errorf("the tree without any mutant: %w", err)
	}
	return l.allPass(ctx, bin, all)
}

// allPass demands that every named spec passes in a binary in which no mutant is on.
func (l lab) allPass(ctx context.Context, bin string, all []mutant) error {
	ids := specsOf(all)
	results, err := l.run(ctx, bin, ids, 0)
	if err != nil {
		return fmt.Errorf("the tree without any mutant: %w", err)
	}
	for _, id := range ids {
		if r := resultOf(results, id); r.State != conformance.StatePass && !forgiven(r) {
			return fmt.Errorf("without any mutant spec %s is %q: %s", id, r.State, explain(r))
		}
	}
	return nil
}

// try runs the specs of a mutant, all of which must fail.
func (l lab) try(ctx context.Context, m mutant) verdict {
	bin, number := l.woven, l.numbers[m.name]
	if number == 0 {
		dir := filepath.Join(l.work, m.name)
		overlay, err := m.apply(".", dir)
		if err != nil {
			return verdict{broken, err.Error()}
		}
		bin = filepath.Join(dir, "trial")
		if err := build(ctx, bin, overlay); err != nil {
			return verdict{broken, err.Error()}
		}
		defer os.Remove(bin)
	}
	results, err := l.run(ctx, bin, m.specs, number)
	if err != nil {
		return verdict{broken, err.Error()}
	}
	all := verdict{fate: killed}
	var why []string
	for _, id := range m.specs {
		v := judge(resultOf(results, id))
		switch v.fate {
		case killed:
		case untried:
			all.fate = untried
		default:
			return verdict{v.fate, id + ": " + v.why}
		}
		why = append(why, v.why)
	}
	all.why = strings.Join(why, " | ")
	return all
}

// forgiven reports whether a spec did not run for want of something that a host
// need not have, and that CI must have.
func forgiven(r conformance.Result) bool {
	return r.State == conformance.StateUnsupported && os.Getenv("CI") != "true"
}

// judge says what the result of one spec tells about the mutant.
func judge(r conformance.Result) verdict {
	switch r.State {
	case conformance.StateUnsupported:
		if forgiven(r) {
			return verdict{untried, r.Reason}
		}
		return verdict{broken, "unsupported: " + r.Reason}
	case conformance.StateFail:
		return verdict{killed, explain(r)}
	case conformance.StatePass:
		return verdict{survived, fmt.Sprintf("passes in %d schedules", r.Schedules)}
	default:
		return verdict{broken, fmt.Sprintf("is %q: %s", r.State, explain(r))}
	}
}

// build makes the trial; overlay is "" for the tree as it is. Without symbols it
// links faster.
func build(ctx context.Context, bin, overlay string) error {
	return buildOf(ctx, "./internal/mutants/trial", bin, overlay)
}

// buildOf makes the binary of a package.
func buildOf(ctx context.Context, pkg, bin, overlay string) error {
	args := []string{"build", "-ldflags=-s -w", "-buildvcs=false", "-o", bin}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	text, err := exec.CommandContext(ctx, "go", append(args, pkg)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("does not build: %w\n%s", err, text)
	}
	return nil
}

// run runs specs on the simulator, in one process; mutant is its number if the
// binary holds several.
func (l lab) run(ctx context.Context, bin string, specs []string, mutant int) ([]conformance.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	c := exec.CommandContext(ctx, bin, "-specs", strings.Join(specs, ","),
		"-schedules", strconv.Itoa(l.schedules), "-deadline", specLimit.String())
	c.Env = append(os.Environ(), switchVariable+"="+strconv.Itoa(mutant))
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	failure := c.Run()
	var results []conformance.Result
	if err := json.Unmarshal(out.Bytes(), &results); err != nil {
		return nil, fmt.Errorf("no results (%w): %w; standard error: %s", failure, err, tail(errs.String()))
	}
	return results, nil
}

func resultOf(results []conformance.Result, spec string) conformance.Result {
	for _, r := range results {
		if r.Spec == spec {
			return r
		}
	}
	return conformance.Result{State: conformance.StateError, Reason: "the spec was not run"}
}

// explainMax bounds what is shown of a failure, in bytes.
const explainMax = 160

// explain is one line about a result that is no pass.
func explain(r conformance.Result) string {
	if r.Failure == nil {
		return r.Reason
	}
	text := strings.Join(strings.Fields(r.Failure.Message), " ")
	if len(text) > explainMax {
		text = strings.ToValidUTF8(text[:explainMax], "") + "…"
	}
	return fmt.Sprintf("schedule %d, %s: %s", r.Failure.Schedule, r.Failure.Kind, text)
}

func tail(s string) string { return s[max(0, len(s)-500):] }
