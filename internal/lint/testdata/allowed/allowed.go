// Package allowed has what looks like a broken ban and is none.
package allowed

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"syscall"
	"time"
)

var errGone = errors.New("gone")

var _ fmt.Stringer = clock{}

type clock struct{ t time.Time }

// Now is a method of our own, and a field is called Sleep.
func (c clock) Now() time.Time { return c.t.Add(time.Second).UTC() }

func (c clock) String() string { return fmt.Sprintf("100%%p %d", len("50%")) }

// All uses them.
func All(m map[string]int, list []int) error {
	var s struct{ Sleep int }
	s.Sleep = 1
	_ = clock{}.Now()
	for range list {
		delete(m, "x")
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		m[k]++
	}
	_ = syscall.ENOENT.Error()
	return errGone
}
