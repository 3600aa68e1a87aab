package virt

// DomainEventID is virDomainEventID.
type DomainEventID int

// The events that occur, with libvirt's numbers.
const (
	DOMAIN_EVENT_ID_LIFECYCLE       DomainEventID = 0
	DOMAIN_EVENT_ID_DEVICE_REMOVED  DomainEventID = 15
	DOMAIN_EVENT_ID_BLOCK_JOB_2     DomainEventID = 16
	DOMAIN_EVENT_ID_DEVICE_ADDED    DomainEventID = 19
	DOMAIN_EVENT_ID_BLOCK_THRESHOLD DomainEventID = 24
	DOMAIN_EVENT_ID_JOB_COMPLETED   DomainEventID = 21
)

// Event is something that a driver tells its connections. The set is closed: a
// JobCompletedEvent, a BlockJobEvent, a BlockThresholdEvent, a DeviceAddedEvent, a
// DeviceRemovedEvent or a LifecycleEvent, for a type switch.
type Event interface {
	// DomainID is the domain that it happened to.
	DomainID() DomainID
	// EventID is libvirt's number of the event.
	EventID() DomainEventID
	closed()
}

func (JobCompletedEvent) closed()   {}
func (BlockJobEvent) closed()       {}
func (BlockThresholdEvent) closed() {}
func (DeviceAddedEvent) closed()    {}
func (DeviceRemovedEvent) closed()  {}
func (LifecycleEvent) closed()      {}

// EventID is 21.
func (JobCompletedEvent) EventID() DomainEventID { return DOMAIN_EVENT_ID_JOB_COMPLETED }

// EventID is 16.
func (BlockJobEvent) EventID() DomainEventID { return DOMAIN_EVENT_ID_BLOCK_JOB_2 }

// EventID is 24.
func (BlockThresholdEvent) EventID() DomainEventID { return DOMAIN_EVENT_ID_BLOCK_THRESHOLD }

// EventID is 19.
func (DeviceAddedEvent) EventID() DomainEventID { return DOMAIN_EVENT_ID_DEVICE_ADDED }

// EventID is 15.
func (DeviceRemovedEvent) EventID() DomainEventID { return DOMAIN_EVENT_ID_DEVICE_REMOVED }

// EventID is 0.
func (LifecycleEvent) EventID() DomainEventID { return DOMAIN_EVENT_ID_LIFECYCLE }

// JobCompletedEvent is VIR_DOMAIN_EVENT_ID_JOB_COMPLETED: a job ended, with the
// statistics of the completed job.
type JobCompletedEvent struct {
	Domain DomainID
	Params []TypedParam
}

// DomainID is the domain whose job ended.
func (e JobCompletedEvent) DomainID() DomainID { return e.Domain }

// Success is the parameter "success"; false if it is missing.
func (e JobCompletedEvent) Success() bool {
	p, _ := FindParam(e.Params, DOMAIN_JOB_SUCCESS)
	ok, _ := p.Value.(bool)
	return ok
}

// ErrorMessage is the parameter "errmsg"; empty if it is missing.
func (e JobCompletedEvent) ErrorMessage() string {
	p, _ := FindParam(e.Params, DOMAIN_JOB_ERRMSG)
	s, _ := p.Value.(string)
	return s
}

// Operation is the parameter "operation".
func (e JobCompletedEvent) Operation() DomainJobOperation {
	p, _ := FindParam(e.Params, DOMAIN_JOB_OPERATION)
	n, _ := p.Value.(int32)
	return DomainJobOperation(n)
}

// ID is the parameter "id": the job id; 0, which is never a fresh job's, if it is
// missing.
func (e JobCompletedEvent) ID() int {
	p, _ := FindParam(e.Params, DOMAIN_JOB_ID)
	n, _ := p.Value.(int32)
	return int(n)
}

// BlockJobEvent is VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2: a block job changed; Disk is
// the target name.
type BlockJobEvent struct {
	Domain DomainID
	Disk   string
	Type   BlockJobType
	Status BlockJobStatus
}

// DomainID is the domain of the disk.
func (e BlockJobEvent) DomainID() DomainID { return e.Domain }

// BlockThresholdEvent is VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD: a write went beyond what
// SetBlockThreshold asked for, which is then forgotten. Disk is the device as the call
// names it: "vda" of an active image, "vda[7]" of any image by the index of its element
// in the documents; an active image with an index has an event of each kind.
type BlockThresholdEvent struct {
	Domain    DomainID
	Disk      string
	Path      string // of the image; "" if it has none on this host
	Threshold uint64 // bytes
	Excess    uint64 // bytes beyond it
}

// DomainID is the domain of the disk.
func (e BlockThresholdEvent) DomainID() DomainID { return e.Domain }

// DeviceAddedEvent is VIR_DOMAIN_EVENT_ID_DEVICE_ADDED: the running domain has one more
// device. Device is QEMU's name of it, "virtio-disk1".
type DeviceAddedEvent struct {
	Domain DomainID
	Device string
}

// DomainID is the domain of the device.
func (e DeviceAddedEvent) DomainID() DomainID { return e.Domain }

// DeviceRemovedEvent is VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED: the guest has let a device
// go, and nothing is left of it in the running domain.
type DeviceRemovedEvent struct {
	Domain DomainID
	Device string
}

// DomainID is the domain of the device.
func (e DeviceRemovedEvent) DomainID() DomainID { return e.Domain }

// LifecycleEvent is VIR_DOMAIN_EVENT_ID_LIFECYCLE.
type LifecycleEvent struct {
	Domain DomainID
	Event  LifecycleEventType
	Detail int
}

// DomainID is the domain that changed.
func (e LifecycleEvent) DomainID() DomainID { return e.Domain }
