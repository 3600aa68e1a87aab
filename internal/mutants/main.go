// Command mutants shows that the suite has teeth: it applies each stored mistake
// of fixtures/mutants to a copy of the file that it touches, builds fleece with
// that copy in place of the original, and demands that the named spec fails on the
// simulator. The tree itself is never touched.
//
// It is a development tool, not part of the product; the product has no switch
// that makes it wrong.
//
// The property it keeps: a mutant counts as killed only by a verdict "fail" of
// its own spec; a mutant that does not apply, does not build, or makes the
// harness itself fail is an error.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

func main() {
	dir := flag.String("dir", "fixtures/mutants", "directory of the stored mutants")
	only := flag.String("only", "", "name of one mutant (without .patch)")
	schedules := flag.Int("schedules", 25, "explored schedules per spec")
	flag.Parse()
	if err := run(*dir, *only, *schedules); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(dir, only string, schedules int) error {
	start := time.Now()
	all, err := load(dir, only)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "fleece-mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := healthy(work, all, schedules); err != nil {
		return err
	}
	verdicts := make([]string, len(all))
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(1, runtime.NumCPU()/2))
	for i, m := range all {
		wg.Go(func() {
			slots <- struct{}{}
			verdicts[i] = m.try(work, schedules)
			<-slots
		})
	}
	wg.Wait()
	bad := 0
	for i, m := range all {
		fmt.Printf("%-9s %-34s %-34s %s\n", word(verdicts[i]), m.name, m.spec, m.what)
		if verdicts[i] != "" {
			fmt.Printf("          %s\n", verdicts[i])
			bad++
		}
	}
	fmt.Printf("mutants: %d killed, %d not, %.0f s\n", len(all)-bad, bad, time.Since(start).Seconds())
	if bad > 0 {
		return fmt.Errorf("%d of %d mutants were not killed by their spec", bad, len(all))
	}
	return nil
}

func word(verdict string) string {
	if verdict == "" {
		return "killed"
	}
	return "NOT KILLED"
}
