package specs

import (
	"regexp"
	"time"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func eventSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "event.handler-may-call-anything",
			Title:        "a handler of the completion event may ask, end the job and begin the next one, and is served at once",
			Requirements: []string{"EVT-02", "EVT-01", "PSH-02", "END-03", "END-09"},
			Body:         handlerMayCallAnything,
		},
		{
			ID:           "event.block-jobs-are-backups",
			Title:        "the end of each disk's job is told as a block job of type Backup, and of none more",
			Requirements: []string{"JOB-09", "JOB-10", "EVT-01"},
			Body:         blockJobsAreBackups,
		},
	}
}

// endPoll is how often a spec looks whether a job has ended.
const endPoll = 5 * time.Millisecond

// withoutIndex takes the attribute away that is output only.
func withoutIndex(xml string) string {
	return regexp.MustCompile(` index='[0-9]+'`).ReplaceAllString(xml, "")
}

func handlerMayCallAnything(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	d.Scribble("vda", 4)
	rounds, ended := 0, t.NewCounter()
	cancel, err := t.Conn().RegisterEvents(func(e virt.Event) {
		done, ok := e.(virt.JobCompletedEvent)
		if !ok {
			return
		}
		kind, params, err := d.GetJobStats(virt.DOMAIN_JOB_STATS_COMPLETED)
		t.Expect(err).NotTo(HaveOccurred())
		t.Expect(kind).To(Equal(virt.DOMAIN_JOB_COMPLETED))
		t.Expect(params).To(Equal(done.Params))
		ret, err := d.BackupEnd(done.ID(), 0)
		t.Expect(err).NotTo(HaveOccurred())
		t.Expect(ret).To(Equal(1))
		if rounds++; rounds == 1 {
			b := d.Begin(conformance.BackupSpec{Disks: images(t, "second", "vda")})
			t.Expect(b.ID > done.ID()).To(BeTrue())
		}
		ended.Add()
	})
	t.Expect(err).NotTo(HaveOccurred())
	defer cancel()
	b := d.Begin(conformance.BackupSpec{Disks: images(t, "first", "vda")})
	t.Go("guest", func() { d.Scribble("vda", 4) })
	t.AwaitJobCompleted(2)
	t.Join()
	b.ExpectImages()
	ended.Await(2)
	t.Expect(d.JobIDs()).To(BeEmpty())
	t.ExpectNothingLeft(d)
}

func blockJobsAreBackups(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"),
	}})
	t.Go("guest", func() {
		d.Scribble("vda", 3)
		d.Scribble("vdb", 3)
	})
	d.Begin(conformance.BackupSpec{}).AwaitSuccess()
	t.Join()
	t.HoldPushes()
	d.Write("vda", 0, 2<<20)
	ret, err := d.BackupEnd(0, 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(ret).To(Equal(1))
	b := d.Begin(conformance.BackupSpec{Disks: images(t, "second", "vda")})
	_, err = d.BackupEnd(b.ID, virt.DOMAIN_BACKUP_END_ABORT)
	t.Expect(err).NotTo(HaveOccurred())
	b.Forget()
	t.AwaitJobCompleted(2)
	ends := map[string]int{}
	for _, e := range t.Events() {
		j, ok := e.(virt.BlockJobEvent)
		if !ok {
			continue
		}
		t.Expect(int(j.Type)).To(Equal(5), "the type of a backup's block job")
		t.Expect(j.Type.String()).To(Equal("Backup"))
		ends[j.Disk]++
		if j.Disk == "vda" && ends["vda"] == 2 {
			t.Expect(j.Status).To(Equal(virt.DOMAIN_BLOCK_JOB_CANCELED))
		} else {
			t.Expect(j.Status).To(Equal(virt.DOMAIN_BLOCK_JOB_COMPLETED))
		}
	}
	t.Expect(ends).To(Equal(map[string]int{"vda": 2, "vdb": 1}), "block job events by disk")
	t.Expect(virt.DOMAIN_JOB_OPERATION_BACKUP.String()).To(Equal("Backup"))
}
