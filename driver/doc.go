// Package driver implements the public layer's driver interfaces over QMP: the
// QEMU driver of libvirt, on the runtime seam. It plans machines, runs
// backups, checkpoints and snapshots, keeps statistics and events, and remembers on disk what
// it needs to finish or undo everything after its own death.
//
// It is not a QEMU and starts none: a machine.Hypervisor does. What it has not, it
// does not implement: the public layer then answers NO_SUPPORT.
//
// The property it keeps: what is to be remembered is on disk before the effect
// that it describes is visible; a failed call leaves nothing.
//
// # Locks
//
// One lock per domain. It is dropped around each command to QEMU, and everything
// is looked at again afterwards. Under it only leaf locks are taken: the list of
// domains and the queue of events. Events are delivered by a task that holds none.
//
// # Jobs
//
// As in libvirt: sync jobs exclude each other for the length of a call; the async
// job "backup" spans from Begin to the end of the copying, the async job of a
// snapshot is as long as its call; they exclude further async jobs. Whoever waits longer than Config.JobWait gets code 68.
package driver

import (
	"path"
	"time"

	"fleece/host"
	"fleece/machine"
	"fleece/rt"
	"fleece/virt"
)

// jobWaitDefault is libvirt's QEMU_JOB_WAIT_TIME.
const jobWaitDefault = 30 * time.Second

// Config of a driver.
type Config struct {
	// StateDir is an existing directory for definitions, states of domains, and
	// (by default) metadata of checkpoints.
	StateDir string
	// CheckpointDir holds the metadata of checkpoints, a directory per domain.
	// The default value is StateDir/checkpoint.
	CheckpointDir string
	// SnapshotDir holds the metadata of snapshots, a directory per domain. The
	// default value is StateDir/snapshot.
	SnapshotDir string
	// TLSDir holds ca-cert.pem, server-cert.pem and server-key.pem for pull
	// backups with tls='yes' (libvirt's backup_tls_x509_cert_dir). Without it they
	// are refused.
	TLSDir string
	// DefaultTLSDir is used where TLSDir is not set, and DefaultTLSAnyClient with it
	// (libvirt's default_tls_x509_cert_dir and default_tls_x509_verify = 0).
	DefaultTLSDir       string
	DefaultTLSAnyClient bool
	// TLSAnyClient lets clients in that have no certificate of that authority
	// (libvirt's backup_tls_x509_verify = 0).
	TLSAnyClient bool
	// JobWait is how long a call waits for another one. The default value is 30 s.
	JobWait time.Duration
	_       struct{}
}

func (c Config) withDefaults() Config {
	if c.CheckpointDir == "" {
		c.CheckpointDir = path.Join(c.StateDir, "checkpoint")
	}
	if c.SnapshotDir == "" {
		c.SnapshotDir = path.Join(c.StateDir, "snapshot")
	}
	if c.TLSDir == "" {
		c.TLSDir, c.TLSAnyClient = c.DefaultTLSDir, c.DefaultTLSAnyClient
	}
	if c.JobWait == 0 {
		c.JobWait = jobWaitDefault
	}
	return c
}

// Driver is the driver of one process. It implements the interfaces of virt that
// the assertions below name.
type Driver struct {
	p   rt.Process
	h   host.Host
	hv  machine.Hypervisor
	cfg Config

	mu rt.Mutex // a leaf: protects the fields below
	// domains is sorted by name.
	domains []*domain
	// lastRunID is the highest run id given so far.
	lastRunID int
	events    eventQueue
}

var (
	_ virt.DomainDefiner            = (*Driver)(nil)
	_ virt.DomainLookerByName       = (*Driver)(nil)
	_ virt.DomainLookerByUUID       = (*Driver)(nil)
	_ virt.DomainLister             = (*Driver)(nil)
	_ virt.DomainCreator            = (*Driver)(nil)
	_ virt.DomainDestroyer          = (*Driver)(nil)
	_ virt.DomainUndefiner          = (*Driver)(nil)
	_ virt.DomainSuspender          = (*Driver)(nil)
	_ virt.DomainResumer            = (*Driver)(nil)
	_ virt.DomainStater             = (*Driver)(nil)
	_ virt.DomainXMLDescriber       = (*Driver)(nil)
	_ virt.BackupBeginner           = (*Driver)(nil)
	_ virt.BackupEnder              = (*Driver)(nil)
	_ virt.BackupXMLDescriber       = (*Driver)(nil)
	_ virt.JobIDLister              = (*Driver)(nil)
	_ virt.JobInfoGetter            = (*Driver)(nil)
	_ virt.JobStatsGetter           = (*Driver)(nil)
	_ virt.JobAborter               = (*Driver)(nil)
	_ virt.JobFlagsAborter          = (*Driver)(nil)
	_ virt.BlockJobAborter          = (*Driver)(nil)
	_ virt.FSFreezer                = (*Driver)(nil)
	_ virt.FSThawer                 = (*Driver)(nil)
	_ virt.CheckpointCreator        = (*Driver)(nil)
	_ virt.CheckpointDeleter        = (*Driver)(nil)
	_ virt.CheckpointXMLDescriber   = (*Driver)(nil)
	_ virt.CheckpointLister         = (*Driver)(nil)
	_ virt.CheckpointChildLister    = (*Driver)(nil)
	_ virt.CheckpointLooker         = (*Driver)(nil)
	_ virt.CheckpointParentGetter   = (*Driver)(nil)
	_ virt.CurrentCheckpointHaver   = (*Driver)(nil)
	_ virt.CurrentCheckpointGetter  = (*Driver)(nil)
	_ virt.CheckpointCurrentTester  = (*Driver)(nil)
	_ virt.CheckpointMetadataTester = (*Driver)(nil)
	_ virt.SnapshotCreator          = (*Driver)(nil)
	_ virt.SnapshotCreator2         = (*Driver)(nil)
	_ virt.SnapshotXMLDescriber     = (*Driver)(nil)
	_ virt.SnapshotLister           = (*Driver)(nil)
	_ virt.SnapshotChildLister      = (*Driver)(nil)
	_ virt.SnapshotLooker           = (*Driver)(nil)
	_ virt.SnapshotParentGetter     = (*Driver)(nil)
	_ virt.SnapshotDeleter          = (*Driver)(nil)
	_ virt.CurrentSnapshotHaver     = (*Driver)(nil)
	_ virt.CurrentSnapshotGetter    = (*Driver)(nil)
	_ virt.SnapshotCurrentTester    = (*Driver)(nil)
	_ virt.SnapshotMetadataTester   = (*Driver)(nil)
	_ virt.DeviceAttacher           = (*Driver)(nil)
	_ virt.DeviceDetacher           = (*Driver)(nil)
	_ virt.BlockThresholdSetter     = (*Driver)(nil)
	_ virt.DomainShutdowner         = (*Driver)(nil)
	_ virt.DomainSaver              = (*Driver)(nil)
	_ virt.DomainMigrator           = (*Driver)(nil)
	_ virt.BlockPuller              = (*Driver)(nil)
	_ virt.BlockRebaser             = (*Driver)(nil)
	_ virt.BlockCommitter           = (*Driver)(nil)
	_ virt.BlockCopier              = (*Driver)(nil)
	_ virt.BlockResizer             = (*Driver)(nil)
	_ virt.BlockJobInfoGetter       = (*Driver)(nil)
	_ virt.BlockJobSpeedSetter      = (*Driver)(nil)
	_ virt.EventSource              = (*Driver)(nil)
)

// New starts a driver over what an earlier one left in the state directory: it
// attaches to the machines that run and finishes or undoes what was under way.
func New(p rt.Process, h host.Host, hv machine.Hypervisor, cfg Config) (*Driver, error) {
	d := &Driver{p: p, h: h, hv: hv, cfg: cfg.withDefaults(), mu: rt.NewLeafMutex(p, "driver")}
	if err := d.load(); err != nil {
		return nil, err
	}
	return d, nil
}
