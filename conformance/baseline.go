package conformance

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Baseline lists the failures of a target that its owner knows of, each with where
// that is followed up and until when it is excused. It lives with the target, never
// with the suite.
//
//   - spec: end.abort-cancels
//     lane: qemu                 # left out: every lane
//     reason: the job hangs when it is cancelled in its last chunk
//     url: https://example.org/issues/1
//     expires: 2026-12-31
type Baseline struct {
	entries []baselineEntry
	today   time.Time
}

type baselineEntry struct {
	Spec    string `yaml:"spec"`
	Lane    string `yaml:"lane"`
	Reason  string `yaml:"reason"`
	URL     string `yaml:"url"`
	Expires string `yaml:"expires"`

	until time.Time
	line  int
}

// BaselineBytesMax bounds a baseline file.
const BaselineBytesMax = 1 << 20

// baselineDay is the form of a date.
const baselineDay = "2006-01-02"

// ParseBaseline reads a baseline file as of today. known tells which specs there are.
// Errors name the file, the line and what to do.
func ParseBaseline(name string, text []byte, today time.Time, known func(spec string) bool) (*Baseline, error) {
	if len(text) > BaselineBytesMax {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", name, len(text), BaselineBytesMax)
	}
	var root yaml.Node
	err := yaml.Unmarshal(text, &root)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	b := &Baseline{today: today}
	if len(root.Content) == 0 {
		return b, nil
	}
	list := root.Content[0]
	if list.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("%s:%d: a baseline is a list of entries, each with spec, reason, url and expires", name, list.Line)
	}
	for _, node := range list.Content {
		e, err := parseEntry(node, known)
		if err == nil {
			err = b.add(e)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, node.Line, err)
		}
	}
	return b, nil
}

func parseEntry(node *yaml.Node, known func(string) bool) (baselineEntry, error) {
	e := baselineEntry{line: node.Line}
	text, err := yaml.Marshal(node)
	if err != nil {
		return e, err
	}
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	d.KnownFields(true)
	if err := d.Decode(&e); err != nil && !errors.Is(err, io.EOF) {
		return e, fmt.Errorf("an entry has spec, lane, reason, url and expires and nothing else: %s", lastLine(err.Error()))
	}
	switch {
	case e.Spec == "" || e.Reason == "" || e.URL == "" || e.Expires == "":
		return e, errors.New("spec, reason, url and expires are all needed")
	case !known(e.Spec):
		return e, fmt.Errorf("there is no spec %q; fleece list names them", e.Spec)
	case e.Lane != "" && e.Lane != LaneSim && e.Lane != LaneSimReal && e.Lane != LaneQEMU:
		return e, fmt.Errorf("there is no lane %q: there are %s, %s and %s", e.Lane, LaneSim, LaneSimReal, LaneQEMU)
	}
	if u, err := url.Parse(e.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return e, fmt.Errorf("url %q is no http or https address of an issue", e.URL)
	}
	if e.until, err = time.Parse(baselineDay, e.Expires); err != nil {
		return e, fmt.Errorf("expires %q is no date such as 2026-12-31", e.Expires)
	}
	return e, nil
}

// lastLine cuts the head off an error of the YAML library, whose line numbers are
// those of an entry alone.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	_, after, ok := strings.Cut(lines[len(lines)-1], ": ")
	if !ok {
		return lines[len(lines)-1]
	}
	return after
}

func (b *Baseline) add(e baselineEntry) error {
	for _, o := range b.entries {
		if o.Spec == e.Spec && (o.Lane == e.Lane || o.Lane == "" || e.Lane == "") {
			return fmt.Errorf("spec %s has an entry already, in line %d", e.Spec, o.line)
		}
	}
	b.entries = append(b.entries, e)
	return nil
}

// Judge is the result with the baseline taken into account. A failure that is
// expected becomes xfail, a pass that was not expected xpass. Errors of the harness
// and expired entries excuse nothing.
func (b *Baseline) Judge(r Result) Result {
	if b == nil || r.State != StatePass && r.State != StateFail {
		return r
	}
	for _, e := range b.entries {
		if e.Spec != r.Spec || e.Lane != "" && e.Lane != r.Lane {
			continue
		}
		switch {
		case b.today.After(e.until.Add(24 * time.Hour)):
			if r.State == StateFail {
				r.Reason = fmt.Sprintf("the baseline's entry expired on %s: %s", e.Expires, e.URL)
			}
		case r.State == StateFail:
			r.State, r.Reason = StateXFail, fmt.Sprintf("%s (%s, until %s)", e.Reason, e.URL, e.Expires)
		default:
			r.State, r.Reason = StateXPass, fmt.Sprintf("passes, but the baseline expects a failure (%s): take the entry out", e.URL)
		}
	}
	return r
}
