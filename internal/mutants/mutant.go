package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is one stored mistake: a header of two lines, "spec: ID[, ID…]" and
// "what: a sentence", then a unified diff of one place in one file. Each of the
// specs must fail on it.
type mutant struct {
	name, what string
	specs      []string
	patch      string // path of the patch, absolute
	file       string // the file that it touches, relative to the tree
}

// load reads the mutants of a directory in order of their names; only, if given,
// names the one that is wanted. Every spec must be one of known.
func load(dir, only string, known []string) ([]mutant, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.patch"))
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	var all []mutant
	for _, p := range paths {
		m, err := read(p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		for _, id := range m.specs {
			if !slices.Contains(known, id) {
				return nil, fmt.Errorf("%s: there is no spec %q; fleece list names them", p, id)
			}
		}
		if only == "" || only == m.name {
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no mutant %q in %s (empty name: none at all)", only, dir)
	}
	return all, nil
}

func read(patch string) (mutant, error) {
	text, err := os.ReadFile(patch)
	if err != nil {
		return mutant{}, err
	}
	m, err := parse(string(text))
	if err != nil {
		return m, err
	}
	m.name = strings.TrimSuffix(filepath.Base(patch), ".patch")
	m.patch, err = filepath.Abs(patch)
	return m, err
}

// parse reads a patch. It is strict, so that a mutant stays what it says it is.
func parse(text string) (m mutant, err error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	var ids string
	for _, h := range []struct {
		key string
		to  *string
	}{{"spec: ", &ids}, {"what: ", &m.what}} {
		value, ok := strings.CutPrefix(lines[0], h.key)
		if !ok || strings.TrimSpace(value) == "" {
			return m, fmt.Errorf("the header is the lines \"spec: ID[, ID…]\" and \"what: …\", in this order; found %q", lines[0])
		}
		*h.to = value
		if lines = lines[1:]; len(lines) == 0 {
			return m, fmt.Errorf("the header is not followed by a patch")
		}
	}
	if m.specs, err = parseIDs(ids); err != nil {
		return m, err
	}
	if lines[0] != "" {
		return m, fmt.Errorf("an empty line ends the header; found %q", lines[0])
	}
	m.file, err = parseDiff(lines[1:])
	return m, err
}

// parseIDs reads the list of specs: each once, none empty.
func parseIDs(list string) ([]string, error) {
	var ids []string
	for _, id := range strings.Split(list, ", ") {
		switch {
		case id == "" || strings.ContainsAny(id, ", \t"):
			return nil, fmt.Errorf("the specs %q must be ids with \", \" between them", list)
		case slices.Contains(ids, id):
			return nil, fmt.Errorf("the spec %q is named twice", id)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// parseDiff demands one hunk of one file that changes something, and gives the
// file.
func parseDiff(lines []string) (file string, err error) {
	if len(lines) < 4 {
		return "", fmt.Errorf("the patch has %d lines: it needs two paths, a hunk and a change", len(lines))
	}
	from, okFrom := strings.CutPrefix(lines[0], "--- a/")
	to, okTo := strings.CutPrefix(lines[1], "+++ b/")
	switch {
	case !okFrom || !okTo || from != to:
		return "", fmt.Errorf("the patch starts with \"--- a/FILE\" and \"+++ b/FILE\"; found %q and %q", lines[0], lines[1])
	case !strings.HasPrefix(lines[2], "@@ -"):
		return "", fmt.Errorf("the paths are followed by a hunk; found %q", lines[2])
	}
	changes := 0
	for _, line := range lines[3:] {
		switch {
		case strings.HasPrefix(line, "+"), strings.HasPrefix(line, "-"):
			changes++
		case line != "" && line[0] != ' ':
			return "", fmt.Errorf("a mistake is one hunk in one file; found %q", line)
		}
	}
	if changes == 0 {
		return "", fmt.Errorf("the hunk changes nothing")
	}
	return from, checkFile(from)
}

// checkFile refuses what would not be a mistake of the product: tests, files
// outside of the tree, and the judge itself.
func checkFile(file string) error {
	switch {
	case path.Clean(file) != file || !filepath.IsLocal(file) || path.Ext(file) != ".go":
		return fmt.Errorf("%q is not a Go file of the tree", file)
	case strings.HasSuffix(file, "_test.go"), strings.HasPrefix(file, "conformance/"), strings.HasPrefix(file, "internal/"):
		return fmt.Errorf("%s: a mistake in what judges shows nothing about it", file)
	}
	return nil
}

// specsOf lists the specs that the mutants name, each once, sorted.
func specsOf(all []mutant) []string {
	var ids []string
	for _, m := range all {
		ids = append(ids, m.specs...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// uncovered lists the known specs that no mutant names.
func uncovered(all []mutant, known []string) []string {
	var missing []string
	named := specsOf(all)
	for _, id := range known {
		if !slices.Contains(named, id) {
			missing = append(missing, id)
		}
	}
	return missing
}
