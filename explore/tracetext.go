package explore

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"fleece/rt/simrt"
)

// textHeader is the first line of a trace file; the number is the version.
const textHeader = "fleece-trace 1"

// clockWord stands for the clock where a task's label could stand.
const clockWord = "@clock"

// Text is the trace as a file: the header, one line per field, and one "dev"
// line per deviation:
//
//	dev TASK OPERATION OBJECT N -> task TASK | clock | value V
//
// A text that is not one plain word is quoted as Go does it. Empty lines and
// lines that begin with "#" have no meaning.
func (t *Trace) Text() ([]byte, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(textHeader + "\n")
	field := func(key string, words ...string) {
		b.WriteString(key)
		for _, w := range words {
			b.WriteByte(' ')
			b.WriteString(quote(w))
		}
		b.WriteByte('\n')
	}
	field("scenario", t.Scenario)
	field("lane", t.Lane)
	field("options", t.Options...)
	field("seed", fmt.Sprintf("0x%x", t.Seed))
	field("strategy", t.Strategy)
	field("failure", t.Failure)
	field("detail", t.Detail)
	field("hash", fmt.Sprintf("0x%016x", t.Hash))
	field("points", strconv.Itoa(t.Points))
	for _, d := range t.Deviations {
		b.WriteString("dev " + formatDeviation(d) + "\n")
	}
	if b.Len() > TraceBytesMax {
		return nil, fmt.Errorf("trace: %d bytes of text; at most %d are allowed", b.Len(), TraceBytesMax)
	}
	return b.Bytes(), nil
}

func formatDeviation(d simrt.Deviation) string {
	who := clockWord
	if d.At.Task != "" || d.At.TaskK != 0 {
		who = quote(simrt.TaskLabel(d.At.Task, d.At.TaskK))
	}
	to := "clock"
	switch d.To.Kind {
	case simrt.ToTask:
		to = "task " + quote(simrt.TaskLabel(d.To.Task, d.To.TaskK))
	case simrt.ToValue:
		to = "value " + strconv.Itoa(d.To.Value)
	}
	return who + " " + quote(d.At.Op) + " " + quote(d.At.Object) + " " + strconv.Itoa(d.At.N) + " -> " + to
}

// quote writes a word so that splitWords reads it back.
func quote(s string) string {
	plain := s != "" && s[0] != '@' && s[0] != '#' && strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r == '"' || r >= 0x7f
	}) < 0
	if plain {
		return s
	}
	return strconv.Quote(s)
}

// word is one of a line; a quoted one is never a keyword.
type word struct {
	s      string
	quoted bool
}

// splitWords cuts a line into words.
func splitWords(line string) ([]word, error) {
	var words []word
	for {
		line = strings.TrimLeft(line, " \t")
		if line == "" {
			return words, nil
		}
		if line[0] != '"' {
			i := strings.IndexAny(line, " \t")
			if i < 0 {
				i = len(line)
			}
			words = append(words, word{s: line[:i]})
			line = line[i:]
			continue
		}
		q, err := strconv.QuotedPrefix(line)
		if err != nil {
			return nil, fmt.Errorf("a quoted text is not complete: %.40s", line)
		}
		s, err := strconv.Unquote(q)
		if err != nil {
			return nil, fmt.Errorf("a quoted text cannot be read: %.40s", q)
		}
		words = append(words, word{s: s, quoted: true})
		line = line[len(q):]
	}
}
