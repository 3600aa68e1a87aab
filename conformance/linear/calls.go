package linear

import (
	"slices"
	"strings"

	"fleece/virt"
)

// says reports whether a call failed with that code and text.
func (r *Result) says(code virt.ErrorNumber, text string) bool {
	return r.Code == code && strings.Contains(r.Message, text)
}

// begin is BackupBegin (§5.3): one that has the domain keeps others out.
func (s *state) begin(m Model, o step) bool {
	switch o.part {
	case whole:
		if o.says(virt.ERR_OPERATION_INVALID, "another backup job is already running") {
			return s.phase(m, completed|cancelled)
		}
		return o.says(virt.ERR_OPERATION_FAILED, "already exists") && s.prep.task == 0 && s.job.id == 0 && s.taken(o.Name)
	case reserve:
		if s.prep.task != 0 || s.job.id != 0 || o.Name != "" && s.taken(o.Name) {
			return false
		}
		s.prep = preparing{task: o.Task, name: o.Name}
		return true
	}
	if s.prep.task != o.Task {
		return false
	}
	switch o.part {
	case commit:
		return s.begun(o)
	case fail:
		if s.prep.failed {
			return false
		}
		s.prep.failed = true
		return o.says(virt.ERR_OPERATION_ABORTED, "canceled by client") && s.prep.aborted ||
			o.says(virt.ERR_NO_DOMAIN_CHECKPOINT, "Checkpoint '"+o.Since+"' for incremental backup") && !s.known(o.Since)
	}
	ok := s.prep.failed
	s.prep = preparing{}
	return ok
}

// begun makes the job, and the checkpoint with it, unless AbortJob was there first.
func (s *state) begun(o step) bool {
	if s.prep.aborted || s.prep.failed || o.Value != s.nextJob || o.Since != "" && !s.known(o.Since) {
		return false
	}
	s.prep = preparing{}
	s.job = job{id: o.Value, may: copying, full: o.Since == "", pull: o.Pull}
	s.nextJob++
	return o.Name == "" || s.add(o.Name)
}

// matches reports whether an id means the job; 0 is the current one.
func (s *state) matches(id int) bool { return s.job.id != 0 && (id == 0 || id == s.job.id) }

// end is BackupEnd by the table of §3.5.
func (s *state) end(m Model, o step) bool {
	switch o.part {
	case aim:
		s.aims[o.Task] = aimAir
		if s.matches(o.ID) {
			s.aims[o.Task] = s.job.id
			s.job.cancelling = s.job.cancelling || o.Abort || s.job.pull
		}
		return true
	case take:
		target := s.aims[o.Task]
		s.aims[o.Task] = aimNone
		switch {
		case target == aimNone:
			return false
		case o.Code == virt.ERR_NO_DOMAIN_BACKUP:
			return target != s.job.id
		}
		want := cancelled
		if o.Value == 1 {
			want = completed
		}
		return target == s.job.id && s.release(m, want)
	}
	switch {
	case o.Abort || !s.matches(o.ID) || s.job.pull:
		return false
	case o.says(virt.ERR_OPERATION_INVALID, "has not completed"):
		return s.phase(m, copying)
	}
	return o.Code == virt.ERR_OPERATION_FAILED && s.release(m, cancelled) // somebody else has cancelled it
}

// release lets a job go that is over.
func (s *state) release(m Model, want phases) bool {
	ok := s.phase(m, want)
	s.job = job{}
	return ok
}

// abort is AbortJob: a Begin that prepares fails, a copy is cancelled and let go
// unless somebody else did that meanwhile; what is over already is no active job.
func (s *state) abort(m Model, o step) bool {
	switch o.part {
	case aim:
		if s.prep.task != 0 {
			s.aims[o.Task], s.prep.aborted = aimBegin, true
			return true
		}
		ok := s.phase(m, copying)
		s.aims[o.Task], s.job.cancelling = s.job.id, true
		return ok
	case take:
		target := s.aims[o.Task]
		s.aims[o.Task] = aimNone
		if target == s.job.id && target != aimNone {
			return s.release(m, completed|cancelled)
		}
		return target != aimNone
	}
	return o.says(virt.ERR_OPERATION_INVALID, "no job is active on the domain") && s.idle(m)
}

// idle reports whether no backup is prepared or copied.
func (s *state) idle(m Model) bool {
	return s.prep.task == 0 && (s.job.id == 0 || s.phase(m, completed|cancelled))
}

// listJobs is ListJobIds: a job is listed from the return of Begin to that of End.
func (s *state) listJobs(m Model, o step) bool {
	if o.Code != 0 || len(o.Jobs) > 1 {
		return false
	}
	if len(o.Jobs) == 0 {
		return s.job.id == 0
	}
	switch k := o.Jobs[0]; {
	case k.ID != s.job.id:
		return false
	case k.Type == virt.DOMAIN_JOB_UNBOUNDED:
		return s.phase(m, copying)
	case k.Type == virt.DOMAIN_JOB_COMPLETED:
		return s.phase(m, completed)
	default:
		return k.Type == virt.DOMAIN_JOB_CANCELLED && s.phase(m, cancelled)
	}
}

// jobInfo is GetJobInfo: it tells of a job as long as that copies.
func (s *state) jobInfo(m Model, o step) bool {
	switch {
	case o.Code != 0:
		return o.says(virt.ERR_INTERNAL_ERROR, "backup job data missing") && s.prep.task != 0
	case o.Type == virt.DOMAIN_JOB_UNBOUNDED:
		return s.phase(m, copying)
	}
	return o.Type == virt.DOMAIN_JOB_NONE && s.idle(m)
}

// create is CheckpointCreateXML of a name.
func (s *state) create(o step) bool {
	switch o.part {
	case reserve:
		ok := s.making == "" && !s.taken(o.Name)
		s.making = o.Name
		return ok
	case commit:
		ok := s.making == o.Name
		s.making = ""
		return ok && s.add(o.Name)
	}
	return o.says(virt.ERR_OPERATION_FAILED, "already exists") && s.taken(o.Name)
}

// checkpoint are the calls about what there is.
func (s *state) checkpoint(o step) bool {
	at := slices.Index(s.chain[:s.count], o.Name)
	switch {
	case o.Kind == CheckpointList:
		return o.Code == 0 && slices.Equal(o.Names, s.chain[:s.count])
	case o.Kind == CheckpointCurrent && s.count == 0:
		return o.says(virt.ERR_NO_DOMAIN_CHECKPOINT, "does not have a current checkpoint")
	case o.Kind == CheckpointCurrent:
		return o.named(s.chain[s.count-1])
	case at < 0:
		return o.says(virt.ERR_NO_DOMAIN_CHECKPOINT, "no domain checkpoint with matching name '"+o.Name+"'")
	case o.Kind == CheckpointParent && at == 0:
		return o.says(virt.ERR_NO_DOMAIN_CHECKPOINT, "does not have a parent")
	case o.Kind == CheckpointParent:
		return o.named(s.chain[at-1])
	case o.Kind == CheckpointLookup || o.Code != 0:
		return o.Code == 0
	}
	switch o.Delete {
	case virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN:
		s.remove(at, s.count)
	case virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY:
		s.remove(at+1, s.count)
	default:
		s.remove(at, at+1)
	}
	return true
}

// named reports whether the answer is that one checkpoint.
func (r *Result) named(name string) bool {
	return r.Code == 0 && len(r.Names) == 1 && r.Names[0] == name
}
