package duel

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"fleece/conformance/mirror"
	"fleece/qmp"
)

// What may differ here beyond mirror's normalisations, with the reasons. Nothing
// depends on how fast a side is: after a command that sets something off the next one
// is held until no job moves (run.go), so that "when" is "before the next command".
//
//  1. which of several jobs is paused first by one drained section, and which goes on
//     first: QEMU walks lists of parents whose order depends on every change of the
//     graph before. What each job shows, and how often, is compared.
//  2. how long the file of a qcow2 image is, where a storage node shows it: it is where
//     QEMU's allocator put the last cluster, which depends on when cached tables were
//     written, and says nothing of what is in the image. Sizes of images themselves, of
//     files that are no images, and everything in the image files are compared.
//  3. whether an unplugging that a reset brings about ends before the reply: a thread of
//     QEMU's frees what was unplugged (of 60 resets on a busy host 6 were answered after
//     it, of 20 on an idle one none).

// Difference is where a session comes apart.
type Difference struct {
	Step            int // of the session; -1 when it is about files or the whole
	What            string
	Real, Simulated []string
}

// compare finds the first difference of two runs of the same steps; nil if there is
// none. What follows a difference follows from it, as a rule.
func compare(real, simulated Run) *Difference {
	var want, got mirror.Names
	for i := range min(len(real.Turns), len(simulated.Turns)) {
		if i == len(real.Turns)-1 && real.Trouble != "" {
			break
		}
		r, s := &real.Turns[i], &simulated.Turns[i]
		command := r.Step.Message(id(i))
		if d := differs(&want, &got, command, r, s); d != nil {
			d.Step = i
			return d
		}
	}
	if real.Trouble != simulated.Trouble {
		return &Difference{Step: len(real.Turns) - 1, What: sessionEnds, Real: []string{real.Trouble}, Simulated: []string{simulated.Trouble}}
	}
	return differentFile(real.Files, simulated.Files)
}

// fileLength is rule 2.
var fileLength = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(\.qcow2","format":"file"),"virtual-size":\d+`)
})

// madeUpName is a generated node name: rule 3 of the normalisations.
var madeUpName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`#block\d+`) })

// sessionEnds is the What of a session that a side could not go on with.
const sessionEnds = "the session ends"

func differs(want, got *mirror.Names, command qmp.Value, r, s *Turn) *Difference {
	if !equalMessages(r.Answers, s.Answers) {
		w, g := want.Normalise(command, reorder(command, r.Answers)), got.Normalise(command, reorder(command, s.Answers))
		for _, lines := range [...][]string{w, g} {
			for i := range lines {
				lines[i] = fileLength().ReplaceAllString(lines[i], "$1")
			}
		}
		if !slices.Equal(w, g) {
			return &Difference{What: what(r), Real: w, Simulated: g}
		}
	}
	if r.Busy && !sameJobs(r.Jobs, s.Jobs) {
		return &Difference{What: what(r) + ", and then the jobs stand",
			Real: []string{r.Jobs[0].String(), r.Jobs[1].String()}, Simulated: []string{s.Jobs[0].String(), s.Jobs[1].String()}}
	}
	return nil
}

// reorder is rules 1 and 3.
func reorder(command qmp.Value, answers []qmp.Value) []qmp.Value {
	out := byJob(answers)
	if command.Get("execute").S() == "system_reset" {
		slices.SortStableFunc(out, func(a, b qmp.Value) int { return cmp.Compare(unplugged(a), unplugged(b)) })
	}
	return out
}

func unplugged(m qmp.Value) int {
	if m.Get("event").S() == "DEVICE_DELETED" {
		return 1
	}
	return 0
}

// byJob is rule 1: within a run of pauses and resumptions, those of a job are together.
func byJob(messages []qmp.Value) []qmp.Value {
	out := slices.Clone(messages)
	for lo := 0; lo < len(out); lo++ {
		hi := lo
		for hi < len(out) && isNoise(out[hi]) {
			hi++
		}
		if hi > lo {
			slices.SortStableFunc(out[lo:hi], func(a, b qmp.Value) int {
				return strings.Compare(a.Get("data").Get("id").S(), b.Get("data").Get("id").S())
			})
			lo = hi
		}
	}
	return out
}

// isNoise reports whether a message is what a drained section shows of a job.
func isNoise(m qmp.Value) bool {
	switch m.Get("data").Get("status").S() {
	case "paused", "running", "ready", "standby":
		return m.Get("event").S() == "JOB_STATUS_CHANGE"
	}
	return false
}

func what(t *Turn) string {
	if t.Step.Raw != "" {
		return "bytes " + t.Step.Raw
	}
	return t.Step.Message("").String()
}

// equalMessages is the quick way: the same messages, none with a name that a QEMU
// made up, nor one with a part that is not compared.
func equalMessages(a, b []qmp.Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Get("event").Present() {
			if a[i].Get("event").S() != b[i].Get("event").S() || !a[i].Get("data").Equal(b[i].Get("data")) || madeUp(a[i]) {
				return false
			}
		} else if !a[i].Equal(b[i]) || madeUp(a[i]) {
			return false
		}
	}
	return true
}

// madeUp reports whether a message has a generated node name.
func madeUp(v qmp.Value) bool {
	if strings.Contains(v.S(), "#block") {
		return true
	}
	for _, m := range v.Members() {
		if madeUp(m.Value) {
			return true
		}
	}
	for _, x := range v.Items() {
		if madeUp(x) {
			return true
		}
	}
	return false
}

// differentFile finds the first file, by name, that is not the same.
func differentFile(real, simulated map[string]string) *Difference {
	names := slices.Sorted(maps.Keys(real))
	for _, n := range slices.Sorted(maps.Keys(simulated)) {
		if _, ok := real[n]; !ok {
			names = append(names, n)
		}
	}
	for _, n := range names {
		if real[n] != simulated[n] {
			return &Difference{Step: -1, What: "file " + n, Real: lines(real[n]), Simulated: lines(simulated[n])}
		}
	}
	return nil
}

func lines(text string) []string { return strings.Split(strings.TrimRight(text, "\n"), "\n") }
