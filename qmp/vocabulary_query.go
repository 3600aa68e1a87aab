package qmp

// QueryNamedBlockNodes is query-named-block-nodes; NamedNodes reads its result.
type QueryNamedBlockNodes struct {
	Flat Bool3 `qmp:"flat"` // True leaves out nested backing images
}

// Command gives it as a command.
func (q QueryNamedBlockNodes) Command() Command {
	return Command{"query-named-block-nodes", Dict(M("flat", q.Flat.value()))}
}

// QueryBlock is query-block; BlockDevices reads its result.
type QueryBlock struct{}

// Command gives it as a command.
func (QueryBlock) Command() Command { return Command{Name: "query-block"} }

// QueryJobs is query-jobs; Jobs reads its result.
type QueryJobs struct{}

// Command gives it as a command.
func (QueryJobs) Command() Command { return Command{Name: "query-jobs"} }

// QueryBlockJobs is query-block-jobs; BlockJobs reads its result.
type QueryBlockJobs struct{}

// Command gives it as a command.
func (QueryBlockJobs) Command() Command { return Command{Name: "query-block-jobs"} }

// QueryBlockExports is query-block-exports; BlockExports reads its result.
type QueryBlockExports struct{}

// Command gives it as a command.
func (QueryBlockExports) Command() Command { return Command{Name: "query-block-exports"} }

// QueryStatus is query-status; RunStatus reads its result.
type QueryStatus struct{}

// Command gives it as a command.
func (QueryStatus) Command() Command { return Command{Name: "query-status"} }

// QueryVersion is query-version.
type QueryVersion struct{}

// Command gives it as a command.
func (QueryVersion) Command() Command { return Command{Name: "query-version"} }

// Cont is cont: the vCPUs run.
type Cont struct{}

// Command gives it as a command.
func (Cont) Command() Command { return Command{Name: "cont"} }

// Stop is stop: the vCPUs halt.
type Stop struct{}

// Command gives it as a command.
func (Stop) Command() Command { return Command{Name: "stop"} }

// SystemReset is system_reset.
type SystemReset struct{}

// Command gives it as a command.
func (SystemReset) Command() Command { return Command{Name: "system_reset"} }

// SystemPowerdown is system_powerdown: the guest is asked to shut down.
type SystemPowerdown struct{}

// Command gives it as a command.
func (SystemPowerdown) Command() Command { return Command{Name: "system_powerdown"} }

// Quit is quit: QEMU ends.
type Quit struct{}

// Command gives it as a command.
func (Quit) Command() Command { return Command{Name: "quit"} }

// HumanMonitorCommand is human-monitor-command; its result is a text.
type HumanMonitorCommand struct {
	CommandLine string `qmp:"command-line"`
}

// Command gives it as a command.
func (h HumanMonitorCommand) Command() Command {
	return Command{"human-monitor-command", Dict(M("command-line", Str(h.CommandLine)))}
}
