package conformance

import (
	"errors"
	"path"
	"sync"

	"fleece/conformance/catalogue"
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
		t.ExpectRow(row.Row, err)
		t.Expect(t.files()).To(equal(files), "row %s: files on the host", row.Row)
		t.Expect(d.JobIDs()).To(equal(jobs), "row %s: jobs", row.Row)
		t.Expect(d.checkpointNames()).To(equal(names), "row %s: checkpoints", row.Row)
		t.Expect(t.JobsCompleted()).To(haveLen(events), "row %s: a Begin that failed has no completion event", row.Row)
		if !d.gone && len(jobs) == 0 {
			t.ExpectNothingLeft(d)
		}
	}
}

// loadCatalogue reads the catalogue once.
var loadCatalogue = sync.OnceValues(catalogue.Load)

// rowIDBytes is the length of an id such as E047.
const rowIDBytes = 4

// ExpectRow asserts that err is what the catalogue says of the row that row begins
// with, if it is one: code and distinctive text.
func (t *T) ExpectRow(row string, err error) {
	c, broken := loadCatalogue()
	t.must(broken, "read the catalogue")
	t.compared(err)
	r, known := c.Row(row[:min(len(row), rowIDBytes)])
	if !known || r.Error == nil {
		return
	}
	var e *virt.Error
	t.Expect(errors.As(err, &e)).To(beTrue(), "%s: %v is no libvirt error", r.ID, err)
	t.Expect(int(e.Code)).To(equal(r.Error.Code), "%s (%s): the code of %v", r.ID, r.Statement, err)
	t.Expect(r.Error.Fits(e.Message)).To(beTrue(), "%s (%s): the message is %q, the catalogue has %q", r.ID, r.Statement, e.Message, r.Error.Text)
}

// IsRow reports whether err is what the catalogue says of a row.
func (t *T) IsRow(row string, err error) bool {
	c, broken := loadCatalogue()
	t.must(broken, "read the catalogue")
	r, known := c.Row(row)
	var e *virt.Error
	return known && r.Error != nil && errors.As(err, &e) && int(e.Code) == r.Error.Code && r.Error.Fits(e.Message)
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
