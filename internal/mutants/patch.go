package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// patched is the file that a mutant touches, with its mistake; dir is where the
// copy is made, below "tree".
func (m mutant) patched(tree, dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(tree, m.file))
	if err != nil {
		return "", err
	}
	copied := filepath.Join(dir, "tree", m.file)
	if err := os.MkdirAll(filepath.Dir(copied), 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(copied, text, 0o644); err != nil {
		return "", err
	}
	c := exec.Command("git", "apply", "--recount", m.patch)
	c.Dir = filepath.Join(dir, "tree")
	c.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+dir)
	if text, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the patch does not apply, make it anew: %w: %s", err, text)
	}
	return copied, nil
}

// apply writes, below dir, an overlay for the build that puts the patched copy of
// the touched file in place of the original.
func (m mutant) apply(tree, dir string) (overlay string, err error) {
	copied, err := m.patched(tree, dir)
	if err != nil {
		return "", err
	}
	return writeOverlay(tree, dir, map[string]string{m.file: copied})
}

// writeOverlay writes the file that go build -overlay reads: which files stand in
// place of files of the tree.
func writeOverlay(tree, dir string, replace map[string]string) (string, error) {
	absolute := map[string]string{}
	for file, by := range replace {
		original, err := filepath.Abs(filepath.Join(tree, file))
		if err != nil {
			return "", err
		}
		absolute[original] = by
	}
	text, err := json.Marshal(map[string]any{"Replace": absolute})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o644)
}

// weave builds the binary that holds all mutants that can be woven; the others, and
// all if it fails, are built alone.
func (l *lab) weave(ctx context.Context, all []mutant) error {
	dir := filepath.Join(l.work, "woven")
	overlay, numbers, err := weaveAll(dir, all)
	if err != nil {
		return err
	}
	bin := filepath.Join(dir, "trial")
	if err := build(ctx, bin, overlay); err != nil {
		return err
	}
	if err := l.allPass(ctx, bin, all); err != nil {
		return fmt.Errorf("the woven build: %w", err)
	}
	l.woven, l.numbers = bin, numbers
	return nil
}

// weaveAll writes the overlay that holds all mutants that can be woven, and tells their
// numbers.
func weaveAll(dir string, all []mutant) (overlay string, numbers map[string]int, err error) {
	copies := map[string]map[int][]byte{} // of files, by the mutant's number
	numbers = map[string]int{}
	for i, m := range all {
		path, err := m.patched(".", filepath.Join(dir, "patched", m.name))
		if err != nil {
			continue // it is tried alone, which tells the reason
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return "", nil, err
		}
		if copies[m.file] == nil {
			copies[m.file] = map[int][]byte{}
		}
		copies[m.file][i+1] = text
		numbers[m.name] = i + 1
	}
	overlay, alone, err := weaveTree(".", dir, copies)
	for _, n := range alone {
		delete(numbers, all[n-1].name)
	}
	return overlay, numbers, err
}

// weaveTree writes the woven files and the overlay that puts them into a build.
func weaveTree(tree, dir string, copies map[string]map[int][]byte) (overlay string, alone []int, err error) {
	replace := map[string]string{}
	put := func(file string, text []byte) error {
		by := filepath.Join(dir, "tree", file)
		if err := os.MkdirAll(filepath.Dir(by), 0o755); err != nil {
			return err
		}
		replace[file] = by
		return os.WriteFile(by, text, 0o644)
	}
	for file, mutated := range copies {
		original, err := os.ReadFile(filepath.Join(tree, file))
		if err != nil {
			return "", nil, err
		}
		text, left, err := weave(file, original, mutated)
		if err != nil {
			return "", nil, err
		}
		alone = append(alone, left...)
		if err := put(file, text); err != nil {
			return "", nil, err
		}
	}
	if err := put(filepath.Join(switchDir, "woven.go"), []byte(switchSource)); err != nil {
		return "", nil, err
	}
	overlay, err = writeOverlay(tree, dir, replace)
	return overlay, alone, err
}
