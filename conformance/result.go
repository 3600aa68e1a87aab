package conformance

// State is the verdict on one spec in one lane. Only StatePass is a pass.
type State string

// The states, see the architecture's "Results".
const (
	StatePass        State = "pass"
	StateFail        State = "fail"        // the target broke the requirement
	StateError       State = "error"       // the harness's own failure, time-out included
	StateUnsupported State = "unsupported" // the target declares that it lacks a feature
	StateDisabled    State = "disabled"    // by configuration, or the lane is not the spec's
	StateXFail       State = "xfail"       // failed, as the baseline expects (see Baseline)
	StateXPass       State = "xpass"       // passed where the baseline expects a failure: a finding
	StateNotRun      State = "notrun"      // the run was cut before it: budget or interrupt
)

// States lists all states, from good to bad.
func States() []State {
	return []State{StatePass, StateXFail, StateUnsupported, StateDisabled, StateNotRun, StateXPass, StateFail, StateError}
}

// Result is what is kept of one spec in one lane. It is one line of the JSONL
// stream and one element of the JSON document.
type Result struct {
	Spec  string `json:"spec"`
	Title string `json:"title"`
	Lane  string `json:"lane"`
	State State  `json:"state"`
	// Reason is of every state but pass, fail and error.
	Reason       string   `json:"reason,omitempty"`
	Requirements []string `json:"requirements"`
	// Hash is the trace hash of the plain schedule; "" where no world is simulated.
	Hash string `json:"hash,omitempty"`
	// Points is the number of choice points of the plain schedule.
	Points int `json:"points,omitempty"`
	// Alone says why the spec has no second task, if it has none.
	Alone string `json:"alone,omitempty"`
	// Schedules is the number of runs, the plain one included.
	Schedules int `json:"schedules"`
	// DistinctHashes counts different traces among the schedules.
	DistinctHashes int `json:"distinctHashes,omitempty"`
	// AllHash is one hash over those of all schedules, in order: the same seed
	// gives the same, on every machine.
	AllHash string   `json:"allHash,omitempty"`
	Seconds float64  `json:"seconds"`
	Failure *Failure `json:"failure,omitempty"`
}

// Failure tells what went wrong in the lowest failing schedule.
type Failure struct {
	// Kind is check, deadlock, panic, steps, leak, time-out or harness.
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Stack   string `json:"stack,omitempty"`
	// Schedule is the index of the failing schedule; 0 is the plain one.
	Schedule int    `json:"schedule"`
	Seed     uint64 `json:"seed"`
	// Trace is the one-line trace (fl1:…); Replay the command that runs it again.
	Trace  string `json:"trace,omitempty"`
	Replay string `json:"replay,omitempty"`
	// Finding tells what an image or bitmap shows that nothing explains; nil if the
	// failure is not about content.
	Finding *Finding `json:"finding,omitempty"`
	// QMP is the exchange between driver and QEMU, one message per line.
	QMP []string `json:"qmp,omitempty"`
}

// Finding is the first range of a disk that the oracle cannot explain.
type Finding struct {
	What    string   `json:"what"` // what was judged: "the backup"
	Disk    string   `json:"disk"`
	Offset  int64    `json:"offset"` // bytes
	Length  int64    `json:"length"` // bytes
	Problem string   `json:"problem"`
	History []string `json:"history,omitempty"` // expected and got, and the writes there
}

// Report is the one JSON document of a run.
type Report struct {
	Tool    string `json:"tool"`
	Version string `json:"version"`
	Target  string `json:"target"`
	QEMU    string `json:"qemu,omitempty"` // version text of a real binary
	Seed    uint64 `json:"seed"`
	// Schedules is how many were asked for beside the plain one, in lane sim.
	Schedules int `json:"schedules"`
	// Shard is "i/n" if only that part of the specs was meant to run.
	Shard   string         `json:"shard,omitempty"`
	Counts  map[State]int  `json:"counts"`
	Results []Result       `json:"results"`
	Matrix  []MatrixRow    `json:"matrix"`
	Extra   map[string]any `json:"extra,omitempty"`
}

// Tally counts the results by state.
func Tally(results []Result) map[State]int {
	counts := make(map[State]int)
	for _, r := range results {
		counts[r.State]++
	}
	return counts
}

// OK reports whether nothing failed, nothing went wrong in the harness, no
// expected failure passed, and nothing was left out.
func OK(results []Result) bool {
	for _, r := range results {
		switch r.State {
		case StateFail, StateError, StateXPass, StateNotRun:
			return false
		case StatePass, StateXFail, StateUnsupported, StateDisabled:
		}
	}
	return true
}
