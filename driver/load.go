package driver

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"fleece/driver/domaindef"
	"fleece/driver/state"
	"fleece/host"
)

// load reads what an earlier driver left and takes each domain up where it was.
// Files that cannot be read as what they should be are left alone and noted; only
// a state directory that cannot be used at all is an error.
func (drv *Driver) load() error {
	for _, dir := range []string{configDir, runDir} {
		if err := host.MkdirAll(drv.h, path.Join(drv.cfg.StateDir, dir), 0o700); err != nil {
			return fmt.Errorf("driver: state directory: %w", err)
		}
	}
	configs, err := drv.list(path.Join(drv.cfg.StateDir, configDir), xmlSuffix)
	if err != nil {
		return err
	}
	states, err := drv.list(path.Join(drv.cfg.StateDir, runDir), stateSuffix)
	if err != nil {
		return err
	}
	for _, name := range merge(configs, states) {
		d := newDomain(drv, name)
		if d.loadFiles() {
			drv.domains = append(drv.domains, d)
			drv.lastRunID = max(drv.lastRunID, d.stored.RunID)
		}
	}
	for _, d := range drv.all() {
		if err := d.recover(); err != nil {
			return fmt.Errorf("driver: domain '%s': %w", d.name, err)
		}
	}
	return nil
}

// list returns the names in a directory that have the suffix, without it. What an
// interrupted replacement left is removed.
func (drv *Driver) list(dir, suffix string) ([]string, error) {
	entries, err := drv.h.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("driver: state directory: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e, suffix); ok {
			names = append(names, name)
		}
		if strings.HasSuffix(e, pendingSuffix) {
			if err := drv.remove(path.Join(dir, e)); err != nil {
				drv.p.Note("file-not-removed", e, err)
			}
		}
	}
	return names, nil
}

// merge unites two sorted lists.
func merge(a, b []string) []string {
	var out []string
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			out, a = append(out, a[0]), a[1:]
		case len(a) == 0 || b[0] < a[0]:
			out, b = append(out, b[0]), b[1:]
		default:
			out, a, b = append(out, a[0]), a[1:], b[1:]
		}
	}
	return out
}

// loadFiles reads definition, state and checkpoints; false if there is no domain.
func (d *domain) loadFiles() bool {
	drv := d.drv
	d.def = drv.definition(drv.configPath(d.name), d.name)
	if text, err := host.ReadFile(drv.h, drv.statePath(d.name), state.BytesMax); err == nil {
		stored, err := state.Parse(string(text))
		if err != nil {
			drv.p.Note("state-not-read", d.name, err)
		} else {
			d.stored = *stored
		}
	}
	d.live = drv.definition(drv.livePath(d.name), d.name)
	if d.live == nil {
		d.live = d.def
	}
	if d.live == nil {
		d.forgetRemains()
		return false
	}
	d.loadCheckpoints()
	d.loadSnapshots()
	return true
}

// forgetRemains removes what is left of a domain that was undefined and whose driver died
// over that: its state says so, and no definition is there, be it one that cannot be read.
func (d *domain) forgetRemains() {
	for _, file := range []string{d.drv.configPath(d.name), d.drv.livePath(d.name)} {
		if _, err := d.drv.h.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			return
		}
	}
	if !d.stored.Transient {
		return
	}
	d.loadCheckpoints()
	d.loadSnapshots()
	d.dropPending()
	d.forget()
}

// definition reads a domain's XML; nil if there is none that is any good.
func (drv *Driver) definition(file, name string) *domaindef.Domain {
	text, err := host.ReadFile(drv.h, file, configBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		var def *domaindef.Domain
		if def, err = domaindef.Parse(string(text)); err == nil && def.Name == name && def.UUID != "" {
			return def
		}
	}
	drv.p.Note("definition-not-read", file, err)
	return nil
}
