package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"fleece/conformance"
)

// runLimit bounds one run of the mutated binary; a mutant may well loop.
const runLimit = 60 * time.Second

// mutant is one stored mistake: a patch with a header of two lines,
// "spec: ID" and "what: a sentence".
type mutant struct {
	name, spec, what string
	patch            string   // path of the patch, absolute
	files            []string // files it touches, relative to the tree
}

// load reads the mutants of a directory in order of their names.
func load(dir, only string) ([]mutant, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.patch"))
	if err != nil {
		return nil, err
	}
	sort.Strings(paths)
	var all []mutant
	for _, p := range paths {
		m, err := parse(p)
		if err != nil {
			return nil, err
		}
		if only == "" || only == m.name {
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no mutants in %s", dir)
	}
	return all, nil
}

func parse(path string) (mutant, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return mutant{}, err
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return mutant{}, err
	}
	m := mutant{name: strings.TrimSuffix(filepath.Base(path), ".patch"), patch: full}
	sc := bufio.NewScanner(bytes.NewReader(text))
	for sc.Scan() {
		line := sc.Text()
		switch {
		case strings.HasPrefix(line, "spec: "):
			m.spec = strings.TrimPrefix(line, "spec: ")
		case strings.HasPrefix(line, "what: "):
			m.what = strings.TrimPrefix(line, "what: ")
		case strings.HasPrefix(line, "--- a/"):
			m.files = append(m.files, strings.TrimPrefix(line, "--- a/"))
		}
	}
	if m.spec == "" || m.what == "" || len(m.files) == 0 {
		return m, fmt.Errorf("%s: needs the lines \"spec: ID\" and \"what: …\" and a patch with a/ and b/ paths", path)
	}
	return m, nil
}

// healthy builds the tree as it is and demands that every named spec passes.
func healthy(work string, all []mutant, schedules int) error {
	bin := filepath.Join(work, "healthy")
	if text, err := build(bin, ""); err != nil {
		return fmt.Errorf("the tree does not build: %w\n%s", err, text)
	}
	for _, spec := range specsOf(all) {
		state, detail := verdictOf(bin, spec, schedules)
		if state != conformance.StatePass {
			return fmt.Errorf("without any mutant spec %s is %q: %s", spec, state, detail)
		}
	}
	return nil
}

func specsOf(all []mutant) []string {
	var ids []string
	for _, m := range all {
		ids = append(ids, m.spec)
	}
	sort.Strings(ids)
	out := ids[:0]
	for i, id := range ids {
		if i == 0 || id != ids[i-1] {
			out = append(out, id)
		}
	}
	return out
}

// try builds and runs the mutant; "" says that its spec killed it.
func (m mutant) try(work string, schedules int) string {
	dir := filepath.Join(work, m.name)
	overlay, err := m.apply(dir)
	if err != nil {
		return err.Error()
	}
	bin := filepath.Join(dir, "fleece")
	if text, err := build(bin, overlay); err != nil {
		return fmt.Sprintf("does not build: %v\n%s", err, text)
	}
	state, detail := verdictOf(bin, m.spec, schedules)
	_ = os.Remove(bin)
	if state == conformance.StateFail {
		return ""
	}
	return fmt.Sprintf("its spec is %q: %s", state, detail)
}

// apply copies the touched files, patches the copies, and writes an overlay for
// the build that puts them in place of the originals.
func (m mutant) apply(dir string) (string, error) {
	replace := make(map[string]string)
	for _, f := range m.files {
		original, err := filepath.Abs(f)
		if err != nil {
			return "", err
		}
		text, err := os.ReadFile(original)
		if err != nil {
			return "", err
		}
		patched := filepath.Join(dir, "tree", f)
		if err := os.MkdirAll(filepath.Dir(patched), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(patched, text, 0o644); err != nil {
			return "", err
		}
		replace[original] = patched
	}
	c := exec.Command("git", "apply", "--recount", m.patch)
	c.Dir = filepath.Join(dir, "tree")
	c.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+dir)
	if text, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the patch does not apply: %w: %s", err, text)
	}
	overlay := filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	return overlay, os.WriteFile(overlay, text, 0o644)
}

func build(bin, overlay string) ([]byte, error) {
	args := []string{"build", "-ldflags=-s -w", "-o", bin}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	return exec.Command("go", append(args, "./cmd/fleece")...).CombinedOutput()
}

// verdictOf runs one spec on the simulator and returns its state.
func verdictOf(bin, spec string, schedules int) (conformance.State, string) {
	c := exec.Command(bin, "run", "--json", "--label-filter", spec,
		"--schedules", fmt.Sprint(schedules), "--deadline", runLimit.String())
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	_ = c.Run() // the exit status repeats what the document says
	var r conformance.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return conformance.StateError, fmt.Sprintf("no report: %v; stderr: %s", err, tail(errs.String()))
	}
	for _, res := range r.Results {
		if res.Spec == spec {
			return res.State, conformance.Explain(res)
		}
	}
	return conformance.StateError, "the spec was not run"
}

func tail(s string) string {
	const limit = 500
	if len(s) > limit {
		return s[len(s)-limit:]
	}
	return s
}
