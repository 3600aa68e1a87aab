package specs

import (
	"strings"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func jobSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "job.listed-until-end",
			Title:        "ListJobIds shows the backup from Begin to End, while it runs and when it is done, to read-only callers too",
			Requirements: []string{"JOB-01", "JOB-02", "JOB-03", "JOB-04", "END-07", "E052"},
			Body:         listedUntilEnd,
		},
		{
			ID:           "job.description-has-effective-values",
			Title:        "BackupGetXMLDesc tells the effective values of the job with that id, to read-only callers too",
			Requirements: []string{"DSC-01", "DSC-02", "DSC-03", "E044", "E047"},
			Body:         descriptionHasEffectiveValues,
		},
	}
}

func listedUntilEnd(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	ids, err := d.ListJobIds(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(ids).To(BeEmpty())
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{})
	t.Go("guest", func() { d.Scribble("vda", 4) })
	reader := t.ReadOnlyDomain(d)
	ids, err = reader.ListJobIds(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(ids).To(Equal([]virt.DomainJobID{{Type: virt.DOMAIN_JOB_UNBOUNDED, ID: b.ID}}))
	ids, err = reader.ListJobIds(1)
	t.ExpectError(err, virt.ERR_INVALID_ARG, "unsupported flags (0x1)")
	t.Expect(ids).To(BeNil(), "JOB-02")
	t.ReleasePushes(d)
	b.AwaitSuccess()
	ids, err = reader.ListJobIds(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(ids).To(Equal([]virt.DomainJobID{{Type: virt.DOMAIN_JOB_COMPLETED, ID: b.ID}}))
	t.Join()
	b.EndsWith(1)
	ids, err = reader.ListJobIds(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(ids).To(BeEmpty())
}

func descriptionHasEffectiveValues(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"),
	}})
	_, err := d.BackupGetXMLDesc(0, 0)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id '0'")
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda"}}})
	t.Go("guest", func() { d.Scribble("vda", 3) })
	reader := t.ReadOnlyDomain(d)
	xml, err := reader.BackupGetXMLDesc(b.ID, 0)
	t.Expect(err).NotTo(HaveOccurred())
	for _, part := range []string{
		"<domainbackup mode='push'>", "name='vda' backup='yes' type='file' backupmode='full'",
		"file='" + b.Paths()[0] + "'", "type='qcow2'", "<disk name='vdb' backup='no'/>",
	} {
		t.Expect(strings.ReplaceAll(xml, `"`, "'")).To(ContainSubstring(part))
	}
	current, err := d.BackupGetXMLDesc(0, 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(current).To(Equal(xml), "id 0 is the domain's current backup")
	_, err = d.BackupGetXMLDesc(b.ID+1, 0)
	t.ExpectError(err, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id")
	_, err = d.BackupGetXMLDesc(-1, 0)
	t.ExpectError(err, virt.ERR_INVALID_ARG, "id in virDomainBackupGetXMLDesc must be zero or greater")
	_, err = d.BackupGetXMLDesc(b.ID, 4)
	t.ExpectError(err, virt.ERR_INVALID_ARG, "unsupported flags (0x4)")
	t.ReleasePushes(d)
	b.AwaitSuccess()
	t.Join()
	b.EndsWith(1)
	b.ExpectImages()
}
