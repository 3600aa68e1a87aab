package driver

import (
	"errors"
	"io/fs"
	"path"

	"fleece/driver/checkpointdef"
	"fleece/driver/state"
	"fleece/host"
	"fleece/virt"
)

// The state directory: config/NAME.xml are definitions, run/NAME.state states,
// run/NAME.xml the definition of a run if it is another one.
const (
	configDir     = "config"
	runDir        = "run"
	stateSuffix   = ".state"
	xmlSuffix     = ".xml"
	pendingSuffix = ".new" // as host.WriteFileAtomic and virFileRewrite name it

	configBytesMax     = 4 << 20
	checkpointBytesMax = 1 << 20 // libvirt's limit when it loads one
)

func (d *Driver) configPath(name string) string {
	return path.Join(d.cfg.StateDir, configDir, name+xmlSuffix)
}

func (d *Driver) livePath(name string) string {
	return path.Join(d.cfg.StateDir, runDir, name+xmlSuffix)
}

func (d *Driver) statePath(name string) string {
	return path.Join(d.cfg.StateDir, runDir, name+stateSuffix)
}

// paths are the paths that a domain needs again and again.
type paths struct{ state, checkpoints, snapshots string }

func (d *domain) files() *paths {
	if p := &d.paths; p.state == "" {
		p.state, p.checkpoints = d.drv.statePath(d.name), path.Join(d.drv.cfg.CheckpointDir, d.name)
		p.snapshots = path.Join(d.drv.cfg.SnapshotDir, d.name)
	}
	return &d.paths
}

func (d *domain) checkpointDir() string { return d.files().checkpoints }

func (d *domain) checkpointPath(name string) string {
	return d.checkpointDir() + "/" + name + xmlSuffix
}

// save makes what is stored durable.
func (d *domain) save() error {
	d.buffer = state.Append(d.buffer[:0], &d.stored)
	if err := host.WriteFileAtomic(d.drv.h, d.files().state, d.buffer, 0o600); err != nil {
		return systemError(err, "unable to save status of domain '%s'", d.name)
	}
	return nil
}

// trySave is save where there is no way back: what is not stored is found out
// again after a restart. A domain that was forgotten meanwhile stores nothing.
func (d *domain) trySave() {
	if d.definition() == nil {
		return
	}
	if err := d.save(); err != nil {
		d.drv.p.Note("state-not-saved", d.name, err)
	}
}

// systemError is code 38 with the text of strerror.
func systemError(err error, format string, args ...any) error {
	return virt.Errorf(virt.ERR_SYSTEM_ERROR, virt.FROM_QEMU, format+": %s",
		append(args, host.ErrText(err))...).Because(err)
}

// remove deletes a file that may be missing.
func (d *Driver) remove(name string) error {
	err := d.h.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// prepareCheckpoint writes the metadata of a checkpoint under a name that is not
// looked at: durable, but not in force until commitCheckpoint (contract row 24).
func (d *domain) prepareCheckpoint(c *checkpointdef.Checkpoint) error {
	h := d.drv.h
	if err := host.MkdirAll(h, d.checkpointDir(), 0o700); err != nil {
		return systemError(err, "cannot create checkpoint directory '%s'", d.checkpointDir())
	}
	name := d.checkpointPath(c.Name) + pendingSuffix
	if err := writeSynced(h, name, c.Format(checkpointdef.FormatOptions{})); err != nil {
		_ = d.drv.remove(name)
		return errMetadata(c.Name, err)
	}
	return nil
}

func writeSynced(h host.Host, name, text string) error {
	f, err := h.OpenFile(name, host.ReadWrite|host.Create|host.Truncate, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(text), 0)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// errMetadata is E161 and E213.
func errMetadata(name string, err error) error {
	return virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_QEMU, "unable to save metadata for checkpoint %s", name).Because(err)
}

// commitCheckpoint puts prepared metadata in force.
func (d *domain) commitCheckpoint(name string) error {
	final := d.checkpointPath(name)
	if err := d.drv.h.Rename(final+pendingSuffix, final); err != nil {
		return errMetadata(name, err)
	}
	if err := d.drv.h.SyncDir(d.checkpointDir()); err != nil {
		return errMetadata(name, err)
	}
	return nil
}

// dropCheckpoint removes metadata, in force or not.
func (d *domain) dropCheckpoint(name string) {
	final := d.checkpointPath(name)
	for _, file := range []string{final + pendingSuffix, final} {
		if err := d.drv.remove(file); err != nil {
			d.drv.p.Note("file-not-removed", file, err)
		}
	}
}
