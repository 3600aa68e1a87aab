// Package state has package-level variables of every kind.
package state

import (
	"errors"
	"fmt"
	"io"
)

var errGone = errors.New("gone")

var _ io.Reader = (*reader)(nil)

type reader struct{ n int }

func (*reader) Read([]byte) (int, error) { return 0, errGone }

var counter int

var cache = map[string]int{}

var mu reader

var other = [...]string{"a"}

var wrapped = fmt.Errorf("made by another function")

// Change writes them.
func Change() {
	counter++
	cache["x"] = 1
	delete(cache, "x")
	(&mu).n = 2
	other[0] = "b"
	mine := counter
	mine++
	_ = wrapped
	_ = mine
}
