package explore

import (
	"fmt"

	"fleece/rt/simrt"
)

// Limits of a trace. What is larger is refused when it is written and when it is
// read.
const (
	TraceBytesMax      = 64 << 20
	TraceDeviationsMax = 1 << 20
	TraceOptionsMax    = 64
	TraceStringMax     = 4096 // bytes
)

// Trace says how a run differed from the plain run, and what came of it. It is
// stored as text (Text), or passed on as one line (Line); both have the same
// content, and ParseTrace reads either.
type Trace struct {
	Scenario string
	Lane     string
	Options  []string
	Seed     uint64
	Strategy string
	// Failure is simrt.Failure.Key, empty if the run did not fail; Detail is
	// its text for people.
	Failure, Detail string
	// Hash is simrt.Result.Hash, of version simrt.HashVersion.
	Hash uint64
	// Points is the number of choices of the run, for statistics.
	Points     int
	Deviations []simrt.Deviation
}

// Check says what is wrong with the trace, if anything: that which would not
// come out of its text as it went in.
func (t *Trace) Check() error {
	if t.Scenario == "" {
		return fmt.Errorf("trace: no scenario; it says what to run")
	}
	if len(t.Options) > TraceOptionsMax {
		return fmt.Errorf("trace: %d options; at most %d are allowed", len(t.Options), TraceOptionsMax)
	}
	if len(t.Deviations) > TraceDeviationsMax {
		return fmt.Errorf("trace: %d deviations; at most %d are allowed: replay such a run by its seed",
			len(t.Deviations), TraceDeviationsMax)
	}
	if t.Points < 0 || t.Points > countMax {
		return fmt.Errorf("trace: points is %d, want 0 to %d", t.Points, countMax)
	}
	for _, s := range append([]string{t.Scenario, t.Lane, t.Strategy, t.Failure, t.Detail}, t.Options...) {
		if err := checkString(s); err != nil {
			return err
		}
	}
	for i, d := range t.Deviations {
		if err := checkDeviation(d); err != nil {
			return fmt.Errorf("trace: deviation %d: %w", i+1, err)
		}
	}
	return nil
}

// countMax bounds each number but seed and hash.
const countMax = 1<<31 - 1

func checkString(s string) error {
	if len(s) > TraceStringMax {
		return fmt.Errorf("trace: a text of %d bytes (%.40q…); at most %d are allowed", len(s), s, TraceStringMax)
	}
	return nil
}

func checkDeviation(d simrt.Deviation) error {
	for _, s := range []string{d.At.Task, d.At.Op, d.At.Object, d.To.Task} {
		if err := checkString(s); err != nil {
			return err
		}
	}
	a, to := d.At, d.To
	clock := a.Task == "" && a.TaskK == 0
	if !clock && (a.TaskK < 1 || a.TaskK > taskNumberMax) {
		return fmt.Errorf("task %q is number %d of its name, want 1 to %d", a.Task, a.TaskK, taskNumberMax)
	}
	if a.N < 1 || a.N > countMax {
		return fmt.Errorf("it is at time %d of its operation, want 1 to %d", a.N, countMax)
	}
	switch to.Kind {
	case simrt.ToTask:
		if to.TaskK < 1 || to.TaskK > taskNumberMax || to.Value != 0 {
			return fmt.Errorf("target task %q is number %d of its name, want 1 to %d", to.Task, to.TaskK, taskNumberMax)
		}
	case simrt.ToClock, simrt.ToValue:
		value := to.Kind == simrt.ToValue
		if to.Task != "" || to.TaskK != 0 || value != (to.Value != 0) || to.Value < 0 || to.Value > countMax {
			return fmt.Errorf("target is %+v, want a task, the clock, or a value from 1 to %d", to, countMax)
		}
	default:
		return fmt.Errorf("target kind %d is unknown", to.Kind)
	}
	return nil
}

// taskNumberMax bounds the k of "the k-th task of that name".
const taskNumberMax = 999_999_999
