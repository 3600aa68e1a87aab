package conformance

import (
	"fmt"
	"time"

	"fleece/conformance/oracle"
	"fleece/virt"
)

// Backup is a push backup that Begin returned an id for.
type Backup struct {
	ID   int
	Spec BackupSpec
	d    *Domain
	at   *oracle.Instant
	done int // JOB_COMPLETED events before this backup began
}

// Begin starts a backup that must start.
func (d *Domain) Begin(s BackupSpec) *Backup {
	b, err := d.TryBegin(s)
	d.t.Expect(err).NotTo(haveOccurred(), "BackupBegin")
	return b
}

// TryBegin starts a backup; on an error the Backup is nil.
func (d *Domain) TryBegin(s BackupSpec) (*Backup, error) {
	s = d.complete(s)
	at := d.guest.begin()
	d.lastBegin = at
	if s.Checkpoint != "" {
		d.noteCheckpoint(s.Checkpoint, at)
	}
	b := &Backup{Spec: s, d: d, at: at, done: len(d.t.JobsCompleted())}
	id, err := d.BackupBegin(virt.XML(s.XML()), s.CheckpointXML(), s.Flags)
	if err != nil {
		d.t.Expect(id).To(equal(-1), "the id beside the error %v", err)
		return nil, err
	}
	d.guest.returned(at)
	b.ID = id
	d.t.Keeps(b.Paths()...)
	return b, nil
}

// Adopt is the backup of an earlier Begin whose caller did not learn the result.
func (d *Domain) Adopt(s BackupSpec, id int) *Backup {
	s = d.complete(s)
	b := &Backup{ID: id, Spec: s, d: d, at: d.lastBegin}
	d.t.Keeps(b.Paths()...)
	return b
}

// BackupPaths are the paths of a backup's images as Begin would name them.
func (d *Domain) BackupPaths(s BackupSpec) []string {
	return (&Backup{Spec: d.complete(s)}).Paths()
}

// Paths are the paths of the images, in order of the backup's disks.
func (b *Backup) Paths() []string {
	var paths []string
	for _, k := range b.Spec.Disks {
		paths = append(paths, k.Path)
	}
	return paths
}

// Forget says that the images of the backup must not be there at the end.
func (b *Backup) Forget() {
	var keep []string
	for _, p := range b.d.t.keep {
		if !contains(b.Paths(), p) {
			keep = append(keep, p)
		}
	}
	b.d.t.keep = keep
}

// AwaitSuccess waits for the completion event of this backup and expects success.
func (b *Backup) AwaitSuccess() virt.JobCompletedEvent {
	e := b.d.t.AwaitJobCompleted(b.done + 1)
	b.d.t.Expect(e.Success()).To(beTrue(), "the job failed: %s", e.ErrorMessage())
	return e
}

// endedPoll is how often AwaitEnded asks.
const endedPoll = 5 * time.Millisecond

// AwaitEnded waits until the driver lists the job as done; for a backup whose
// event may have gone to a driver that died.
func (b *Backup) AwaitEnded() {
	b.d.t.Poll(fmt.Sprintf("job %d to be done", b.ID), endedPoll, func() bool {
		ids, err := b.d.ListJobIds(0)
		b.d.t.Expect(err).NotTo(haveOccurred())
		for _, k := range ids {
			if k.ID == b.ID {
				return k.Type != virt.DOMAIN_JOB_UNBOUNDED
			}
		}
		return true
	})
}

// EndsWith calls BackupEnd without flags and expects the result.
func (b *Backup) EndsWith(result int) {
	ret, err := b.d.BackupEnd(b.ID, 0)
	b.d.t.Expect(err).NotTo(haveOccurred(), "BackupEnd")
	b.d.t.Expect(ret).To(equal(result), "the result of BackupEnd")
}

// ExpectImages asks the oracle whether one instant within Begin explains all
// images of the backup, and the bitmaps of its checkpoint if the domain was
// powered off, so that they can be read.
func (b *Backup) ExpectImages() {
	t := b.d.t
	var e oracle.Evidence
	for _, k := range b.Spec.Disks {
		img := t.openImage(k.Path, k.Format)
		defer closeQuietly(img)
		di := oracle.DiskImage{Disk: b.d.model(k.Target), Image: img}
		if size := b.d.disk(k.Target).ClusterSize; k.Format == "qcow2" && size > clusterCopiedWhole {
			di.Sparse = max(size, backupClusterMin)
		}
		e.Images = append(e.Images, di)
	}
	if b.d.gone && b.Spec.Checkpoint != "" {
		e.Bitmaps = b.d.bitmaps(b.Spec.Checkpoint)
	}
	b.d.guest.judge("the backup", b.at, e)
}

// clusterCopiedWhole is the cluster size of a source from which QEMU 7.2 copies
// everything as data, holes too: its block status ends with each L2 table, which
// maps 32 KiB, less than the unit of a backup (docs/qemu-findings.md).
const clusterCopiedWhole = 512

// backupClusterMin is the least unit in which QEMU copies (§5.4), in bytes.
const backupClusterMin = 64 << 10

// ExpectConsistent asserts that the metadata of every image is without fault.
func (b *Backup) ExpectConsistent() {
	for _, k := range b.Spec.Disks {
		if k.Format == "qcow2" {
			b.d.t.checkImage(k.Path)
		}
	}
}

// Checkpoint creates a checkpoint that must be created.
func (d *Domain) Checkpoint(name string) *virt.Checkpoint {
	at := d.guest.begin()
	d.noteCheckpoint(name, at)
	chk, err := d.CreateCheckpointXML(BackupSpec{Checkpoint: name}.CheckpointXML(), 0)
	d.t.Expect(err).NotTo(haveOccurred(), "create checkpoint %s", name)
	d.guest.returned(at)
	return chk
}

// noteCheckpoint remembers that a bitmap of that name may be there.
func (d *Domain) noteCheckpoint(name string, at *oracle.Instant) {
	d.lastBegin = at
	if !contains(d.checkpoints, name) {
		d.checkpoints = append(d.checkpoints, name)
		d.instants = append(d.instants, at)
		return
	}
	for i := range d.checkpoints {
		if d.checkpoints[i] == name {
			d.instants[i] = at
		}
	}
}

// ForgetCheckpoint says that no bitmap of that name may be left.
func (d *Domain) ForgetCheckpoint(name string) {
	for i := range d.checkpoints {
		if d.checkpoints[i] == name {
			d.checkpoints = append(d.checkpoints[:i], d.checkpoints[i+1:]...)
			d.instants = append(d.instants[:i], d.instants[i+1:]...)
			return
		}
	}
}

// ExpectBitmaps asks the oracle about the bitmaps of every checkpoint of a domain
// that was powered off, and about the disks themselves: no backup or checkpoint
// may have changed what the guest wrote (I16).
func (d *Domain) ExpectBitmaps() {
	for i, name := range d.checkpoints {
		d.guest.judge("the bitmap of checkpoint "+name, d.instants[i], oracle.Evidence{Bitmaps: d.bitmaps(name)})
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
		img := d.t.openImage(k.Path, "qcow2")
		defer closeQuietly(img)
		e.Images = append(e.Images, oracle.DiskImage{Disk: d.model(k.Target), Image: img})
	}
	d.t.mu.Lock()
	now := d.guest.history.Now()
	d.t.mu.Unlock()
	d.guest.judge("the disk itself", now, e)
}
