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
)

// Result is what is kept of one spec in one lane. It is one line of the JSONL
// stream and one element of the JSON document.
type Result struct {
	Spec         string   `json:"spec"`
	Title        string   `json:"title"`
	Lane         string   `json:"lane"`
	State        State    `json:"state"`
	Reason       string   `json:"reason,omitempty"` // of unsupported and disabled
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
	// QMP is the exchange between driver and QEMU, one message per line.
	QMP []string `json:"qmp,omitempty"`
}

// Report is the one JSON document of a run.
type Report struct {
	Tool    string         `json:"tool"`
	Version string         `json:"version"`
	Target  string         `json:"target"`
	QEMU    string         `json:"qemu,omitempty"` // version text of a real binary
	Seed    uint64         `json:"seed"`
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

// OK reports whether nothing failed and nothing went wrong in the harness.
func OK(results []Result) bool {
	for _, r := range results {
		if r.State == StateFail || r.State == StateError {
			return false
		}
	}
	return true
}
