package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"fleece/conformance"
	"fleece/conformance/lanes"
	"fleece/driver"
	"fleece/explore"
	"fleece/host"
	"fleece/machine"
	"fleece/rt"
	"fleece/virt"
)

// The commands that the scripts call.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"fleece":       main,
		"fleece-wrong": func() { os.Exit(execute(os.Args[1:], lanes.Config{NewDriver: newForgiving})) },
	})
}

func TestTheCommandLineKeepsToItsScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Values[serverKey{}] = &serverBox{}
			recordings, err := filepath.Abs("../../sim/testdata")
			e.Setenv("RECORDINGS", recordings)
			return err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"trace":         passingTrace,
			"failing-trace": failingTrace,
			"one-document":  oneDocument,
			"lines":         countLines,
			"exec-status":   execStatus,
			"serve":         startServe,
			"qmp":           talkQMP,
			"ended":         endServe,
		},
	})
}

// forgiving is fleece's driver with a deliberate fault: of two callers that end one
// backup at the same time both are told that it worked.
type forgiving struct {
	*driver.Driver
	ending bool
}

// DomainBackupEnd answers a second caller while the first is served.
func (f *forgiving) DomainBackupEnd(id virt.DomainID, job int, flags virt.DomainBackupEndFlags) (int, error) {
	if f.ending {
		return 1, nil
	}
	f.ending = true
	defer func() { f.ending = false }()
	return f.Driver.DomainBackupEnd(id, job, flags)
}

func newForgiving(p rt.Process, h host.Host, hv machine.Hypervisor, c conformance.DriverConfig) (any, error) {
	d, err := driver.New(p, h, hv, driver.Config{StateDir: c.StateDir, TLSDir: c.TLSDir, JobWait: c.JobWait})
	return &forgiving{Driver: d}, err
}

// passingTrace is the command "trace SPEC SCHEDULE NAME": it runs one schedule,
// which must pass, and stores its trace.
func passingTrace(ts *testscript.TestScript, _ bool, args []string) {
	schedule, err := strconv.Atoi(args[1])
	ts.Check(err)
	spec, err := findSpec(args[0])
	ts.Check(err)
	lane, err := lanes.Sim(lanes.Config{})
	ts.Check(err)
	out := conformance.RunSeeded(spec, conformance.Options{Lane: lane, Seed: 1}, schedule)
	if out.Failure != nil {
		ts.Fatalf("%s: %s", args[0], out.Failure.Message)
	}
	storeTrace(ts, args[2], out.Trace)
}

// failingTraceSchedules is how many schedules may be tried until the wrong driver fails.
const failingTraceSchedules = 500

// failingTrace is the command "failing-trace SPEC NAME": it explores the spec with
// the wrong driver until a schedule other than the plain one fails.
func failingTrace(ts *testscript.TestScript, _ bool, args []string) {
	spec, err := findSpec(args[0])
	ts.Check(err)
	lane, err := lanes.Sim(lanes.Config{NewDriver: newForgiving})
	ts.Check(err)
	r := conformance.RunOne(spec, conformance.Options{Lane: lane, Seed: 1, Schedules: failingTraceSchedules})
	if r.State != conformance.StateFail || r.Failure.Schedule == 0 {
		ts.Fatalf("%s: not a failure that only some schedule meets: %s", args[0], conformance.Explain(r))
	}
	storeTrace(ts, args[1], r.Failure.Trace)
}

// storeTrace makes NAME.txt, the trace as a file, NAME.line, the one line, and the
// variables NAME (the line) and NAME_HASH.
func storeTrace(ts *testscript.TestScript, name, line string) {
	trace, err := explore.ParseTrace([]byte(line))
	ts.Check(err)
	text, err := trace.Text()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(name+".txt"), text, 0o644))
	ts.Check(os.WriteFile(ts.MkAbs(name+".line"), []byte(line+"\n"), 0o644))
	ts.Setenv(name, line)
	ts.Setenv(name+"_HASH", fmt.Sprintf("%016x", trace.Hash))
}
