package mirror

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"fleece/qmp"
)

// Difference is an exchange in which the simulator says something else.
type Difference struct {
	Line      int      `json:"line"` // of the recording
	What      string   `json:"what"` // the command
	Recorded  []string `json:"recorded"`
	Simulated []string `json:"simulated"`
}

// LeftOut is an exchange that is not compared.
type LeftOut struct {
	What   string `json:"what"`
	Reason string `json:"reason"`
}

// Session is what came of replaying one recorded session.
type Session struct {
	Name      string `json:"name"`
	Exchanges int    `json:"exchanges"`
	// Guess is what had to be assumed of the images found, or of the recording's host,
	// so that the session agrees; "" for nothing.
	Guess       string       `json:"guess,omitempty"`
	LeftOut     []LeftOut    `json:"leftOut,omitempty"`
	Differences []Difference `json:"differences,omitempty"`
	// Trouble is why the session could not be replayed at all; such a session
	// counts as one difference.
	Trouble string `json:"trouble,omitempty"`
}

// Different counts the differences; a session that could not be replayed has one.
func (s Session) Different() int {
	if s.Trouble != "" {
		return len(s.Differences) + 1
	}
	return len(s.Differences)
}

// Replay holds the simulator against recordings. Those that continue each other are
// one session, or share a host.
func Replay(recordings []*Recording, schema *qmp.Schema) []Session {
	var sessions []Session
	for _, group := range groups(join(recordings)) {
		sessions = append(sessions, replayGuessing(group, schema)...)
	}
	return sessions
}

// groups puts recordings together that found the files of the one before.
func groups(recordings []*Recording) [][]*Recording {
	var all [][]*Recording
	for _, r := range recordings {
		k := len(all) - 1
		if k >= 0 && sharesHost(all[k][len(all[k])-1].number(), r.number()) {
			all[k] = append(all[k], r)
		} else {
			all = append(all, []*Recording{r})
		}
	}
	return all
}

func (r *Recording) compare(actual [][]qmp.Value, left map[string]string) Session {
	s := Session{Name: r.Name, Exchanges: len(r.exchanges)}
	var want, got Names
	var wantGone, gotGone []string
	for i := range r.exchanges {
		e := &r.exchanges[i]
		wantText := want.Normalise(e.command, gone(e.answers, &wantGone))
		gotText := got.Normalise(e.command, gone(r.heard(i, actual[i]), &gotGone))
		reason, ok := left[e.id()]
		if !ok {
			reason, ok = left["#"+strconv.Itoa(i)]
		}
		switch {
		case ok:
			s.LeftOut = append(s.LeftOut, LeftOut{e.what(), reason})
		case !slices.Equal(wantText, gotText) && !r.metLater(i, gotText) && (!r.hasCopied(i) || !slices.EqualFunc(wantText, gotText, sameButLengths)):
			s.Differences = append(s.Differences, Difference{e.line, e.what(), wantText, gotText})
		}
	}
	if !slices.Equal(wantGone, gotGone) {
		last := &r.exchanges[len(r.exchanges)-1]
		s.Differences = append(s.Differences, Difference{last.line, "which devices went, over the whole session", wantGone, gotGone})
	}
	return s
}

// hasCopied reports whether a job that copies was started before an exchange.
func (r *Recording) hasCopied(i int) bool {
	for k := range r.exchanges[:i] {
		for _, a := range r.exchanges[k].answers {
			if a.Get("data").Get("status").S() == "created" && r.exchanges[k].command.Get("execute").S() != "blockdev-create" {
				return true
			}
		}
	}
	return false
}

// lengthsDiffer is by how much lengths of files may differ, in bytes: a chunk in flight
// and a table.
const lengthsDiffer = 2 << 20

// sameButLengths is normalisation 13.
func sameButLengths(want, got string) bool { return sameBut(fileLength(), lengthsDiffer, want, got) }

// sameButChunk is normalisation 9 for a job that has begun and was not asked before.
func sameButChunk(want, got string) bool { return sameBut(progressOfJob(), chunkBytes, want, got) }

// chunkBytes is how much a job copies at a time.
const chunkBytes = 1 << 20

// sameBut reports whether two texts are the same but for numbers, which differ by no more
// than most.
func sameBut(number *regexp.Regexp, most int64, want, got string) bool {
	if !slices.Equal(number.Split(want, -1), number.Split(got, -1)) {
		return false
	}
	x, y := number.FindAllStringSubmatch(want, -1), number.FindAllStringSubmatch(got, -1)
	for i := range x {
		m, _ := strconv.ParseInt(x[i][1], 10, 64)
		n, _ := strconv.ParseInt(y[i][1], 10, 64)
		if m-n > most || n-m > most {
			return false
		}
	}
	return true
}

// progressOfJob matches how far a job is, in both forms of the query.
var progressOfJob = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`"(?:offset|current-progress)":(\d+)`)
})

// fileLength matches the length of a storage node.
var fileLength = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`"format":"file","virtual-size":(\d+)`) })

// gone takes the events out that tell of devices that went: normalisation 12.
func gone(answers []qmp.Value, paths *[]string) []qmp.Value {
	return slices.DeleteFunc(slices.Clone(answers), func(v qmp.Value) bool {
		if v.Get("event").S() != "DEVICE_DELETED" {
			return false
		}
		*paths = append(*paths, canonical(v))
		return true
	})
}

// heard drops what came on a connection after its client had stopped to listen: the
// recording ends with another connection's messages.
func (r *Recording) heard(i int, actual []qmp.Value) []qmp.Value {
	last := len(r.exchanges) - 1
	for _, e := range r.exchanges[i+1:] {
		if e.monitor == r.exchanges[i].monitor {
			return actual
		}
	}
	if r.exchanges[i].monitor == r.exchanges[last].monitor {
		return actual
	}
	return actual[:min(len(actual), len(r.exchanges[i].answers))]
}

// metLater is normalisation 9.
func (r *Recording) metLater(i int, got []string) bool {
	name := r.exchanges[i].command.Get("execute").S()
	if name != "query-block-jobs" && name != "query-jobs" {
		return false
	}
	var own Names
	if e := &r.exchanges[i]; slices.EqualFunc(own.Normalise(e.command, e.answers), got, sameButChunk) {
		return true
	}
	for _, k := range [...]int{i - 1, i + 1} {
		if k < 0 || k >= len(r.exchanges) || r.exchanges[k].command.Get("execute").S() != name {
			continue
		}
		var n Names
		near := n.Normalise(r.exchanges[k].command, r.exchanges[k].answers)
		id := func(k int) string { return `"` + r.exchanges[k].id() + `"` }
		if len(near) == 1 && len(got) == 1 && strings.Replace(near[0], id(k), id(i), 1) == got[0] {
			return true
		}
	}
	return false
}
