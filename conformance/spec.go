package conformance

import (
	"fmt"
	"sort"
	"strings"
)

// Lane names, as on the command line.
const (
	LaneSim     = "sim"      // simulator, virtual clock, many schedules
	LaneSimReal = "sim-real" // simulator on goroutines and the wall clock
	LaneQEMU    = "qemu"     // a real qemu-system-x86_64
)

// Spec is one statement about behaviour, with the code that tries it.
type Spec struct {
	// ID never changes once landed: area.some-words, for example
	// "begin.full-is-the-start". It is a Ginkgo label, so none of &|!,()/: is in it.
	ID string
	// Title is a sentence about behaviour. It may be reworded.
	Title string
	// Requirements lists the ids (BEG-02, E047, I1 …) that a pass proves.
	Requirements []string
	// Needs lists the features of the target without which the spec is
	// unsupported (see Feature).
	Needs []Feature
	// Lanes restricts the spec; nil means all three. A restriction has a Reason.
	Lanes  []string
	Reason string
	// Alone is the reason why the body has no second task, so that its plain
	// hash is all there is to see; empty for a body with tasks that race.
	Alone string
	// Racing lets time-outs fire at any moment (a slow host). The body then
	// accepts every legal outcome of a time-out.
	Racing bool
	// Body is the spec itself. It may use only T and what T hands out.
	Body func(t *T)
}

// Feature names an ability that a target may lack.
type Feature string

// The features that specs ask for.
const (
	// FeatureLimitedDir is a directory whose capacity can be limited, for ENOSPC.
	FeatureLimitedDir Feature = "limited-dir"
	// FeatureKillDriver is a driver whose process can be killed and started again.
	FeatureKillDriver Feature = "kill-driver"
	// FeatureBlockDevice is a block device of the host, for targets that are one.
	FeatureBlockDevice Feature = "block-device"
	// FeatureForeignNBD is NBD servers that are programs of others.
	FeatureForeignNBD Feature = "foreign-nbd"
	// FeatureReadErrors is a disk image that can be made unreadable.
	FeatureReadErrors Feature = "read-errors"
)

// RunsIn reports whether the spec is meant for the lane.
func (s Spec) RunsIn(lane string) bool {
	if len(s.Lanes) == 0 {
		return true
	}
	for _, l := range s.Lanes {
		if l == lane {
			return true
		}
	}
	return false
}

// Validate checks a set of specs: unique ids, sentences, bodies, reasons.
// The error names the spec and what is wrong with it.
func Validate(specs []Spec) error {
	seen := make(map[string]bool, len(specs))
	for _, s := range specs {
		switch {
		case s.ID == "" || strings.ContainsAny(s.ID, " \t\n&|!,()/:"):
			return fmt.Errorf("spec %q: the id must be one word such as begin.full-is-the-start, without any of &|!,()/: in it", s.ID)
		case seen[s.ID]:
			return fmt.Errorf("spec %s: the id is used twice", s.ID)
		case s.Title == "":
			return fmt.Errorf("spec %s: no title", s.ID)
		case len(s.Requirements) == 0:
			return fmt.Errorf("spec %s: names no requirement that it proves", s.ID)
		case s.Body == nil:
			return fmt.Errorf("spec %s: no body", s.ID)
		case len(s.Lanes) > 0 && s.Reason == "":
			return fmt.Errorf("spec %s: restricted to %v without a reason", s.ID, s.Lanes)
		}
		seen[s.ID] = true
	}
	return nil
}

// Matrix lists, for each requirement id in sorted order, the ids of the specs
// that prove it.
func Matrix(specs []Spec) []MatrixRow {
	var rows []MatrixRow
	index := make(map[string]int)
	for _, s := range specs {
		for _, r := range s.Requirements {
			i, ok := index[r]
			if !ok {
				i = len(rows)
				index[r] = i
				rows = append(rows, MatrixRow{Requirement: r})
			}
			rows[i].Specs = append(rows[i].Specs, s.ID)
		}
	}
	sort.Slice(rows, func(a, b int) bool { return rows[a].Requirement < rows[b].Requirement })
	return rows
}

// MatrixRow is one requirement and the specs that prove it.
type MatrixRow struct {
	Requirement string   `json:"requirement"`
	Specs       []string `json:"specs"`
}
