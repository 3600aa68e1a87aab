package driver

import (
	"errors"
	"io/fs"

	"fleece/driver/backupdef"
	"fleece/driver/domaindef"
	"fleece/driver/snapshotdef"
	"fleece/driver/state"
	"fleece/qmp"
	"fleece/virt"
)

// overlaid is a snapshot's overlays with what they make of the domain.
type overlaid struct {
	st    *state.Snapshot
	disks []*disk // the overlays
	// live and next are the definitions afterwards, of the run and of the next start;
	// next is nil for a transient domain.
	live, next *domaindef.Domain
	// from is the definition of which next was made.
	from *domaindef.Domain
}

// start does everything under the async job.
func (s *snapshotting) start() error {
	if err := s.check(); err != nil {
		return err
	}
	nodes, err := s.query()
	if err != nil {
		return err
	}
	if err := s.plan(nodes); err != nil {
		return err
	}
	if s.chk != nil {
		s.d.reserved = s.chk.Name
		defer func() { s.d.reserved = "" }()
	}
	if err := s.prepare(); err != nil {
		s.undo()
		return err
	}
	if s.has(virt.DOMAIN_SNAPSHOT_CREATE_HALT) {
		s.d.halt(s.r)
	}
	return nil
}

// check is what can be refused without asking QEMU.
func (s *snapshotting) check() error {
	d := s.d
	active := d.run != nil
	c := snapshotdef.Circumstances{
		Active: active, DiskOnly: s.has(virt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY), State: d.snapshotState(),
	}
	if s.r = d.run; s.chk != nil && !active {
		return errOffline()
	}
	if err := s.def.Align(d.definition(), c); err != nil {
		return err
	}
	switch {
	case s.chk != nil && !s.def.External():
		return errOffline()
	case s.remembered() && d.snapshots.Get(s.def.Name) != nil:
		return virt.Errorf(virt.ERR_OPERATION_FAILED, virt.FROM_DOMAIN_SNAPSHOT, "domain moment %s already exists", s.def.Name)
	case !active:
		return errUnsupported("snapshots of an inactive domain are not supported")
	case s.def.State != snapshotdef.DiskSnapshot:
		return errUnsupported("snapshots of memory, and within images, are not supported: use VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY")
	case s.has(virt.DOMAIN_SNAPSHOT_CREATE_QUIESCE) && d.live.Agent == "":
		return errNoAgent()
	}
	if d.stored.Snapshot != nil { // the definitions of the last one were not stored
		return d.settleSnapshot()
	}
	return nil
}

// errOffline is E054.
func errOffline() error {
	return errUnsupported("cannot create checkpoint with internal/offline snapshot")
}

// snapshotState is the domain's state in a snapshot's words.
func (d *domain) snapshotState() string {
	switch {
	case d.run == nil:
		return snapshotdef.Shutoff
	case d.run.paused:
		return snapshotdef.Paused
	}
	return snapshotdef.Running
}

func (s *snapshotting) query() ([]qmp.NamedNode, error) {
	if err := s.d.begin(jobNested, s.d.jobs.asyncAPI); err != nil {
		return nil, err
	}
	defer s.d.end()
	return s.d.namedNodes(s.r)
}

// plan is what each disk needs.
func (s *snapshotting) plan(nodes []qmp.NamedNode) error {
	d := s.d
	if err := d.usable(s.r); err != nil {
		return err
	}
	s.st = &state.Snapshot{Name: s.def.Name, Metadata: s.remembered()}
	for i := range s.def.Disks {
		if s.def.Disks[i].Location != snapshotdef.External {
			continue
		}
		k, o, err := s.planDisk(&s.def.Disks[i], &d.live.Disks[i], s.r.disks[i].Nodes, nodes)
		if err != nil {
			return err
		}
		k.Node = d.stored.NextNode + len(s.disks)
		o.Node = k.Node
		s.disks, s.st.Disks = append(s.disks, k), append(s.st.Disks, o)
	}
	var err error
	s.from = d.def
	if s.live, s.next, err = d.overlay(s.r, s.st); err != nil {
		return err
	}
	if s.chk == nil {
		return nil
	}
	if s.remembered() {
		s.st.Checkpoint = s.chk.Name
	}
	return d.alignCheckpointOn(s.chk, s.live)
}

// planDisk is qemuSnapshotPrepareDiskExternal for one disk.
func (s *snapshotting) planDisk(def *snapshotdef.Disk, source *domaindef.Disk, layers []domaindef.Node, nodes []qmp.NamedNode) (*disk, *state.Overlay, error) {
	refuse := func(format string, args ...any) (*disk, *state.Overlay, error) {
		return nil, nil, virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_QEMU, format, args...)
	}
	switch {
	case source.Device == "lun":
		return refuse("external active snapshots are not supported on scsi passthrough devices")
	case source.Empty():
		return refuse("external snapshot of disk '%s', which has no medium, is not supported", def.Name)
	case def.Type != "file" && def.Type != "block":
		return refuse("external active snapshots are not supported on '%s' disks", def.Type)
	}
	if err := blockJobsSupported(source); err != nil {
		return nil, nil, err
	}
	made, err := s.checkOverlay(def)
	if err != nil {
		return nil, nil, err
	}
	top := layers[0].Format()
	node := findNode(nodes, top)
	if j := s.d.blockJobOn(def.Name); j != nil {
		return nil, nil, s.d.diskFree(def.Name)
	}
	if err := copyOn(nodes, node, def.Name); err != nil {
		return nil, nil, err
	}
	k := &disk{
		def:    &backupdef.Disk{Name: def.Name, Type: def.Type, Path: def.Path, Format: def.Format},
		layers: layers, Disk: &state.Disk{Name: def.Name, Source: top},
	}
	k.plan.backingPath, k.plan.backingFmt = source.Top().Path, source.Top().Format
	o := &state.Overlay{Name: def.Name, Below: source.Top().Path, Type: def.Type, Path: def.Path, Made: made}
	return k, o, k.plan.measure(node, top, source.Top().Format, def.Format)
}

// checkOverlay looks at what is at the overlay's path; made says that the file is to
// be made. An empty file is taken, and is not ours.
func (s *snapshotting) checkOverlay(def *snapshotdef.Disk) (made bool, err error) {
	reuse := s.has(virt.DOMAIN_SNAPSHOT_CREATE_REUSE_EXT)
	info, err := s.d.drv.h.Stat(def.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && reuse:
		return false, systemError(err, "missing existing file for disk %s: %s", def.Name, def.Path)
	case errors.Is(err, fs.ErrNotExist) && def.Type == "block":
		return false, errUnsupported("block device snapshot target '%s' doesn't exist", def.Path)
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, systemError(err, "unable to stat for disk %s: %s", def.Name, def.Path)
	case !reuse && def.Type == "file" && info.Size > 0:
		return false, virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_QEMU,
			"external snapshot file for disk %s already exists and is not a block device: %s", def.Name, def.Path)
	}
	return false, nil
}

// copyOn is E242: the job of somebody else on a disk, 83 for a copy, 84 for others.
func copyOn(nodes []qmp.NamedNode, top *qmp.NamedNode, target string) error {
	if !jobOn(nodes, top) {
		return nil
	}
	code := virt.ERR_OPERATION_UNSUPPORTED
	for i := range nodes {
		if nodes[i].Driver == "mirror_top" && nodes[i].File == top.File {
			code = virt.ERR_BLOCK_COPY_ACTIVE
		}
	}
	return virt.Errorf(code, virt.FROM_QEMU, "disk '%s' already in active block job", target)
}

// overlay gives the definitions of a running domain with the overlays of a snapshot:
// of the run, with the numbers of all nodes, and of the next start, nil if it has none.
func (d *domain) overlay(r *run, st *state.Snapshot) (live, def *domaindef.Domain, err error) {
	var overlays []domaindef.Overlay
	for _, o := range st.Disks {
		overlays = append(overlays, domaindef.Overlay{Target: o.Name, Below: o.Below, Image: domaindef.Layer{
			Type: o.Type, Path: o.Path, Format: "qcow2",
		}})
	}
	if def = d.def; def != nil {
		if def, err = def.WithOverlays(overlays); err != nil {
			return nil, nil, err
		}
	}
	if r == nil {
		return nil, def, nil
	}
	numbered, err := d.live.WithIndices(r.disks)
	if err != nil {
		return nil, nil, err
	}
	for i, o := range st.Disks {
		overlays[i].Image.Index = o.Node
	}
	live, err = numbered.WithOverlays(overlays)
	return live, def, err
}
