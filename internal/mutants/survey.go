package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"fleece/conformance"
	"fleece/conformance/specs"
)

// A survey makes mistakes mechanically, everywhere in some packages, and lists those
// that no spec notices. It is a question to the author, not a gate: a slip may change
// nothing that can be seen.

// surveyLimit is how long a survey lets one spec run. A slip may well loop.
const surveyLimit = 5 * time.Second

// survey tries the slips of all files of the directories.
func survey(ctx context.Context, dirs []string, schedules int, out io.Writer) error {
	work, err := os.MkdirTemp("", "fleece-survey-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	var all []slip
	for _, dir := range dirs {
		files, err := goFiles(dir)
		if err != nil {
			return err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			found, err := slips(file, text)
			if err != nil {
				return err
			}
			all = append(all, found...)
		}
	}
	tried, err := buildSlips(ctx, work, all)
	if err != nil {
		return err
	}
	l := lab{work: work, schedules: schedules, woven: filepath.Join(work, "trial")}
	noticed, unnoticed := 0, 0
	for i, v := range l.trySlips(ctx, all, tried) {
		switch {
		case !tried[i+1]:
		case v:
			noticed++
		default:
			unnoticed++
			fmt.Fprintf(out, "%s:%d: %s\n", all[i].file, all[i].line, all[i].what)
		}
	}
	fmt.Fprintf(out, "survey: of %d slips %d were noticed, %d not (%.1f %%), %d do not build\n", len(all),
		noticed, unnoticed, 100*float64(unnoticed)/float64(max(1, noticed+unnoticed)), len(all)-noticed-unnoticed)
	return ctx.Err()
}

// trySlips tells of each slip whether a spec fails, or cannot end, on it.
func (l lab) trySlips(ctx context.Context, all []slip, tried map[int]bool) []bool {
	noticed := make([]bool, len(all))
	ids := specIDs(specs.All())
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(1, runtime.NumCPU()-1))
	for i := range all {
		if !tried[i+1] {
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			noticed[i] = ctx.Err() != nil || l.notices(ctx, ids, i+1)
		})
	}
	wg.Wait()
	return noticed
}

// notices reports whether any spec does other than pass.
func (l lab) notices(ctx context.Context, ids []string, number int) bool {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	c := exec.CommandContext(ctx, l.woven, "-specs", strings.Join(ids, ","), "-first",
		"-schedules", strconv.Itoa(l.schedules), "-deadline", surveyLimit.String())
	c.Env = append(os.Environ(), switchVariable+"="+strconv.Itoa(number))
	text, err := c.Output()
	var results []conformance.Result
	if err != nil || json.Unmarshal(text, &results) != nil {
		return true
	}
	return len(results) == 0 || results[len(results)-1].State != conformance.StatePass
}

// buildSlips weaves the slips into one binary and leaves out those that do not
// build. It gives the numbers (index + 1) of those that are in it.
func buildSlips(ctx context.Context, work string, all []slip) (map[int]bool, error) {
	tried := map[int]bool{}
	for i := range all {
		tried[i+1] = true
	}
	for {
		copies := map[string]map[int][]byte{}
		for i, p := range all {
			if !tried[i+1] {
				continue
			}
			original, err := os.ReadFile(p.file)
			if err != nil {
				return nil, err
			}
			if copies[p.file] == nil {
				copies[p.file] = map[int][]byte{}
			}
			copies[p.file][i+1] = p.text(original)
		}
		overlay, alone, err := weaveTree(".", work, copies)
		if err != nil {
			return nil, err
		}
		for _, n := range alone {
			delete(tried, n)
		}
		failure := buildAll(ctx, filepath.Join(work, "trial"), overlay)
		if failure == nil {
			return tried, nil
		}
		bad := culprits(failure.Error())
		if len(bad) == 0 {
			return nil, failure
		}
		for _, n := range bad {
			delete(tried, n)
		}
	}
}

// buildAll is build that tells all errors of the compiler.
func buildAll(ctx context.Context, bin, overlay string) error {
	c := exec.CommandContext(ctx, "go", "build", "-gcflags=fleece/...=-e", "-buildvcs=false", "-overlay", overlay, "-o", bin, "./internal/mutants/trial")
	if text, err := c.CombinedOutput(); err != nil {
		return errors.New(string(text))
	}
	return nil
}

// culprits finds, for each line that the compiler complains about, the number of the
// version that it stands in.
func culprits(complaints string) []int {
	var bad []int
	at := regexp.MustCompile(`(?m)^(\S+\.go):(\d+):`)
	version := regexp.MustCompile(`^func .*?\w__(\d+)[(\[]`)
	texts := map[string][]string{}
	for _, m := range at.FindAllStringSubmatch(complaints, -1) {
		lines, ok := texts[m[1]]
		if !ok {
			text, _ := os.ReadFile(m[1])
			lines = strings.Split(string(text), "\n")
			texts[m[1]] = lines
		}
		line, _ := strconv.Atoi(m[2])
		for i := min(line, len(lines)) - 1; i >= 0; i-- {
			if v := version.FindStringSubmatch(lines[i]); v != nil {
				if n, _ := strconv.Atoi(v[1]); n > 0 {
					bad = append(bad, n)
				}
				break
			}
		}
	}
	return bad
}
