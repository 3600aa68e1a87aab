// Command mutants shows that the suite has teeth: it applies each stored mistake
// of fixtures/mutants to a copy of the file that it touches, builds the suite with
// that copy in place of the original (weave.go: many of them in one build), and
// demands that each named spec fails on the simulator, or on the real QEMU if it
// can run only there. The tree itself is never touched. It runs at the top of the
// tree and needs git.
//
// With -mirror it shows that fleece mirror has teeth: mirror.go.
//
// It is a development tool, not part of the product; the product has no switch
// that makes it wrong.
//
// The property it keeps: a mutant counts as killed only by a verdict "fail" of
// each of its own specs, which pass without the mutant; one that does not apply, does not
// build, or makes the harness itself fail is broken. Every spec has a mutant. The
// exit status is 0 only if all are killed.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"fleece/conformance"
	"fleece/conformance/specs"
)

// options are the command's flags.
type options struct {
	dir, only string
	survey    string
	mirror    bool
	seed      uint64
	schedules int
	why       bool
}

func main() {
	var o options
	flag.StringVar(&o.dir, "dir", "fixtures/mutants", "directory of the stored mutants")
	flag.StringVar(&o.only, "only", "", "name of one mutant (without .patch)")
	flag.StringVar(&o.survey, "survey", "", "instead, list the mechanical mistakes in these directories or files (commas between) that no spec notices")
	flag.BoolVar(&o.mirror, "mirror", false, "instead, plant the mistakes of "+mirrorDir+" in the simulator, each of which fleece mirror must find beside the real QEMU")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the first random session of -mirror")
	flag.IntVar(&o.schedules, "schedules", 25, "explored schedules per spec")
	flag.BoolVar(&o.why, "why", false, "show how each mutant was killed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, out io.Writer) error {
	if o.survey != "" {
		return survey(ctx, strings.Split(o.survey, ","), o.schedules, out)
	}
	if o.mirror {
		return teeth(ctx, o, out)
	}
	start := time.Now()
	known := specIDs(specs.All())
	all, err := load(o.dir, o.only, known)
	if err != nil {
		return err
	}
	if missing := uncovered(all, known); o.only == "" && len(missing) > 0 {
		return fmt.Errorf("no mutant for the specs %q: store one in %s for each", missing, o.dir)
	}
	work, err := os.MkdirTemp("", "fleece-mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	l := lab{work: work, schedules: o.schedules}
	if err := l.healthy(ctx, all); err != nil {
		return err
	}
	if err := l.weave(ctx, all); err != nil {
		fmt.Fprintln(out, "mutants: each is built alone:", err)
	}
	verdicts := l.tryAll(ctx, all)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("interrupted: %w", err)
	}
	bad := table(out, all, verdicts, o.why)
	fmt.Fprintf(out, "mutants: %d killed, %d not, %d built alone, %.0f s\n",
		len(all)-bad, bad, len(all)-len(l.numbers), time.Since(start).Seconds())
	if bad > 0 {
		return fmt.Errorf("%d of %d mutants were not killed by each of their specs", bad, len(all))
	}
	return nil
}

func specIDs(all []conformance.Spec) []string {
	var ids []string
	for _, s := range all {
		ids = append(ids, s.ID)
	}
	return ids
}

// tryAll tries the mutants, as many at a time as keep the processors busy: the build
// of one alone links on one of them for most of its time, and the run of a spec uses
// them all.
func (l lab) tryAll(ctx context.Context, all []mutant) []verdict {
	verdicts := make([]verdict, len(all))
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(1, runtime.NumCPU()/2))
	for i, m := range all {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if ctx.Err() == nil {
				verdicts[i] = l.try(ctx, m)
			}
		})
	}
	wg.Wait()
	return verdicts
}

// table prints one line per mutant and tells how many were not killed.
func table(out io.Writer, all []mutant, verdicts []verdict, why bool) (bad int) {
	name, spec := 0, 0
	for _, m := range all {
		name, spec = max(name, len(m.name)), max(spec, len(m.specs[0]))
	}
	for i, m := range all {
		v := verdicts[i]
		fmt.Fprintf(out, "%-8s  %-*s  %-*s  %s\n", v.fate, name, m.name, spec, m.specs[0], m.what)
		for _, id := range m.specs[1:] {
			fmt.Fprintf(out, "%-8s  %-*s  %s\n", "", name, "", id)
		}
		if v.fate != killed && v.fate != untried {
			bad++
		}
		if v.why != "" && (why || v.fate != killed) {
			fmt.Fprintf(out, "%-8s  %s\n", "", v.why)
		}
	}
	return bad
}
