package driver

import (
	"fmt"
	"strings"

	"fleece/driver/snapshotdef"
	"fleece/host"
	"fleece/virt"
)

func (d *domain) snapshotPath(name string) string {
	return d.files().snapshots + "/" + name + xmlSuffix
}

// storeSnapshot writes metadata in force, atomically; E262.
func (d *domain) storeSnapshot(s *snapshotdef.Snapshot) error {
	err := host.MkdirAll(d.drv.h, d.files().snapshots, 0o700)
	if err == nil {
		err = host.WriteFileAtomic(d.drv.h, d.snapshotPath(s.Name), []byte(s.Format()), 0o600)
	}
	if err != nil {
		return virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_QEMU, "unable to save metadata for snapshot %s", s.Name).Because(err)
	}
	return nil
}

// readSnapshot reads the metadata of a snapshot.
func (d *domain) readSnapshot(name string) (*snapshotdef.Snapshot, error) {
	text, err := host.ReadFile(d.drv.h, d.snapshotPath(name), checkpointBytesMax)
	if err != nil {
		return nil, err
	}
	s, err := snapshotdef.Parse(string(text), snapshotdef.Options{Redefine: true})
	if err == nil && s.Name != name {
		return nil, fmt.Errorf("snapshot %q is in the file of %q", s.Name, name)
	}
	return s, err
}

// loadSnapshots reads all metadata, as loadCheckpoints does.
func (d *domain) loadSnapshots() {
	entries, err := d.drv.h.ReadDir(d.files().snapshots)
	if err != nil {
		return // no snapshot was ever made
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e, xmlSuffix)
		if !ok {
			if strings.HasSuffix(e, pendingSuffix) {
				d.removeNoted(d.files().snapshots + "/" + e)
			}
			continue
		}
		s, err := d.readSnapshot(name)
		if err != nil {
			d.drv.p.Note("snapshot-not-read", d.name, name, err)
			continue
		}
		d.snapshots.Put(s)
	}
	if !d.snapshots.Settle() {
		d.drv.p.Note("snapshots-inconsistent", d.name)
	}
	if d.snapshots.Get(d.stored.Current) == nil {
		d.stored.Current = ""
	}
}
