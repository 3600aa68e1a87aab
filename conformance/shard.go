package conformance

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// Shard is one part of the specs, for machines that share a run: part Index of
// Count, from 1. Which part a spec is in follows from its id alone, so it does not
// change when others come or go. The zero value is all specs.
type Shard struct{ Index, Count int }

// ShardsMax bounds the parts of a run.
const ShardsMax = 1000

// ParseShard reads "i/n"; "" is all specs.
func ParseShard(text string) (Shard, error) {
	if text == "" {
		return Shard{}, nil
	}
	i, n, ok := strings.Cut(text, "/")
	s := Shard{}
	var errI, errN error
	s.Index, errI = strconv.Atoi(i)
	s.Count, errN = strconv.Atoi(n)
	if !ok || errI != nil || errN != nil || s.Count < 1 || s.Count > ShardsMax || s.Index < 1 || s.Index > s.Count {
		return Shard{}, fmt.Errorf("shard %q: must be i/n with 1 <= i <= n <= %d, such as 2/4", text, ShardsMax)
	}
	return s, nil
}

// Has reports whether a spec is in the part.
func (s Shard) Has(spec string) bool {
	if s.Count == 0 {
		return true
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(spec)) // a hash does not fail
	return int(h.Sum64()%uint64(s.Count)) == s.Index-1
}

// String is "i/n", or "" for all specs.
func (s Shard) String() string {
	if s.Count == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.Index, s.Count)
}

// Of are the specs that are in the part.
func (s Shard) Of(specs []Spec) []Spec {
	var part []Spec
	for _, spec := range specs {
		if s.Has(spec.ID) {
			part = append(part, spec)
		}
	}
	return part
}
