package linear

import (
	"slices"
	"strings"

	"fleece/virt"
)

// CheckpointsMax bounds the checkpoints of a domain at a time.
const CheckpointsMax = 8

// phases are those in which a job may be: a set, since nobody tells when a copy ends.
type phases uint8

const (
	copying phases = 1 << iota
	completed
	cancelled
)

// job is a backup that has begun. The zero job is none.
type job struct {
	id         int
	may        phases
	full       bool
	pull       bool // does not end by itself, and a cancel is a success
	cancelling bool // a caller has asked for its end
}

// preparing is a Begin that has the domain and no job yet. The zero value is none.
type preparing struct {
	task    int
	name    string
	aborted bool // AbortJob was called
	failed  bool
}

// Aims of an abort, beside the ids of jobs.
const (
	aimNone  = 0
	aimBegin = -1 // a Begin that prepares
	aimAir   = -2 // no job
)

// state is a domain that does one thing at a time. It is compared as a value.
type state struct {
	// chain are the checkpoints, a parent before its child: the API of the histories
	// makes a new one only below the current one, and so no branch.
	chain   [CheckpointsMax]string
	count   int
	making  string // the checkpoint that Create makes; "" for none
	prep    preparing
	job     job
	nextJob int
	aims    [TasksMax + 1]int // of the ends and aborts under way, by task
}

// apply does a step if the domain would have told the caller that; else it reports
// false.
func (s *state) apply(m Model, o step) bool {
	if o.part == whole && o.Code == virt.ERR_OPERATION_TIMEOUT {
		return s.late(m, o)
	}
	switch o.Kind {
	case BackupBegin:
		return s.begin(m, o)
	case BackupEnd:
		return s.end(m, o)
	case AbortJob:
		return s.abort(m, o)
	case ListJobIds:
		return s.listJobs(m, o)
	case GetJobInfo:
		return s.jobInfo(m, o)
	case CheckpointCreate:
		return s.create(o)
	}
	return s.checkpoint(o)
}

// late is a call that gave up waiting for the lock.
func (s *state) late(m Model, o step) bool {
	if !strings.Contains(o.Message, "cannot acquire state change lock") {
		return false
	}
	if m.Impatient {
		return true
	}
	return o.Kind == BackupBegin && (s.prep.task != 0 || s.phase(m, copying))
}

// phase reports whether the job may be in one of the phases now, and if so settles
// that it is.
func (s *state) phase(m Model, want phases) bool {
	if s.job.id == 0 {
		return false
	}
	now := s.job.may
	if now&copying != 0 {
		switch {
		case s.job.pull && s.job.cancelling:
			now |= completed
		case s.job.pull:
		case !m.Held || !s.job.full:
			now |= completed
		}
		if s.job.cancelling && !s.job.pull {
			now |= cancelled
		}
	}
	if now&want == 0 {
		return false
	}
	s.job.may = now & want
	return true
}

// known reports whether a checkpoint exists.
func (s *state) known(name string) bool { return slices.Contains(s.chain[:s.count], name) }

// taken reports whether a name exists, or is about to.
func (s *state) taken(name string) bool {
	return s.known(name) || s.making == name || s.prep.task != 0 && s.prep.name == name
}

func (s *state) add(name string) bool {
	if s.count == CheckpointsMax || s.known(name) {
		return false
	}
	s.chain[s.count] = name
	s.count++
	return true
}

// remove takes out the checkpoints from…to-1 of the chain.
func (s *state) remove(from, to int) {
	rest := copy(s.chain[from:], s.chain[to:s.count])
	clear(s.chain[from+rest : s.count])
	s.count = from + rest
}
