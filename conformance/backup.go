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
	// starts are the instants of the checkpoints from which the disks that take
	// part are copied; nil for a full copy.
	starts []*oracle.Instant
	done   int // JOB_COMPLETED events before this backup began
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
	starts := d.starts(s)
	at := d.guest.begin()
	d.lastBegin = at
	if s.Checkpoint != "" {
		d.noteCheckpoint(s.Checkpoint, at)
		d.noteUntracked(s)
	}
	b := &Backup{Spec: s, d: d, at: at, starts: starts, done: len(d.t.JobsCompleted())}
	id, err := d.BackupBegin(s.XML(), s.CheckpointXML(), s.Flags)
	if err != nil {
		d.t.Expect(id).To(equal(-1), "the id beside the error %v", err)
		return nil, err
	}
	d.guest.returned(at)
	b.ID = id
	if s.generated() {
		b.readNames()
	}
	d.t.Keeps(b.Paths()...)
	return b, nil
}

// starts finds the instants from which the disks of a backup are copied.
func (d *Domain) starts(s BackupSpec) []*oracle.Instant {
	var starts []*oracle.Instant
	for _, k := range s.taking() {
		starts = append(starts, d.instant(s.since(k)))
	}
	return starts
}

// Adopt is the backup of an earlier Begin whose caller did not learn the result.
func (d *Domain) Adopt(s BackupSpec, id int) *Backup {
	s = d.complete(s)
	b := &Backup{ID: id, Spec: s, d: d, at: d.lastBegin, starts: d.starts(s)}
	d.t.Keeps(b.Paths()...)
	return b
}

// BackupPaths are the paths of a backup's images as Begin would name them.
func (d *Domain) BackupPaths(s BackupSpec) []string {
	return (&Backup{Spec: d.complete(s)}).Paths()
}

// Paths are the paths of the images, in order of the disks that take part.
func (b *Backup) Paths() []string {
	var paths []string
	for _, k := range b.Spec.taking() {
		if k.Remote == nil {
			paths = append(paths, k.Path)
		}
	}
	return paths
}

// Targets are the disks that take part, in the same order.
func (b *Backup) Targets() []string {
	var targets []string
	for _, k := range b.Spec.taking() {
		targets = append(targets, k.Target)
	}
	return targets
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
	var e virt.JobCompletedEvent
	b.d.t.Await(fmt.Sprintf("JOB_COMPLETED of job %d", b.ID), func() bool {
		for _, e = range b.d.t.JobsCompleted()[b.done:] { // that of an earlier job may still be on its way
			if e.ID() == b.ID && e.Domain.Name == b.d.Name {
				return true
			}
		}
		return false
	})
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
