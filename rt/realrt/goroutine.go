package realrt

import (
	"bytes"
	"runtime"
	"strconv"
)

// goroutineID is the number of the calling goroutine, which Go tells in stack
// traces only. It takes about a microsecond; it is used when a task starts, and
// when one dies.
func goroutineID() uint64 {
	var buf [64]byte
	text := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	digits, _, _ := bytes.Cut(text, []byte(" "))
	id, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		panic("realrt: stack trace does not begin with a goroutine number: " + string(buf[:]))
	}
	return id
}
