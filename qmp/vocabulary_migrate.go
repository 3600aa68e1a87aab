package qmp

// Migrate is migrate: the machine's state goes to a URI, "unix:PATH" or "tcp:HOST:PORT".
type Migrate struct {
	URI string `qmp:"uri"`
}

// Command gives it as a command.
func (m Migrate) Command() Command { return Command{"migrate", Dict(M("uri", Str(m.URI)))} }

// MigrateCancel is migrate_cancel; without a migration it does nothing.
type MigrateCancel struct{}

// Command gives it as a command.
func (MigrateCancel) Command() Command { return Command{"migrate_cancel", Dict()} }

// MigrateSetBandwidth is migrate-set-parameters for max-bandwidth.
type MigrateSetBandwidth struct {
	MaxBandwidth int64 `qmp:"max-bandwidth"` // bytes per second; 0 leaves it as it is
}

// Command gives it as a command.
func (m MigrateSetBandwidth) Command() Command {
	return Command{"migrate-set-parameters", Dict(M("max-bandwidth", number(m.MaxBandwidth)))}
}

// MigrateEvents is migrate-set-capabilities that turns the event MIGRATION on.
type MigrateEvents struct{}

// Command gives it as a command.
func (MigrateEvents) Command() Command {
	return Command{"migrate-set-capabilities", Dict(M("capabilities", List(Dict(M("capability", Str("events")), M("state", Bool(true))))))}
}

// QueryMigrate is query-migrate.
type QueryMigrate struct{}

// Command gives it as a command.
func (QueryMigrate) Command() Command { return Command{"query-migrate", Dict()} }

// The statuses of a migration that end it (MigrationStatus in qapi/migration.json).
const (
	MigrationCompleted = "completed"
	MigrationFailed    = "failed"
	MigrationCancelled = "cancelled"
)

// AsMigration reads the status of MIGRATION; ok is false if e is another event.
func AsMigration(e Event) (status string, ok bool) {
	if e.Name != EventMigration {
		return "", false
	}
	return e.Data.Get("status").S(), true
}
