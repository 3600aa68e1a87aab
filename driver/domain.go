package driver

import (
	"slices"
	"strings"

	"fleece/driver/checkpointdef"
	"fleece/driver/chktree"
	"fleece/driver/domaindef"
	"fleece/driver/snapshotdef"
	"fleece/driver/state"
	"fleece/machine"
	"fleece/qmp"
	"fleece/rt"
	"fleece/virt"
)

// domain is everything about one domain.
type domain struct {
	drv  *Driver
	name string
	mu   rt.Mutex
	cond rt.Cond // broadcast when anything that somebody may wait for changes

	// Below is protected by mu.

	paths paths // see files
	// uuid is the one by which the domain was found last; it outlives the definitions.
	uuid string
	// def is what the next start uses; nil while a first definition is written,
	// and after the domain was undefined.
	def *domaindef.Domain
	// live is the definition of the run; nil while inactive.
	live *domaindef.Domain
	run  *run // nil while inactive
	jobs jobs
	tree chktree.Tree[*checkpointdef.Checkpoint]
	// snapshots are those that are remembered; which one is current says stored.
	snapshots chktree.Tree[*snapshotdef.Snapshot]
	// reserved and making are the names of checkpoints that BackupBegin and
	// CheckpointCreateXML are about to make; "" for none.
	reserved, making string
	// syncs counts conversations with the guest's agent, and thawing is the run whose
	// guest a task thaws.
	syncs   int64
	thawing *run
	// stored is what the state file says or is about to say; stored.Backup is
	// the same object as backup.Backup.
	stored state.Domain
	backup *backup
	// completed are the statistics of the last job that ended; nil if there was
	// none or they were fetched.
	completed *record
	// creating is the image creation that Begin waits for.
	creating creation
	// migrating is a migration or a save; nil if there is none.
	migrating *migrating
	// mirroring is the image creation that BlockCopy waits for.
	mirroring creation
	// blockJobs are those that run or have ended and were not dealt with; stored has the
	// same objects.
	blockJobs []*blockJob
	// ended are disks whose job has concluded and was not dealt with, in order.
	ended []*disk
	// inFlux says that the stored definition of the run is ahead of live: a device is
	// being attached.
	inFlux  bool
	working bool // the worker task runs
	buffer  []byte
	stopped stopReason // why the last run ended
}

// run is one life of the machine.
type run struct {
	id    int
	m     machine.Machine
	mon   *qmp.Monitor
	disks []domaindef.DiskPlan // as those of the live definition
	// paused is the state of the vCPUs.
	paused bool
	// lost is why the monitor ended; nil while it lives.
	lost error
	// destroying, shutdown and halted tell why the machine ends.
	destroying, shutdown, halted bool
	// left says that the guest is somewhere else, and leftFor why.
	left    bool
	leftFor stopReason
	// creating counts the jobs that make images.
	creating int
	// letGo are devices that the guest has let go and that are still in disks.
	letGo []string
}

// stopReason is a detail of DOMAIN_EVENT_STOPPED, or -1 before the first run.
type stopReason int

// creation is a blockdev-create job.
type creation struct {
	job       string // "" if none is awaited
	concluded bool
}

func newDomain(drv *Driver, name string) *domain {
	d := &domain{drv: drv, name: name, stopped: -1}
	d.mu = drv.p.NewMutex("domain-" + name)
	d.cond = drv.p.NewCond("domain-"+name, d.mu)
	d.stored.NextJob, d.stored.NextNode = 1, 1
	return d
}

// id identifies the domain to callers. mu is held.
func (d *domain) id() virt.DomainID {
	id := virt.DomainID{Name: d.name, ID: -1}
	if def := d.definition(); def != nil {
		id.UUID = def.UUID
	}
	if d.run != nil {
		id.ID = d.run.id
	}
	return id
}

// definition is the live definition, or the persistent one of an inactive domain.
func (d *domain) definition() *domaindef.Domain {
	if d.live != nil {
		return d.live
	}
	return d.def
}

// at finds the place of a name among the domains. The leaf lock is held.
func (d *Driver) at(name string) (int, bool) {
	return slices.BinarySearchFunc(d.domains, name, func(o *domain, name string) int {
		return strings.Compare(o.name, name)
	})
}

// get returns the domain of that name; make adds one that is not defined yet.
func (d *Driver) get(name string, make bool) *domain {
	d.mu.Lock()
	i, ok := d.at(name)
	if ok || !make {
		defer d.mu.Unlock()
		if !ok {
			return nil
		}
		return d.domains[i]
	}
	d.mu.Unlock()
	fresh := newDomain(d, name) // outside of the leaf lock
	d.mu.Lock()
	defer d.mu.Unlock()
	if i, ok = d.at(name); ok {
		return d.domains[i]
	}
	d.domains = slices.Insert(d.domains, i, fresh)
	return fresh
}

// drop takes a domain off the list.
func (d *Driver) drop(o *domain) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i, ok := d.at(o.name); ok && d.domains[i] == o {
		d.domains = slices.Delete(d.domains, i, i+1)
	}
}

// all returns the domains, sorted by name.
func (d *Driver) all() []*domain {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.domains)
}

func (d *Driver) newRunID() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lastRunID++
	return d.lastRunID
}

// find returns the domain locked; the error is 42 (E007).
func (d *Driver) find(id virt.DomainID) (*domain, error) {
	if o := d.get(id.Name, false); o != nil {
		o.mu.Lock()
		if def := o.definition(); def != nil && def.UUID == id.UUID {
			o.uuid = id.UUID
			return o, nil
		}
		o.mu.Unlock()
	}
	return nil, errNoDomain(id.UUID, id.Name)
}

// errNoDomain is E007.
func errNoDomain(uuid, name string) error {
	return virt.Errorf(virt.ERR_NO_DOMAIN, virt.FROM_QEMU, "no domain with matching uuid '%s' (%s)", uuid, name)
}

// errInactive is the usual refusal for a domain that does not run.
func errInactive() error {
	return virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, "domain is not running")
}
