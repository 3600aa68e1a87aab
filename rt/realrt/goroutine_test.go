package realrt

import (
	"bytes"
	"runtime"
	"strconv"
	"sync"
	"testing"
)

// The library knows the layout of Go's own structures; the stack trace is what Go
// promises.
func TestGoroutineID_IsTheOneOfStackTraces(t *testing.T) {
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			var buf [64]byte
			text := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
			digits, _, _ := bytes.Cut(text, []byte(" "))
			want, err := strconv.ParseUint(string(digits), 10, 64)
			if err != nil || goroutineID() != want {
				t.Errorf("%d, and the trace says %q", goroutineID(), digits)
			}
		})
	}
	wg.Wait()
}
