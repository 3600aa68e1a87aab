package mirror

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"

	"fleece/qmp"
)

// The normalisations, each with its reason. Nothing else may differ.
//
//  1. timestamps, and how long requests took: another clock; numbers of threads.
//  2. actual-size: what the recording's file system had allocated.
//  3. generated node names: random digits; they become numbers in order of first
//     appearance.
//  4. order of members: QEMU's is hash order (§1.5).
//  5. the end of a job that copies, or its error, may come before or after the reply of
//     the command that runs meanwhile, be it the one that started it (§0.2); the end of
//     a job that had no work may not (but with sync=top, which looks for work
//     first, and if it drains a job that copies, whose I/O lets the reply through),
//     nor one that a verb brought about; set-speed and resume let a job go on. The same is true of
//     a job that creates: its I/O is done or not.
//  6. of two jobs that end independently, either may be first, and the one that is not
//     shows that the other's end drains it; of two jobs of a group, either may be the
//     first to wait for the other.
//  7. resets of the guest's own making: they are its firmware's.
//  8. the figures of a migration: they are about the guest's memory.
//  9. a query of jobs may meet a job that copies one chunk earlier or later than the
//     recording: what the query before it or after it was told will do, and so will
//     1 MiB more or less.
//  10. minus zero is zero: recording clients read it so.
//  11. the graph's numbers and the order of its lists: they name the same edges.
//  12. when a device is gone: QEMU takes it apart when no thread can see it any more;
//     which devices went, and in which order, is compared over the session.
//  13. the length of an image's file after a job began to copy: QEMU has up to 64 requests
//     in flight, which may or may not have reached the file, and which allocate in
//     the order in which the host serves them.

// Names numbers the generated node names of one side.
type Names struct{ seen []string }

// generated matches a node name that QEMU made up.
var generated = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`#block\d+`) })

// Normalise renders what followed a command, one line per message.
func (n *Names) Normalise(command qmp.Value, answers []qmp.Value) []string {
	ends, stays := isEnd, isEnd
	if command.Get("arguments").Get("properties").Get("completion-mode").S() == "grouped" {
		ends, stays = isWaiting, nobody // what has no work waits for the others
	}
	if name := command.Get("execute").S(); !strings.Contains(name, "job-") || strings.HasSuffix(name, "-set-speed") || strings.HasSuffix(name, "-resume") {
		answers = moveReply(answers, name == "blockdev-create", strings.Contains(command.String(), `"sync": "top"`), stays)
	}
	answers = orderEnds(withoutPauses(answers), ends)
	out := make([]string, 0, len(answers))
	for _, a := range answers {
		if a.Get("event").S() == "RESET" && a.Get("data").Get("guest").IsTrue() {
			continue
		}
		if g := a.Get("return"); g.Get("edges").Present() {
			out = append(out, n.graph(g))
			continue
		}
		text := canonical(a)
		out = append(out, generated().ReplaceAllStringFunc(text, n.number))
	}
	return out
}

func (n *Names) number(name string) string {
	i := slices.Index(n.seen, name)
	if i < 0 {
		i = len(n.seen)
		n.seen = append(n.seen, name)
	}
	return "#block<" + string(rune('a'+i)) + ">"
}

// jobOf is the job that an event is about.
func jobOf(m qmp.Value) string {
	return m.Get("data").Get("id").S() + m.Get("data").Get("device").S()
}

// isEnd reports whether a message is about the end of a job.
func isEnd(m qmp.Value) bool {
	switch m.Get("event").S() {
	case "BLOCK_JOB_COMPLETED", "BLOCK_JOB_PENDING", "BLOCK_JOB_ERROR":
		return true
	case "JOB_STATUS_CHANGE":
		switch m.Get("data").Get("status").S() {
		case "waiting", "pending", "aborting", "concluded", "null":
			return true
		}
	}
	return false
}

// moveReply is normalisation 5. What stays of the ends of jobs that had no work, stays
// before the reply.
func moveReply(answers []qmp.Value, creates, scans bool, stays func(qmp.Value) bool) []qmp.Value {
	var worked []string
	reply := -1
	for i, m := range answers {
		if m.Get("return").Present() || m.Get("error").Present() {
			reply = i
		}
		n, ok := m.Get("data").Get("len").Int64()
		switch event := m.Get("event").S(); {
		case creates && m.Get("data").Get("status").S() == "created":
			worked = append(worked, jobOf(m))
		case ok && (n > 0 || scans || drains(answers, i, jobOf(m))) && event == "BLOCK_JOB_COMPLETED",
			event == "BLOCK_JOB_PENDING", event == "BLOCK_JOB_ERROR":
			worked = append(worked, jobOf(m))
		}
	}
	for _, m := range answers {
		if isWaiting(m) && !slices.ContainsFunc(answers, func(x qmp.Value) bool {
			return x.Get("event").S() == "BLOCK_JOB_COMPLETED" && jobOf(x) == jobOf(m)
		}) {
			worked = append(worked, jobOf(m)) // it waits for others of its group
		}
	}
	first := slices.IndexFunc(answers, func(m qmp.Value) bool {
		return isEnd(m) && slices.Contains(worked, jobOf(m))
	})
	if reply < 0 || first < 0 || first > reply {
		return answers
	}
	out := slices.Clone(answers[:first])
	late := make([]qmp.Value, 0, len(answers)-first)
	for _, m := range answers[first:reply] {
		if stays(m) && !slices.Contains(worked, jobOf(m)) {
			out = append(out, m)
		} else {
			late = append(late, m)
		}
	}
	return slices.Concat(out, answers[reply:reply+1], late, answers[reply+1:])
}

// drains reports whether another job that copies was paused while this one ended, which is
// at i. One that had no work and ends at once, too, copies nothing.
func drains(answers []qmp.Value, i int, id string) bool {
	before := answers[:i]
	at := slices.IndexFunc(before, func(m qmp.Value) bool { return isWaiting(m) && jobOf(m) == id })
	return at >= 0 && slices.ContainsFunc(before[at:], func(m qmp.Value) bool {
		return m.Get("data").Get("status").S() == "paused" && !endsEmpty(answers, jobOf(m))
	})
}

// endsEmpty reports whether a job ends that had no work.
func endsEmpty(answers []qmp.Value, id string) bool {
	return slices.ContainsFunc(answers, func(m qmp.Value) bool {
		n, ok := m.Get("data").Get("len").Int64()
		return ok && n == 0 && m.Get("event").S() == "BLOCK_JOB_COMPLETED" && jobOf(m) == id
	})
}

func nobody(qmp.Value) bool { return false }

func isWaiting(m qmp.Value) bool { return m.Get("data").Get("status").S() == "waiting" }

// withoutPauses is a part of normalisation 6: of jobs that end after another one, the
// pauses meanwhile are left out.
func withoutPauses(answers []qmp.Value) []qmp.Value {
	first := slices.IndexFunc(answers, isEnd)
	ending := map[string]bool{}
	for _, m := range answers {
		if isEnd(m) {
			ending[jobOf(m)] = true
		}
	}
	if len(ending) < 2 {
		return answers
	}
	out := slices.Clone(answers[:first])
	for _, m := range answers[first:] {
		if isPause(m) && ending[jobOf(m)] {
			continue
		}
		out = append(out, m)
	}
	return out
}

// orderEnds is normalisation 6. What a third job shows of the ends comes after them.
func orderEnds(answers []qmp.Value, isEnd func(qmp.Value) bool) []qmp.Value {
	out := slices.Clone(answers)
	for lo := 0; lo < len(out); lo++ {
		if !isEnd(out[lo]) {
			continue
		}
		hi := lo + 1
		for hi < len(out) && (isEnd(out[hi]) || isPause(out[hi])) {
			hi++
		}
		order(out[lo:hi], isEnd)
		lo = hi
	}
	return out
}

// order sorts the ends of jobs, if there are several, by job.
func order(run []qmp.Value, isEnd func(qmp.Value) bool) {
	several := slices.ContainsFunc(run, func(m qmp.Value) bool { return isEnd(m) && jobOf(m) != jobOf(run[0]) })
	if !several {
		return
	}
	slices.SortStableFunc(run, func(a, b qmp.Value) int {
		switch x, y := isEnd(a), isEnd(b); {
		case x && !y:
			return -1
		case y && !x:
			return 1
		}
		return cmp.Compare(jobOf(a), jobOf(b))
	})
}

// isPause reports whether a message is what a drained section shows of a job.
func isPause(m qmp.Value) bool {
	switch m.Get("data").Get("status").S() {
	case "paused", "running", "ready", "standby":
		return m.Get("event").S() == "JOB_STATUS_CHANGE"
	}
	return false
}

// canonical renders a message with sorted members and without 1 and 2.
func canonical(m qmp.Value) string {
	var v any
	if err := json.Unmarshal([]byte(m.String()), &v); err != nil {
		return "not JSON: " + m.String()
	}
	out, _ := json.Marshal(strip(v))
	return took().ReplaceAllString(string(out), "_time_ns=0")
}

// took matches how long requests took, where the human monitor tells.
var took = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`_time_ns=\d+`) })

// positive is normalisation 10.
func positive(v any) any {
	if f, ok := v.(float64); ok && f == 0 {
		return float64(0)
	}
	return strip(v)
}

func strip(v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "timestamp")
		delete(v, "actual-size")
		for _, figure := range []string{"ram", "setup-time", "total-time", "downtime"} {
			delete(v, figure)
		}
		for name, x := range v {
			if strings.HasSuffix(name, "_time_ns") || name == "thread-id" {
				delete(v, name)
				continue
			}
			v[name] = positive(x)
		}
	case []any:
		for i, x := range v {
			v[i] = positive(x)
		}
	}
	return v
}

// graph is normalisation 11. Made-up names are numbered in the order of the nodes, which
// both sides list alike.
func (n *Names) graph(g qmp.Value) string {
	shown := map[string]string{}
	for _, x := range g.Get("nodes").Items() {
		shown[x.Get("id").String()] = x.Get("type").S() + " " + generated().ReplaceAllStringFunc(x.Get("name").S(), n.number)
	}
	name := func(id qmp.Value) string { return shown[id.String()] }
	var lines []string
	for _, e := range g.Get("edges").Items() {
		lines = append(lines, name(e.Get("parent"))+" -"+e.Get("name").S()+"-> "+name(e.Get("child"))+
			" "+e.Get("perm").String()+" "+e.Get("shared-perm").String())
	}
	for _, x := range g.Get("nodes").Items() {
		lines = append(lines, name(x.Get("id")))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
