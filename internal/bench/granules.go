package main

import (
	"fmt"

	"fleece/conformance"
	"fleece/host"
	"fleece/qcow2"
	"fleece/virt"
)

// beginWithGranules is the cost of Begin, and of Begin only, from a checkpoint whose
// bitmap has that many dirty granules of 64 KiB, no two of them neighbours. The
// image brings the bitmap with it, since as many guest writes would take long; the
// copy is held and then aborted.
func beginWithGranules(lane conformance.Lane, granules int64) (cost, error) {
	var m meter
	err := runScale(lane, func(t *conformance.T) {
		d := t.DefineDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
			{Target: "vda", Size: 2 * granules * clusterBytes},
		}})
		must(t, giveBitmap(t, d.DiskPath("vda"), granules), "put a bitmap into the image")
		d.Start()
		_, err := d.CreateCheckpointXML(virt.XML("<domaincheckpoint><name>c0</name><creationTime>1</creationTime></domaincheckpoint>"),
			virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE|virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE)
		must(t, err, "redefine the checkpoint")
		d.MayHaveBitmap("c0")
		t.HoldPushes()
		m.start(t)
		b := d.Begin(conformance.BackupSpec{Since: "c0", Checkpoint: "c1"})
		m.stop(t)
		_, err = d.BackupEnd(b.ID, virt.DOMAIN_BACKUP_END_ABORT)
		must(t, err, "abort")
		b.Forget()
	})
	return m.cost, err
}

func must(t *conformance.T, err error, what string) {
	if err != nil {
		t.Broken("%s: %v", what, err)
	}
}

// giveBitmap makes the image anew: empty, as large as before, with bitmap c0.
func giveBitmap(t *conformance.T, path string, granules int64) error {
	dirty := make([]qcow2.Range, granules)
	for i := range granules {
		dirty[i] = qcow2.Range{Offset: 2 * i * clusterBytes, Length: clusterBytes}
	}
	f, err := t.Host().OpenFile(path, host.ReadWrite|host.Truncate, 0)
	if err != nil {
		return err
	}
	_, err = qcow2.Write(f, &qcow2.Image{Size: 2 * granules * clusterBytes, Bitmaps: []qcow2.Bitmap{
		{Name: "c0", Granularity: clusterBytes, Auto: true, Dirty: dirty},
	}})
	if err != nil {
		return fmt.Errorf("image %s: %w", path, err)
	}
	return f.Close()
}
