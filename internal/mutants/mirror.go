package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"
)

// Where the mistakes of the simulator are that fleece mirror must find, and the word that
// stands in their headers in place of a spec.
const (
	mirrorDir  = "fixtures/mirror-mutants"
	mirrorSpec = "mirror"
)

// mirrorSteps is how many random steps the mirror has to find a mistake, and must run
// without a difference when there is none.
const mirrorSteps = 20_000

// mirrorLimit bounds a run of that many steps; a simulator with a mistake may be one for
// which the real binary is waited for.
const mirrorLimit = 10 * time.Minute

// finding is what the mirror made of one planted mistake.
type finding struct {
	steps       int // until the difference, or all
	divergences int
	err         error
}

// teeth demands that the mirror finds each planted mistake, and nothing without one.
func teeth(ctx context.Context, o options, out io.Writer) error {
	start := time.Now()
	all, err := load(mirrorDir, o.only, []string{mirrorSpec})
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "fleece-teeth-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	overlay, numbers, err := weaveAll(work, all)
	if err != nil {
		return err
	}
	bin := filepath.Join(work, "fleece")
	if err := buildOf(ctx, "./cmd/fleece", bin, overlay); err != nil {
		return err
	}
	if f := mirror(ctx, bin, 0, o.seed); f.err != nil || f.divergences > 0 {
		return fmt.Errorf("without any planted mistake the mirror finds one after %d steps from seed %d: %w", f.steps, o.seed, orNone(f.err))
	}
	findings := make([]finding, len(all))
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(1, runtime.NumCPU()/2))
	for i, m := range all {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if findings[i] = (finding{err: errAlone}); numbers[m.name] > 0 {
				findings[i] = mirror(ctx, bin, numbers[m.name], o.seed)
			}
		})
	}
	wg.Wait()
	missed := teethTable(out, all, findings)
	fmt.Fprintf(out, "mirror-teeth: %d of %d planted mistakes found within %d steps, %.0f s\n",
		len(all)-missed, len(all), mirrorSteps, time.Since(start).Seconds())
	if missed > 0 {
		return fmt.Errorf("%d planted mistakes were not found", missed)
	}
	return nil
}

func orNone(err error) error {
	if err == nil {
		return errors.New("the simulator differs from QEMU")
	}
	return err
}

// teethTable prints a line per mistake and counts those that were not found.
func teethTable(out io.Writer, all []mutant, findings []finding) (missed int) {
	width := 0
	for _, m := range all {
		width = max(width, len(m.name))
	}
	for i, m := range all {
		f := findings[i]
		verdict := "found"
		switch {
		case f.err != nil:
			verdict = "BROKEN"
		case f.divergences == 0:
			verdict = "MISSED"
		}
		if verdict != "found" {
			missed++
		}
		fmt.Fprintf(out, "%-7s after %5d steps  %-*s  %s\n", verdict, f.steps, width, m.name, m.what)
		if f.err != nil {
			fmt.Fprintf(out, "        %v\n", f.err)
		}
	}
	return missed
}

// mirror runs random sessions with one mistake, or with none (number 0), until one differs.
func mirror(ctx context.Context, bin string, number int, seed uint64) finding {
	ctx, cancel := context.WithTimeout(ctx, mirrorLimit)
	defer cancel()
	c := exec.CommandContext(ctx, bin, "mirror", "--steps", strconv.Itoa(mirrorSteps), "--seed", strconv.FormatUint(seed, 10),
		"--first", "--json", "--workers", "1")
	c.Env = append(os.Environ(), switchVariable+"="+strconv.Itoa(number))
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	failure := c.Run()
	var result struct{ Steps, Divergences int }
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		return finding{err: fmt.Errorf("no result (%w): %w; standard error: %s", failure, err, tail(errs.String()))}
	}
	return finding{steps: result.Steps, divergences: result.Divergences}
}
