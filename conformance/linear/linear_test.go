package linear

import (
	"strings"
	"testing"

	"fleece/virt"
)

// told is a call with what its caller was told. Times are places in a list: a call
// overlaps the next ones as far as spans says.
func told(kind Kind, task int, start, end int64, fill func(c *Call, r *Result)) Operation {
	o := Operation{Call: Call{Kind: kind, Task: task}, Start: start, Return: end}
	fill(&o.Call, &o.Result)
	return o
}

func made(name string) func(c *Call, r *Result) {
	return func(c *Call, _ *Result) { c.Name = name }
}

func begun(id int, name string) func(c *Call, r *Result) {
	return func(c *Call, r *Result) { c.Name, r.Value = name, id }
}

func begunPull(id int) func(c *Call, r *Result) {
	return func(c *Call, r *Result) { c.Pull, r.Value = true, id }
}

func refused(code virt.ErrorNumber, message string) func(c *Call, r *Result) {
	return func(c *Call, r *Result) { c.Name, r.Code, r.Message = "a", code, message }
}

func listed(names ...string) func(c *Call, r *Result) {
	return func(_ *Call, r *Result) { r.Names = names }
}

func jobs(id int, kind virt.DomainJobType) func(c *Call, r *Result) {
	return func(_ *Call, r *Result) { r.Jobs = []virt.DomainJobID{{Type: kind, ID: id}} }
}

func ended(id, value int, abort bool) func(c *Call, r *Result) {
	return func(c *Call, r *Result) { c.ID, r.Value, c.Abort = id, value, abort }
}

func nothing(*Call, *Result) {}

type history struct {
	name    string
	model   Model
	history []Operation
	ok      bool
}

func TestCheck_FindsTheOrderThatExplainsAHistory(t *testing.T) {
	for _, c := range append(seen(), done()...) {
		ok, why := c.model.Check(c.history)
		if ok != c.ok || ok == (why != "") {
			t.Errorf("%s: %t\n%s", c.name, ok, why)
		}
	}
}

const (
	unbounded    = virt.DOMAIN_JOB_UNBOUNDED
	jobCompleted = virt.DOMAIN_JOB_COMPLETED
	jobCancelled = virt.DOMAIN_JOB_CANCELLED
)

// seen are histories of what callers see while others make something.
func seen() []history {
	exists := refused(virt.ERR_OPERATION_FAILED, "domain moment a already exists")
	return []history{
		{"a list while a checkpoint is made may show it", Model{}, []Operation{
			told(CheckpointCreate, 1, 1, 4, made("a")), told(CheckpointList, 2, 2, 3, listed("a")),
		}, true},
		{"a list after it must", Model{}, []Operation{
			told(CheckpointCreate, 1, 1, 2, made("a")), told(CheckpointList, 2, 3, 4, listed()),
		}, false},
		{"what one list shows, a later one does too", Model{}, []Operation{
			told(CheckpointCreate, 1, 1, 6, made("a")), told(CheckpointList, 2, 2, 3, listed("a")), told(CheckpointList, 2, 4, 5, listed()),
		}, false},
		{"a name is taken before its checkpoint is there", Model{}, []Operation{
			told(CheckpointCreate, 1, 1, 6, made("a")), told(BackupBegin, 2, 2, 3, exists), told(CheckpointList, 2, 4, 5, listed()),
		}, true},
		{"a name is not taken by nobody", Model{}, []Operation{told(CheckpointCreate, 1, 1, 2, exists)}, false},
		{"two cannot both make it", Model{}, []Operation{
			told(CheckpointCreate, 1, 1, 4, made("a")), told(CheckpointCreate, 2, 2, 3, made("a")),
		}, false},
		{"a copy may end unseen", Model{}, []Operation{
			told(BackupBegin, 1, 1, 2, begun(1, "")), told(ListJobIds, 2, 3, 4, jobs(1, unbounded)), told(ListJobIds, 2, 5, 6, jobs(1, jobCompleted)),
		}, true},
		{"and does not go on after it", Model{}, []Operation{
			told(BackupBegin, 1, 1, 2, begun(1, "")), told(ListJobIds, 2, 3, 4, jobs(1, jobCompleted)), told(ListJobIds, 2, 5, 6, jobs(1, unbounded)),
		}, false},
		{"a copy that is held does not end", Model{Held: true}, []Operation{
			told(BackupBegin, 1, 1, 2, begun(1, "")), told(ListJobIds, 2, 3, 4, jobs(1, jobCompleted)),
		}, false},
		{"nor is it cancelled by nobody", Model{}, []Operation{
			told(BackupBegin, 1, 1, 2, begun(1, "")), told(ListJobIds, 2, 3, 4, jobs(1, jobCancelled)),
		}, false},
		{"a job is cancelled before it is gone", Model{Held: true}, []Operation{
			told(BackupBegin, 1, 1, 2, begun(1, "")), told(AbortJob, 1, 3, 8, nothing), told(ListJobIds, 2, 4, 5, jobs(1, jobCancelled)),
			told(ListJobIds, 2, 6, 7, nothing),
		}, true},
	}
}

// done are histories of calls that get into each other's way.
func done() []history {
	aborted := refused(virt.ERR_OPERATION_ABORTED, "backup job: canceled by client")
	late := refused(virt.ERR_OPERATION_TIMEOUT, "cannot acquire state change lock (held by monitor=virDomainBackupBegin)")
	return []history{
		{"an id is given once", Model{}, []Operation{
			told(BackupBegin, 1, 1, 2, begun(1, "")), told(BackupEnd, 1, 3, 4, ended(1, 1, false)), told(BackupBegin, 1, 5, 6, begun(1, "")),
		}, false},
		{"a job ends once", Model{}, []Operation{
			told(BackupBegin, 1, 1, 2, begun(1, "")), told(BackupEnd, 1, 3, 6, ended(1, 1, false)), told(BackupEnd, 2, 4, 5, ended(1, 1, false)),
		}, false},
		{"a pull lasts until it is ended, which is a success", Model{}, []Operation{
			told(BackupBegin, 1, 1, 2, begunPull(1)), told(ListJobIds, 2, 3, 4, jobs(1, unbounded)), told(BackupEnd, 1, 5, 8, ended(1, 1, false)),
			told(ListJobIds, 2, 6, 7, jobs(1, jobCompleted)),
		}, true},
		{"and does not end before", Model{}, []Operation{
			told(BackupBegin, 1, 1, 2, begunPull(1)), told(ListJobIds, 2, 3, 4, jobs(1, jobCompleted)), told(BackupEnd, 1, 5, 6, ended(1, 1, false)),
		}, false},
		{"a Begin is aborted by an AbortJob", Model{}, []Operation{
			told(BackupBegin, 1, 1, 4, aborted), told(AbortJob, 2, 2, 3, nothing), told(ListJobIds, 2, 5, 6, nothing),
		}, true},
		{"and by nothing else", Model{}, []Operation{told(BackupBegin, 1, 1, 4, aborted)}, false},
		{"a Begin that was aborted has no job", Model{}, []Operation{
			told(BackupBegin, 1, 1, 4, begun(1, "")), told(AbortJob, 2, 2, 3, nothing), told(ListJobIds, 2, 5, 6, jobs(1, unbounded)),
		}, false},
		{"a Begin waits in vain for a copy", Model{Held: true}, []Operation{
			told(BackupBegin, 1, 1, 2, begun(1, "")), told(BackupBegin, 2, 3, 4, late),
		}, true},
		{"and not for nothing", Model{Held: true}, []Operation{told(BackupBegin, 2, 3, 4, late)}, false},
		{"a list does not wait for a copy", Model{Held: true}, []Operation{
			told(BackupBegin, 1, 1, 2, begun(1, "")), told(GetJobInfo, 2, 3, 4, late),
		}, false},
		{"unless the host is slow", Model{Held: true, Impatient: true}, []Operation{
			told(BackupBegin, 1, 1, 2, begun(1, "")), told(GetJobInfo, 2, 3, 4, late),
		}, true},
	}
}

func TestCheck_ShowsAHistoryInOrderOfTheCalls(t *testing.T) {
	_, why := Model{}.Check([]Operation{
		told(CheckpointLookup, 2, 3, 4, refused(virt.ERR_NO_DOMAIN_CHECKPOINT, "no domain checkpoint with matching name 'a'")),
		told(CheckpointCreate, 1, 1, 2, made("a")),
	})
	first, second := strings.Index(why, `[1, 2] task 1: CheckpointCreateXML("a") = 0`), strings.Index(why, `[3, 4] task 2: CheckpointLookupByName("a") = 103 no domain`)
	if first < 0 || second < first || !strings.Contains(why, "the best order puts 2 of 3 steps") {
		t.Error(why)
	}
}
