package conformance

import (
	"path"

	"fleece/virt"
)

// Refusal is a BackupBegin that must fail.
type Refusal struct {
	Row        string  // what it is about: an id of the error catalogue, or words
	Backup     *string // <domainbackup>; nil is NULL
	Checkpoint *string // <domaincheckpoint>; nil is NULL
	Flags      virt.DomainBackupBeginFlags
	Code       virt.ErrorNumber
	Text       string // that the message contains
}

// ExpectRefused calls BackupBegin, expects -1 with that error, and that nothing came
// of it (BEG-19): no file, job, checkpoint or event, and in QEMU no node, job or
// bitmap.
func (d *Domain) ExpectRefused(rows ...Refusal) {
	t := d.t
	for _, row := range rows {
		files, events := t.files(), len(t.JobsCompleted())
		names, jobs := d.checkpointNames(), d.JobIDs()
		id, err := d.BackupBegin(row.Backup, row.Checkpoint, row.Flags)
		t.Expect(err).To(haveOccurred(), "row %s: Begin should have failed; it returned %d", row.Row, id)
		t.Expect(id).To(equal(-1), "row %s: the id beside the error %v", row.Row, err)
		t.Expect(err).To(matchError(row.Code), "row %s", row.Row)
		t.Expect(err.Error()).To(containText(row.Text), "row %s", row.Row)
		t.Expect(t.files()).To(equal(files), "row %s: files on the host", row.Row)
		t.Expect(d.JobIDs()).To(equal(jobs), "row %s: jobs", row.Row)
		t.Expect(d.checkpointNames()).To(equal(names), "row %s: checkpoints", row.Row)
		t.Expect(t.JobsCompleted()).To(haveLen(events), "row %s: a Begin that failed has no completion event", row.Row)
		if !d.gone && len(jobs) == 0 {
			t.ExpectNothingLeft(d)
		}
	}
}

// files lists what is on the host in the directories of the run, but for the
// driver's own.
func (t *T) files() []string {
	var all []string
	for _, dir := range append([]string{t.env.Dir}, t.limited...) {
		entries, err := t.host.ReadDir(dir)
		t.must(err, "list "+dir)
		for _, name := range entries {
			all = append(all, path.Join(dir, name))
		}
	}
	return all
}

// JobIDs lists the background jobs of the domain.
func (d *Domain) JobIDs() []virt.DomainJobID {
	ids, err := d.ListJobIds(0)
	d.t.Expect(err).NotTo(haveOccurred(), "list the jobs")
	return ids
}

func (d *Domain) checkpointNames() []string {
	list, err := d.ListAllCheckpoints(virt.DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL)
	d.t.Expect(err).NotTo(haveOccurred(), "list the checkpoints")
	var names []string
	for _, c := range list {
		name, err := c.GetName()
		d.t.Expect(err).NotTo(haveOccurred(), "the name of a checkpoint")
		names = append(names, name)
	}
	return names
}
