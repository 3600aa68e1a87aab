package walk

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"fleece/qmp"
)

//go:embed mistakes.txt
var mistakesText string

// mistake is one block of the table: lines to be filled in, and when they make sense.
type mistake struct {
	lines []string
	idle  bool // only while no job is there
}

// mistakes reads the table.
func mistakes() (all []mistake) {
	for block := range strings.SplitSeq(mistakesText, "\n\n") {
		var m mistake
		for line := range strings.SplitSeq(block, "\n") {
			switch {
			case line == "idle":
				m.idle = true
			case line != "" && line[0] != '#':
				m.lines = append(m.lines, line)
			}
		}
		if len(m.lines) > 0 {
			all = append(all, m)
		}
	}
	return all
}

// err proposes the first step of a mistake and keeps the others for the next times.
func (w *Walker) err() Step {
	if w.mistakes == nil {
		w.mistakes = mistakes()
	}
	m := one(w.d, w.mistakes...)
	if m.idle && len(w.v.jobs) > 0 {
		return w.query()
	}
	fill := w.filling()
	for _, line := range m.lines {
		w.pending = append(w.pending, filled(line, fill))
	}
	return w.takePending()
}

func (w *Walker) takePending() Step {
	s := w.pending[0]
	w.pending = w.pending[1:]
	return s
}

// filling is what stands for the words with a $.
func (w *Walker) filling() func(word string) string {
	w.fresh++
	d := w.d.N(disks)
	return func(word string) string {
		switch word {
		case "d":
			return fmt.Sprintf("d%d", d)
		case "e":
			return fmt.Sprintf("d%d", 1-d)
		case "sd":
			return fmt.Sprintf("sd%d", d)
		case "dir":
			return w.setup.Dir
		}
		if n, err := strconv.Atoi(word[1:]); word[0] == 'n' && err == nil {
			return strings.Repeat("n", n)
		}
		return fmt.Sprintf("%s-%d", word, w.fresh)
	}
}

// filled is a line of the table as a step.
func filled(line string, fill func(string) string) Step {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(line, "$")
		b.WriteString(before)
		if !ok {
			break
		}
		n := 0
		for n < len(after) && (after[n] >= 'a' && after[n] <= 'z' || after[n] >= '0' && after[n] <= '9') {
			n++
		}
		b.WriteString(fill(after[:n]))
		line = after[n:]
	}
	text := b.String()
	if raw, ok := strings.CutPrefix(text, "raw "); ok {
		return Step{Raw: raw + "\n"}
	}
	exec := ""
	if rest, ok := strings.CutPrefix(text, "oob "); ok {
		exec, text = "exec-oob", rest
	}
	name, rest, _ := strings.Cut(text, " ")
	s := Step{Command: qmp.Command{Name: name}, Exec: exec}
	if rest != "" {
		args, err := qmp.Decode([]byte(rest))
		if err != nil {
			panic(fmt.Sprintf("walk: mistakes.txt: %q: %v", line, err))
		}
		s.Command.Args = args
	}
	return s
}

// Opening is the i-th of the steps before all others; ok is false after them. A session
// with mistakes begins with some before the capabilities are agreed on.
func (w *Walker) Opening(i int) (s Step, ok bool) {
	steps := []Step{{Command: qmp.Command{Name: "qmp_capabilities"}}}
	if w.setup.Mistakes {
		steps = []Step{
			command("query-status"),
			{Raw: `{"execute":"query-status"}` + "\n"},
			{Raw: `{"execute":"qmp_capabilities","arguments":{"enable":["bogus"]}}` + "\n"},
			command("qmp_capabilities", qmp.M("enable", qmp.List(qmp.Str("oob")))),
		}
	}
	if i >= len(steps) {
		return s, false
	}
	return steps[i], true
}
