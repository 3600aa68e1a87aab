package specs

import (
	"fmt"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func pullShapeSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID: "pull.every-shape",
			Title: "three rounds of a pull show the disk and what changed, and their checkpoints can then be deleted: by unix socket and TCP, " +
				"over scratch files made or reused and block devices, under the caller's names and the driver's",
			Requirements: []string{"PUL-01", "PUL-03", "PUL-04", "PUL-05", "BEG-04", "BEG-05", "BEG-18", "I2", "I6", "I9", "I12"},
			Needs:        []conformance.Feature{conformance.FeatureBlockDevice},
			Body:         pullEveryShape,
		},
		{
			ID:           "pull.scratch-must-be-there",
			Title:        "a pull over a scratch image of the caller that is missing, or a block device that is, fails Begin and leaves nothing",
			Requirements: []string{"BEG-18", "BEG-19", "I12", "E151"},
			Body:         pullScratchMissing,
		},
		{
			ID:           "pull.the-domain-dies",
			Title:        "a pull, over a file or a block device, whose domain is destroyed, or crashes, is a cancelled backup in the statistics, leaves nothing, and the domain starts and is pulled again",
			Requirements: []string{"END-08", "JOB-05", "JOB-08", "I12", "I16"},
			Needs:        []conformance.Feature{conformance.FeatureBlockDevice},
			Body:         pullDomainDies,
		},
	}
}

// shape is one way to ask for a pull.
type shape struct {
	server        string // <server>
	store         string // what the scratch is: made, reused or device
	names, bitmap bool   // the caller's, for export and bitmap
}

// shapes are all of them.
func shapes(t *conformance.T) []shape {
	var all []shape
	for _, server := range []string{t.ServerHere(), "<server transport='tcp' name='127.0.0.1'/>"} {
		for _, store := range []string{"made", "reused", "device"} {
			for names := range 4 {
				all = append(all, shape{server, store, names&1 != 0, names&2 != 0})
			}
		}
	}
	return all
}

// pull is the document for disk vdb; scratch is where a scratch of that store is.
func (s shape) pull(scratch string) conformance.PullSpec {
	k := conformance.PullDisk{Target: "vdb", Scratch: scratch, Block: s.store == "device"}
	if s.names {
		k.Export = "of the caller"
	}
	if s.bitmap {
		k.Bitmap = "caller:changes"
	}
	p := conformance.PullSpec{Server: s.server, Disks: []conformance.PullDisk{k}}
	if s.store == "reused" {
		p.Flags = virt.DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL
	}
	return p
}

const shapeDiskBytes = 256 << 10

func shapeDomain(t *conformance.T) *conformance.Domain {
	return t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		{Target: "vda", Size: 64 << 10}, {Target: "vdb", Size: shapeDiskBytes, ClusterSize: 4096},
	}})
}

func pullEveryShape(t *conformance.T) {
	d := shapeDomain(t)
	d.Scribble("vdb", 3)
	device := t.BlockDevice("device", 2*shapeDiskBytes)
	kept := []string{device}
	t.Go("guest", func() { d.Scribble("vdb", 6) })
	for i, s := range shapes(t) {
		threeRounds(t, d, fmt.Sprintf("s%d", i), func() conformance.PullSpec {
			switch s.store {
			case "reused":
				reused := t.Path(fmt.Sprintf("reused-%d", len(kept)))
				t.QcowFile(reused, shapeDiskBytes, 4096)
				t.Keeps(reused)
				kept = append(kept, reused)
				return s.pull(reused)
			case "device":
				return s.pull(device)
			}
			return s.pull("")
		})
	}
	t.Join()
	t.ExpectFiles(true, kept...)
	d.PowerOff()
	d.ExpectBitmaps()
}

// threeRounds pulls in full and twice what changed, and deletes the checkpoints.
func threeRounds(t *conformance.T, d *conformance.Domain, name string, next func() conformance.PullSpec) {
	rounds(t, d, name, next, func(*conformance.Pull) {})
}

// rounds is threeRounds with something to do to a pull before it is read.
func rounds(t *conformance.T, d *conformance.Domain, name string, next func() conformance.PullSpec, begun func(*conformance.Pull)) {
	since := ""
	var made []string
	for round := range 3 {
		p := next()
		p.Since, p.Checkpoint = since, fmt.Sprintf("%s-%d", name, round)
		b := d.BeginPull(p)
		begun(b)
		d.Write("vdb", int64(round)*16<<10, 8192)
		b.ExpectExports()
		b.EndsWith(0, 1)
		since = p.Checkpoint
		made = append(made, since)
	}
	deleteCheckpoints(t, d, made)
}

func pullScratchMissing(t *conformance.T) {
	d := shapeDomain(t)
	t.Go("guest", func() { d.Scribble("vdb", 4) })
	missing := t.Path("missing")
	for _, s := range shapes(t) {
		if s.store == "made" {
			continue
		}
		p := s.pull(missing)
		p.Checkpoint = "c1"
		_, err := d.TryBeginPull(p)
		t.ExpectError(err, virt.ERR_INTERNAL_ERROR, "Could not open '"+missing+"': No such file or directory")
		d.ForgetCheckpoint("c1")
		t.ExpectNothingLeft(d)
		t.ExpectNoServer(d)
		t.ExpectFiles(false, missing)
		t.Expect(d.JobIDs()).To(BeEmpty())
		_, err = d.CheckpointLookupByName(virt.XML("c1"), 0)
		t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "c1")
	}
	t.Join()
}

func pullDomainDies(t *conformance.T) {
	d := shapeDomain(t)
	d.Scribble("vdb", 3)
	device := t.BlockDevice("device", 2*shapeDiskBytes)
	for i, c := range []struct {
		die     func()
		scratch string
		tcp     bool
	}{{d.DestroyNow, "", false}, {d.Crash, device, false}, {d.DestroyNow, device, true}} {
		s := conformance.PullSpec{Server: t.ServerHere(), Checkpoint: fmt.Sprintf("c%d", i), Disks: []conformance.PullDisk{
			{Target: "vdb", Scratch: c.scratch, Block: c.scratch != ""},
		}}
		if c.tcp {
			s.Server = "<server transport='tcp' name='127.0.0.1'/>"
		}
		p := d.BeginPull(s)
		p.ExpectExports()
		t.Go(fmt.Sprintf("asker-%d", i), func() {
			for range 3 {
				_, err := d.ListJobIds(0)
				t.Expect(err).NotTo(HaveOccurred())
			}
		})
		c.die()
		d.AwaitStopped()
		t.Join()
		p.Forget()
		t.ExpectFiles(false, p.Scratches()...)
		t.Expect(d.JobIDs()).To(BeEmpty())
		_, err := d.BackupEnd(p.ID, 0)
		t.ExpectError(err, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id")
		kind, stats, err := d.GetJobStats(virt.DOMAIN_JOB_STATS_COMPLETED)
		t.Expect(err).NotTo(HaveOccurred())
		t.Expect(kind).To(Equal(virt.DOMAIN_JOB_CANCELLED))
		keys := []string{}
		for _, p := range stats {
			keys = append(keys, p.Field)
		}
		t.Expect(keys).To(Equal([]string{virt.DOMAIN_JOB_OPERATION, virt.DOMAIN_JOB_ID, virt.DOMAIN_JOB_TIME_ELAPSED, virt.DOMAIN_JOB_SUCCESS}))
		t.Expect(virt.JobCompletedEvent{Params: stats}.Success()).To(BeFalse())
		d.Start()
		d.Write("vdb", 0, shapeDiskBytes) // what was not flushed is lost with the domain
	}
	p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere(), Disks: []conformance.PullDisk{{Target: "vdb"}}})
	p.ExpectExports()
	p.EndsWith(0, 1)
}
