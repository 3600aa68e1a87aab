package driver

import (
	"strings"

	"fleece/driver/state"
	"fleece/qmp"
	"fleece/virt"
)

// The calls that hand the domain's memory on; they are the names of the async job too.
const (
	migrateAPI = "virDomainMigrateToURI"
	saveAPI    = "virDomainSave"
)

// migrating is a migration, or a save, that is under way.
type migrating struct {
	operation virt.DomainJobOperation
	startedMS int64
	status    string // as QEMU told last
}

// DomainMigrateToURI has QEMU send the guest to where somebody has a machine waiting, and
// ends the domain here. Backups keep it out, and it them, for as long as either lasts
// (BEG-14): 68. A block job is refused with 55 (E247). Errors: 8 for a URI that is neither
// "unix:PATH" nor "tcp:HOST:PORT", 74 for another name, 9 if QEMU failed, 78 if AbortJob
// ended it; then the guest goes on here.
func (drv *Driver) DomainMigrateToURI(id virt.DomainID, duri string, flags virt.DomainMigrateFlags, dname *string, bandwidth uint64) error {
	if bits := flags &^ virt.MIGRATE_LIVE; bits != 0 {
		return virt.UnsupportedFlags(uint32(bits), "qemuDomainMigratePerform")
	}
	if dname != nil {
		return virt.Errorf(virt.ERR_ARGUMENT_UNSUPPORTED, virt.FROM_QEMU, "the domain cannot get another name")
	}
	if !strings.HasPrefix(duri, "unix:/") && !strings.HasPrefix(duri, "tcp:") {
		return virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU, "unsupported scheme in migration URI %s: there are unix:PATH and tcp:HOST:PORT", duri)
	}
	speed, err := bytesPerSecond(bandwidth, false)
	if err != nil {
		return err
	}
	d, err := drv.beginMigration(id, migrateAPI, virt.DOMAIN_JOB_OPERATION_MIGRATION_OUT)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	defer d.endMigration()
	r := d.run
	d.stored.Leaving = &state.Leaving{Resume: !r.paused}
	if err := d.save(); err != nil {
		return err
	}
	if err := d.migrate(r, duri, speed); err != nil {
		return err
	}
	return d.leave(r, virt.DOMAIN_EVENT_STOPPED_MIGRATED)
}

// beginMigration finds the domain, locked, with the async job, and makes libvirt's
// checks.
func (drv *Driver) beginMigration(id virt.DomainID, api string, operation virt.DomainJobOperation) (*domain, error) {
	d, err := drv.find(id)
	if err != nil {
		return nil, err
	}
	if err = d.beginAsync(api, true); err == nil {
		d.migrating = &migrating{operation: operation, startedMS: d.drv.p.Now().UnixMilli()}
		switch {
		case d.run == nil:
			err = errInactive()
		case len(d.blockJobs) > 0:
			err = virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, "domain has active block job")
		case d.backup != nil: // its copy is over, so that it has no lock
			err = virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, "backup job '%d' has not been ended", d.backup.st.ID)
		}
		if err != nil {
			d.endMigration()
		}
	}
	if err != nil {
		d.mu.Unlock()
	}
	return d, err
}

func (d *domain) endMigration() {
	d.migrating = nil
	if d.stored.Leaving != nil && d.definition() != nil {
		d.stored.Leaving = nil
		d.trySave()
	}
	d.endAsync()
}

// recoverLeaving deals with a save or a migration over which a driver died. A guest that
// has arrived elsewhere, or is in a file, must not run here; any other goes on, and what
// was saved is not all of it.
func (d *domain) recoverLeaving(r *run) {
	l := d.stored.Leaving
	if l == nil {
		return
	}
	reason, gone := stopReason(virt.DOMAIN_EVENT_STOPPED_SAVED), l.Complete
	if l.Path == "" {
		v, err := d.exec(r, qmp.QueryMigrate{})
		reason, gone = virt.DOMAIN_EVENT_STOPPED_MIGRATED, err == nil && v.Get("status").S() == qmp.MigrationCompleted
	}
	if gone {
		if err := d.leave(r, reason); err != nil {
			d.drv.p.Note("domain-that-left-not-stopped", d.name, err)
		}
		return
	}
	d.attempt(r, qmp.MigrateCancel{})
	if l.Path != "" {
		d.removeNoted(l.Path)
		d.removeNoted(d.drv.statePath(d.name) + saveSuffix)
	}
	if l.Resume {
		d.attempt(r, qmp.Cont{})
	}
	d.stored.Leaving = nil
	d.trySave()
}

// migrate sends the memory and waits until that has ended.
func (d *domain) migrate(r *run, uri string, speed int64) error {
	commands := []qmp.Commander{qmp.MigrateEvents{}, qmp.Migrate{URI: uri}}
	if speed > 0 {
		commands = append([]qmp.Commander{qmp.MigrateSetBandwidth{MaxBandwidth: speed}}, commands...)
	}
	for _, c := range commands {
		if _, err := d.nested(r, c); err != nil {
			return err
		}
	}
	g := d.migrating
	for g.running() && d.usable(r) == nil {
		d.cond.Wait()
	}
	if err := d.usable(r); err != nil {
		return err
	}
	switch g.status {
	case qmp.MigrationCompleted:
		return nil
	case qmp.MigrationCancelled:
		return virt.Errorf(virt.ERR_OPERATION_ABORTED, virt.FROM_QEMU, "%s: %s", g.name(), "canceled by client")
	}
	reason := "unexpectedly failed"
	if v, err := d.nested(r, qmp.QueryMigrate{}); err == nil && v.Get("error-desc").Present() {
		reason = v.Get("error-desc").S()
	}
	return virt.Errorf(virt.ERR_OPERATION_FAILED, virt.FROM_QEMU, "%s: %s", g.name(), reason)
}

func (g *migrating) running() bool {
	switch g.status {
	case qmp.MigrationCompleted, qmp.MigrationFailed, qmp.MigrationCancelled:
		return false
	}
	return true
}

// name is that of the job in libvirt's errors.
func (g *migrating) name() string {
	if g.operation == virt.DOMAIN_JOB_OPERATION_SAVE {
		return "domain save job"
	}
	return "migration out job"
}

// dropLeaving forgets a save or a migration of a machine that is gone. A file that is
// complete stays.
func (d *domain) dropLeaving() {
	l := d.stored.Leaving
	if l == nil {
		return
	}
	switch {
	case l.Complete:
		d.stopped = virt.DOMAIN_EVENT_STOPPED_SAVED
	case l.Path != "":
		d.removeNoted(l.Path)
	}
	if l.Path != "" {
		d.removeNoted(d.drv.statePath(d.name) + saveSuffix)
	}
	d.stored.Leaving = nil
	d.trySave()
}

// migrationChanged notes what QEMU says of a migration, in the reader task.
func (d *domain) migrationChanged(r *run, status string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.run == r && d.migrating != nil {
		d.migrating.status = status
		d.cond.Broadcast()
	}
}

// leave ends a machine whose guest is somewhere else now.
func (d *domain) leave(r *run, reason stopReason) error {
	r.left, r.leftFor = true, reason
	d.kill(r)
	d.take(jobDestroy, d.jobs.asyncAPI)
	defer d.end()
	if d.run == r {
		d.stop(r)
	}
	return nil
}

// abortMigration is AbortJob while a migration or a save runs.
func (d *domain) abortMigration(api string) error {
	if err := d.begin(jobAbort, api); err != nil {
		return err
	}
	defer d.end()
	if d.migrating == nil {
		return nil
	}
	_, err := d.exec(d.run, qmp.MigrateCancel{})
	return err
}

// DomainShutdown asks the guest to power off, by ACPI.
func (drv *Driver) DomainShutdown(id virt.DomainID) error {
	d, err := drv.find(id)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if err := d.begin(jobModify, "virDomainShutdown"); err != nil {
		return err
	}
	defer d.end()
	if d.run == nil {
		return errInactive()
	}
	_, err = d.exec(d.run, qmp.SystemPowerdown{})
	return err
}
