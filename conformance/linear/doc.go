// Package linear checks what several callers of one domain were told: it must be
// possible to put their calls in one order, each at a moment between its start and
// its return, so that a domain that does one thing at a time would have told them
// the same, codes and values.
//
// It is not the oracle of images: it knows no byte. It runs nothing: who records a
// history calls Expand and Check.
//
// The property it keeps: a history that no order explains is never accepted; what a
// caller cannot know (when a copy ends) is left open, and nothing else is.
//
// # Calls that take effect more than once
//
// Some calls show before they are done. BackupBegin excludes others, and is seen by
// AbortJob, before there is a job; CheckpointCreateXML has its name before there is
// a checkpoint; AbortJob and BackupEnd find and cancel first and release later.
// Such a call is several steps of the model, in this order and all within the call.
//
// # Calls that time out
//
// A call that waited in vain for the domain's lock (68) has had no effect. BackupBegin
// may do so only where another backup has the domain, since that one alone may last.
// The other calls wait for calls that end; where the clock is virtual they are never
// late, and 68 is a finding. Where it is real a slow host may make them so
// (Model.Impatient).
//
// The end of a copy is no call. The model holds the phases in which a job may be,
// and what callers are told narrows them down: once one was told that the job is
// done, none may be told later that it runs.
package linear

import (
	"fmt"
	"sort"
	"strings"

	"github.com/anishathalye/porcupine"

	"fleece/virt"
)

// TasksMax bounds the callers of one history; tasks are numbered from 1.
const TasksMax = 8

// Kind is a call of the API.
type Kind uint8

// The calls that a history may hold.
const (
	BackupBegin Kind = iota
	BackupEnd
	ListJobIds
	GetJobInfo
	AbortJob
	CheckpointCreate
	CheckpointDelete
	CheckpointLookup
	CheckpointParent
	CheckpointList
	CheckpointCurrent
	kinds
)

var kindNames = [kinds]string{
	"BackupBegin", "BackupEnd", "ListJobIds", "GetJobInfo", "AbortJob", "CheckpointCreateXML", "CheckpointDelete",
	"CheckpointLookupByName", "CheckpointGetParent", "ListAllCheckpoints", "CheckpointCurrent",
}

// Call is what a caller asks for.
type Call struct {
	Kind  Kind
	Task  int    // the caller, 1…TasksMax; it makes one call at a time
	Name  string // of a checkpoint: to be made, or asked about; "" for none
	Since string // of BackupBegin: the checkpoint to start from; "" for a full backup
	Pull  bool   // of BackupBegin: a pull, which lasts until it is ended
	ID    int    // of BackupEnd
	Abort bool   // of BackupEnd
	// Delete are the flags of CheckpointDelete.
	Delete virt.DomainCheckpointDeleteFlags
}

// Result is what a caller is told.
type Result struct {
	Code    virt.ErrorNumber // 0 if there was no error
	Message string
	Value   int                // the id of BackupBegin, the result of BackupEnd
	Type    virt.DomainJobType // of GetJobInfo
	Jobs    []virt.DomainJobID // of ListJobIds
	Names   []string           // of lists, parents first; of Parent and Current the one
}

// Operation is one call with its result. Start and Return are readings of one clock
// that never shows the same twice.
type Operation struct {
	Call
	Result
	Start, Return int64
}

func (o Operation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%d, %d] task %d: %s(", o.Start, o.Return, o.Task, kindNames[o.Kind])
	switch o.Kind {
	case BackupBegin:
		fmt.Fprintf(&b, "pull %t, checkpoint %q, since %q", o.Pull, o.Name, o.Since)
	case BackupEnd:
		fmt.Fprintf(&b, "%d, abort %t", o.ID, o.Abort)
	case CheckpointDelete:
		fmt.Fprintf(&b, "%q, %#x", o.Name, uint(o.Delete))
	case CheckpointCreate, CheckpointLookup, CheckpointParent:
		fmt.Fprintf(&b, "%q", o.Name)
	}
	b.WriteString(") = ")
	switch {
	case o.Code != 0:
		fmt.Fprintf(&b, "%d %s", int(o.Code), o.Message)
	case o.Kind == ListJobIds:
		fmt.Fprint(&b, o.Jobs)
	case o.Kind == GetJobInfo:
		fmt.Fprintf(&b, "type %d", o.Type)
	case o.Names != nil || o.Kind == CheckpointList:
		fmt.Fprint(&b, o.Names)
	default:
		fmt.Fprint(&b, o.Value)
	}
	return b.String()
}

// Model says what the domain is.
type Model struct {
	// Held says that no full copy ends but by being cancelled.
	Held bool
	// Impatient says that any call may give up waiting for the lock: the clock is
	// real, and the host may be slow.
	Impatient bool
}

// Check tells whether an order explains the history; if none does, the text shows
// the history and how far the best order comes.
func (m Model) Check(history []Operation) (ok bool, why string) {
	var steps []porcupine.Operation
	for i := range history {
		steps = append(steps, expand(&history[i])...)
	}
	model := porcupine.Model{
		Init: func() any { return state{nextJob: 1} },
		Step: func(s, in, _ any) (bool, any) {
			next := s.(state)
			ok := next.apply(m, in.(step))
			return ok, next
		},
	}
	verdict, info := porcupine.CheckOperationsVerbose(model, steps, 0)
	if verdict == porcupine.Ok {
		return true, ""
	}
	return false, explain(history, len(steps), info)
}

// explain shows a history that has no order.
func explain(history []Operation, steps int, info porcupine.LinearizationInfo) string {
	var b strings.Builder
	b.WriteString("no order of the calls explains what their callers were told:\n")
	sorted := append([]Operation(nil), history...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Start < sorted[j].Start })
	for _, o := range sorted {
		fmt.Fprintf(&b, "  %s\n", o)
	}
	var best []porcupine.Operation
	for _, partition := range info.PartialLinearizationsOperations() {
		for _, order := range partition {
			if len(order) > len(best) {
				best = order
			}
		}
	}
	fmt.Fprintf(&b, "the best order puts %d of %d steps:\n", len(best), steps)
	for _, o := range best {
		fmt.Fprintf(&b, "  %s\n", o.Input.(step))
	}
	return b.String()
}
