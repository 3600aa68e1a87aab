package main

import (
	"fmt"
	"time"

	"fleece/conformance"
	"fleece/virt"
)

// machineOfCycles is a machine with two disks, some content, and n cycles: Begin
// with a checkpoint, completion event, description, job list and statistics, End,
// and the oracle's judgement of both images.
func machineOfCycles(t *conformance.T, n int, sum *tally) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), conformance.SmallDisk("vdb"),
	}})
	for i := range int64(4) {
		d.Write("vda", i<<20, 16<<10)
		d.Write("vdb", i<<20+512<<10, 16<<10)
	}
	for i := range n {
		cycle(t, d, i, sum)
	}
}

func cycle(t *conformance.T, d *conformance.Domain, i int, sum *tally) {
	points := t.Points()
	last := time.Now()
	lap := func(part int) {
		now := time.Now()
		sum.parts[part] += now.Sub(last)
		last = now
	}
	b := d.Begin(conformance.BackupSpec{
		Checkpoint: fmt.Sprintf("c%d", i),
		Disks: []conformance.BackupDisk{
			{Target: "vda", Path: t.Path(fmt.Sprintf("a%d", i))},
			{Target: "vdb", Path: t.Path(fmt.Sprintf("b%d", i))},
		},
	})
	lap(0)
	b.AwaitSuccess()
	lap(1)
	_, err := d.BackupGetXMLDesc(b.ID, 0)
	t.Expect(err == nil).To(beTrue())
	_, err = d.ListJobIds(0)
	t.Expect(err == nil).To(beTrue())
	_, _, err = d.GetJobStats(virt.DOMAIN_JOB_STATS_COMPLETED)
	t.Expect(err == nil).To(beTrue())
	lap(2)
	b.EndsWith(1)
	lap(3)
	b.ExpectImages()
	lap(4)
	sum.points += t.Points() - points
	sum.cycles++
}
