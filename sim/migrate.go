package sim

import (
	"cmp"
	"strings"
	"time"

	"fleece/host"
	"fleece/qmp"
)

// migration is the state of outgoing migration (§7). The guest has no memory to
// speak of: what matters is what happens to the images and to the run state.
type migration struct {
	status       string      // "" before the first
	problem      string      // why it failed, where QEMU tells
	out          host.Stream // to the destination; nil where that is a program or a file
	capabilities []string
	parameters   []qmp.Member // that were set
}

// How long the phases of a migration without a guest take.
const (
	migrateSetupTime = 4 * time.Millisecond
	migrateTotalTime = 18 * time.Millisecond
	migrateDowntime  = 12 * time.Millisecond
)

// migrationCommand executes what is about migration.
func (m *Machine) migrationCommand(cmd qmp.Command) (v qmp.Value, done bool, err *qmp.ReplyError) {
	v = qmp.Dict()
	switch cmd.Name {
	case "migrate":
		err = m.migrate(cmd.Args)
	case "migrate_cancel":
		m.cancelMigration()
	case "query-migrate":
		v = m.queryMigrate()
	case "query-migrate-capabilities":
		v = m.queryCapabilities()
	case "migrate-set-capabilities":
		err = m.setCapabilities(cmd.Args.Get("capabilities"))
	case "migrate-set-parameters":
		err = m.setMigrationParameters(cmd.Args)
	case "query-migrate-parameters":
		v = m.migration.queryParameters()
	case "migrate-continue":
		err = qmp.Generic("Migration not in expected state: " + cmp.Or(m.migration.status, "none"))
	case "migrate-start-postcopy":
		err = qmp.Generic("Enable postcopy with migrate_set_capability before the start of migration")
		if m.migration.has("postcopy-ram") {
			err = qmp.Generic("Postcopy must be started after migration has been started")
		}
	case "migrate-recover":
		err = qmp.Generic("Migrate recover can only be run when postcopy is paused.")
	case "migrate-pause":
		err = qmp.Generic("migrate-pause is currently only supported during postcopy-active state")
	case "migrate-incoming":
		err = qmp.Generic("'-incoming' was not specified on the command line")
	default:
		return v, false, nil
	}
	return v, true, err
}

// set changes the status, and says so where the capability events is on.
func (g *migration) set(m *Machine, status string) {
	g.status = status
	if g.has("events") {
		m.emit("MIGRATION", qmp.Dict(qmp.M("status", qmp.Str(status))))
	}
}

// pass says that the memory is looked through once more.
func (g *migration) pass(m *Machine, n int64) {
	if g.has("events") {
		m.emit("MIGRATION_PASS", qmp.Dict(qmp.M("pass", qmp.Int(n))))
	}
}

// migrationCapabilities are those of 7.2, in the order of a query.
func migrationCapabilities() []string {
	return strings.Fields("xbzrle rdma-pin-all auto-converge zero-blocks compress events postcopy-ram x-colo " +
		"release-ram block return-path pause-before-switchover multifd dirty-bitmaps postcopy-blocktime " +
		"late-block-activate x-ignore-shared validate-uuid background-snapshot zero-copy-send postcopy-preempt")
}

func (g *migration) has(capability string) bool {
	for _, c := range g.capabilities {
		if c == capability {
			return true
		}
	}
	return false
}

func (m *Machine) queryCapabilities() qmp.Value {
	var out []qmp.Value
	for _, name := range migrationCapabilities() {
		out = append(out, qmp.Dict(qmp.M("state", qmp.Bool(m.migration.has(name))), qmp.M("capability", qmp.Str(name))))
	}
	return qmp.List(out...)
}

func (m *Machine) setCapabilities(list qmp.Value) *qmp.ReplyError {
	var on []string
	for _, name := range migrationCapabilities() {
		set := m.migration.has(name)
		for _, c := range list.Items() {
			if c.Get("capability").S() == name {
				set = c.Get("state").IsTrue()
			}
		}
		if set {
			on = append(on, name)
		}
	}
	next := migration{capabilities: on}
	switch {
	case m.migration.runs():
		return qmp.Generic("There's a migration process in progress")
	case next.has("postcopy-ram") && next.has("x-ignore-shared"):
		return qmp.Generic("Postcopy is not compatible with ignore-shared")
	case next.has("background-snapshot") && next.has("postcopy-ram"):
		return qmp.Generic("Background-snapshot is not compatible with postcopy-ram")
	case next.has("multifd") && next.has("compress"):
		return qmp.Generic("Multifd is not compatible with compress")
	}
	m.migration.capabilities = on
	return nil
}

// queryMigrate shows the status; the figures are about memory, which this machine
// does not have.
func (m *Machine) queryMigrate() qmp.Value {
	g := &m.migration
	if g.status == "" {
		return qmp.Dict()
	}
	out := []qmp.Member{qmp.M("status", qmp.Str(g.status))}
	if g.status == "failed" && g.problem != "" {
		out = append(out, qmp.M("error-desc", qmp.Str(g.problem)))
	}
	if g.status == "completed" {
		out = append(out, qmp.M("setup-time", qmp.Int(0)),
			qmp.M("downtime", qmp.Int(migrateDowntime.Milliseconds())), qmp.M("total-time", qmp.Int(migrateTotalTime.Milliseconds())))
	}
	if g.has("xbzrle") {
		size := g.parameter("xbzrle-cache-size")
		if !size.Present() {
			size = qmp.Int(xbzrleCacheBytes)
		}
		zero := qmp.Int(0)
		out = append(out, qmp.M("xbzrle-cache", qmp.Dict(qmp.M("bytes", zero), qmp.M("cache-size", size), qmp.M("cache-miss-rate", zero),
			qmp.M("encoding-rate", zero), qmp.M("pages", zero), qmp.M("overflow", zero), qmp.M("cache-miss", zero))))
	}
	return qmp.Dict(out...)
}

// xbzrleCacheBytes is the default size of the cache of pages.
const xbzrleCacheBytes = 64 << 20

// migrate starts an outgoing migration. QEMU does not look at jobs or exports here
// (§7): a job that holds an image makes it fail at the end.
func (m *Machine) migrate(a qmp.Value) *qmp.ReplyError {
	uri := a.Get("uri").S()
	if m.migration.runs() {
		return qmp.Generic("There's a migration process in progress")
	}
	if a.Get("resume").IsTrue() {
		return qmp.Generic("Cannot resume if there is no paused migration")
	}
	if m.state == statePostmigrate {
		return qmp.Generic("Can't migrate the vm that was paused due to previous migration")
	}
	scheme, address, _ := strings.Cut(uri, ":")
	m.migration.problem, m.migration.out = "", nil
	switch scheme {
	case "tcp", "unix", "vsock", "exec", "fd", "rdma":
	default:
		m.migration.set(m, "setup")
		m.migration.set(m, "failed")
		return qmp.Generic("Parameter 'uri' expects a valid migration protocol")
	}
	m.migration.set(m, "setup")
	if scheme == "fd" {
		m.migration.problem = "File descriptor named '" + address + "' has not been found"
		m.migration.set(m, "failed")
		return qmp.Generic(m.migration.problem)
	}
	m.p.Go("migration", func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.pass(migrateSetupTime)
		m.commandsDone()
		switch {
		case scheme == host.Unix || scheme == host.TCP:
			m.dialDestination(scheme, address)
		case scheme == "exec" && strings.HasPrefix(address, "exit "):
			m.failMigration("Unable to write to command: Broken pipe")
		}
		if m.gone || m.migration.status != "setup" {
			m.migration.ended(m)
			return
		}
		m.migration.pass(m, 1)
		m.migration.set(m, "active")
		if m.sendMemory() {
			m.commandsDone()
			m.completeMigration()
		}
		m.migration.ended(m)
	})
	return nil
}

// runs reports whether a migration is under way.
func (g *migration) runs() bool {
	return g.status == "active" || g.status == "setup" || g.status == "cancelling"
}

// commandsDone waits until no command is executed.
func (m *Machine) commandsDone() {
	for m.executing {
		m.commands.Wait()
	}
}

// ended lets commands go on after a migration's task has done its work.
func (g *migration) ended(m *Machine) {
	if g.out != nil {
		_ = g.out.Close()
	}
	if g.status == "cancelling" && !m.gone {
		g.set(m, "cancelled")
	}
	m.commands.Signal()
}

// dialDestination connects to who waits for the machine.
func (m *Machine) dialDestination(network, address string) {
	m.mu.Unlock()
	out, err := m.host.Dial(network, address)
	m.mu.Lock()
	g := &m.migration
	if err != nil {
		g.problem = "Failed to connect to '" + address + "': " + host.ErrText(err)
		if g.status == "setup" {
			g.set(m, "failed")
		}
		return
	}
	g.out = out
}

// failMigration ends a migration that could not begin.
func (m *Machine) failMigration(problem string) {
	g := &m.migration
	if g.status == "setup" {
		g.problem = problem
		g.set(m, "failed")
	}
}

// memoryBytes is how much a machine without a guest sends, about, and memoryChunk how
// much at a time: more than a socket takes of which nobody reads.
const (
	memoryBytes = 640 << 10
	memoryChunk = 32 << 10
)

// sendMemory sends the memory to a socket; it returns false if that failed or was
// cancelled. The lock is dropped meanwhile.
func (m *Machine) sendMemory() bool {
	g := &m.migration
	if g.out == nil {
		return true
	}
	chunk := make([]byte, memoryChunk)
	copy(chunk, "QEVM\x00\x00\x00\x03")
	for sent := 0; sent < memoryBytes; sent += len(chunk) {
		m.mu.Unlock()
		_, err := g.out.Write(chunk)
		m.mu.Lock()
		if m.gone || g.status != "active" {
			return false
		}
		if err != nil {
			m.commandsDone()
			g.problem = "Unable to write to socket: " + host.ErrText(err)
			g.set(m, "failed")
			return false
		}
		clear(chunk)
	}
	return true
}

// cancelMigration ends a migration that is under way; without one it does nothing.
func (m *Machine) cancelMigration() {
	g := &m.migration
	if g.status != "active" && g.status != "setup" {
		return
	}
	g.set(m, "cancelling")
	if g.out != nil {
		_ = g.out.Close()
	}
}

// completeMigration stops the guest and hands the images over. A job makes that fail,
// and then the guest goes on.
func (m *Machine) completeMigration() {
	wasRunning, was := m.state == stateRunning, m.state
	g := &m.migration
	m.stopAs(stateFinish)
	m.state = stateFinish
	g.pass(m, 2)
	if m.inactivateAll() {
		g.set(m, "completed")
		m.state = statePostmigrate
		return
	}
	g.set(m, "failed")
	m.state = was
	if wasRunning {
		m.emit("RESUME", qmp.Value{})
	}
	m.drainAll()
}

// inactivateAll writes everything out and lets the images go; persistent bitmaps
// leave the memory. It fails where a job still writes.
func (m *Machine) inactivateAll() bool {
	for _, n := range m.nodes {
		for _, e := range n.parents {
			// The backends of jobs and writable exports keep their permission.
			if perm, _ := e.perms(); e.user != nil && !e.user.isDevice && perm&permWrite != 0 || e.role == "target" && e.parent != nil {
				return false
			}
		}
	}
	for i := len(m.nodes) - 1; i >= 0; i-- {
		n := m.nodes[i]
		if n.image() == nil || n.readOnly || n.inactive {
			continue
		}
		if m.migration.has("dirty-bitmaps") { // they go with the memory, and stay here
			if n.drv.flush() != nil || n.image().flush() != nil {
				return false
			}
			n.inactive, n.keepsBitmaps = true, true
			continue
		}
		if n.drv.flush() != nil || n.storeBitmaps() != nil || n.image().flush() != nil {
			return false
		}
		n.inactive = true
		n.bitmaps.dropPersistent()
	}
	return true
}

// activateAll takes the images back: their bitmaps are loaded again.
func (m *Machine) activateAll() *qmp.ReplyError {
	for _, n := range m.nodes {
		if !n.inactive {
			continue
		}
		n.inactive = false
		if n.keepsBitmaps {
			n.keepsBitmaps = false
			continue
		}
		if err := n.loadBitmaps(); err != nil {
			return ioError("Could not load bitmaps", err)
		}
	}
	return nil
}
