package specs

import (
	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/conformance/linear"
	"fleece/virt"
)

func callerSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "callers.pushes-that-end",
			Title:        "what concurrent callers of one domain are told about pushes and checkpoints is what a domain that does one thing at a time would tell",
			Requirements: []string{"BEG-06", "END-03", "END-07", "CHK-01", "CHK-03", "CHK-04", "JOB-01"},
			Body:         func(t *conformance.T) { concurrentCallers(t, false, false) },
		},
		{
			ID:           "callers.pushes-that-are-aborted",
			Title:        "what concurrent callers are told of pushes that end only when somebody aborts them is what a domain that does one thing at a time would tell",
			Requirements: []string{"BEG-06", "END-01", "END-02", "JOB-05", "CHK-02", "CHK-04"},
			Body:         func(t *conformance.T) { concurrentCallers(t, true, false) },
		},
		{
			ID:           "callers.pulls-and-pushes",
			Title:        "what concurrent callers are told of pulls and pushes in turn is what a domain that does one thing at a time would tell",
			Requirements: []string{"BEG-06", "END-04", "PUL-03", "JOB-01", "JOB-05", "CHK-04"},
			Body:         func(t *conformance.T) { concurrentCallers(t, false, true) },
		},
	}
}

const (
	callers        = 4
	callsPerCaller = 10
)

// caller is one task of concurrentCallers.
type caller struct {
	t     *conformance.T
	d     *conformance.Domain
	h     *conformance.History
	task  int
	draw  func(n int64) int64
	mix   string
	pulls bool // half of the backups are pulls
	last  int  // the job that it began last; 0 for none
}

// callersNames are the checkpoints that callers make, delete and ask about.
func callersNames() [2]string { return [...]string{"a", "b"} }

// callerMixes are what callers do, a letter per call, the more often the likelier:
// b begins, e ends, x aborts, c makes a checkpoint, d deletes one, l lists and asks
// for one, p asks for a parent, j lists jobs, i asks for the active one. A run has
// one mix, since few calls of each kind meet where all are made.
func callerMixes() []string {
	return []string{"bbbeexccddlpji", "bbeecdd", "bxxe", "beej", "bcclp"}
}

func concurrentCallers(t *conformance.T, held, pulls bool) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	for off := int64(0); off < 2<<20; off += 256 << 10 {
		d.Write("vda", off, 256<<10)
	}
	for _, name := range callersNames() {
		d.MayHaveBitmap(name)
	}
	if held {
		t.HoldPushes()
	}
	h := t.NewHistory()
	mixes := callerMixes()
	mix := mixes[t.Random(callers)(int64(len(mixes)))]
	for i := range callers {
		c := &caller{mix: mix, pulls: pulls, t: t, d: d, h: h, task: i + 1, draw: t.Random(i)}
		t.Go("caller-"+string(rune('1'+i)), func() {
			for n := range callsPerCaller {
				c.call(n)
			}
		})
	}
	t.Join()
	h.ExpectOrder(held)
	(&caller{t: t, d: d, h: h, task: callers + 1}).cleanUp()
	h.ExpectOrder(held)
}

// call makes a call that the run's seed chooses.
func (c *caller) call(n int) {
	name := callersNames()[c.draw(2)]
	switch c.mix[c.draw(int64(len(c.mix)))] {
	case 'b':
		c.begin(n, name)
	case 'e':
		c.end([...]int{0, 0, c.last, int(c.draw(4))}[c.draw(4)], c.draw(4) > 0)
	case 'x':
		c.h.Do(linear.Call{Kind: linear.AbortJob, Task: c.task}, func(*linear.Result) error { return c.d.AbortJob() })
	case 'i':
		c.info()
	case 'j':
		c.jobs()
	case 'c':
		c.create(name)
	case 'd':
		flags := [...]virt.DomainCheckpointDeleteFlags{0, 0, virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN, virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY}
		c.delete(name, flags[c.draw(int64(len(flags)))])
	case 'p':
		c.parent(name)
	default:
		c.list()
		c.current()
	}
}

func (c *caller) info() {
	c.h.Do(linear.Call{Kind: linear.GetJobInfo, Task: c.task}, func(r *linear.Result) error {
		info, err := c.d.GetJobInfo()
		r.Type = info.Type
		return err
	})
}

func (c *caller) create(name string) {
	c.h.Do(linear.Call{Kind: linear.CheckpointCreate, Task: c.task, Name: name}, func(*linear.Result) error {
		_, err := c.d.CreateCheckpointXML(conformance.BackupSpec{Checkpoint: name}.CheckpointXML(), 0)
		return err
	})
}

// begin asks for a backup: full or since a checkpoint, with a checkpoint or without.
func (c *caller) begin(n int, name string) {
	call := linear.Call{Kind: linear.BackupBegin, Task: c.task}
	if c.draw(3) > 0 {
		call.Name = name
	}
	if other := callersNames()[c.draw(2)]; c.draw(3) > 0 && other != call.Name {
		call.Since = other
	}
	call.Pull = c.pulls && c.draw(2) == 0
	image := c.t.Path("image-" + string(rune('0'+c.task)) + string(rune('0'+n)))
	push := conformance.BackupSpec{
		Since: call.Since, Checkpoint: call.Name,
		Disks: []conformance.BackupDisk{{Target: "vda", Path: image, Format: "qcow2"}},
	}
	document := push.XML()
	if call.Pull {
		document = conformance.PullSpec{
			Since: call.Since, Server: c.t.ServerHere(), Disks: []conformance.PullDisk{{Target: "vda", Scratch: image}},
		}.XML()
	}
	r := c.h.Do(call, func(r *linear.Result) (err error) {
		r.Value, err = c.d.BackupBegin(document, push.CheckpointXML(), 0)
		return err
	})
	if r.Code == 0 {
		c.last = r.Value
		if !call.Pull {
			c.t.Keeps(image)
		}
	}
}

func (c *caller) end(id int, abort bool) linear.Result {
	flags := virt.DomainBackupEndFlags(0)
	if abort {
		flags = virt.DOMAIN_BACKUP_END_ABORT
	}
	return c.h.Do(linear.Call{Kind: linear.BackupEnd, Task: c.task, ID: id, Abort: abort}, func(r *linear.Result) (err error) {
		r.Value, err = c.d.BackupEnd(id, flags)
		return err
	})
}

func (c *caller) jobs() []virt.DomainJobID {
	return c.h.Do(linear.Call{Kind: linear.ListJobIds, Task: c.task}, func(r *linear.Result) (err error) {
		r.Jobs, err = c.d.ListJobIds(0)
		return err
	}).Jobs
}

// lookup finds a checkpoint; nil if there is none.
func (c *caller) lookup(name string) (found *virt.Checkpoint) {
	c.h.Do(linear.Call{Kind: linear.CheckpointLookup, Task: c.task, Name: name}, func(*linear.Result) (err error) {
		found, err = c.d.CheckpointLookupByName(virt.XML(name), 0)
		return err
	})
	return found
}

func (c *caller) delete(name string, flags virt.DomainCheckpointDeleteFlags) {
	if found := c.lookup(name); found != nil {
		c.h.Do(linear.Call{Kind: linear.CheckpointDelete, Task: c.task, Name: name, Delete: flags}, func(*linear.Result) error {
			return found.Delete(flags)
		})
	}
}

func (c *caller) parent(name string) {
	if found := c.lookup(name); found != nil {
		c.h.Do(linear.Call{Kind: linear.CheckpointParent, Task: c.task, Name: name}, func(r *linear.Result) error {
			return c.one(r)(found.GetParent(0))
		})
	}
}

func (c *caller) current() {
	c.h.Do(linear.Call{Kind: linear.CheckpointCurrent, Task: c.task}, func(r *linear.Result) error {
		return c.one(r)(c.d.CheckpointCurrent(0))
	})
}

// one makes an answer of a checkpoint.
func (c *caller) one(r *linear.Result) func(*virt.Checkpoint, error) error {
	return func(found *virt.Checkpoint, err error) error {
		if err == nil {
			r.Names = names(c.t, []*virt.Checkpoint{found})
		}
		return err
	}
}

func (c *caller) list() []string {
	return c.h.Do(linear.Call{Kind: linear.CheckpointList, Task: c.task}, func(r *linear.Result) error {
		list, err := c.d.ListAllCheckpoints(virt.DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL)
		r.Names = names(c.t, list)
		return err
	}).Names
}

// cleanUp ends the job and deletes the checkpoints that are left; what that tells
// belongs to the history.
func (c *caller) cleanUp() {
	for range c.jobs() {
		c.t.Expect(c.end(0, true).Code).To(BeZero())
	}
	c.list()
	c.current()
	for _, name := range callersNames() {
		c.delete(name, 0)
		c.d.ForgetCheckpoint(name)
	}
	c.t.Expect(c.list()).To(BeEmpty())
	c.t.Expect(c.jobs()).To(BeEmpty())
	c.t.ExpectNothingLeft(c.d)
}
