package conformance

import "fleece/conformance/oracle"

// ExpectImages asks the oracle whether one instant within Begin explains all
// images of the backup, and the bitmaps of its checkpoint if the domain was
// powered off, so that they can be read. An increment must hold what was written
// since its checkpoint and nothing else (I6, I7); laid over the backup of that
// checkpoint (BackupSpec.Over) it must be the disk.
func (b *Backup) ExpectImages() {
	var e oracle.Evidence
	for i, k := range b.Spec.taking() {
		img := b.open(k)
		defer closeQuietly(img)
		di := oracle.DiskImage{Disk: b.d.model(k.Target), Image: img, Sparse: b.sparse(k)}
		if name := b.Spec.since(k); name != "" {
			if b.starts[i] == nil {
				b.d.t.Broken("the backup starts from checkpoint %q, which the harness does not know", name)
			}
			di.Since, di.OnlyAllocated = b.starts[i], true
		}
		e.Images = append(e.Images, di)
		if b.Spec.since(k) != "" && b.Spec.Over != nil {
			below := b.Spec.Over.flattened(k.Target)
			defer closeQuietly(below)
			e.Images = append(e.Images, oracle.DiskImage{Disk: di.Disk, Image: oracle.Overlay(img, below)})
		}
	}
	if b.d.gone && b.Spec.Checkpoint != "" {
		e.Bitmaps = b.d.bitmaps(b.Spec.Checkpoint)
	}
	b.d.guest.judge("the backup", b.at, e)
}

// open opens the image that the backup made of a disk.
func (b *Backup) open(k BackupDisk) image {
	if k.Remote != nil {
		return k.Remote.image()
	}
	img := b.d.t.openImage(k.Path, k.Format)
	if k.Format == "raw" && b.Spec.since(k) != "" {
		return rawIncrement{img}
	}
	return img
}

// flattened is the image of a disk laid over those of the backups below it.
func (b *Backup) flattened(target string) image {
	for _, k := range b.Spec.taking() {
		if k.Target != target {
			continue
		}
		img := b.open(k)
		if b.Spec.since(k) == "" {
			return img
		}
		if b.Spec.Over == nil {
			b.d.t.Broken("the backup of %s starts from a checkpoint and is over nothing", target)
		}
		below := b.Spec.Over.flattened(target)
		return chain{oracle.Overlay(img, below), img, below}
	}
	b.d.t.Broken("the backup below has no image of %s", target)
	return nil
}

// chain is an image with those below it.
type chain struct {
	oracle.Image
	top, below image
}

func (c chain) Close() error {
	closeQuietly(c.below)
	return c.top.Close()
}

// Holds is how many bytes of data the image of a disk holds itself, whole units of
// the image.
func (b *Backup) Holds(target string) int64 {
	sum := int64(0)
	for _, k := range b.Spec.taking() {
		if k.Target != target {
			continue
		}
		img := b.open(k)
		defer closeQuietly(img)
		for off := int64(0); off < img.Size(); {
			length, kind, err := img.Next(off)
			b.d.t.must(err, "read the image of "+target)
			if kind == oracle.Data {
				sum += min(length, img.Size()-off)
			}
			off += length
		}
	}
	return sum
}

// clusterCopiedWhole is the cluster size of a source from which QEMU 7.2 copies
// everything as data, holes too: its block status ends with each L2 table, which
// maps 32 KiB, less than the unit of a backup (docs/qemu-findings.md).
const clusterCopiedWhole = 512

// backupClusterMin is the least unit in which QEMU copies (§5.4), in bytes.
const backupClusterMin = 64 << 10

// sparse is the unit outside of whose written blocks an image holds no data; 0 if
// nothing can be said.
func (b *Backup) sparse(k BackupDisk) int64 {
	source := b.d.disk(k.Target)
	switch {
	case b.Spec.since(k) != "":
		return max(source.ClusterSize, backupClusterMin)
	case k.Format != "qcow2", source.Format != "qcow2", source.ClusterSize <= clusterCopiedWhole:
		return 0
	case source.DataFileRaw && len(source.below) == 0: // all of it is mapped from the start
		return 0
	}
	return max(source.ClusterSize, backupClusterMin)
}

// ExpectConsistent asserts that the metadata of every image is without fault.
func (b *Backup) ExpectConsistent() {
	for _, k := range b.Spec.taking() {
		if k.Format == "qcow2" {
			b.d.t.checkImage(k.Path)
		}
	}
}

// PowerOff ends the domain in order, by the harness's own monitor, so that QEMU
// stores the persistent bitmaps, and expects that the disks hold what the guest
// wrote.
func (d *Domain) PowerOff() {
	d.t.quit(d)
	d.gone = true
	var e oracle.Evidence
	for _, k := range d.disks {
		if k.NoMedium {
			continue
		}
		img := d.t.openChain(k.layers())
		defer closeQuietly(img)
		e.Images = append(e.Images, oracle.DiskImage{Disk: d.model(k.Target), Image: img})
		if k.DataFileRaw && len(k.below) == 0 {
			raw := d.t.openImage(k.data, "raw")
			defer closeQuietly(raw)
			e.Images = append(e.Images, oracle.DiskImage{Disk: d.model(k.Target), Image: raw})
		}
	}
	d.t.mu.Lock()
	now := d.guest.history.Now()
	d.t.mu.Unlock()
	d.guest.judge("the disk itself", now, e)
}
