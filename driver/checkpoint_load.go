package driver

import (
	"errors"
	"io/fs"
	"strings"

	"fleece/driver/checkpointdef"
	"fleece/host"
	"fleece/virt"
)

// deletedSuffix marks the metadata of a checkpoint that is being deleted and has
// children: it says whose they become. It is no longer than pendingSuffix.
const deletedSuffix = ".del"

// loadCheckpoints reads the metadata that is in force (§5.15) and finishes deletions
// that were interrupted. What cannot be read is left alone and noted (E238 to E240):
// the checkpoint is then unknown, and its bitmaps stay.
func (d *domain) loadCheckpoints() {
	entries, err := d.drv.h.ReadDir(d.checkpointDir())
	if errors.Is(err, fs.ErrNotExist) {
		return // no checkpoint was ever made
	}
	if err != nil {
		d.noteLoad(virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_QEMU, "Failed to fully read directory %s", d.checkpointDir()).Because(err))
		return
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e, xmlSuffix); ok {
			if c := d.loadCheckpoint(name, d.checkpointPath(name)); c != nil {
				d.tree.Put(c)
			}
		}
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e, xmlSuffix+deletedSuffix); ok {
			d.finishDeletion(name)
		}
	}
	if !d.tree.Settle() {
		d.noteLoad(virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_QEMU, "Checkpoints have inconsistent relations for domain %s", d.name))
	}
}

func (d *domain) noteLoad(err error) { d.drv.p.Note("checkpoints-not-loaded", d.name, err) }

// loadCheckpoint reads one file; nil, noted, if it is not what it should be.
func (d *domain) loadCheckpoint(name, file string) *checkpointdef.Checkpoint {
	c, err := d.readCheckpoint(file)
	if err == nil && c.Name == name {
		return c
	}
	d.noteLoad(systemError(err, "Failed to read checkpoint file %s", file))
	return nil
}

func (d *domain) readCheckpoint(file string) (*checkpointdef.Checkpoint, error) {
	text, err := host.ReadFile(d.drv.h, file, checkpointBytesMax)
	if err != nil {
		return nil, err
	}
	return checkpointdef.ParseRedefine(string(text))
}

// finishDeletion gives the children of a checkpoint whose deletion was interrupted
// to its parent. If there is a checkpoint of that name it was made later, and the
// children are its own.
func (d *domain) finishDeletion(name string) {
	file := d.checkpointPath(name) + deletedSuffix
	if d.tree.Get(name) == nil {
		c := d.loadCheckpoint(name, file)
		if c == nil {
			return
		}
		if err := d.orphan(c); err != nil {
			d.noteLoad(err)
			return
		}
	}
	d.removeNoted(file)
}

// orphan gives the children of a checkpoint to its parent, on disk and in the tree.
// If one cannot be stored all stay where they were.
func (d *domain) orphan(c *checkpointdef.Checkpoint) error {
	var was, moved []*checkpointdef.Checkpoint
	for _, child := range d.tree.All() {
		if child.Parent != c.Name {
			continue
		}
		m := child.Clone()
		m.Parent = c.Parent
		was, moved = append(was, child), append(moved, m)
	}
	for i, m := range moved {
		err := d.storeCheckpoint(m)
		if err == nil {
			continue
		}
		for _, o := range was[:i] {
			if err := d.storeCheckpoint(o); err != nil {
				d.drv.p.Note("checkpoint-not-stored", d.name, err)
			}
		}
		return systemError(err, "cannot write checkpoint file '%s'", d.checkpointPath(m.Name))
	}
	for _, m := range moved {
		d.tree.Put(m)
	}
	return nil
}
