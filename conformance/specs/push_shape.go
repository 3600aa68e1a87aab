package specs

import (
	"fmt"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func pushShapeSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID: "push.every-shape",
			Title: "a full push and two increments, qcow2 and raw, to files made or reused and to block devices, hold the disk and what changed, " +
				"and their checkpoints can then be deleted",
			Requirements: []string{"PSH-01", "BEG-01", "BEG-04", "BEG-05", "BEG-18", "I1", "I6", "I7", "I8", "I9", "I12"},
			Needs:        []conformance.Feature{conformance.FeatureBlockDevice},
			Body:         pushEveryShape,
		},
		{
			ID:           "push.target-must-be-there",
			Title:        "a push to an image of the caller that is missing, or a block device that is, fails Begin in every format and leaves nothing",
			Requirements: []string{"BEG-18", "BEG-19", "I12", "E151"},
			Body:         pushTargetMissing,
		},
		{
			ID:           "incremental.of-a-disk-made-read-only",
			Title:        "a disk that was made read-only is pushed and pulled, in full and since a checkpoint of the time when it was not",
			Requirements: []string{"BEG-05", "BEG-18", "PUL-04", "PSH-01", "I1", "I2", "I6", "I7", "I16"},
			Body:         disksMadeReadOnly,
		},
	}
}

// targetStores are what a target may be, with its format.
func targetStores() [][2]string {
	return [][2]string{
		{"made", "qcow2"}, {"made", "raw"}, {"reused", "qcow2"}, {"reused", "raw"}, {"device", "qcow2"}, {"device", "raw"},
	}
}

func pushEveryShape(t *conformance.T) {
	d := shapeDomain(t)
	d.Scribble("vdb", 3)
	t.Go("guest", func() { d.Scribble("vdb", 6) })
	for i, s := range targetStores() {
		var below *conformance.Backup
		var made []string
		rounds := 3
		if s == [2]string{"device", "raw"} {
			rounds = 1 // a raw increment leaves what was on the device where nothing changed
		}
		for round := range rounds {
			name := fmt.Sprintf("p%d-%d", i, round)
			b := d.Begin(pushTo(t, s[0], s[1], name, below))
			d.Write("vdb", int64(round)*16<<10, 8192)
			b.AwaitSuccess()
			b.EndsWith(1)
			b.ExpectImages()
			below = b
			made = append(made, name)
		}
		deleteCheckpoints(t, d, made)
	}
	t.Join()
	d.PowerOff()
}

// pushTo makes the target where the caller has to, and the checkpoint of that name.
func pushTo(t *conformance.T, store, format, name string, below *conformance.Backup) conformance.BackupSpec {
	k := conformance.BackupDisk{Target: "vdb", Format: format, Path: t.Path(name), Block: store == "device"}
	s := conformance.BackupSpec{Over: below, Checkpoint: name}
	switch {
	case store == "reused":
		s.Flags = virt.DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL
		if format == "raw" {
			t.RawFile(k.Path, shapeDiskBytes)
		} else {
			t.QcowFile(k.Path, shapeDiskBytes, 4096)
		}
		t.Keeps(k.Path)
	case k.Block && format == "raw":
		k.Path = t.BlockDevice(name, shapeDiskBytes)
	case k.Block:
		k.Path = t.BlockDevice(name, 4*shapeDiskBytes)
	}
	s.Disks = []conformance.BackupDisk{k}
	return s
}

// deleteCheckpoints deletes checkpoints, eldest first, and expects that nothing is left.
func deleteCheckpoints(t *conformance.T, d *conformance.Domain, names []string) {
	for _, name := range names {
		chk, err := d.CheckpointLookupByName(virt.XML(name), 0)
		t.Expect(err).NotTo(HaveOccurred())
		t.Expect(chk.Delete(0)).To(Succeed(), "delete %s", name)
		d.ForgetCheckpoint(name)
	}
	t.ExpectNothingLeft(d)
}

func pushTargetMissing(t *conformance.T) {
	d := shapeDomain(t)
	t.Go("guest", func() { d.Scribble("vdb", 4) })
	missing := t.Path("missing")
	for _, s := range targetStores() {
		if s[0] == "made" {
			continue
		}
		b := conformance.BackupSpec{Checkpoint: "c1", Disks: []conformance.BackupDisk{{Target: "vdb", Format: s[1], Path: missing, Block: s[0] == "device"}}}
		if s[0] == "reused" {
			b.Flags = virt.DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL
		}
		_, err := d.TryBegin(b)
		t.ExpectError(err, virt.ERR_INTERNAL_ERROR, "Could not open '"+missing+"': No such file or directory")
		d.ForgetCheckpoint("c1")
		t.ExpectNothingLeft(d)
		t.ExpectFiles(false, missing)
		t.Expect(d.JobIDs()).To(BeEmpty())
		_, err = d.CheckpointLookupByName(virt.XML("c1"), 0)
		t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "c1")
	}
	t.Join()
}

func disksMadeReadOnly(t *conformance.T) {
	d := shapeDomain(t)
	d.Scribble("vdb", 3)
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c0", Disks: images(t, "before", "vdb")})
	full.AwaitSuccess()
	full.EndsWith(1)
	d.Write("vdb", 8192, 70<<10)
	d.PowerOff()
	d.MakeReadOnly("vdb")
	d.Start()
	t.Go("guest", func() { d.Scribble("vda", 4) })
	whole := d.Begin(conformance.BackupSpec{Disks: images(t, "whole", "vdb")})
	whole.AwaitSuccess()
	whole.EndsWith(1)
	whole.ExpectImages()
	increment := d.Begin(conformance.BackupSpec{Over: full, Disks: images(t, "increment", "vdb")})
	increment.AwaitSuccess()
	increment.EndsWith(1)
	increment.ExpectImages()
	for _, s := range shapes(t) {
		if s.store != "made" || s.names != s.bitmap {
			continue
		}
		for _, since := range []string{"", "c0"} {
			p := s.pull("")
			p.Since = since
			b := d.BeginPull(p)
			b.ExpectExports()
			kind, _, err := d.GetJobStats(0)
			t.Expect(err).NotTo(HaveOccurred())
			t.Expect(kind).To(Equal(virt.DOMAIN_JOB_UNBOUNDED))
			b.EndsWith(0, 1)
		}
	}
	t.Join()
	d.PowerOff()
}
