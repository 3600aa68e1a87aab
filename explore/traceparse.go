package explore

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"fleece/rt/simrt"
)

// IsTrace says whether data begins as a trace does, as text or as a line.
func IsTrace(data []byte) bool {
	s := string(data[:min(len(data), len(textHeader))])
	return strings.HasPrefix(s, linePrefix) || strings.HasPrefix(s, "fleece-trace ")
}

// ParseTrace reads a trace, as text or as a line.
func ParseTrace(data []byte) (*Trace, error) {
	if len(data) > TraceBytesMax {
		return nil, fmt.Errorf("trace: %d bytes; at most %d are allowed", len(data), TraceBytesMax)
	}
	s := string(data)
	if strings.HasPrefix(strings.TrimSpace(s), linePrefix) {
		return parseLine(strings.TrimSpace(s))
	}
	return parseText(s)
}

func parseText(s string) (*Trace, error) {
	header, rest, _ := strings.Cut(s, "\n")
	header = strings.TrimSpace(header)
	if version, ok := strings.CutPrefix(header, "fleece-trace "); !ok {
		return nil, fmt.Errorf("trace: line 1 is %.40q, want %q: this is no trace", header, textHeader)
	} else if version != "1" {
		return nil, fmt.Errorf("trace: line 1: version %.20q, but this program reads version 1: use the one that wrote it", version)
	}
	t := &Trace{}
	seen := make(map[string]bool)
	for number := 2; rest != ""; number++ {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		if err := t.parseTextLine(strings.TrimSpace(line), seen); err != nil {
			return nil, fmt.Errorf("trace: line %d: %w", number, err)
		}
	}
	if err := t.Check(); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Trace) parseTextLine(line string, seen map[string]bool) error {
	if line == "" || line[0] == '#' {
		return nil
	}
	words, err := splitWords(line)
	if err != nil {
		return err
	}
	key, values := words[0].s, words[1:]
	if key == "dev" {
		if len(t.Deviations) >= TraceDeviationsMax {
			return fmt.Errorf("more than %d deviations: replay such a run by its seed", TraceDeviationsMax)
		}
		d, err := parseDeviation(values)
		if err != nil {
			return fmt.Errorf("dev: %w", err)
		}
		t.Deviations = append(t.Deviations, d)
		return nil
	}
	if seen[key] {
		return fmt.Errorf("field %q is there twice: take one out", key)
	}
	seen[key] = true
	return t.setField(key, values)
}

func (t *Trace) setField(key string, values []word) error {
	if key == "options" {
		for _, v := range values {
			t.Options = append(t.Options, v.s)
		}
		return nil
	}
	if len(values) != 1 {
		return fmt.Errorf("field %q has %d values, want one: quote a text with spaces", key, len(values))
	}
	v := values[0].s
	var err error
	switch key {
	case "scenario":
		t.Scenario = v
	case "lane":
		t.Lane = v
	case "strategy":
		t.Strategy = v
	case "failure":
		t.Failure = v
	case "detail":
		t.Detail = v
	case "seed":
		t.Seed, err = strconv.ParseUint(v, 0, 64)
	case "hash":
		t.Hash, err = strconv.ParseUint(v, 0, 64)
	case "points":
		t.Points, err = parseCount(v, 0)
	default:
		return fmt.Errorf("unknown field %q: misspelt, or written by a newer program", key)
	}
	if err != nil {
		return fmt.Errorf("field %q is %.40q: want a number in its range", key, v)
	}
	return nil
}

var errDeviation = errors.New("want TASK OPERATION OBJECT N -> task TASK, clock, or value V")

func parseDeviation(w []word) (d simrt.Deviation, err error) {
	if len(w) < 6 || w[4].s != "->" || w[4].quoted {
		return d, errDeviation
	}
	d.At.Op, d.At.Object = w[1].s, w[2].s
	if w[0].s != clockWord || w[0].quoted {
		d.At.Task, d.At.TaskK = simrt.ParseTaskLabel(w[0].s)
	}
	if d.At.N, err = parseCount(w[3].s, 1); err != nil {
		return d, err
	}
	d.To, err = parseTarget(w[5], w[6:])
	return d, err
}

func parseTarget(kind word, args []word) (to simrt.Target, err error) {
	if kind.quoted {
		return to, errDeviation
	}
	switch {
	case kind.s == "clock" && len(args) == 0:
		to.Kind = simrt.ToClock
	case kind.s == "task" && len(args) == 1:
		to.Kind = simrt.ToTask
		to.Task, to.TaskK = simrt.ParseTaskLabel(args[0].s)
	case kind.s == "value" && len(args) == 1:
		to.Kind = simrt.ToValue
		to.Value, err = parseCount(args[0].s, 1)
	default:
		err = errDeviation
	}
	return to, err
}

func parseCount(s string, least int) (int, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < int64(least) || n > countMax {
		return 0, fmt.Errorf("%.40q is no number from %d to %d", s, least, countMax)
	}
	return int(n), nil
}
